"""Trains a policy with a loss: examples, the step-0 gate, the trainer, the checkpoints."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from itertools import chain
from pathlib import Path

import torch
from torch import Tensor
from transformers import PrinterCallback

from prefrun.algorithm import LossAlgorithm
from prefrun.console import progress
from prefrun.errors import ConfigError, DataError
from prefrun.policy.attention.switch import tree_attention
from prefrun.policy.collate import Example
from prefrun.policy.scoring import scored_batches
from prefrun.records.tree import PreferenceTree
from prefrun.training.arguments import training_arguments
from prefrun.training.compiling import check_compiler, compiled_layers
from prefrun.training.dataset import ExampleDataset
from prefrun.training.gate import check_step_zero
from prefrun.training.observer import Observer
from prefrun.training.session import Session
from prefrun.training.step import collate_step
from prefrun.training.trainer import PreferenceTrainer


def train(session: Session, algorithm: LossAlgorithm, checkpoint: Path | None) -> None:
    """Train `session.loaded.model` in place, from CHECKPOINT where one is given.

    Raises PrefrunError where the step-0 gate refuses, the loss is not finite or the disk is full;
    KeyboardInterrupt at Ctrl-C, after the step's checkpoint.
    """
    settings = session.config.trainer
    if settings.compile:
        check_compiler(session.loaded.model.device.type)
    trees = _prepared(session, algorithm)
    examples = make_examples(session, algorithm, trees)
    if checkpoint is None and "reference" in algorithm.needs:
        _gate(session, examples[: settings.batch_size])
    trainer = PreferenceTrainer(
        algorithm=algorithm,
        model=session.loaded.model,
        args=training_arguments(
            settings,
            session.checkpoint_dir(),
            session.run.seed,
            session.loaded.model.device.type,
        ),
        train_dataset=ExampleDataset(examples),
        data_collator=lambda items: collate_step(
            items,
            session.loaded.tokenizer.pad_token_id,
            session.packing,
            settings.micro_batch_tokens,
            algorithm.batch_coupled,
        ),
        processing_class=session.loaded.tokenizer,
    )
    observer = Observer(session, trainer.check_gradients)
    trainer.add_callback(observer)
    trainer.remove_callback(PrinterCallback)  # the host shows progress itself
    attention = tree_attention(trainer.model) if session.packing.kernel else nullcontext()
    compiled = compiled_layers(trainer.model) if settings.compile else nullcontext()
    with (
        progress("training") as session.show,
        observer.stopping_at_interrupt(),
        attention,
        compiled,
    ):
        trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    session.steps = trainer.state.global_step
    session.loaded.model.eval()


def _prepared(session: Session, algorithm: LossAlgorithm) -> list[PreferenceTree]:
    trees = algorithm.prepare(session.data.train, session.run.seed)
    for tree in trees:
        if len(tree.branches) < algorithm.min_branches:
            raise DataError(
                f"{len(tree.branches)} answer(s), but algo={session.run.algo} needs "
                f"{algorithm.min_branches}",
                record=tree.id,
                remedy="choose another algorithm, or data with more answers per prompt",
            )
    if not trees:
        raise ConfigError(f"algo={session.run.algo} left no training record")
    return trees


def make_examples(
    session: Session, algorithm: LossAlgorithm, trees: Sequence[PreferenceTree]
) -> list[Example]:
    """Tokenise TREES and attach labels and, where the algorithm needs them, reference log-probs."""
    tokenised = session.tokenise(trees)
    references = (
        session.reference_of(tokenised) if "reference" in algorithm.needs else [None] * len(trees)
    )
    return [
        Example.of(tree, tokens, session.data.objective, reference)
        for tree, tokens, reference in zip(trees, tokenised, references, strict=True)
    ]


def _gate(session: Session, examples: list[Example]) -> None:
    budget = session.config.trainer.micro_batch_tokens
    batches = scored_batches(
        session.loaded.model,
        [example.tokens for example in examples],
        session.loaded.tokenizer.pad_token_id,
        session.packing,
        budget,
    )
    policy: list[Tensor] = []
    reference: list[Tensor] = []
    for piece, logps in chain.from_iterable(batches):
        known = examples[piece.index].reference
        assert known is not None
        policy.extend(logps.token_logps)
        reference.extend(known[branch] for branch in piece.branches)
    check_step_zero(torch.cat(policy), torch.cat(reference), session.loaded.model.dtype)
