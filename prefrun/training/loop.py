"""Trains a policy with a loss: examples, the step-0 gate, the trainer, the checkpoints."""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import nullcontext
from itertools import chain
from pathlib import Path

import torch
from torch import Tensor
from transformers import PrinterCallback
from transformers.trainer_utils import SaveStrategy

from prefrun.algorithm import LossAlgorithm, check_branches
from prefrun.console import progress
from prefrun.errors import ConfigError
from prefrun.policy.attention.switch import tree_attention
from prefrun.policy.collate import Example
from prefrun.policy.policy import BranchLogps
from prefrun.policy.rounding import rounding_noise
from prefrun.policy.scoring import scored_batches
from prefrun.records.tree import PreferenceTree
from prefrun.schema import DEEPSPEED, FSDP
from prefrun.signals import finishing_first
from prefrun.training.arguments import training_arguments
from prefrun.training.compiling import check_compiler, compiled_layers
from prefrun.training.dataset import ExampleDataset
from prefrun.training.gate import check_step_zero
from prefrun.training.observer import Observer
from prefrun.training.record import record_reference
from prefrun.training.session import Session
from prefrun.training.spread import gather, part, partition, shard, total
from prefrun.training.step import collate_step
from prefrun.training.trainer import PreferenceTrainer


def train(
    session: Session,
    algorithm: LossAlgorithm,
    trees: Sequence[PreferenceTree],
    round: int | None = None,
) -> None:
    """Train `session.loaded.model` in place on TREES, from the last checkpoint where there is one.

    ROUND: see `Services.train`. Raises PrefrunError where the step-0 gate refuses, the loss is not
    finite or the disk is full; Stopped at a signal, after the step's checkpoint.
    """
    settings = session.config.trainer
    if settings.compile:
        check_compiler(session.loaded.model.device.type)
    prepared = _prepared(session, algorithm, trees)
    checkpoint = session.directory.last_checkpoint(round)
    trainer = _trainer(session, algorithm, prepared, round)
    steps = trainer.args.max_steps
    done = _step_of(checkpoint)
    earlier, session.steps = session.steps, session.steps + done
    if checkpoint is not None and done >= steps:  # transformers would take one step more
        session.tokenise(prepared)  # counts what was truncated
        trainer.restore(checkpoint)
        session.loaded.model.eval()
        return
    with trainer.args.main_process_first():  # the others then read the same from the cache
        examples = make_examples(session, algorithm, prepared, round)
    if "reference" in algorithm.needs and not round and trainer.args.process_index == 0:
        record_reference(session.directory, [each.reference or () for each in examples])
    if "reference" in algorithm.needs:  # a checkpoint's weights come later: this is the start model
        _gate(session, examples[: settings.batch_size])
    trainer.train_dataset = ExampleDataset(examples)
    trainer.remove_callback(PrinterCallback)  # the host shows progress itself
    attention = tree_attention(trainer.model) if session.packing.kernel else nullcontext()
    compiled = compiled_layers(trainer.model) if settings.compile else nullcontext()
    with (
        progress("training") as session.show,
        finishing_first() as stop_requested,
        attention,
        compiled,
    ):
        trainer.add_callback(Observer(session, trainer.check_gradients, stop_requested, earlier))
        trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    trainer.empty_steps.conclude(trainer.state.global_step, trainer.is_world_process_zero())
    session.steps = earlier + trainer.state.global_step
    session.tokens += total(trainer.tokens)
    _end(session, trainer)


def _end(session: Session, trainer: PreferenceTrainer) -> None:
    """Leave the other processes, if any, with a model that the first one can evaluate alone."""
    if trainer.is_fsdp_enabled:
        sharded, is_main = trainer.model, trainer.args.process_index == 0
        gather(sharded, session.load_again().model if is_main else None)
    part()
    session.loaded.model.eval()


def _trainer(
    session: Session,
    algorithm: LossAlgorithm,
    trees: Sequence[PreferenceTree],
    round: int | None,
) -> PreferenceTrainer:
    """Return the trainer, which has no records yet."""
    settings, device = session.config.trainer, session.loaded.model.device.type
    seed = session.run.seed + (round or 0)
    folder = session.directory.round_checkpoints(round)
    arguments = training_arguments(settings, folder, seed, device)
    per_step = settings.batch_size * arguments.world_size
    if arguments.max_steps < 0:
        arguments.max_steps = math.ceil(settings.epochs * math.ceil(len(trees) / per_step))
    if round is not None and not settings.checkpoint_steps:  # its end is kept for a resumed run
        arguments.save_strategy = SaveStrategy.STEPS
        arguments.save_steps = arguments.max_steps
    trainer = PreferenceTrainer(
        algorithm=algorithm,
        order=algorithm.order(trees, arguments.max_steps * per_step, seed),
        on_empty_step=settings.on_empty_step,
        model=session.loaded.model,
        args=arguments,
        data_collator=lambda items: collate_step(
            items,
            session.loaded.tokenizer.pad_token_id,
            session.packing,
            settings.micro_batch_tokens,
            algorithm.batch_coupled,
        ),
        processing_class=session.loaded.tokenizer,
    )
    launch = session.config.launch
    if launch.strategy == FSDP:
        shard(trainer)
    if launch.strategy == DEEPSPEED:
        partition(trainer, launch.zero_stage)
    return trainer


def _step_of(checkpoint: Path | None) -> int:
    return int(checkpoint.name.rpartition("-")[2]) if checkpoint else 0


def _prepared(
    session: Session, algorithm: LossAlgorithm, given: Sequence[PreferenceTree]
) -> list[PreferenceTree]:
    check_branches(algorithm, given, session.run.algo)
    trees = algorithm.prepare(given, session.run.seed)
    check_branches(algorithm, trees, session.run.algo)
    if not trees:
        raise ConfigError(f"algo={session.run.algo} left no training record")
    return trees


def make_examples(
    session: Session,
    algorithm: LossAlgorithm,
    trees: Sequence[PreferenceTree],
    round: int | None = None,
) -> list[Example]:
    """Tokenise TREES and attach labels and, where the algorithm needs them, reference log-probs.

    The reference is the start model, in a later ROUND the model as it is now.
    """
    tokenised = session.tokenise(trees)
    references: Sequence[BranchLogps | None] = [None] * len(trees)
    if "reference" in algorithm.needs:
        references = session.policy().logps(trees) if round else session.reference_of(tokenised)
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
    model = session.loaded.model
    noise = rounding_noise(model, session.sample_text)
    check_step_zero(torch.cat(policy), torch.cat(reference), model.dtype, noise)
