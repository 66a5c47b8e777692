"""How much of a model training moved."""

from __future__ import annotations

import torch

from prefrun.training.saving import share_moved


def test_weights_that_moved_are_counted_by_bits(make_model):
    start, model = make_model("llama", torch.bfloat16), make_model("llama", torch.bfloat16)
    assert share_moved(model, start) == 0
    weight = model.lm_head.weight
    with torch.no_grad():
        weight.fill_(0.5)
        start.lm_head.weight.fill_(0.5)
        weight[:3].add_(1e-4)  # below half a step of bfloat16 near 0.5
        weight[0, :5].add_(1e-2)
    count = sum(value.numel() for value in model.parameters())
    assert share_moved(model, start) == 5 / count


def test_models_of_other_shapes_are_not_compared(make_model):
    assert share_moved(make_model("llama"), make_model("llama", vocab_size=410)) is None
