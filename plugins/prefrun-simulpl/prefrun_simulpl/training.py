"""The optimisation loop of a phase, with checkpoints that a resumed run goes on from."""

from __future__ import annotations

import io
import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import torch
from torch import Tensor

from prefrun import PrefrunError
from prefrun.console import progress
from prefrun.rundir.directory import RunDirectory
from prefrun.rundir.files import write_atomically
from prefrun.signals import finishing_first
from prefrun.training.services import Services
from prefrun_simulpl.model import SimtForCausalLM

STATE = "state.pt"
BETAS = (0.9, 0.98)
"""Of Adam, as fairseq's translation recipes have them."""


@dataclass(frozen=True, slots=True)
class Phase:
    """What one phase does at each step. Both functions depend on the step only."""

    name: str
    steps: int
    offset: int
    """Steps of earlier phases, for the run's own count."""
    learning_rate: Callable[[int], float]
    loss: Callable[[int], tuple[Tensor, Mapping[str, float]]]
    """Step, from 0 -> loss, and numbers to log."""


def optimise(services: Services, model: SimtForCausalLM, phase: Phase) -> None:
    """Take the steps of PHASE, those since the last checkpoint where the run is resumed."""
    settings = services.config.trainer
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=1.0, betas=BETAS, weight_decay=settings.weight_decay
    )
    checkpoint = RunDirectory(services.run.output_dir).last_checkpoint()
    first = _restore(checkpoint, phase, model, optimizer)
    model.train()
    with progress(phase.name) as show, finishing_first() as stop_requested:
        for step in range(first, phase.steps):
            loss, metrics = phase.loss(step)
            loss.backward()
            norm = torch.nn.utils.clip_grad_norm_(model.parameters(), settings.max_grad_norm)
            if not torch.isfinite(norm):
                raise PrefrunError(
                    f"the gradient of step {step + 1} of the {phase.name} phase is {norm.item()}\n"
                    f"  remedy: lower algo.{phase.name}.learning_rate"
                )
            rate = optimizer.param_groups[0]["lr"] = phase.learning_rate(step)
            optimizer.step()
            optimizer.zero_grad()
            done, stops = step + 1, stop_requested()
            if done % settings.logging_steps == 0 or done == phase.steps:
                named = {f"{phase.name}/{name}": value for name, value in metrics.items()}
                rates = {"learning_rate": rate, "grad_norm": norm.item()}
                services.log(phase.offset + done, {**named, **rates})
            every = settings.checkpoint_steps
            if stops or done == phase.steps or (every and done % every == 0):
                _save(services, phase, done, model, optimizer)
            services.step_done(phase.offset + done, phase.offset + phase.steps)
            show(done, phase.steps)
            if stops:
                break
    model.eval()


def _restore(checkpoint: Path | None, phase: Phase, model: SimtForCausalLM, optimizer: Any) -> int:
    """Load the state of CHECKPOINT where it is of PHASE; return the steps taken so far."""
    if checkpoint is None:
        return 0
    state = torch.load(checkpoint / STATE, map_location=model.device, weights_only=True)
    if state["phase"] != phase.name:
        return 0
    model.load_state_dict(state["model"])
    optimizer.load_state_dict(state["optimizer"])
    return int(state["step"])


def _save(
    services: Services, phase: Phase, step: int, model: SimtForCausalLM, optimizer: Any
) -> None:
    """Write checkpoint-N whole, then remove the oldest ones. N counts the steps of all phases."""
    folder = services.checkpoint_dir()
    content = io.BytesIO()
    state = {"phase": phase.name, "step": step, "model": model.state_dict()}
    torch.save({**state, "optimizer": optimizer.state_dict()}, content)
    staging = folder / "checkpoint.incomplete"
    shutil.rmtree(staging, ignore_errors=True)
    write_atomically(staging / STATE, content.getvalue())
    final = folder / f"checkpoint-{phase.offset + step}"
    shutil.rmtree(final, ignore_errors=True)
    os.replace(staging, final)
    kept = sorted(folder.glob("checkpoint-*"), key=lambda path: int(path.name.split("-")[1]))
    for old in kept[: -services.config.trainer.keep_checkpoints]:
        shutil.rmtree(old)


def shuffled(count: int, epoch: int, seed: int) -> list[int]:
    """Return 0..COUNT-1 in the random order of EPOCH."""
    order = list(range(count))
    Random(f"{seed} {epoch}").shuffle(order)
    return order


def inverse_square_root(peak: float, warmup: int) -> Callable[[int], float]:
    """Return the learning rate by step, from 0: linear to PEAK, then as 1 / sqrt(step)."""
    ramp = max(warmup, 1)
    return lambda step: peak * min((step + 1) / ramp, (ramp / (step + 1)) ** 0.5)
