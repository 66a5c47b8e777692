"""`prefrun diff RUN_A RUN_B`: what differs between two runs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from prefrun.commands.begun import open_run
from prefrun.errors import ConfigError
from prefrun.escaping import visible

if TYPE_CHECKING:
    from prefrun.rundir.directory import RunDirectory

Facts = Mapping[str, Mapping[str, Any]]
"""What is compared: value by flattened key, by section."""
ABSENT = "(absent)"
MADE_FROM = ("model", "inputs", "code", "versions", "hardware", "numerics")
"""Sections of the manifest that are compared key by key."""


def diff(arguments: list[str]) -> int:
    """Print what differs in configuration, data, models, code, versions, hardware and results.

    Returns 0, whether or not anything differs. Raises ConfigError for a folder that holds no run.
    """
    if len(arguments) != 2 or any(word.startswith("-") for word in arguments):
        raise ConfigError("usage: prefrun diff RUN_A RUN_B")
    one, two = (open_run(Path(word)) for word in arguments)
    print(visible(f"A: {one.path}\nB: {two.path}"))
    print(visible("\n".join(difference_lines(read_facts(one), read_facts(two)))))
    return 0


def read_facts(directory: RunDirectory) -> Facts:
    """Return what is compared of one run; a run without results has only its status there.

    Raises PrefrunError, naming the file, where one is missing or damaged.
    """
    from prefrun.rundir.configuration import flatten, read_config
    from prefrun.rundir.files import read_json
    from prefrun.rundir.status import read_status
    from prefrun.rundir.summary import read_summary

    manifest = read_json(directory.manifest)
    data = {key: value for key, value in manifest["data"].items() if key != "problems"}
    results: dict[str, Any] = {"status": read_status(directory).unfinished() or "finished"}
    if directory.summary.exists():
        summary = read_summary(directory)
        data |= summary["records"]
        results |= {name: values.get("after") for name, values in summary["metrics"].items()}
    resumed = [line for each in manifest.get("resumed", []) for line in each.get("changed", [])]
    if resumed:
        results["resumed with changes"] = "; ".join(resumed)
    chosen = flatten(manifest.get("components", {}))
    return {
        "configuration": {**chosen, **flatten(read_config(directory.config)), **chosen},
        "data": data,
        **{name: flatten(manifest.get(name) or {}) for name in MADE_FROM},
        "results": results,
    }


def difference_lines(one: Facts, two: Facts) -> list[str]:
    """Return the lines that say what differs between the facts of run A and of run B."""
    differing = {
        section: [
            key
            for key in dict.fromkeys([*one[section], *two[section]])
            if repr(one[section].get(key, ABSENT)) != repr(two[section].get(key, ABSENT))
        ]
        for section in one
    }
    if not any(differing.values()):
        return [f"no difference in {', '.join(one)}"]
    lines = []
    for section, keys in differing.items():
        lines.append(f"{section}:" if keys else f"{section}: no difference")
        width = max(map(len, keys), default=0)
        for key in keys:
            before, after = one[section].get(key, ABSENT), two[section].get(key, ABSENT)
            change = _change(before, after) if section == "results" else ""
            lines.append(f"  {key:<{width}}  {_arrow(before, after)}{change}")
    return lines


def _change(before: object, after: object) -> str:
    from prefrun.rundir.display import format_change

    if isinstance(before, int | float) and isinstance(after, int | float):
        return f"  ({format_change(before, after)})"
    return ""


def _arrow(before: object, after: object) -> str:
    """BEFORE -> AFTER; values that read alike, such as 1 and 1.0, as Python writes them."""
    texts = _text(before), _text(after)
    if texts[0] == texts[1]:
        texts = repr(before), repr(after)
    return " -> ".join(texts)


def _text(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    return "null" if value is None else str(value)
