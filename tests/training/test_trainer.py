"""The training loop: exact means over micro-batches, whole checkpoints, the step-0 gate."""

from __future__ import annotations

import copy
import math
import os
import shutil
import subprocess
import sys
from contextlib import nullcontext
from dataclasses import replace

import pytest
import torch
from torch._dynamo.utils import counters
from torch.nn.functional import logsigmoid

from prefrun.algorithm import LossAlgorithm, LossOutput, Term
from prefrun.errors import ConfigError, PrefrunError
from prefrun.models.text import LanguageModel
from prefrun.policy.attention.kernel import Kernel
from prefrun.policy.attention.switch import tree_attention
from prefrun.policy.collate import Example
from prefrun.policy.packing import PLAIN, Packing
from prefrun.policy.reference import reference_logps
from prefrun.policy.tokenise import Tokeniser
from prefrun.rundir.progress import STAGING
from prefrun.schema import TrainerConfig
from prefrun.testing import make_trees
from prefrun.training.arguments import training_arguments
from prefrun.training.compiling import compiled_layers, decoder_layers
from prefrun.training.dataset import ExampleDataset
from prefrun.training.disk import is_disk_full
from prefrun.training.gate import check_step_zero
from prefrun.training.step import collate_step
from prefrun.training.trainer import PreferenceTrainer

PACKED = Packing(Kernel.segments)
COMPILER = os.environ.get("CXX", "g++")


class BestVsRest(LossAlgorithm):
    """DPO of the best answer against the others: lists of different lengths weigh differently."""

    def loss(self, batch):
        ratios = 0.5 * batch.log_ratios
        best = batch.scores.masked_fill(~batch.branch_mask, -math.inf).argmax(-1, keepdim=True)
        others = batch.branch_mask & (batch.scores < batch.scores.gather(-1, best))
        losses = -logsigmoid(ratios.gather(-1, best) - ratios) * others
        pairs = others.sum(-1)
        return LossOutput(
            {"pairs": Term(losses.sum(-1) / pairs.clamp(min=1), pairs.to(losses))},
            {"pairs": pairs.sum()},
        )


class BestOfTheBatch(BestVsRest):
    """Compares every answer with the mean of all answers of the batch."""

    batch_coupled = True

    def loss(self, batch):
        ratios = 0.1 * batch.log_ratios * batch.branch_mask
        mean = ratios.sum() / batch.branch_mask.sum()
        better = batch.scores > 0.5
        losses = -logsigmoid(torch.where(better, ratios - mean, mean - ratios)) * batch.branch_mask
        return LossOutput({"all": Term(losses.sum(-1), batch.branch_mask.sum(-1).float())})


class BestBySteps(BestVsRest):
    """Weighs each answer by how like its first step is to that of the first answer."""

    needs = frozenset({"reference", "step_embeddings", "log_collision"})

    def loss(self, batch):
        first = batch.step_embeddings[:, :, 0]
        like = torch.cosine_similarity(first, first[:, :1], dim=-1)
        sure = batch.extras["log_collision"].sum(-1).exp()
        losses = -logsigmoid(0.3 * batch.log_ratios * (1 + like) * (1 + sure)) * batch.branch_mask
        return LossOutput({"all": Term(losses.sum(-1), batch.branch_mask.sum(-1).float())})


@pytest.fixture
def examples(loaded):
    """Eight records of two to five answers, with reference log-probs."""
    trees = [tree for count in (2, 3, 4, 5) for tree in make_trees(2, count, seed=count)]
    tokens = Tokeniser(loaded.tokenizer, 128).tokenise_all(trees)
    references = reference_logps(LanguageModel(loaded), tokens, None, 4096)
    return [
        Example.of(*parts[:2], "overall", parts[2])
        for parts in zip(trees, tokens, references, strict=True)
    ]


@pytest.fixture
def train(loaded, examples, tmp_path):
    """Train a copy of the model under some settings; return the trainer."""

    def run(name="run", packing=PACKED, algorithm=BestVsRest, order=None, resume=None, **settings):
        config = TrainerConfig(
            **{"max_steps": 4, "batch_size": 4, "learning_rate": 1e-2, "logging_steps": 1}
            | settings
        )
        model = copy.deepcopy(loaded.model)
        trainer = PreferenceTrainer(
            kind=LanguageModel(replace(loaded, model=model), packing),
            algorithm=algorithm(None),
            budget=config.micro_batch_tokens,
            order=order,
            args=training_arguments(config, tmp_path / name, 0, "cpu"),
            train_dataset=ExampleDataset(examples),
        )
        compiled = compiled_layers(trainer.model) if config.compile else nullcontext()
        with tree_attention(trainer.model) if packing.kernel else nullcontext(), compiled:
            trainer.train(resume_from_checkpoint=resume)
        return trainer

    return run


def weights(trainer):
    return torch.cat([parameter.detach().flatten() for parameter in trainer.model.parameters()])


def losses(trainer):
    return [line["loss"] for line in trainer.state.log_history if "loss" in line]


def assert_same_training(one, other):
    assert losses(one) == pytest.approx(losses(other), rel=1e-4)
    assert torch.allclose(weights(one), weights(other), atol=2e-4)
    assert losses(one)[-1] < losses(one)[0]


@pytest.mark.parametrize("packing", [PLAIN, PACKED], ids=["plain", "packed"])
@pytest.mark.parametrize("tokens", [1, 60, 120, 250])
def test_passes_of_any_size_give_the_same_losses_and_weights(train, tokens, packing):
    parts = train("parts", packing, micro_batch_tokens=tokens)
    assert_same_training(parts, train("whole"))


