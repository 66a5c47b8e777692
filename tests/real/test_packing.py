"""On a real model packed rows are used, and faults in them are found."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM

from prefrun.policy.attention.kernel import Kernel
from prefrun.policy.packing_check import problem_with
from prefrun.policy.packing_choice import choose_packing
from prefrun.policy.rounding import rounding_noise
from tests.policy.test_packing_check import FAULTS


@pytest.fixture(scope="module", params=[torch.float32, torch.bfloat16], ids=["float32", "bfloat16"])
def model(request: pytest.FixtureRequest, gemma: Path) -> Any:
    """The model in one number format."""
    loader: Any = AutoModelForCausalLM
    return loader.from_pretrained(gemma, dtype=request.param).eval()


def test_it_is_packed_and_knows_its_rounding(model: Any, text: list[int]) -> None:
    assert choose_packing(model, None, text).kernel is Kernel.segments
    noise = rounding_noise(model, text)
    assert 0.01 < noise < 0.3 if model.dtype is torch.bfloat16 else noise == 0.0


@pytest.mark.parametrize("fault", ["positions", "mask", "no window", "window + 1"])
def test_a_fault_is_found(
    fault: str, model: Any, text: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    spoil, kernel = FAULTS[fault]
    forward = model.forward
    try:
        spoil(model, monkeypatch)
        assert "differ by" in (problem_with(model, kernel, text) or "")
    finally:
        model.forward = forward
