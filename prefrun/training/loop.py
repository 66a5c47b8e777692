"""Carries out a training of a run: where it goes on, signals, progress, what is left afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from transformers import PrinterCallback
from transformers.trainer_utils import SaveStrategy

from prefrun.console import progress
from prefrun.policy.attention.switch import tree_attention
from prefrun.rundir.progress import Progress, newest
from prefrun.signals import finishing_first
from prefrun.training.arguments import training_arguments
from prefrun.training.compiling import compiled_layers
from prefrun.training.host_trainer import HostTrainer
from prefrun.training.observer import Listener, Observer
from prefrun.training.spread import total

if TYPE_CHECKING:
    from transformers import TrainingArguments

    from prefrun.training.session import Session


@dataclass(frozen=True, slots=True)
class Place:
    """Where in its run a training begins or resumes."""

    progress: Progress
    checkpoint: Path | None
    """Its last one."""
    is_over: bool
    """Whether a later training has begun."""

    @property
    def done(self) -> int:
        """Steps of it that are done."""
        name = self.checkpoint.name if self.checkpoint else "-0"
        return int(name.rpartition("-")[2])


def place_of(session: Session, name: str) -> Place:
    """Return where the training of that NAME stands."""
    found = newest(session.directory.checkpoints) or {}
    ends = found.get("ends", {})
    earlier = found["earlier"] if found.get("training") == name else session.steps
    progress = Progress(name, earlier, {**ends, **session.ends})
    return Place(progress, session.directory.last_checkpoint(name), name in ends)


def arguments_for(session: Session, name: str, steps: int, seed: int) -> TrainingArguments:
    """Return the trainer's arguments for the training of that NAME; STEPS: -1 = as epochs need."""
    settings = session.config.trainer
    folder = session.directory.checkpoints_of(name)
    arguments = training_arguments(settings, folder, seed, session.device)
    arguments.max_steps = steps
    if name and not settings.checkpoint_steps:  # its end is kept for a resumed run
        arguments.save_strategy = SaveStrategy.STEPS
        arguments.save_steps = steps
    return arguments


def skip(session: Session, place: Place, trainer: HostTrainer) -> None:
    """Take the weights of a training that is over, as far as they are still there."""
    if place.checkpoint is not None:
        trainer.restore(place.checkpoint)
    name = place.progress.training
    session.steps = place.progress.ends.get(name, place.progress.earlier + place.done)
    session.ends[name] = session.steps


def carry_out(
    session: Session, trainer: HostTrainer, place: Place, listener: Listener | None = None
) -> None:
    """Run TRAINER from PLACE to its end.

    LISTENER hears of it, else SESSION. Raises PrefrunError if the loss is not finite or the disk is
    full; Stopped at a signal, after the step's checkpoint.
    """
    trainer.progress, trainer.run_folder = place.progress, session.directory.path
    trainer.all_checkpoints = session.directory.checkpoints
    earlier = place.progress.earlier
    session.steps = earlier + place.done
    trainer.remove_callback(PrinterCallback)  # the host shows progress itself
    with (
        progress("training") as session.show,
        finishing_first() as stop_requested,
        _switched(session, trainer),
    ):
        trainer.add_callback(Observer(listener or session, trainer, stop_requested, earlier))
        trainer.train(resume_from_checkpoint=str(place.checkpoint) if place.checkpoint else None)
    trainer.empty_steps.conclude(trainer.state.global_step, trainer.is_world_process_zero())
    session.steps = earlier + trainer.state.global_step
    session.ends[place.progress.training] = session.steps
    session.tokens += total(trainer.tokens)


@contextmanager
def _switched(session: Session, trainer: HostTrainer) -> Iterator[None]:
    """Have packed rows and compiled layers on while the run's text model is trained."""
    text = session.text_model_in(trainer.model)
    with ExitStack() as stack:
        if text is not None and text.packing.kernel:
            stack.enter_context(tree_attention(text.transformer))
        if text is not None and session.config.trainer.compile:
            stack.enter_context(compiled_layers(text.transformer))
        yield
