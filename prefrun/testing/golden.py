"""Golden vectors: the numbers of a method's paper or official code, against a plugin's own."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Iterator, Mapping
from fnmatch import fnmatchcase
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol
from unittest import SkipTest

from prefrun.component import Component

VARIABLE = "PREFRUN_VECTORS"
"""Environment variable: the folder of vector files, in place of the plugin's own tests/vectors."""
RELATIVE, ABSOLUTE = 1e-6, 1e-9
SHOWN = 8
"""Differences listed before the rest is only counted."""
PREFIX = "golden_vectors/"
"""Begins an expected failure of some numbers: 'golden_vectors/CASE/KEY', either with `*`."""

Compute = Callable[[Any, Any, str], Mapping[str, Any] | None]


class GoldenSubject(Protocol):
    """What the check reads of its subject."""

    component: Component
    expected_failures: Mapping[str, str]
    """Reason by check, 'golden_vectors/CASE/KEY' for numbers that are published wrong."""


def golden_vectors(subject: GoldenSubject) -> str:
    """Every expected number of every case is met at 1e-6 relative, 1e-9 absolute, in float64."""
    owner = subject.component.load()
    file, golden = getattr(owner, "vectors", None), getattr(owner, "golden", None)
    if file is None:
        raise SkipTest("no vectors: set `vectors` and `golden` on the class")
    assert golden, f"vectors = '{file}', but `golden` names no function that computes its cases"
    path = vector_file(subject.component, file)
    assert path.is_file(), f"there is no vector file {path}; set {VARIABLE} to the files' folder"
    module, _, name = golden.partition(":")
    compute: Compute = getattr(import_module(module), name)
    cases = json.loads(path.read_text(encoding="utf-8"))
    differences: dict[str, str] = {}
    used = 0
    for case in cases:
        seen = compute(case["inputs"], case["hyper"], case["name"])
        if seen is not None:  # None: the function says that the case is of another algorithm
            used += 1
            differences |= compare_case(case, seen)
    assert used, f"{golden} computed none of the {len(cases)} cases of {path}"
    _settle(differences, _known_differences(subject.expected_failures))
    return f"{used} of {len(cases)} cases of {path.name}"


def _known_differences(expected_failures: Mapping[str, str]) -> dict[str, str]:
    """Return the reasons why published numbers are wrong, by 'CASE/KEY', which may be a pattern."""
    return {
        name.removeprefix(PREFIX): reason
        for name, reason in expected_failures.items()
        if name.startswith(PREFIX)
    }


def vector_file(component: Component, file: str) -> Path:
    """Return where FILE is: below PREFRUN_VECTORS; else in `vectors` of the plugin's package, where
    a wheel has it; else in `tests/vectors` beside the package, where a checkout has it.
    """
    folder = os.environ.get(VARIABLE)
    if folder:
        return Path(folder) / file
    package = component.factory.partition(":")[0].partition(".")[0]
    spec = find_spec(package)
    assert spec is not None, f"the package '{package}' cannot be found"
    root = Path(next(iter(spec.submodule_search_locations or [spec.origin or ""])))
    shipped = root / "vectors" / file
    return shipped if shipped.is_file() else root.parent / "tests" / "vectors" / file


def compare_case(case: Mapping[str, Any], seen: Mapping[str, Any]) -> dict[str, str]:
    """Return what differs, by 'CASE/KEY'; further keys in SEEN are allowed."""
    differences = {}
    for key, expected in case["expected"].items():
        if key not in seen:
            differences[f"{case['name']}/{key}"] = "the function does not return this key"
        else:
            found = next(_differences(seen[key], expected, ""), None)
            if found:
                differences[f"{case['name']}/{key}"] = found
    return differences


def _settle(differences: dict[str, str], known: Mapping[str, str]) -> None:
    lines = [
        f"{key}: {text}"
        for key, text in differences.items()
        if not any(fnmatchcase(key, pattern) for pattern in known)
    ]
    lines += [
        f"{pattern}: agrees, though a difference is expected: {reason}; remove that"
        for pattern, reason in known.items()
        if not any(fnmatchcase(key, pattern) for key in differences)
    ]
    more = [f"and {len(lines) - SHOWN} more"] if len(lines) > SHOWN else []
    assert not lines, "; ".join([*lines[:SHOWN], *more])


def _differences(seen: Any, expected: Any, where: str) -> Iterator[str]:
    """Yield each place where SEEN is not EXPECTED."""
    if hasattr(seen, "tolist"):  # a tensor or an array
        seen = seen.tolist()
    place = f"{where}: " if where else ""
    if isinstance(expected, dict):
        if not isinstance(seen, Mapping):
            yield f"{place}{seen!r}, expected a mapping"
            return
        for key, value in expected.items():
            if key not in seen:
                yield f"{where}.{key} is missing"
            else:
                yield from _differences(seen[key], value, f"{where}.{key}")
    elif isinstance(expected, list):
        if not isinstance(seen, list | tuple) or len(seen) != len(expected):
            yield f"{place}{seen!r}, expected {len(expected)} entries"
            return
        for number, (one, other) in enumerate(zip(seen, expected, strict=True)):
            yield from _differences(one, other, f"{where}[{number}]")
    elif not _equal(seen, expected):
        yield f"{place}{seen!r}, expected {expected!r}"


def _equal(seen: Any, expected: Any) -> bool:
    if not isinstance(expected, int | float) or not isinstance(seen, int | float):
        return bool(seen == expected)
    if math.isnan(expected) or math.isnan(seen):
        return math.isnan(expected) and math.isnan(seen)
    return math.isclose(seen, expected, rel_tol=RELATIVE, abs_tol=ABSOLUTE)
