"""Every number of the vector file: SimulEval's, SM2's, and the card's formulas."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from prefrun.testing.golden import compare_case
from prefrun_simulpl.golden import KINDS, compute

CASES = json.loads(Path(__file__).with_name("vectors").joinpath("simulpl.json").read_text())


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_golden(case: dict) -> None:
    assert not compare_case(case, compute(case["inputs"], case["hyper"], case["name"]))


def test_the_file_has_cases_of_every_kind() -> None:
    kinds = {mark for case in CASES for mark in KINDS if mark in case["inputs"]}
    assert kinds == set(KINDS)
    assert len(CASES) == 27
