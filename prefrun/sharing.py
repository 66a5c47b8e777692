"""What the jobs of a sweep have in common is made once per process. Standard library only."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from typing import Any, TypeVar

Value = TypeVar("Value")


class Sharing:
    """Keeps the last thing of each kind while a sweep runs, and nothing in a single run.

    What is kept is never handed out to be changed: whoever changes it takes a copy.
    """

    def __init__(self) -> None:
        self.enabled = False
        self._kept: dict[str, tuple[Hashable, Any]] = {}
        self._inputs: Mapping[str, str] = {}

    def switch(self, enabled: bool) -> None:
        """Keep things from now on, or forget them all."""
        self.enabled = enabled
        if not enabled:
            self._kept.clear()

    def follow(self, inputs: Mapping[str, str]) -> None:
        """Forget all if one of INPUTS, digests by path, has changed since the last job had it."""
        if any(self._inputs.get(path, digest) != digest for path, digest in inputs.items()):
            self._kept.clear()
        self._inputs = {**self._inputs, **inputs}

    def get(self, kind: str, key: Hashable, make: Callable[[], Value]) -> Value:
        """Return what MAKE gives, or gave when it was last asked for under this KIND and KEY."""
        if not self.enabled:
            return make()
        known = self._kept.get(kind)
        if known is None or known[0] != key:
            self._kept.pop(kind, None)  # before the next one is made: both may not fit in memory
            known = self._kept[kind] = (key, make())
        value: Value = known[1]
        return value


sharing = Sharing()
"""Of this process."""
