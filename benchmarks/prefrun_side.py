"""prefrun's own training step: its trainer, arguments, collator, observer and reference."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

from algorithms import algorithm_of, pair_algorithm
from data import pair_examples, pairs_of
from interleave import StepLosses
from models import loaded, make_model, make_tokenizer
from plan import Plan
from transformers import PrinterCallback

from prefrun.models.text import LanguageModel
from prefrun.policy.attention.switch import tree_attention
from prefrun.policy.collate import Example
from prefrun.policy.packing import PLAIN, Packing
from prefrun.policy.packing_choice import choose_packing
from prefrun.policy.reference import reference_logps
from prefrun.schema import EvaluationConfig, TrainerConfig
from prefrun.training.arguments import training_arguments
from prefrun.training.dataset import ExampleDataset
from prefrun.training.observer import Observer
from prefrun.training.step import collate_step
from prefrun.training.trainer import PreferenceTrainer

Collator = Callable[[list[Example]], dict[str, Any]]


class Trainer(StepLosses, PreferenceTrainer):
    """prefrun's trainer, which also keeps the losses."""

    packing: Packing

    def train(self, *arguments: Any, **options: Any) -> Any:
        """Train as `prefrun.training.loop` does, with the attention that the packing needs."""
        with tree_attention(self.model) if self.packing.kernel else nullcontext():
            return super().train(*arguments, **options)


class Silent:
    """A listener that does nothing."""

    def log(self, step: int, metrics: Mapping[str, float]) -> None:
        """Ignore it."""

    def step_done(self, step: int, steps: int) -> None:
        """Ignore it."""

    def checkpoint_written(self, step: int, path: Path) -> None:
        """Ignore it."""


def make_prefrun(plan: Plan, method: str, examples: Sequence[Example], folder: Path) -> Trainer:
    """Return the trainer of METHOD, one of OWN_METHODS, on EXAMPLES with references attached.

    Of 'packed_cold' the references are taken off and computed again in each step.
    """
    model = make_model(plan.shape, plan.seed)
    batch, algorithm = plan.batch, algorithm_of(plan.shape)
    if method == "pairs":
        batch *= len(pairs_of(plan.shape, examples[0]))
        examples = pair_examples(plan.shape, examples)
        algorithm = pair_algorithm()
    config = _config(plan, batch)
    packing = _packing(method, model)
    kind = LanguageModel(loaded(model.train()), packing)
    trainer = Trainer(
        kind=kind,
        algorithm=algorithm,
        budget=config.micro_batch_tokens,
        args=_arguments(config, plan, folder),
        train_dataset=ExampleDataset(examples),
        processing_class=make_tokenizer(),
    )
    trainer.data_collator = _collator(plan, method, kind, config.micro_batch_tokens)
    trainer.packing = packing
    trainer.add_callback(Observer(Silent(), trainer, lambda: False))
    trainer.remove_callback(PrinterCallback)
    return trainer


def _packing(method: str, model: Any) -> Packing:
    """Return what a run takes by itself; PLAIN where METHOD shares nothing."""
    if method in ("pairs", "list"):
        return PLAIN
    packing = choose_packing(model)
    if packing.kernel is None:
        raise RuntimeError(f"{method}: {packing.note}, so there is nothing to compare")
    return packing


def _collator(plan: Plan, method: str, kind: LanguageModel, budget: int) -> Collator:
    if method == "pairs":
        return lambda items: _a_pair_a_pass(items, kind)
    if method != "packed_cold":
        return lambda items: collate_step(kind, items, budget)
    frozen = LanguageModel(loaded(make_model(plan.shape, plan.seed)), kind.packing)
    return lambda items: collate_step(kind, with_reference(items, frozen), budget)


def _a_pair_a_pass(items: Sequence[Example], kind: LanguageModel) -> dict[str, Any]:
    """Return what `collate_step` does, one pair a pass, which no budget of tokens would say."""
    alone = [collate_step(kind, [item], sys.maxsize) for item in items]
    return {
        "passes": [part for step in alone for part in step["passes"]],
        "joint": None,
        "tokens": sum(step["tokens"] for step in alone),
    }


def with_reference(examples: Sequence[Example], frozen: LanguageModel) -> list[Example]:
    """Attach the reference log-probs, computed now, without a cache."""
    trees = [example.encoded for example in examples]
    logps = reference_logps(frozen, trees, None, EvaluationConfig().batch_tokens)
    return [
        replace(example, reference=reference.token_logps)
        for example, reference in zip(examples, logps, strict=True)
    ]


def examples_with_reference(plan: Plan) -> list[Example]:
    """Return the data of PLAN with references from one row a branch, whatever the method."""
    frozen = LanguageModel(loaded(make_model(plan.shape, plan.seed)))
    return with_reference(plan.examples(), frozen)


def _config(plan: Plan, batch: int) -> TrainerConfig:
    return TrainerConfig(
        max_steps=plan.steps,
        batch_size=batch,
        learning_rate=plan.learning_rate,
        optimizer=plan.optimizer,
        logging_steps=plan.steps + 1,
        checkpoint_steps=0,
    )


def _arguments(config: TrainerConfig, plan: Plan, folder: Path) -> Any:
    arguments = training_arguments(config, folder, plan.seed, "cpu")
    arguments.train_sampling_strategy = "sequential"
    return arguments
