"""What the terminal shows before and after a run."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from prefrun.algorithm import LossAlgorithm
from prefrun.console import console
from prefrun.loss_file.algorithm import FileLoss
from prefrun.rundir.files import read_json
from prefrun.rundir.run import Run
from prefrun.rundir.table import result_table

if TYPE_CHECKING:
    from prefrun.job import Job
    from prefrun.plan import Plan

SHOWN_PROBLEMS = 5
CHANGED_BY_NEXT = ("algo", "seed", "output_dir")
"""Keys that the suggested next command sets itself or must not repeat."""


def print_header(run: Run, job: Job) -> None:
    """Say what is about to run, on which data, which records are left out, and where it will be."""
    plan, data = job.plan, job.data
    counts = data.counts
    reward = _named(plan, "reward", "path")
    if job.reward is None:
        reward = "none: the data have no judge"
    lines = [
        f"prefrun {run.name}  (run {run.id})",
        f"  data    {data.name}: {len(data.train)} prompts to train, {len(data.test)} held out, "
        f"{counts.skipped} of {counts.read} records skipped",
        *_skipped(counts.problems),
    ]
    if data.note:
        lines.append(f"          {data.note}")
    model = _named(plan, "model", "name") if job.algorithm.uses_model else "none"
    lines.append(f"  model   {model}    reward  {reward}")
    if job.algorithm.note:
        lines.append(f"  algo    {job.algorithm.note}")
    lines.append(f"  folder  {run.output_dir}")
    for line in lines:
        console.print(line, markup=False)


def print_model_lines(forward: str, template: Sequence[str], problems: Sequence[str]) -> None:
    """Say how the loaded model reads the records: FORWARD, '' = nothing to say, what its chat
    TEMPLATE does to them, and the PROBLEMS of those it cannot use."""
    lines = [f"  forward {forward}"] if forward else []
    lines += [f"  chat template {note}" for note in template]
    if problems:
        lines.append(f"  data    {len(problems)} record(s) skipped that the model cannot use")
    for line in [*lines, *_skipped(problems)]:
        console.print(line, markup=False)


def _skipped(problems: Sequence[str]) -> list[str]:
    lines = [f"          skipped: {problem}" for problem in problems[:SHOWN_PROBLEMS]]
    if len(problems) > SHOWN_PROBLEMS:
        more = len(problems) - SHOWN_PROBLEMS
        lines.append(f"          skipped: {more} more, listed in manifest.json")
    return lines


def print_result(run: Run, job: Job, summary: Mapping[str, Any]) -> None:
    """Show before and after of every metric, and what to do next; a sweep's job in one line."""
    directory = job.directory
    if run.group is not None:
        console.print(f"finished: {run.name} in {directory.path}", markup=False)
        return
    console.print(result_table(summary))
    records = summary["records"]
    lines = [
        *(f"not measured: {name} ({reason})" for name, reason in summary["not_measured"].items()),
        f"records: {records['read']} read, {records['used']} used, {records['skipped']} skipped, "
        f"{records['truncated']} truncated",
        f"run directory: {directory.path}  ({', '.join(_results(job))})",
    ]
    if isinstance(job.algorithm, LossAlgorithm):
        command = next_command(_typed(job), read_json(directory.manifest)["overrides"])
        lines.append(f"next: {command}   compares algorithms and seeds")
    for line in lines:
        console.print(line, markup=False)


def _typed(job: Job) -> str:
    """What the user types after `algo=`."""
    if isinstance(job.algorithm, FileLoss):
        return os.path.relpath(job.algorithm.file.path)
    return job.plan.chosen["algo"].name


def _results(job: Job) -> list[str]:
    """What a reader may look for in the run's folder."""
    directory, rest = job.directory, job.algorithm.saves_as
    folders = [directory.model.name, *([rest] if rest else [])]
    there = [f"{name}/" for name in folders if (directory.path / name).exists()]
    return [directory.report.name, directory.summary.name, *there]


def next_command(algo: str, overrides: Sequence[str]) -> str:
    """Return the command that compares ALGO with another one, on what OVERRIDES chose."""
    other = "dpo" if algo != "dpo" else "lipo"
    kept = []
    for word in overrides:
        key = word.lstrip("+~").partition("=")[0]
        if key not in CHANGED_BY_NEXT and not key.startswith("algo."):
            kept.append(word)
    return shlex.join(["prefrun", "-m", f"algo={algo},{other}", "seed=1,2,3", *kept])


def _named(plan: Plan, group: str, key: str) -> str:
    """Return the choice of GROUP, with the value of KEY where its settings have one."""
    value = getattr(plan.settings[group], key, None)
    return f"{plan.chosen[group].name} {value}" if value else plan.chosen[group].name
