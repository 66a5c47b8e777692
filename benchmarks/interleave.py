"""Trains several methods in turn, one optimizer step each, and times every step.

Each method has a process of its own, but only one of them works at a time: a process hands over at
the end of its step and sleeps until the others have done theirs. Slow spells of the machine so fall
on all methods alike, and a ratio is taken within one round. Threads would not do: OpenMP gives each
a pool of its own and, with more threads than cores, puts workers to sleep between small operations,
which slows short steps most.
"""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable, Mapping, Sequence
from multiprocessing.connection import Connection
from typing import Any

from transformers import TrainerCallback

Make = Callable[[str], Any]
"""Builds the trainer of a method."""


class StepLosses:
    """Mixed into a transformers.Trainer: keeps the loss of each optimizer step, unrounded."""

    def training_step(self, *arguments: Any, **options: Any) -> Any:
        """Train, and note the loss; a micro-batch's is its share of the step's."""
        loss = super().training_step(*arguments, **options)  # type: ignore[misc]
        losses = self.__dict__.setdefault("losses", [])
        losses.extend([0.0] * (self.state.global_step + 1 - len(losses)))  # type: ignore[attr-defined]
        losses[-1] += float(loss)
        return loss


class _Turns(TrainerCallback):
    """Times a step, from when the turn came until the optimizer has moved the weights."""

    def __init__(self, pipe: Connection) -> None:
        self.pipe = pipe

    def begin(self) -> None:
        """Wait for the turn."""
        self.pipe.recv()
        self._since = time.perf_counter()

    def on_step_end(self, args: Any, state: Any, control: Any, **rest: Any) -> None:
        """Report the time, and wait for the next turn."""
        self.pipe.send(time.perf_counter() - self._since)
        if state.global_step < state.max_steps:
            self.begin()


def _work(pipe: Connection, make: Make, method: str) -> None:
    """Build and train METHOD, a step whenever PIPE says so; send its losses last."""
    trainer = make(method)
    turns = _Turns(pipe)
    trainer.add_callback(turns)
    pipe.send("ready")
    turns.begin()
    trainer.train()
    pipe.send(trainer.losses)


def interleave(
    make: Make, methods: Sequence[str], steps: int
) -> tuple[Mapping[str, list[float]], Mapping[str, list[float]]]:
    """Train METHODS to their end; return seconds and losses of each of STEPS steps, by method.

    Raises RuntimeError where a method's process fails; it has printed why.
    """
    context = multiprocessing.get_context("spawn")
    pipes: dict[str, Connection] = {}
    workers = []
    try:
        for method in methods:  # one after the other, so that they do not get in each other's way
            pipes[method], theirs = context.Pipe()
            workers.append(context.Process(target=_work, args=(theirs, make, method), daemon=True))
            workers[-1].start()
            theirs.close()
            _receive(pipes, method)
        seconds: dict[str, list[float]] = {method: [] for method in methods}
        for _ in range(steps):
            for method in methods:
                pipes[method].send("go")
                seconds[method].append(_receive(pipes, method))
        return seconds, {method: _receive(pipes, method) for method in methods}
    finally:
        for worker in workers:
            worker.terminate()


def _receive(pipes: Mapping[str, Connection], method: str) -> Any:
    try:
        return pipes[method].recv()
    except EOFError:
        raise RuntimeError(f"the process of {method} failed") from None
