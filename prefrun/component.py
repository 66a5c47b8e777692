"""What a plugin registers: a name in a config group, its schema, and where its code lives."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import Any

GROUPS = ("algo", "data", "model", "reward", "evaluator", "tracker")


@dataclass(frozen=True, slots=True)
class Component:
    """One choice in a config group, such as `algo=lipo`. Cheap: `factory` is only a string."""

    group: str
    """One of GROUPS: what the component is, and the key the user types."""
    name: str
    """The word the user types after `group=`."""
    config: type
    """Dataclass of its keys. Every component has one of its own, by which it is found."""
    factory: str
    """'module:attribute' of the class that is called with the config; imported on first use."""
    summary: str
    """One line for `prefrun plugins` and `--help`."""

    @property
    def prefix(self) -> str:
        """What its keys begin with; evaluators are chosen several at a time, so each has a name."""
        return f"evaluator.{self.name}" if self.group == "evaluator" else self.group

    def load(self) -> Any:
        """Import `factory` and return it. Raises ImportError, AttributeError."""
        module, _, attribute = self.factory.partition(":")
        return getattr(import_module(module), attribute)
