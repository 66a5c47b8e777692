"""Trains several trainers in turn, one optimizer step each, and times every step.

Each trainer runs in a thread of its own, but only one of them at a time: a thread hands over at the
end of its step and sleeps until the others have done theirs. Slow spells of the machine so fall on
all methods alike, and a ratio is taken within one round.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any

from transformers import TrainerCallback


class StepLosses:
    """Mixed into a transformers.Trainer: keeps the loss of each optimizer step, unrounded."""

    def training_step(self, *arguments: Any, **options: Any) -> Any:
        """Train, and note the loss; a micro-batch's is its share of the step's."""
        loss = super().training_step(*arguments, **options)  # type: ignore[misc]
        losses = self.__dict__.setdefault("losses", [])
        losses.extend([0.0] * (self.state.global_step + 1 - len(losses)))  # type: ignore[attr-defined]
        losses[-1] += float(loss)
        return loss


class StoppedError(Exception):
    """Another thread has failed."""


class Ring:
    """Hands the turn from member to member."""

    def __init__(self, members: Sequence[str]) -> None:
        self._waiting = list(members)
        """Members that have not left; the first one has the turn."""
        self._changed = threading.Condition()
        self._broken = False

    def wait(self, member: str) -> None:
        """Sleep until it is MEMBER's turn. Raises StoppedError where another member failed."""
        with self._changed:
            self._changed.wait_for(lambda: self._broken or self._waiting[0] == member)
            if self._broken:
                raise StoppedError

    def hand_over(self) -> None:
        """Give the turn to the next member."""
        with self._changed:
            self._waiting.append(self._waiting.pop(0))
            self._changed.notify_all()

    def leave(self) -> None:
        """Give up the turn for good."""
        with self._changed:
            self._waiting.pop(0)
            self._changed.notify_all()

    def stop(self) -> None:
        """Wake all members with StoppedError."""
        with self._changed:
            self._broken = True
            self._changed.notify_all()


class _Turns(TrainerCallback):
    """Times a step, from when the turn came until the optimizer has moved the weights."""

    def __init__(self, ring: Ring, member: str) -> None:
        self.ring, self.member = ring, member
        self.seconds: list[float] = []

    def begin(self) -> None:
        """Wait for the first turn."""
        self.ring.wait(self.member)
        self._since = time.perf_counter()

    def on_step_end(self, args: Any, state: Any, control: Any, **rest: Any) -> None:
        """Note the time, hand over, and wait for the next turn."""
        self.seconds.append(time.perf_counter() - self._since)
        self.ring.hand_over()
        self.begin()


def interleave(trainers: Mapping[str, Any]) -> dict[str, list[float]]:
    """Train all TRAINERS to their end and return the seconds of each step, by method."""
    ring = Ring(list(trainers))
    turns = {name: _Turns(ring, name) for name in trainers}
    failures: list[BaseException] = []

    def work(name: str) -> None:
        try:
            turns[name].begin()
            trainers[name].train()
            ring.leave()
        except StoppedError:
            pass
        except BaseException as error:
            failures.append(error)
            ring.stop()

    threads = []
    for name, trainer in trainers.items():
        trainer.add_callback(turns[name])
        threads.append(threading.Thread(target=work, args=(name,), name=name, daemon=True))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
    return {name: turn.seconds for name, turn in turns.items()}
