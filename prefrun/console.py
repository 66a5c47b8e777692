"""What the user sees while a run works: one console, one progress bar per phase."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from errno import EIO, EPIPE
from typing import Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
)
from rich.segment import Segment
from rich.text import Text

from prefrun.escaping import visible


class EscapingConsole(Console):
    """Shows control and bidirectional characters of the text as escapes; its own styles work."""

    def render_str(self, text: str, **options: Any) -> Text:
        """Return TEXT, made visible, as rich's own text."""
        return super().render_str(visible(text), **options)

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterator[Segment]:
        """Yield the pieces of RENDERABLE, their text made visible."""
        for piece in super().render(renderable, options):
            yield piece if piece.control else Segment(visible(piece.text), piece.style)


class Lasting:
    """stdout for as long as somebody reads it: a run outlives its terminal, and `| tee` at Ctrl-C.

    Only a reader that went away is forgiven; any other error of a write is raised.
    """

    def write(self, text: str) -> int:
        """Write TEXT."""
        return self._tried(sys.stdout.write, text) or 0

    def flush(self) -> None:
        """Have the reader see what was written."""
        self._tried(sys.stdout.flush)

    def __getattr__(self, name: str) -> Any:
        return getattr(sys.stdout, name)

    def _tried(self, function: Callable[..., Any], *arguments: str) -> Any:
        try:
            return function(*arguments)
        except OSError as error:
            if error.errno not in (EPIPE, EIO):
                raise
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, sys.stdout.fileno())  # flushed once more at exit
            os.close(nowhere)
            return None


output: Any = Lasting()
console = EscapingConsole(soft_wrap=True, highlight=False, file=output)


@contextmanager
def progress(description: str, total: int | None = None) -> Iterator[Callable[[int, int], None]]:
    """Show a bar and yield `update(done, total)`. Silent where the output is no terminal."""
    columns = (
        TextColumn("{task.description:<24}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as bar:
        task = bar.add_task(description, total=total)

        def update(done: int, total: int) -> None:
            bar.update(task, completed=done, total=total)

        yield update
