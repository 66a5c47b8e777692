"""How a job's processes learn that it is to end: by a file, in time even if they have just begun.

Signals would not do: some systems send one to every process, which would then count it twice.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

NAME = "stop"
NOW = "now"


@dataclass(frozen=True, slots=True)
class StopFile:
    """What the process that started the others writes into their SCRATCH folder."""

    scratch: Path

    def ask(self, number: int) -> None:
        """Ask the processes to end as at signal NUMBER: after their step, with a checkpoint."""
        (self.scratch / NAME).write_text(str(number))

    def insist(self) -> None:
        """Ask the processes to end at once."""
        (self.scratch / NOW).touch()

    def obey(self) -> None:
        """Do in one of the processes what is asked. To be called again and again, by a thread."""
        if (self.scratch / NOW).exists():
            os._exit(1)
        try:
            number = int((self.scratch / NAME).read_text() or 0)
        except FileNotFoundError:
            return
        if number:  # a repeated one changes nothing
            os.kill(os.getpid(), number)
