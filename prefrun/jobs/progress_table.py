"""A sweep's progress as the terminal shows it."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from prefrun.escaping import visible
from prefrun.jobs.progress import JobProgress, Progress


def progress_table(progress: Progress) -> RenderableType:
    """Return counts and time left, then a line per job that runs or has ended without a result."""
    counts = [f"{len(progress.finished)} finished", f"{len(progress.running)} running"]
    counts.append(f"{len(progress.ended)} failed or cut")
    if progress.remaining is not None:
        counts.append(f"{progress.remaining} remaining")
    if progress.seconds_left and (progress.running or progress.remaining):
        counts.append(f"about {duration(progress.seconds_left)} left")
    parts: list[RenderableType] = [Text(f"{progress.folder}: {', '.join(counts)}")]
    jobs = [*((job, "running") for job in progress.running), *((job, "") for job in progress.ended)]
    if jobs:
        table = Table()
        for heading in ("job", "words", "step", "state"):
            table.add_column(heading, overflow="fold")
        for job, state in jobs:
            step = f"{job.step} of {job.steps}" if job.steps else "-"
            said = Text(visible(state or job.reason))
            table.add_row(job.folder or ".", _words(job, progress), step, said)
        parts.append(table)
    return Group(*parts)


def _words(job: JobProgress, progress: Progress) -> str:
    """The words that tell JOB from the others."""
    every = (*progress.finished, *progress.running, *progress.ended)
    common = set.intersection(*(set(other.words) for other in every)) if len(every) > 1 else set()
    return " ".join(word for word in job.words if word not in common)


def duration(seconds: float) -> str:
    """Return SECONDS as text such as '45 s', '12 min' or '3.5 h'."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
