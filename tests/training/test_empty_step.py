"""Steps that teach nothing end the run and name their records; satisfied losses go on."""

from __future__ import annotations

import copy
from dataclasses import replace

import pytest
import torch
from torch.nn.functional import logsigmoid

from prefrun.algorithm import LossAlgorithm, LossOutput, Term
from prefrun.errors import DataError, PluginError
from prefrun.models.text import LanguageModel
from prefrun.policy.attention.kernel import Kernel
from prefrun.policy.attention.switch import tree_attention
from prefrun.policy.collate import Example, collate
from prefrun.policy.packing import Packing
from prefrun.policy.reference import reference_logps
from prefrun.policy.tokenise import Tokeniser
from prefrun.schema import TrainerConfig
from prefrun.testing import make_trees
from prefrun.training.arguments import training_arguments
from prefrun.training.dataset import ExampleDataset
from prefrun.training.empty_step import can_teach
from prefrun.training.observer import Observer
from prefrun.training.trainer import PreferenceTrainer

PACKED = Packing(Kernel.segments)
WIDTH = 8


class Margins(LossAlgorithm):
    """The mean over all pairs of a list; a list without a pair weighs nothing."""

    def margin_loss(self, margins):
        return -logsigmoid(margins)

    def ratios(self, batch):
        return batch.log_ratios

    def loss(self, batch):
        ratios, mask = self.ratios(batch), batch.branch_mask
        better = (batch.scores[:, :, None] > batch.scores[:, None, :]) & mask[:, None, :]
        losses = self.margin_loss(ratios[:, :, None] - ratios[:, None, :]) * better
        pairs = better.sum((1, 2))
        values = losses.sum((1, 2)) / pairs.clamp(min=1)
        return LossOutput({"pairs": Term(values, self.weights(pairs))})

    def weights(self, pairs):
        return pairs.float()


class Hinge(Margins):
    """Satisfied by almost any policy: the margin may be as small as -1000."""

    def margin_loss(self, margins):
        return torch.relu(-1000 - 1000 * margins)


class SatisfiedHinge(Margins):
    """Has no gradient at the log-probs of the model, but at others."""

    def margin_loss(self, margins):
        return torch.relu(-0.05 - margins)


class HingeOfSums(SatisfiedHinge):
    needs = frozenset()

    def ratios(self, batch):
        return batch.policy_logps


class HingeOfMeans(HingeOfSums):
    def ratios(self, batch):
        return batch.policy_logps / batch.lengths.clamp(min=1)


class EveryListCounts(Margins):
    """Lists weigh the same, with pairs or without, so that weights do not tell."""

    def weights(self, pairs):
        return torch.ones_like(pairs, dtype=torch.float32)


class TwoDimensional(Margins):
    def loss(self, batch):
        ratios = batch.log_ratios
        return LossOutput({"lists": Term(-ratios, torch.ones(len(ratios)))})


class NoDimension(Margins):
    def loss(self, batch):
        return LossOutput({"mean": Term(-batch.log_ratios.mean(), torch.ones(()))})


class NegativeWeights(Margins):
    def weights(self, pairs):
        return -pairs.float()


@pytest.fixture
def examples(loaded):
    """Four records of three answers, with reference log-probs."""
    trees = make_trees(4, 3)
    tokens = Tokeniser(loaded.tokenizer, 128).tokenise_all(trees)
    references = reference_logps(LanguageModel(loaded), tokens, None, 4096)
    return [
        Example.of(*parts[:2], "overall", parts[2])
        for parts in zip(trees, tokens, references, strict=True)
    ]


def tied(examples):
    return [replace(each, scores=(0.5,) * 3, ranks=(1,) * 3) for each in examples]


def same_answers(examples):
    """Answers of different score that are the same tokens."""
    return [
        replace(
            each,
            encoded=replace(
                each.encoded,
                branches=each.encoded.branches[:1] * 3,
                step_ends=each.encoded.step_ends[:1] * 3,
            ),
            reference=each.reference[:1] * 3,
        )
        for each in examples
    ]


class Silent:
    def log(self, step, metrics):
        pass

    def step_done(self, step, steps):
        pass


@pytest.fixture
def train(loaded, tmp_path):
    """Train a copy of the model on records; return the trainer."""

    def run(examples, algorithm=Margins, choice="error", batch_size=2, **settings):
        config = TrainerConfig(max_steps=2, batch_size=batch_size, checkpoint_steps=0, **settings)
        trainer = PreferenceTrainer(
            kind=LanguageModel(replace(loaded, model=copy.deepcopy(loaded.model)), PACKED),
            algorithm=algorithm(None),
            budget=config.micro_batch_tokens,
            order=[*range(4), *range(4)],
            on_empty_step=choice,
            args=training_arguments(config, tmp_path, 0, "cpu"),
            train_dataset=ExampleDataset(examples),
        )
        trainer.add_callback(Observer(Silent(), trainer, lambda: False))
        with tree_attention(trainer.model):
            trainer.train()
        return trainer

    return run


def test_a_step_without_a_weight_ends_the_run_and_names_its_records(train, examples):
    records = [*examples[:2], *tied(examples)[2:]]
    with pytest.raises(DataError, match="record tree-3, tree-2: step 2 teaches nothing: every"):
        train(records)


def test_one_record_that_teaches_is_enough(train, examples):
    train([examples[0], *tied(examples)[1:3], examples[3]])


def test_warn_lets_such_steps_pass_and_counts_them(train, examples, capsys):
    trainer = train(tied(examples), choice="warn")
    trainer.empty_steps.conclude(2, is_main=True)
    said = capsys.readouterr().out
    assert said.count("teaches nothing") == 1
    assert "2 of 2 steps taught nothing" in said


@pytest.mark.parametrize("tokens", [16384, 60], ids=["one pass", "passes"])
def test_weights_alone_do_not_hide_that_nothing_is_compared(train, examples, tokens):
    with pytest.raises(DataError, match="tree-0, tree-1: step 1 teaches nothing: the gradient"):
        train(tied(examples), EveryListCounts, micro_batch_tokens=tokens)


def test_equal_answers_cancel_and_are_named(train, examples):
    with pytest.raises(DataError, match="different tokens"):
        train(same_answers(examples))


@pytest.mark.parametrize("loss", [Hinge, SatisfiedHinge, HingeOfSums, HingeOfMeans])
def test_a_loss_that_is_satisfied_is_no_fault_of_the_records(examples, loss):
    for records in ([each] for each in examples):
        assert can_teach(loss(None), [collate(records, 0, PACKED)], WIDTH)


def test_a_satisfied_loss_trains_to_its_end_and_that_is_told(train, examples, capsys):
    trainer = train(examples, Hinge)
    assert trainer.state.global_step == 2
    trainer.empty_steps.conclude(2, is_main=True)
    assert "every gradient was exactly 0" in capsys.readouterr().out
    train(examples).empty_steps.conclude(2, is_main=True)
    assert "notice" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("loss", "said"),
    [
        (TwoDimensional, r"values of shape \[2, 3\] and weights of shape \[2\]"),
        (NoDimension, r"values of shape \[\] and weights of shape \[\]"),
        (NegativeWeights, "a weight below 0"),
    ],
)
def test_an_output_that_cannot_be_a_loss_names_its_line(train, examples, loss, said):
    with pytest.raises(PluginError, match=said) as caught:
        train(examples, loss)
    assert f"{__file__}:{loss.loss.__code__.co_firstlineno}: {loss.__name__}.loss" in str(
        caught.value
    )
