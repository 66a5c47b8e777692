"""Trains the run's model with a loss: examples, the step-0 gate, the trainer."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import chain

import torch
from torch import Tensor

from prefrun.algorithm import LossAlgorithm, check_branches
from prefrun.errors import ConfigError
from prefrun.models.kind import Reference
from prefrun.models.text import LanguageModel
from prefrun.needs import REFERENCE, check_given
from prefrun.policy.collate import Example, examples_of
from prefrun.policy.policy import BranchLogps
from prefrun.policy.rounding import rounding_noise
from prefrun.policy.scoring import scored_batches, zeros_for
from prefrun.records.tree import PreferenceTree
from prefrun.schema import DEEPSPEED, FSDP
from prefrun.training.compiling import check_compiler
from prefrun.training.dataset import ExampleDataset
from prefrun.training.gate import check_step_zero
from prefrun.training.loop import Place, arguments_for, carry_out, place_of, skip
from prefrun.training.record import record_reference
from prefrun.training.session import Session
from prefrun.training.spread import gather, part, partition, shard
from prefrun.training.trainer import PreferenceTrainer


def train(
    session: Session,
    algorithm: LossAlgorithm,
    trees: Sequence[PreferenceTree],
    round: int | None = None,
) -> None:
    """Train the run's model in place on TREES, from the last checkpoint if there is one.

    ROUND: see `Services.train`. Raises PrefrunError if the step-0 gate refuses; further errors: see
    `carry_out`.
    """
    settings, kind = session.config.trainer, session.ready
    check_model(session, algorithm)
    records = prepared(session, algorithm, trees, session.run.seed)
    place = place_of(session, "" if round is None else f"round-{round}")
    trainer = _trainer(session, algorithm, records, place, round or 0)
    if place.is_over or place.done >= trainer.args.max_steps:
        session.encode(records)  # counts what was truncated
        skip(session, place, trainer)
        kind.module.eval()
        return
    with trainer.args.main_process_first():  # the others then read the same from the cache
        examples = make_examples(session, algorithm, records, round)
    if REFERENCE in algorithm.needs and kind.reference is Reference.cached:
        if not round and trainer.args.process_index == 0:
            record_reference(session.directory, [each.reference or () for each in examples])
        # a checkpoint's weights come later: this is the start model
        _gate(session, examples[: settings.batch_size])
    trainer.train_dataset = ExampleDataset(examples)
    carry_out(session, trainer, place)
    _end(session, trainer)


def _end(session: Session, trainer: PreferenceTrainer) -> None:
    """Leave the other processes, if any, with a model that the first one can evaluate alone."""
    if trainer.is_fsdp_enabled:
        sharded, is_main = trainer.model, trainer.args.process_index == 0
        gather(sharded, session.load_again().module if is_main else None)
    part()
    session.kind.module.eval()


def _trainer(
    session: Session,
    algorithm: LossAlgorithm,
    trees: Sequence[PreferenceTree],
    place: Place,
    round: int,
) -> PreferenceTrainer:
    """Return the trainer, which has no records yet."""
    settings, seed = session.config.trainer, session.run.seed + round
    steps = settings.max_steps
    arguments = arguments_for(session, place.progress.training, steps, seed)
    per_step = settings.batch_size * arguments.world_size
    if steps < 0:
        steps = math.ceil(settings.epochs * math.ceil(len(trees) / per_step))
        arguments = arguments_for(session, place.progress.training, steps, seed)
    trainer = PreferenceTrainer(
        kind=session.kind,
        algorithm=algorithm,
        budget=settings.micro_batch_tokens,
        order=algorithm.order(trees, steps * per_step, seed),
        on_empty_step=settings.on_empty_step,
        args=arguments,
        processing_class=session.tokenizer,
    )
    launch = session.config.launch
    if launch.strategy == FSDP:
        shard(trainer)
    if launch.strategy == DEEPSPEED:
        partition(trainer, launch.zero_stage)
    return trainer


def check_model(session: Session, algorithm: LossAlgorithm) -> None:
    """Raise ConfigError if ALGORITHM cannot train the run's model as `trainer.*` says."""
    kind = session.ready
    if session.config.trainer.compile:
        check_compiler(kind.device.type)
    check_given(algorithm.needs, kind.gives, session.run.algo, session.model_name)


def prepared(
    session: Session, algorithm: LossAlgorithm, given: Sequence[PreferenceTree], seed: int
) -> list[PreferenceTree]:
    """Return the records GIVEN as ALGORITHM prepares them by SEED.

    Raises DataError for one with too few answers, ConfigError if none is left.
    """
    check_branches(algorithm, given, session.run.algo)
    trees = algorithm.prepare(given, seed)
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
    """Encode TREES and attach labels and, if the algorithm needs them, the reference's numbers.

    The reference is the start model, in a later ROUND the model as it is now.
    """
    encoded = session.encode(trees)
    references: Sequence[BranchLogps | None] = [None] * len(trees)
    if REFERENCE in algorithm.needs:
        if session.kind.reference is not Reference.cached:
            references = [zeros_for(each) for each in encoded]
        elif round:
            references = session.numbers_now(encoded)
        else:
            references = session.reference_of(encoded)
    return examples_of(trees, encoded, session.data.objective, references)


def _gate(session: Session, examples: list[Example]) -> None:
    kind = session.kind
    assert isinstance(kind, LanguageModel)
    policy: list[Tensor] = []
    reference: list[Tensor] = []
    budget = session.config.trainer.micro_batch_tokens
    batches = scored_batches(kind, [example.encoded for example in examples], budget)
    for piece, logps in chain.from_iterable(batches):
        known = examples[piece.index].reference
        assert known is not None
        policy.extend(logps.token_logps)
        reference.extend(known[branch] for branch in piece.branches)
    model = kind.loaded.model
    noise = rounding_noise(model, kind.sample_text)
    check_step_zero(torch.cat(policy), torch.cat(reference), model.dtype, noise)
