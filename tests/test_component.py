"""A component's class that fails is told with its file and line."""

from __future__ import annotations

import pytest

from prefrun.component import Component
from prefrun.errors import ConfigError, PluginError

SOURCE = """\
class Raises:
    def __init__(self, settings):
        {}["missing"]


class Refuses:
    def __init__(self, settings):
        from prefrun import ConfigError
        raise ConfigError("algo.beta is too hot")
"""


@pytest.fixture
def component(tmp_path, monkeypatch):
    (tmp_path / "made_here.py").write_text(SOURCE)
    monkeypatch.syspath_prepend(tmp_path)
    return lambda name: Component("algo", "made", dict, f"made_here:{name}", "")


def test_a_bug_in_the_constructor_names_choice_file_and_line(component):
    with pytest.raises(PluginError, match=r"algo=made cannot be made: KeyError.*made_here.py:3"):
        component("Raises").make({})


def test_what_a_class_says_itself_stays(component):
    with pytest.raises(ConfigError, match=r"^algo\.beta is too hot$"):
        component("Refuses").make({})
