"""The keys of the generated data sets. Standard library only."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from prefrun import ConfigError, Holds, path_key


@dataclass
class WorldConfig:
    """What every generated data set has."""

    train: int = 200
    """Training records, at least 1."""
    test: int = 128
    """Held-out records, at least 1."""

    def __post_init__(self) -> None:
        for key in ("train", "test"):
            if getattr(self, key) < 1:
                raise ConfigError(f"data.{key}={getattr(self, key)} must be at least 1")


class Rationales(Enum):
    """Which rationale a record has."""

    own = "its own"
    shuffled = "another record's: the control"


@dataclass
class AttributeWordsConfig(WorldConfig):
    """Pairs whose better answer holds the word that the prompt asks for, with rationales."""

    train: int = 100
    """Training pairs, at least 1."""
    rationales: Rationales = Rationales.own
    """own, or shuffled: the control."""


@dataclass
class KeyWordsConfig(WorldConfig):
    """Pairs of answers that hold more or fewer of the topic's three key words."""


@dataclass
class JointPairsConfig:
    """Pairs of instruction and answer, with the same or with different instructions."""

    path: str | None = path_key(holds=Holds.records)
    """File of pairs in DOVE's layouts; null = the generated ones."""
    conditional: int = 200
    """Generated training pairs with one instruction on both sides, at least 0."""
    joint: int = 800
    """Generated training pairs with two instructions, at least 0."""
    test: int = 25
    """Generated held-out instructions, each with all its answers, at least 1."""
    test_fraction: float = 0.2
    """Part of a file's pairs held out, above 0 and below 1."""
    template: str = "{instruction}"
    """What a file's instructions are put into."""
    ignore_columns: list[str] = field(default_factory=list)
    """Columns of text of a file that are meant to be unused, such as [notes]; ['*'] = all."""

    def __post_init__(self) -> None:
        for key in ("conditional", "joint"):
            if getattr(self, key) < 0:
                raise ConfigError(f"data.{key}={getattr(self, key)} must be at least 0")
        if not self.conditional + self.joint:
            raise ConfigError("data.conditional=0 and data.joint=0 leave no pair to train on")
        if self.test < 1:
            raise ConfigError(f"data.test={self.test} must be at least 1")
        if not 0 < self.test_fraction < 1:
            raise ConfigError(f"data.test_fraction={self.test_fraction} must be in (0, 1)")
        if "{instruction}" not in self.template:
            raise ConfigError("data.template must hold {instruction}")


class HeldOut(Enum):
    """What the held-out pairs are about."""

    instructions = "two or three added instructions decide"
    topic = "no instruction; the topic decides"


@dataclass
class InstructedWordsConfig(WorldConfig):
    """Pairs in which the better answer is on topic; instructions are added by a method."""

    held_out: HeldOut = HeldOut.instructions
    """instructions: pairs under added instructions, of which the worse answer breaks some; topic:
    pairs like the training ones."""
