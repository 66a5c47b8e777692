"""How a configuration's key says that it names a file or a folder. Standard library only."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any

METADATA = "prefrun_holds"
"""Key of a field's metadata that holds a `Holds`."""


class Holds(Enum):
    """What is at the path, and so how it tells two runs apart."""

    files = "a file, or a folder of files, all of which count"
    model = "a model's folder, a file of weights, or the name of a model on the Hugging Face hub"
    records = "records, which count as they are read: see `DataSplit.fingerprint`"
    dataset = "records in a folder, or those of a data set's name on the Hugging Face hub"
    results = "nothing that a result depends on, such as a cache"


@dataclass(frozen=True, slots=True)
class PathKey:
    """A path key of a run's configuration, with its value."""

    name: str
    """Dotted, such as 'model.name'."""
    value: str
    """An absolute path; the name of a model on the hub."""
    holds: Holds
    revision: str | None = None
    """Of a model on the hub: the value of the key `revision` beside it."""


def path_key(default: str | None = None, holds: Holds = Holds.files) -> Any:
    """Return the field of a config dataclass whose value names what HOLDS says.

    A relative path given for it is stored as an absolute one, so that a run can be resumed and
    repeated from any folder, and '~' is the home folder. What is there is part of a job's
    identity, by its content: the path itself is not. '???' as DEFAULT makes the key a required one.
    """
    return field(default=default, metadata={METADATA: holds})


def adapter_base(folder: Path, stored: str) -> Path | None:
    """Return the folder that STORED, the base model an adapter in FOLDER names, means here.

    A relative path is looked for from the working folder, then beside the adapter. None if there is
    no such folder: STORED is then a name on the hub, or nothing.
    """
    path = Path(stored).expanduser()
    return next((each for each in (path, folder / path) if stored and each.is_dir()), None)


def absolute(value: str, holds: Holds) -> str:
    """Return VALUE as an absolute path; unchanged if it is a URL, or the name of a model or a data
    set on the hub.

    A name on the hub has at most one '/', and there is no such folder or file here.
    """
    if not value.strip() or "://" in value:
        return value
    path = Path(value).expanduser()
    is_plainly_local = value.startswith((".", "~", os.sep)) or value.count("/") > 1
    may_be_name = holds in (Holds.model, Holds.dataset)
    if may_be_name and not is_plainly_local and not path.exists():
        return value
    path = path.absolute()
    return str(path.resolve() if ".." in path.parts else path)
