"""Writes docs/methods.md: every installed algorithm of this repository, as it says of itself.

python docs/make_methods.py
"""

from __future__ import annotations

import json
from importlib import import_module
from pathlib import Path
from typing import Any

from prefrun.algorithm import Algorithm, DecodingAlgorithm, LossAlgorithm
from prefrun.component import Component
from prefrun.plugins import registered
from prefrun.testing.composition import compose_settings
from prefrun.testing.golden import compare_case, vector_file

PAGE = Path(__file__).with_name("methods.md")
PLUGINS = Path(__file__).parents[1] / "plugins"
HEADINGS = ("algo", "paper", "kind", "formula", "reference", "vectors", "experiment")
INTRODUCTION = """# Methods

Written by `python docs/make_methods.py` from what the plugins say of themselves; a test keeps it
current. `prefrun explain NAME` says more. **reference**: whether log-probs of a frozen start model
are needed. **vectors**: golden numbers (or arrays of them) that are met at 1e-6, of all; where one
is not, the plugin's test names the reason. **experiment**: what came of the laptop experiment in
the plugin's README.
"""


def main() -> None:
    """Write the page."""
    PAGE.write_text(page(), encoding="utf-8")


def page() -> str:
    """Return the page."""
    own = {path.name for path in PLUGINS.iterdir()}
    rows = [
        _row(entry.component)
        for (group, _), entry in sorted(registered().items())
        if group == "algo" and entry.plugin.distribution in own
    ]
    rule = ("---",) * len(HEADINGS)
    lines = [
        " | ".join(cell.replace("|", "\\|") for cell in row) for row in (HEADINGS, rule, *rows)
    ]
    return "\n".join([INTRODUCTION, *(f"| {line} |" for line in lines)]) + "\n"


def _row(component: Component) -> tuple[str, ...]:
    owner: type[Algorithm] = component.load()
    return (
        f"`{component.name}`",
        owner.paper,
        owner.kind,
        f"`{owner.formula}`" if owner.formula else "",
        _reference(owner, component),
        _vectors(owner, component),
        owner.verdict or "not run",
    )


def _reference(owner: type[Algorithm], component: Component) -> str:
    if not issubclass(owner, LossAlgorithm):
        return "no" if issubclass(owner, DecodingAlgorithm) else "see explain"
    return "yes" if "reference" in owner(compose_settings(component)).needs else "no"


def _vectors(owner: type[Algorithm], component: Component) -> str:
    """Count the published numbers (or arrays of them) that are met."""
    if owner.vectors is None or owner.golden is None:
        return ""
    module, _, name = owner.golden.partition(":")
    compute: Any = getattr(import_module(module), name)
    cases = json.loads(vector_file(component, owner.vectors).read_text(encoding="utf-8"))
    met = count = 0
    for case in cases:
        computed = compute(case["inputs"], case["hyper"], case["name"])
        if computed is not None:  # None: the case is of another algorithm
            count += len(case["expected"])
            met += len(case["expected"]) - len(compare_case(case, computed))
    return f"{met} of {count}"


if __name__ == "__main__":
    main()
