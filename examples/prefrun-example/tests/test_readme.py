"""The README, as the installed package holds it, names every choice, key and default."""

import re
from dataclasses import fields
from importlib.metadata import metadata

import pytest

from prefrun import Component
from prefrun_example import prefrun_components

README = metadata("prefrun-example").get_payload()
ROWS = dict(re.findall(r"^\| `([\w.]+)` \| `([^`]*)` \|", README, re.MULTILINE))


@pytest.mark.parametrize("component", prefrun_components(), ids=lambda each: each.name)
def test_the_readme_has_a_row_for_every_key(component: Component):
    shown = f"[{component.name}]" if component.group == "evaluator" else component.name
    assert f"| `{component.group}={shown}` |" in README
    for key in fields(component.config):
        assert ROWS[f"{component.prefix}.{key.name}"] == str(key.default).lower()
