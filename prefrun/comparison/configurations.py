"""Which runs are the same configuration, and what to call each configuration."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import Any, TypeGuard

from prefrun.comparison.origins import SHOWN
from prefrun.comparison.runs import RunResult
from prefrun.errors import ConfigError
from prefrun.plan import COSMETIC_KEYS
from prefrun.rundir.configuration import flatten

IGNORED = (*COSMETIC_KEYS, "seed")
"""Top-level keys that do not make a configuration another one."""

Settings = Mapping[str, Any]
"""Choices and values by dotted key."""


def group_runs(runs: Sequence[RunResult]) -> dict[str, list[RunResult]]:
    """Return the runs by label, in order of first appearance; runs that differ only in the seed
    and in cosmetic keys share a label. A label names the keys that differ between labels.

    Models, files and data count by content: of another content, runs have another label; of the
    same content at another place, they have the same.
    """
    members: dict[str, list[RunResult]] = {}
    for run in runs:
        members.setdefault(_configuration(run), []).append(run)
    firsts = [group[0] for group in members.values()]
    contents = [run.origin.contents for run in firsts]
    labels = label_settings([settings_of(run) for run in firsts], contents)
    return dict(zip(labels, members.values(), strict=True))


def same_settings(runs: Sequence[RunResult]) -> list[list[RunResult]]:
    """Return RUNS by what their configurations say, whatever was at their paths."""
    members: dict[str, list[RunResult]] = {}
    for run in runs:
        members.setdefault(_exact(settings_of(run)), []).append(run)
    return list(members.values())


def _configuration(run: RunResult) -> str:
    contents = run.origin.contents
    places = {key: value for key, value in settings_of(run).items() if key not in contents}
    return _exact([places, run.choices, contents])


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
    ignored = IGNORED if run.trained else (*IGNORED, "trainer")  # it trains nothing
    config = {key: value for key, value in run.config.items() if key not in ignored}
    return {**run.choices, **flatten(config), **run.choices}


def label_settings(
    settings: Sequence[Settings], contents: Sequence[Mapping[str, str]] = ()
) -> list[str]:
    """Return a label such as 'algo=lipo trainer.learning_rate=0.001' for each of the SETTINGS.

    A key below a choice (algo.beta) is compared only between settings with the same choice: other
    algorithms have other keys, and 'algo=...' says so already. No two labels are equal: if values
    read alike, they are written as JSON; then the digests of CONTENTS are added; then a number.
    """
    keys = list(dict.fromkeys(key for one in settings for key in one))
    short = {key: _short_paths([one[key] for one in settings if key in one]) for key in keys}
    words = []
    for one in settings:
        shown = [key for key in keys if key in one and _differs(key, one, settings)] or ["algo"]
        words.append({key: short[key].get(_exact(one[key])) or _value(one[key]) for key in shown})
    for alike in _repeated(words):
        for key in words[alike[0]]:
            exact = [_exact(settings[place][key]) for place in alike]
            for place, value in zip(alike, exact, strict=True):
                words[place][key] = value if len(set(exact)) > 1 else words[place][key]
    labels = [" ".join(f"{key}={value}" for key, value in own.items()) for own in words]
    for alike in _repeated(labels) if contents else ():
        for place, more in zip(alike, _digests([contents[n] for n in alike]), strict=True):
            labels[place] += more
    while repeated := _repeated(labels):
        for number, place in enumerate((place for alike in repeated for place in alike), 1):
            labels[place] += f" ({number})"
    return labels


def _repeated(labels: Sequence[object]) -> list[list[int]]:
    """The places of labels that stand at several, label by label."""
    places: dict[str, list[int]] = {}
    for place, label in enumerate(labels):
        places.setdefault(str(label), []).append(place)
    return [found for found in places.values() if len(found) > 1]


def _digests(contents: Sequence[Mapping[str, str]]) -> list[str]:
    """For each of CONTENTS the words ' KEY@DIGEST' of what is not the same in all."""
    keys = dict.fromkeys(key for one in contents for key in one)
    differ = [key for key in keys if len({one.get(key) for one in contents}) > 1]
    return [
        "".join(f" {key}@{one.get(key, 'unknown')[:SHOWN]}" for key in differ) for one in contents
    ]


def _differs(key: str, one: Settings, settings: Sequence[Settings]) -> bool:
    group, dot, _ = key.partition(".")
    peers = [other for other in settings if not dot or other.get(group) == one.get(group)]
    own = _exact(one[key])
    return any(key not in other or _exact(other[key]) != own for other in peers)


def _short_paths(values: Sequence[object]) -> dict[str, str]:
    """The absolute paths among VALUES, as JSON, with the last parts by which they differ."""
    paths = {value: PurePath(value).parts for value in values if _is_path(value)}
    short = {}
    for path, parts in paths.items():
        others = [other for other in paths.values() if other != parts]
        count = 1
        while count < len(parts) and any(other[-count:] == parts[-count:] for other in others):
            count += 1
        short[_exact(path)] = str(PurePath(*parts[-count:]))
    return short


def _is_path(value: object) -> TypeGuard[str]:
    return isinstance(value, str) and PurePath(value).is_absolute()


def _value(value: object) -> str:
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    if isinstance(value, float):
        short = f"{value:g}"
        return short if float(short) == value else repr(value)
    if isinstance(value, list):
        return f"[{','.join(map(_value, value))}]"
    return str(value)


def _exact(value: object) -> str:
    """VALUE as JSON, in which 1, 1.0, true and their texts differ."""
    return json.dumps(value, sort_keys=True, default=str)
