"""What a method trains is what is saved: the policy, and what it keeps beside it."""

from __future__ import annotations

from copy import deepcopy
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest import SkipTest

import torch
from torch import Tensor
from torch.nn import Module
from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM

from prefrun.algorithm import LossAlgorithm
from prefrun.builtin.loading import no_progress_bar
from prefrun.policy.adapter import save_weights
from prefrun.policy.batch import BranchBatch
from prefrun.testing.algorithm.purity import PURE
from prefrun.testing.algorithm.subject import AlgorithmSubject, assert_same
from prefrun.testing.batches import WIDTH
from prefrun.testing.reshaping import copy_batch
from prefrun.testing.seeding import seeded
from prefrun.testing.suite import Property


def module_survives_saving(subject: AlgorithmSubject) -> None:
    """After a step, a new module that loads the old one's state gives the same loss."""
    if subject.losses.module is None:
        raise SkipTest("it keeps nothing beside the policy")
    old = _with_module(subject, deepcopy(subject.losses.module))
    assert old.module is not None
    with torch.no_grad():
        for value in old.module.state_dict().values():
            if value.is_floating_point():
                value.mul_(0.9)
    batch = subject.batch()
    old.step_done(old.loss(copy_batch(batch)).sums)
    checkpoint = BytesIO()
    torch.save(old.module.state_dict(), checkpoint)
    checkpoint.seek(0)
    made = old.make_module(WIDTH)
    assert made is not None, "make_module returned a module once and None the next time"
    new = _with_module(subject, made.double())
    assert new.module is not None
    new.module.load_state_dict(torch.load(checkpoint, weights_only=True))
    seen = new.loss(copy_batch(batch)).loss
    assert_same(seen, old.loss(copy_batch(batch)).loss, "saving and loading the module")


def trained_policy_survives_saving(subject: AlgorithmSubject) -> None:
    """After a step on a small model, what transformers loads from its files is that model."""
    batch = subject.batch(dtype=torch.float32)
    model, ids = _small_model(batch.token_mask)
    loss = subject.losses.loss(batch.with_policy(_logps(model, ids, batch), batch.extras)).loss
    torch.autograd.backward(loss)
    torch.optim.SGD(model.parameters(), lr=0.5).step()
    with torch.no_grad():
        trained = model(ids).logits
    with TemporaryDirectory() as folder:
        save_weights(model, Path(folder))
        with no_progress_bar(), torch.no_grad():
            saved = AutoModelForCausalLM.from_pretrained(folder)(ids).logits
    assert torch.equal(saved, trained), "the saved policy computes other logits"


def _small_model(token_mask: Tensor) -> tuple[Any, Tensor]:
    """A random Llama, and made-up rows [B K, T + 1]; the first token is the prompt."""
    trees, branches, tokens = token_mask.shape
    config = LlamaConfig(
        vocab_size=16,
        hidden_size=16,
        intermediate_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        initializer_range=0.3,
    )
    with seeded(0):
        ids = torch.randint(16, (trees * branches, tokens + 1))
        return LlamaForCausalLM(config), ids  # which has no dropout


def _logps(model: Any, ids: Tensor, batch: BranchBatch) -> Tensor:
    """[B, K, T], 0 in the padding."""
    logps = model(ids).logits[:, :-1].log_softmax(-1).gather(-1, ids[:, 1:, None])
    masked: Tensor = logps.view(batch.token_mask.shape) * batch.token_mask
    return masked


def _with_module(subject: AlgorithmSubject, module: Module) -> LossAlgorithm:
    """A new instance that keeps MODULE."""
    built = subject.build()
    assert isinstance(built, LossAlgorithm)
    built.module = module
    return built


PROPERTIES = (
    Property(module_survives_saving, PURE),
    Property(
        trained_policy_survives_saving,
        ("gradient_is_not_zero", "weights_are_constants", *PURE),
    ),
)
