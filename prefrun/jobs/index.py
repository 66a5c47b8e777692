"""sweep.json: which folder of a sweep holds which job."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from prefrun.errors import PrefrunError
from prefrun.jobs.identity import Identity
from prefrun.rundir.files import read_json, write_json
from prefrun.rundir.masking import mask_arguments

INDEX = "sweep.json"


@dataclass(slots=True)
class Entry:
    """One job, by the folder it was first given."""

    folder: str
    overrides: list[str]
    """The key=value words that last led to it, secrets masked."""
    identity: Identity | None
    """None where the job was refused before it had one."""


@dataclass(slots=True)
class Index:
    """What a sweep's folder knows of its jobs."""

    planned: list[list[str]] | None = None
    """The jobs of the last command, by their words; None where a search finds them one by one."""
    entries: list[Entry] = field(default_factory=list)
    """In the order in which they were first begun."""

    def of(self, identity: Identity) -> Entry | None:
        """The job with IDENTITY."""
        return next((entry for entry in self.entries if entry.identity == identity), None)

    def with_words(self, overrides: Sequence[str]) -> list[Entry]:
        """The jobs that OVERRIDES last led to."""
        words = mask_arguments(overrides)
        return [entry for entry in self.entries if entry.overrides == words]


def read_index(sweep: Path) -> Index:
    """Return the index of SWEEP; an empty one where there is none.

    Raises PrefrunError, naming the file, where it is damaged.
    """
    path = sweep / INDEX
    if not path.exists():
        return Index()
    value = read_json(path)
    try:
        return Index(value["planned"], [_entry(entry) for entry in value["jobs"]])
    except (KeyError, TypeError) as error:
        raise PrefrunError(f"{path}: is no sweep's index: lacks {error}") from error


def _entry(value: Any) -> Entry:
    identity = Identity(**value["identity"]) if value["identity"] else None
    return Entry(value["folder"], value["overrides"], identity)


def write_index(sweep: Path, index: Index) -> None:
    """Write INDEX whole."""
    jobs = [asdict(entry) for entry in index.entries]
    write_json(sweep / INDEX, {"planned": index.planned, "jobs": jobs})
