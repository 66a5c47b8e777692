"""The files of a run directory, and the rules for making and opening one."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from prefrun.errors import ConfigError
from prefrun.rundir.files import plain, write_atomically
from prefrun.rundir.lock import LOCK_FILE
from prefrun.rundir.progress import newest

MARKS = ("status.json", "manifest.json", "config.yaml")
"""A folder that holds one of these is a run directory, even if the run was cut at its start."""


class RunDirectory:
    """One run's folder. Its file names are fixed; scripts rely on them."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)

    def create(self) -> RunDirectory:
        """Make the folder for a fresh run, and return self.

        Raises ConfigError where it holds a run already, holds anything else, or cannot be made.
        """
        if self.holds_run():
            raise ConfigError(
                f"{self.path} already holds a run\n  remedy: `prefrun resume {self.path}` goes on "
                "with it; or choose another output_dir, or delete the folder"
            )
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            strangers = sorted(
                entry.name for entry in self.path.iterdir() if entry.name != LOCK_FILE
            )
        except OSError as error:
            raise ConfigError(
                f"output_dir={self.path} cannot be used: {error.strerror or error}"
            ) from error
        if strangers:
            raise ConfigError(
                f"output_dir={self.path} is not empty and holds no run (it holds {strangers[0]})\n"
                "  remedy: choose a new or an empty folder"
            )
        return self

    def open(self) -> RunDirectory:
        """Return self. Raises ConfigError where the folder is missing or holds no run."""
        if not self.path.is_dir():
            raise ConfigError(f"{self.path}: there is no such run directory")
        if not self.holds_run():
            raise ConfigError(f"{self.path} is no run directory: it holds none of {list(MARKS)}")
        return self

    def holds_run(self) -> bool:
        """Whether a run was begun here."""
        return any((self.path / name).is_file() for name in MARKS)

    @property
    def config(self) -> Path:
        """The resolved configuration, YAML."""
        return self.path / "config.yaml"

    @property
    def manifest(self) -> Path:
        """What the run was made from: code, versions, data, model, machine."""
        return self.path / "manifest.json"

    @property
    def code(self) -> Path:
        """Folder of the loss file the run was made from, where it was one."""
        return self.path / "code"

    @property
    def status(self) -> Path:
        """Whether the run goes on, ended well, failed or was interrupted."""
        return self.path / "status.json"

    @property
    def metrics(self) -> Path:
        """One JSON object per logged step."""
        return self.path / "metrics.jsonl"

    @property
    def evaluation_before(self) -> Path:
        """Evaluation of the starting model."""
        return self.path / "evaluation_before.json"

    @property
    def evaluation_after(self) -> Path:
        """Evaluation of the trained policy."""
        return self.path / "evaluation_after.json"

    @property
    def evaluation(self) -> Path:
        """Folder of evaluators' own files about the trained policy."""
        return self.path / "evaluation"

    @property
    def samples(self) -> Path:
        """Answers of both models to held-out prompts, one JSON object per line."""
        return self.path / "samples.jsonl"

    def write_samples(self, samples: Iterable[Mapping[str, Any]]) -> None:
        """Write samples.jsonl, atomically."""
        lines = [json.dumps(plain(sample), ensure_ascii=False) + "\n" for sample in samples]
        write_atomically(self.samples, "".join(lines))

    @property
    def checkpoints(self) -> Path:
        """Folder of checkpoint-N folders, N = optimizer step."""
        return self.path / "checkpoints"

    def checkpoints_of(self, training: str) -> Path:
        """Folder of the checkpoint-N folders of the TRAINING of that name; '': of the only one."""
        return self.checkpoints / training

    def last_checkpoint(self, training: str = "") -> Path | None:
        """Return the checkpoint of the highest step; None where there is none.

        A folder gets its name checkpoint-N only once it is whole.
        """
        folder = self.checkpoints_of(training)
        steps = _numbers(folder, "checkpoint-")
        return folder / f"checkpoint-{max(steps)}" if steps else None

    def checkpointed_steps(self) -> int:
        """Return the run's optimizer steps behind the newest checkpoint."""
        found = newest(self.checkpoints)
        return int(found["steps"]) if found else 0

    @property
    def model(self) -> Path:
        """The final model in Hugging Face layout."""
        return self.path / "model"

    @property
    def summary(self) -> Path:
        """The result: metrics before and after, counts, timing."""
        return self.path / "summary.json"

    @property
    def report(self) -> Path:
        """The result for a reader, Markdown."""
        return self.path / "report.md"

    @property
    def plots(self) -> Path:
        """Folder of the report's pictures."""
        return self.path / "plots"

    @property
    def log(self) -> Path:
        """Log messages and tracebacks."""
        return self.path / "prefrun.log"


def _numbers(folder: Path, prefix: str) -> list[int]:
    """The N of the folders PREFIX + N in FOLDER."""
    names = [path.name.removeprefix(prefix) for path in folder.glob(f"{prefix}*") if path.is_dir()]
    return [int(name) for name in names if name.isdecimal()]
