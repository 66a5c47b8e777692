"""What the runs of a comparison were made from, and what to say if it was not the same."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from prefrun.digest import joint_digest

if TYPE_CHECKING:
    from prefrun.comparison.runs import RunResult

SHOWN = 8
"""Digits of a digest."""
MOST_RUNS = 4
"""Named in a warning; the others are counted."""
LIBRARY = "library "


@dataclass(frozen=True, slots=True)
class Origin:
    """What one run was made from, as far as its manifest says."""

    contents: Mapping[str, str] = field(default_factory=dict)
    """Digest of the model, the files and the data, by key of the configuration."""
    packages: Mapping[str, str] = field(default_factory=dict)
    """Digest of the code by package, and the version by library; empty: an older manifest."""
    code: str | None = None
    """Fingerprint of all code."""
    dtype: str | None = None
    """Number format of the model's weights."""
    resumed_with: tuple[str, ...] = ()
    """What was another when the run was resumed, a line each."""
    data_by_seed: bool = True
    """Whether each seed may have data of its own."""


def read_origin(manifest: Mapping[str, Any], config: Mapping[str, Any]) -> Origin:
    """Return what MANIFEST says of the run with CONFIG."""
    data, code, model = (manifest.get(name) or {} for name in ("data", "code", "model"))
    by_seed = bool(data.get("by_seed", not (config.get("data") or {}).get("path")))
    libraries = {f"{LIBRARY}{name}": str(v) for name, v in code.get("libraries", {}).items()}
    return Origin(
        contents=_contents(manifest, by_seed),
        packages={**code.get("packages", {}), **libraries},
        code=code.get("fingerprint"),
        dtype=model.get("dtype"),
        resumed_with=tuple(
            line for entry in manifest.get("resumed", []) for line in entry.get("changed", [])
        ),
        data_by_seed=by_seed,
    )


def _contents(manifest: Mapping[str, Any], by_seed: bool) -> dict[str, str]:
    found = {}
    for key, content in manifest.get("inputs", {}).items():
        parts = [f"{part}={value}" for part, value in sorted(content.items()) if part != "path"]
        found[key] = joint_digest(parts)
    model = manifest.get("model") or {}
    if "inputs" not in manifest and (manifest.get("components") or {}).get("model") == "hf":
        found["model"] = str(model.get("fingerprint"))  # an older run: its weights only
    if not by_seed:
        found["data"] = str(manifest["data"].get("fingerprint"))
    return found


def split_warnings(same: Iterable[Sequence[RunResult]]) -> Iterator[str]:
    """Yield a warning for each of SAME, the runs of one configuration, whose contents differ."""
    for runs in same:
        keys = dict.fromkeys(key for run in runs for key in run.origin.contents)
        for key in keys:
            found = _by_value(runs, lambda run, key=key: run.origin.contents.get(key))
            if len(found) > 1:
                yield (
                    f"{key} was not the same in all runs of one configuration ({_parts(found)}): "
                    "they are rows of their own"
                )


def row_warnings(label: str, runs: Sequence[RunResult]) -> Iterator[str]:
    """Yield what is not the same in the RUNS of the row LABEL, and was not reason to split it."""
    dtypes = _by_value(runs, lambda run: run.origin.dtype)
    if len(dtypes) > 1:
        yield f"{label} has runs in different number formats ({_parts(dtypes, None)})"
    codes = _by_value(runs, lambda run: run.origin.code)
    if len(codes) > 1 and not all(run.origin.packages for run in runs):
        yield f"{label} has runs of different code ({_parts(codes)})"
    for run in runs:
        if run.origin.resumed_with:
            what = "; ".join(run.origin.resumed_with)
            yield f"{run.path} was resumed with other inputs than it began with: {what}"


def code_warnings(runs: Sequence[RunResult]) -> list[str]:
    """Return one warning if a package or a library was not the same in all RUNS that have it."""
    parts = []
    for name in dict.fromkeys(name for run in runs for name in run.origin.packages):
        have = [run for run in runs if name in run.origin.packages]
        found = _by_value(have, lambda run, name=name: run.origin.packages[name])
        if len(found) > 1:
            parts.append(f"{name} ({_parts(found, None if name.startswith(LIBRARY) else SHOWN)})")
    if not parts:
        return []
    return [
        f"the runs were made by different code: {'; '.join(parts)}: "
        "differences between them may come from it"
    ]


def _by_value(runs: Iterable[RunResult], value: Any) -> dict[str, list[Path]]:
    found: dict[str, list[Path]] = {}
    for run in runs:
        found.setdefault(str(value(run) or "unknown"), []).append(run.path)
    return found


def _parts(found: Mapping[str, Sequence[Path]], digits: int | None = SHOWN) -> str:
    return "; ".join(f"{value[:digits]} in {_named(paths)}" for value, paths in found.items())


def _named(paths: Sequence[Path]) -> str:
    names = ", ".join(map(str, paths[:MOST_RUNS]))
    more = len(paths) - MOST_RUNS
    return f"{names} and {more} more" if more > 0 else names
