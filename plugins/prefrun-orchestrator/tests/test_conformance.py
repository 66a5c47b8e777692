"""The conformance kit: golden vectors of the algorithm, the data, the evaluator."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from prefrun.testing import algorithm_checks, check_data, check_evaluator
from prefrun.testing.golden import compare_case
from prefrun_orchestrator.golden import compute

CASES = json.loads(Path(__file__).with_name("vectors").joinpath("orchestrator.json").read_text())


@pytest.mark.parametrize("check", algorithm_checks("orchestrator"))
def test_conformance(check):
    check()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_golden(case):
    assert not compare_case(case, compute(case["inputs"], case["hyper"], case["name"]))


def test_data_conform():
    check_data("topics", overrides=["train_records=20", "test_records=8"])


def test_evaluator_conforms():
    report = check_evaluator("objectives")
    skipped = [verdict for verdict in report.verdicts if verdict.status == "skipped"]
    assert "judges no objectives" in skipped[0].seen
