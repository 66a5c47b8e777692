"""`prefrun check NAME|FILE`: the conformance kit's verdict on a component or a loss file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING

from prefrun.commands.named import components_called
from prefrun.component import Component
from prefrun.errors import ConfigError
from prefrun.escaping import visible
from prefrun.records.columns import quoted_paths

if TYPE_CHECKING:
    from prefrun.plugins import Registered
    from prefrun.testing.suite import Suite

KITS = {
    "algo": "prefrun.testing.algorithm",
    "data": "prefrun.testing.data",
    "reward": "prefrun.testing.reward",
    "evaluator": "prefrun.testing.evaluator",
    "model": "prefrun.testing.model",
    "tracker": "prefrun.testing.tracker",
}
"""Where each group's `suite_of` is; importing one imports torch."""
USAGE = "usage: prefrun check NAME|FILE [key=value ...], such as `prefrun check dpo loss=ipo`"
STATUSES = {"blocked": "skipped", "expected": "skipped", "failed": "FAILED"}
"""What the user reads for a verdict's status; others read as they are."""


def check(arguments: list[str]) -> int:
    """Judge every component called NAME, or a loss file, and print a line per property.

    Returns 0 where every property holds or does not apply, else 1. Raises ConfigError for an
    unknown name, or a key=value that the component does not take.
    """
    if not arguments or arguments[0].startswith("-"):
        raise ConfigError(USAGE)
    entries = _chosen(arguments[0])
    results = [_show(entry, quoted_paths(arguments[1:])) for entry in entries]
    return 0 if all(results) else 1


def _chosen(word: str) -> list[Registered]:
    """Return the components that WORD means: NAME, GROUP=NAME or a loss file."""
    group, _, name = word.rpartition("=")
    found = components_called(name)
    groups = [entry.component.group for entry in found]
    if group and group not in groups:
        raise ConfigError(f"there is no {word}, but {', '.join(f'{g}={name}' for g in groups)}")
    return [entry for entry in found if group in ("", entry.component.group)]


def _show(entry: Registered, words: Sequence[str]) -> bool:
    """Print the verdicts on one component; return whether none failed."""
    component, plugin = entry.component, entry.plugin
    kit = import_module(KITS[component.group])
    suite: Suite = kit.suite_of(component, [_key(word, component) for word in words])
    _ = suite.subject.settings  # a key that is missing or mistyped is no fault of the component
    print(f"{suite.subject} ({plugin.distribution} {plugin.version})")
    counts: Counter[str] = Counter()
    for name, item in suite.properties.items():
        verdict = suite.verdict(name)
        status = STATUSES.get(verdict.status, verdict.status)
        counts[status] += 1
        seen = f": {verdict.seen}" if verdict.seen else ""
        print(visible(f"  {status:<7}  {name}{seen}"), flush=True)
        if status == "FAILED":
            print(f"           must hold: {item.summary}")
    print(", ".join(f"{count} {status.lower()}" for status, count in counts.items()) + "\n")
    return not counts["FAILED"]


def _key(word: str, component: Component) -> str:
    """Return 'key=value' of WORD, which may name the group as on the command line."""
    if "=" not in word:
        raise ConfigError(f"'{word}' is no key=value. {USAGE}")
    return word.removeprefix(f"{component.prefix}.")
