"""Carries out what an algorithm that owns its run trains: `Services.optimise`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from prefrun.errors import ConfigError
from prefrun.training.compiling import check_compiler
from prefrun.training.loop import arguments_for, carry_out, place_of, skip
from prefrun.training.session import Session
from prefrun.training.step_loop import StepLoop
from prefrun.training.step_trainer import StepTrainer, recomputing


class Unnoticed:
    """A listener for trainings that are only a part of one."""

    def log(self, step: int, metrics: Mapping[str, float]) -> None:
        """Say nothing."""

    def step_done(self, step: int, steps: int) -> None:
        """Count nothing."""

    def checkpoint_written(self, step: int, path: Path) -> None:
        """Tell nobody."""


def optimise(session: Session, loop: StepLoop) -> None:
    """Train LOOP's modules in place, from the last checkpoint if there is one.

    Raises ConfigError for a `trainer.*` key that nothing here can honour, and that is not for the
    training of which this is a part; further errors: see `carry_out`.
    """
    settings = session.config.trainer
    has_text = any(session.text_model_in(module) for module in loop.modules.values())
    if settings.compile and not loop.is_part:
        if not has_text:
            raise ConfigError(
                "trainer.compile=true does nothing here: no language model is trained\n"
                "  remedy: leave it out"
            )
        check_compiler(session.device)
    if has_text and not session.truncation.records:
        session.encode(session.data.train)  # counts what was truncated
    place = place_of(session, loop.name, counts=not loop.is_part)
    arguments = arguments_for(session, loop.name, loop.steps, session.run.seed)
    if loop.is_part and not recomputing(loop.modules):
        arguments.activation_checkpointing = False
    trainer = StepTrainer(loop=loop, args=arguments, on_empty_step=settings.on_empty_step)
    if place.is_over or place.done >= loop.steps:
        skip(session, place, trainer)
    else:
        carry_out(session, trainer, place, Unnoticed() if loop.is_part else None)
    for module in loop.modules.values():
        module.eval()
