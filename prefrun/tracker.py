"""What a tracker is: it is told of a run's life. Called on the main process only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from prefrun.rundir.run import Run


class Tracker:
    """Base class of the group `tracker`; every method may be left out. `tracker=none` is this."""

    def __init__(self, config: Any) -> None:
        self.config = config

    def start(self, run: Run) -> None:
        """The run directory exists; on a resumed run this is called again."""

    def log(self, step: int, metrics: Mapping[str, float]) -> None:
        """Numbers of one optimizer step."""

    def finish(self, summary: Mapping[str, Any]) -> None:
        """The run ended well; SUMMARY is the content of summary.json."""

    def close(self, failed: bool) -> None:
        """Always called last, also after an error."""
