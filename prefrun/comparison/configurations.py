"""Which runs are the same configuration, and what to call each configuration."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from prefrun.comparison.runs import RunResult
from prefrun.errors import ConfigError
from prefrun.plan import COSMETIC_KEYS
from prefrun.rundir.configuration import flatten

IGNORED = (*COSMETIC_KEYS, "seed")
"""Top-level keys that do not make a configuration another one."""


def group_runs(runs: Sequence[RunResult]) -> dict[str, list[RunResult]]:
    """Return the runs by label, in order of first appearance; runs that differ only in the seed
    and in cosmetic keys share a label. A label names the keys that differ between labels."""
    settings: dict[str, dict[str, Any]] = {}
    members: dict[str, list[RunResult]] = {}
    for run in runs:
        chosen = settings_of(run)
        key = json.dumps(chosen, sort_keys=True, default=str)
        settings[key] = chosen
        members.setdefault(key, []).append(run)
    labels = label_settings([settings[key] for key in members])
    return dict(zip(labels, members.values(), strict=True))


def find_label(labels: Sequence[str], words: str | None) -> str:
    """Return the one of LABELS that is, or has, all of WORDS; the first where there are none.

    Raises ConfigError, with the labels, where there is none, or several.
    """
    if words is None:
        return labels[0]
    wanted = words.split()
    found = [label for label in labels if label == words]
    found = found or [label for label in labels if set(wanted) <= set(label.split())]
    if len(found) != 1:
        raise ConfigError(
            f"--baseline {words!r} names {len(found) or 'no'} configurations, not one\n"
            f"  choices: {'; '.join(labels)}"
        )
    return found[0]


def settings_of(run: RunResult) -> dict[str, Any]:
    """Return what makes RUN's configuration another one: choices and values by dotted key."""
    config = {key: value for key, value in run.config.items() if key not in IGNORED}
    return {**run.choices, **flatten(config), **run.choices}


def label_settings(settings: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return a label such as 'algo=lipo trainer.learning_rate=0.001' for each of the SETTINGS.

    A key below a choice (algo.beta) is compared only between settings with the same choice: other
    algorithms have other keys, and 'algo=...' says so already.
    """
    keys = list(dict.fromkeys(key for one in settings for key in one))
    labels = []
    for one in settings:
        shown = [key for key in keys if key in one and _differs(key, one, settings)]
        words = [f"{key}={_value(one[key])}" for key in shown or ["algo"]]
        labels.append(" ".join(words))
    return labels


def _differs(key: str, one: Mapping[str, Any], settings: Sequence[Mapping[str, Any]]) -> bool:
    group, dot, _ = key.partition(".")
    peers = [other for other in settings if not dot or other.get(group) == one.get(group)]
    return any(key not in other or other[key] != one[key] for other in peers)


def _value(value: object) -> str:
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, list):
        return f"[{','.join(map(_value, value))}]"
    return str(value)
