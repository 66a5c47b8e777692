"""The keys that every data source which reads files shares. Standard library only."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from prefrun.errors import ConfigError, closest
from prefrun.path_keys import Holds, path_key
from prefrun.records.columns import Columns, is_set
from prefrun.records.known_layouts import LAYOUTS
from prefrun.records.paths import split_path
from prefrun.records.tree import OVERALL

IGNORE, ALL = "data.ignore_columns", "*"


class OnBadRecord(Enum):
    """What a record that cannot be used does."""

    error = "error"
    skip = "skip"


@dataclass
class FileDataConfig:
    """Base of a data component's own dataclass."""

    path: str | None = path_key(holds=Holds.records)
    """File or folder: .jsonl, .jsonl.gz, .json, .parquet, a folder of these, a saved dataset."""
    test_path: str | None = path_key(holds=Holds.records)
    """Held-out records of their own, read like `path`, all of which then trains; None = a part of
    `path` is held out."""
    ignore_columns: list[str] = field(default_factory=list)
    """Columns of text that are no part of prompt and answers, such as [notes,info.title]; ['*'] =
    all. They stay in the metadata, where a method may read them. Others are refused."""
    max_records: int | None = None
    """Usable records taken from the beginning, train and test together, >= 2; None = all."""
    on_bad_record: OnBadRecord = OnBadRecord.error
    """error: stop at the first one; skip: leave them out, count and list them."""
    test_fraction: float = 0.2
    """Part held out for evaluation, above 0; the same part whatever the seed. 1 = all, which leaves
    nothing to train on, for algo=evaluate."""
    objective: str = OVERALL
    """The score that says which answer is better."""
    max_chars: int = 200_000
    """Longest answer that is believed, characters >= 1."""

    def __post_init__(self) -> None:
        if self.path is not None and not self.path.strip():
            raise ConfigError("data.path is empty: give a file or folder")
        if self.test_path is not None and not self.test_path.strip():
            raise ConfigError("data.test_path is empty: give a file or folder")
        for column in self.ignore_columns:
            if column != ALL:
                split_path(column, IGNORE)
        if self.max_records is not None and self.max_records < 2:
            raise ConfigError(
                f"data.max_records={self.max_records} must be at least 2: one record to train on "
                "and one held out"
            )
        if not 0 < self.test_fraction <= 1:
            raise ConfigError(
                f"data.test_fraction={self.test_fraction} must be above 0 and at most 1"
            )
        if not self.objective.strip():
            raise ConfigError("data.objective is empty: name a score, such as overall")
        if self.max_chars < 1:
            raise ConfigError(f"data.max_chars={self.max_chars} must be at least 1")


@dataclass
class MappedDataConfig(FileDataConfig):
    """Base of the config of a data source whose records may have any columns."""

    layout: str | None = None
    """A public data set's columns, by name; None = told by the columns, if they are known ones."""
    columns: Columns = field(default_factory=Columns)
    """Where in a record each thing lies; goes before the layout."""
    chat: bool = False
    """Whether a text prompt is a user message, for the model's chat template; else it is taken as
    it stands."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.layout is not None and self.layout not in LAYOUTS:
            known = ", ".join(LAYOUTS)
            raise ConfigError(
                f"data.layout={self.layout} is none of {known}.{closest(self.layout, [*LAYOUTS])}"
            )

    @property
    def has_columns(self) -> bool:
        """Whether some key of `columns` is set."""
        return is_set(self.columns)
