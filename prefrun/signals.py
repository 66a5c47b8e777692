"""SIGINT, SIGTERM and SIGHUP mean one thing: end cleanly. A second one ends at once.

A command listens to them: the first one raises `Stopped`, or, while a step is finished first, is
only noted. What was ignored when the process began, as nohup does with SIGHUP and a shell with
SIGINT of a background job, stays ignored.
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FrameType

SIGNALS = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
)
SAME = 0.1
"""Seconds: a terminal that closes sends its signal twice, which is one wish."""
Observer = Callable[[int], None]


class Stopped(KeyboardInterrupt):
    """Signal NUMBER ends the command."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number

    @property
    def exit_code(self) -> int:
        """What a shell reports for a process that the signal ended: 130, 143 or 129."""
        return 128 + self.number


@dataclass(slots=True)
class _State:
    number: int | None = None
    """The first signal; None until then."""
    since: float = 0.0
    deferred: int = 0
    """How many callers finish something first."""
    repeats: bool = True
    """Whether a second signal ends this process at once; else the process that launched it does."""
    observers: list[Observer] = field(default_factory=list)


_state = _State()


def forget() -> None:
    """Forget earlier signals: a new command begins in this process."""
    _state.number = None


@contextmanager
def listening(repeats: bool = True) -> Iterator[None]:
    """While it lasts, SIGINT, SIGTERM and SIGHUP raise Stopped.

    A signal that is ignored, or for which somebody else has a handler, is left alone. REPEATS: see
    `_State`. Does nothing outside the main thread. Raises Stopped at once where this process was
    told to stop before.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    defaults = (signal.SIG_DFL, signal.default_int_handler)
    ours = {each: old for each in SIGNALS if (old := signal.getsignal(each)) in defaults}
    if _state.number is not None and ours:
        raise Stopped(_state.number)
    if ours:
        _state.repeats = repeats
    try:
        for number in ours:
            signal.signal(number, _handle)
        yield
    finally:
        for number, old in ours.items():
            signal.signal(number, old)


@contextmanager
def finishing_first() -> Iterator[Callable[[], bool]]:
    """While it lasts, the first signal raises nothing: what is yielded says that one came.

    The caller finishes its step, saves and leaves the block, which then raises Stopped.
    """
    with listening():
        _state.deferred += 1
        try:
            yield lambda: _state.number is not None
        finally:
            _state.deferred -= 1
        if _state.number is not None:
            raise Stopped(_state.number)


@contextmanager
def telling(observer: Observer) -> Iterator[None]:
    """While it lasts, OBSERVER is called with the first signal, before anything is raised."""
    _state.observers.append(observer)
    try:
        yield
    finally:
        _state.observers.remove(observer)


def request(number: int = signal.SIGINT) -> None:
    """Stop as though signal NUMBER had come: another process of the job got one."""
    if _state.number is None:
        _state.number, _state.since = number, time.monotonic()


def _handle(number: int, frame: FrameType | None) -> None:
    if _state.number is None:
        request(number)
        for observer in tuple(_state.observers):
            observer(number)
        if not _state.deferred:
            raise Stopped(number)
    elif _state.repeats and time.monotonic() - _state.since > SAME:
        raise Stopped(number)