@pytest.mark.parametrize("packing", [PLAIN, PACKED], ids=["plain", "packed"])
@pytest.mark.parametrize("tokens", [1, 120])
def test_a_loss_with_embeddings_and_extras_is_not_changed_by_passes(train, tokens, packing):
    settings = {"algorithm": BestBySteps, "learning_rate": 1e-3}
    parts = train("parts", packing, micro_batch_tokens=tokens, **settings)
    assert_same_training(parts, train("whole", PLAIN, **settings))


@pytest.mark.parametrize("tokens", [60, 120])
def test_a_loss_over_the_whole_batch_is_not_changed_by_passes(train, tokens):
    whole = train("whole", algorithm=BestOfTheBatch)
    assert_same_training(train("parts", PACKED, BestOfTheBatch, micro_batch_tokens=tokens), whole)


def test_passes_keep_to_their_size(examples, loaded):
    kind = LanguageModel(loaded, PACKED)
    for tokens in (60, 120, 250):
        step = collate_step(kind, examples, tokens)
        assert len(step["passes"]) > 1
        for part in step["passes"]:
            one_path = part["token_mask"].any(-1).sum() == 1
            assert part["input_ids"].numel() <= tokens or one_path


@pytest.mark.parametrize("packing", [PLAIN, PACKED], ids=["plain", "packed"])
def test_tokens_of_all_steps_are_counted_without_padding(train, examples, packing):
    once = sum(packing.size(example.encoded) for example in examples)
    trainer = train(packing=packing)  # four steps of four: each of the eight records twice
    assert trainer.tokens == 2 * once


def test_the_first_loss_is_ln_2(train):
    assert losses(train())[0] == pytest.approx(math.log(2), abs=1e-6)


def test_gradient_checkpointing_changes_no_result(train):
    plain, checkpointed = train("plain"), train("checkpointed", gradient_checkpointing=True)
    assert losses(checkpointed) == pytest.approx(losses(plain), rel=1e-4)


@pytest.mark.slow
@pytest.mark.filterwarnings("default:The .grad attribute")  # torch hides it, but not from a filter
@pytest.mark.skipif(shutil.which(COMPILER) is None, reason=f"no C++ compiler {COMPILER}")
def test_compiled_layers_change_no_result(train):
    plain, compiled = train("plain"), train("compiled", compile=True)
    assert_same_training(compiled, plain)
    assert 2 <= counters["stats"]["unique_graphs"] <= 8  # rows of any length share them
    for layer in decoder_layers(compiled.model):
        assert layer._compiled_call_impl is None


def test_decoder_layers_are_found_by_name_or_as_the_longest_list(make_model):
    for family in ("llama", "gpt2"):
        model = make_model(family)
        layers = decoder_layers(model)
        model._no_split_modules = None
        assert layers == decoder_layers(model)
        assert len(layers) == 2

    class Layerless(torch.nn.Module):
        def get_output_embeddings(self):
            return None

    model = Layerless()
    with pytest.raises(ConfigError, match=r"trainer\.compile"), compiled_layers(model):
        pass


def test_a_machine_without_compiler_is_told_before_training():
    code = "from prefrun.training.compiling import check_compiler; check_compiler('cpu')"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "CXX": "no-such-compiler"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "ConfigError: trainer.compile=true" in done.stderr
    assert "no-such-compiler" in done.stderr
    assert "remedy" in done.stderr


def test_checkpoints_are_whole_and_only_the_last_are_kept(train, tmp_path):
    train("kept", checkpoint_steps=1, keep_checkpoints=2)
    names = {path.name for path in (tmp_path / "kept").iterdir()}
    assert names == {"checkpoint-3", "checkpoint-4"}
    files = {path.name for path in (tmp_path / "kept" / "checkpoint-4").iterdir()}
    assert files >= {"model.safetensors", "optimizer.pt", "scheduler.pt", "trainer_state.json"}


def test_a_checkpoint_that_cannot_be_written_leaves_no_folder(train, tmp_path, monkeypatch):
    def full(*arguments, **settings):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(PreferenceTrainer, "_save_optimizer_and_scheduler", full)
    with pytest.raises(PrefrunError, match="disk is full"):
        train("full", checkpoint_steps=2)
    assert not list((tmp_path / "full").glob("checkpoint-*"))
    assert not (tmp_path / "full" / STAGING).exists()


def test_a_gradient_that_is_not_finite_is_refused_before_the_step(train):
    trainer = train(max_steps=1)
    before = weights(trainer)
    next(trainer.model.parameters()).grad = torch.full_like(
        next(trainer.model.parameters()), math.nan
    )
    with pytest.raises(PrefrunError, match="a gradient is not finite at step 2"):
        trainer.check_gradients(trainer.model)
    assert torch.equal(weights(trainer), before)


def test_the_gate_lets_rounding_pass_and_names_the_gap():
    policy = torch.full((5,), -1.0)
    assert check_step_zero(policy, policy + 1e-6, torch.float32) < 1e-5
    assert check_step_zero(policy[:0], policy[:0], torch.float32) == 0.0
    with pytest.raises(PrefrunError, match=r"step-0 gate.*differ by 0\.1"):
        check_step_zero(policy, policy + 0.1, torch.float32)
    with pytest.raises(PrefrunError, match="step-0 gate"):
        check_step_zero(policy, torch.full_like(policy, math.nan), torch.float32)


def test_a_full_disk_is_told_from_another_failure(tmp_path):
    assert is_disk_full(OSError(28, "No space left on device"), tmp_path)
    assert is_disk_full(RuntimeError("I/O error: No space left on device (os error 28)"), tmp_path)
    assert not is_disk_full(OSError(13, "Permission denied"), tmp_path)
    assert not is_disk_full(RuntimeError("size mismatch"), tmp_path)
