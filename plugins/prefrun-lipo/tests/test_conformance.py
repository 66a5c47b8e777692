"""algo=lipo against the conformance kit, every loss of the family."""

from __future__ import annotations

import json

import pytest

from prefrun.component import Component
from prefrun.plugins import components
from prefrun.testing import algorithm_checks, check_algorithm
from prefrun.testing.golden import compare_case, vector_file
from prefrun_lipo.config import Loss
from prefrun_lipo.golden import compute, known_differences


def wrong_gradients() -> dict[str, str]:
    """Gradients of the vectors that RAX gets wrong at exact ties, with the reason."""
    lipo: Component = components()["algo", "lipo"]
    wrong = {}
    for case in json.loads(vector_file(lipo, "lipo.json").read_text()):
        arguments = case["inputs"], case["hyper"], case["name"]
        differing = compare_case(case, compute(*arguments))
        for key, reason in known_differences(*arguments).items():
            if f"{case['name']}/{key}" in differing:
                wrong[f"golden_vectors/{case['name']}/{key}"] = reason
    return wrong


@pytest.mark.parametrize("check", algorithm_checks("lipo", expected_failures=wrong_gradients()))
def test_conformance(check):
    check()


@pytest.mark.parametrize("loss", [loss.name for loss in Loss])
def test_every_loss_conforms(loss):
    check_algorithm("lipo", overrides=[f"loss={loss}"], expected_failures=wrong_gradients())
