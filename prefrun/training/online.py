"""Trains the run's model with a loss on records that are made in every step: `Services.online`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from prefrun.algorithm import LossAlgorithm
from prefrun.errors import ConfigError
from prefrun.models.kind import Reference
from prefrun.needs import REFERENCE
from prefrun.policy.collate import Example, examples_of
from prefrun.policy.policy import BranchLogps
from prefrun.training.loop import arguments_for, carry_out, place_of, skip
from prefrun.training.losses import check_model, prepared
from prefrun.training.session import Session
from prefrun.training.step_trainer import Steps, as_steps
from prefrun.training.trainer import PreferenceTrainer

if TYPE_CHECKING:
    from prefrun.training.services import Records

FILE = "reference.pt"
"""In a checkpoint: the weights of a renewed reference."""


def online(
    session: Session,
    algorithm: LossAlgorithm,
    records: Records,
    steps: int | None = None,
    renew_reference: int | None = None,
) -> None:
    """See `Services.online`. Raises ConfigError for a number that is no number of steps."""
    settings, kind = session.config.trainer, session.ready
    count = settings.max_steps if steps is None else steps
    if count < 1:
        raise ConfigError(
            f"algo={session.run.algo} makes its records in each step, so trainer.max_steps={count} "
            "says no number of them\n  remedy: trainer.max_steps=100"
        )
    check_model(session, algorithm)
    session.encode(session.data.train)  # counts what was truncated
    place = place_of(session, "")
    made = StepRecords(session, algorithm, records, renew_reference)
    arguments = as_steps(arguments_for(session, "", count, session.run.seed), count)
    trainer = OnlineTrainer(
        made=made,
        kind=kind,
        algorithm=algorithm,
        budget=settings.micro_batch_tokens,
        on_empty_step=settings.on_empty_step,
        args=arguments,
        train_dataset=Steps(count),
        processing_class=session.tokenizer,
    )
    if place.is_over or place.done >= count:
        skip(session, place, trainer)
    else:
        carry_out(session, trainer, place)
    kind.module.eval()


class OnlineTrainer(PreferenceTrainer):
    """Takes each step's records from the policy as it is."""

    def __init__(self, *, made: StepRecords, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.made = made
        self._collate: Any = self.data_collator
        self.data_collator = lambda numbers: {"step": torch.tensor(numbers)}

    def take(self, batches: Sequence[Any]) -> list[dict[str, Any]]:
        """Make the step's records, in place of BATCHES, its number."""
        del batches
        return [self._collate(self.made(self.state.global_step))]

    def save_beside(self, folder: Path) -> None:
        """Write the reference, too, if it has been renewed."""
        super().save_beside(folder)
        if self.made.renewed is not None:
            torch.save(self.made.renewed, folder / FILE)

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        super()._load_from_checkpoint(resume_from_checkpoint, model)
        file = Path(resume_from_checkpoint, FILE)
        if file.exists():
            self.made.renewed = torch.load(file, weights_only=True, map_location="cpu")


class StepRecords:
    """The records of each step, encoded, with labels and the reference's numbers."""

    def __init__(
        self,
        session: Session,
        algorithm: LossAlgorithm,
        records: Records,
        renew_reference: int | None,
    ) -> None:
        self.session, self.algorithm = session, algorithm
        self.records, self.every = records, renew_reference
        self.renewed: dict[str, Tensor] | None = None
        """The trained weights that the reference has; None = those of the start model."""

    def __call__(self, step: int) -> list[Example]:
        """Return the records of STEP, from 0."""
        session, algorithm = self.session, self.algorithm
        if self.every and step and step % self.every == 0:
            self.renewed = {name: value.detach().clone() for name, value in self._trained()}
        given = self.records(step, session.policy())
        trees = prepared(session, algorithm, given, session.run.seed + step)
        encoded = session.encode(trees, counts=False)
        references: Sequence[BranchLogps | None] = [None] * len(trees)
        if REFERENCE in algorithm.needs:
            references = self._reference(encoded)
        return examples_of(trees, encoded, session.data.objective, references)

    def _reference(self, encoded: Sequence[Any]) -> Sequence[BranchLogps]:
        session = self.session
        if self.renewed is None or session.kind.reference is not Reference.cached:
            return session.frozen_numbers(encoded)
        with self._weights(self.renewed):
            return session.numbers_now(encoded)

    def _trained(self) -> Iterator[tuple[str, Tensor]]:
        named = self.session.kind.module.named_parameters()
        return ((name, value) for name, value in named if value.requires_grad)

    @contextmanager
    def _weights(self, values: Mapping[str, Tensor]) -> Iterator[None]:
        """Have the model with other VALUES of its trained weights for a while."""
        own = {name: value.data for name, value in self._trained()}
        try:
            for name, value in self._trained():
                value.data = values[name].to(value.device)
            yield
        finally:
            for name, value in self._trained():
                value.data = own[name]
