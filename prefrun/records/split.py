"""What a data source returns: records for training and testing, and what happened on the way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from prefrun.records.tree import PreferenceTree
    from prefrun.reward import Reward


@dataclass(slots=True)
class ReadCounts:
    """What was read. `read` = `used` + `skipped`; truncated records are used."""

    read: int = 0
    used: int = 0
    skipped: int = 0
    problems: list[str] = field(default_factory=list)
    """One line per skipped record: file, line, field and what was wrong."""


@dataclass(frozen=True, slots=True)
class DataSplit:
    """Training and held-out records of one data source."""

    name: str
    """Readable, such as 'ultrafeedback-sample'; part of the run's name."""
    train: Sequence[PreferenceTree]
    test: Sequence[PreferenceTree]
    fingerprint: str
    """Hex digest of the content that was read; two equal digests mean equal records."""
    counts: ReadCounts
    objective: str = "overall"
    """The score that says which answer is better."""
    reward: Reward | None = None
    """The data's own ground truth, where it has one: a judge of any answer to its prompts."""
    note: str = ""
    """One line the user must see, such as that this is generated sample data."""


class DataSource(Protocol):
    """A component of the group `data`: called with its config, then asked to load.

    A class attribute `uses_seed = False` says that `load` gives the same records at every seed; the
    jobs of a sweep then read them once.
    """

    def load(self, seed: int) -> DataSplit:
        """Read and validate everything. Raises DataError before any model is loaded."""
        ...


def uses_seed(source: object) -> bool:
    """Whether SOURCE, a data source or its class, may give other records at another seed."""
    return bool(getattr(source, "uses_seed", True))
