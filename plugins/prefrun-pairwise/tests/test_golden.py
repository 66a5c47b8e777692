"""The losses against the numbers of TRL and of the DPO-gamma card: values, gradients, metrics."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from prefrun_pairwise.golden import compute

VECTORS = Path(__file__).with_name("vectors")
CASES = [
    case
    for name in ("insights_variants.json", "dpo_gamma.json")
    for case in json.loads((VECTORS / name).read_text())
]


def assert_equal(computed: object, expected: object, key: str) -> None:
    if isinstance(expected, dict):
        for name, value in expected.items():
            assert_equal(computed[name], value, f"{key}/{name}")
        return
    torch.testing.assert_close(
        torch.tensor(computed, dtype=torch.float64),
        torch.tensor(expected, dtype=torch.float64),
        rtol=1e-6,
        atol=1e-15,
        msg=lambda text: f"{key}: {text}",
    )


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_golden(case: dict) -> None:
    computed = compute(case["inputs"], case["hyper"], case["name"])
    for key, expected in case["expected"].items():
        assert_equal(computed[key], expected, key)
