"""The keys that every data source which reads files shares. Standard library only."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from prefrun.errors import ConfigError
from prefrun.path_keys import Holds, path_key
from prefrun.records.tree import OVERALL


class OnBadRecord(Enum):
    """What a record that cannot be used does."""

    error = "error"
    skip = "skip"


@dataclass
class FileDataConfig:
    """Base of a data component's own dataclass."""

    path: str | None = path_key(holds=Holds.records)
    """File or folder: .jsonl, .jsonl.gz, .json, .parquet, a folder of these, a saved dataset."""
    max_records: int | None = None
    """Usable records taken from the beginning, train and test together, >= 2; None = all."""
    on_bad_record: OnBadRecord = OnBadRecord.error
    """error: stop at the first one; skip: leave them out, count and list them."""
    test_fraction: float = 0.2
    """Part held out for evaluation, above 0 and below 1; the same part whatever the seed."""
    objective: str = OVERALL
    """The score that says which answer is better."""
    max_chars: int = 200_000
    """Longest answer that is believed, characters >= 1."""

    def __post_init__(self) -> None:
        if self.path is not None and not self.path.strip():
            raise ConfigError("data.path is empty: give a file or folder")
        if self.max_records is not None and self.max_records < 2:
            raise ConfigError(
                f"data.max_records={self.max_records} must be at least 2: one record to train on "
                "and one held out"
            )
        if not 0 < self.test_fraction < 1:
            raise ConfigError(
                f"data.test_fraction={self.test_fraction} must be above 0 and below 1"
            )
        if not self.objective.strip():
            raise ConfigError("data.objective is empty: name a score, such as overall")
        if self.max_chars < 1:
            raise ConfigError(f"data.max_chars={self.max_chars} must be at least 1")
