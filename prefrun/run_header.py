"""What the terminal shows before and after a run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from prefrun.console import console
from prefrun.rundir.run import Run
from prefrun.rundir.table import result_table

if TYPE_CHECKING:
    from prefrun.run import Job


def print_header(run: Run, job: Job) -> None:
    """Say what is about to run, on which data, and where it will be."""
    plan, data = job.plan, job.data
    counts = data.counts
    console.print(f"prefrun {run.name}  (run {run.id})")
    console.print(
        f"  data    {data.name}: {len(data.train)} prompts to train, {len(data.test)} held out, "
        f"{counts.skipped} of {counts.read} records skipped"
    )
    if data.note:
        console.print(f"          {data.note}")
    console.print(f"  model   {plan.chosen['model'].name}    reward  {plan.chosen['reward'].name}")
    console.print(f"  folder  {run.output_dir}")


def print_result(run: Run, job: Job, summary: Mapping[str, Any]) -> None:
    """Show before and after of every metric, and what to do next; a sweep's job in one line."""
    directory, plan = job.directory, job.plan
    if run.group is not None:
        console.print(f"finished: {run.name} in {directory.path}")
        return
    console.print(result_table(summary))
    for name, reason in summary["not_measured"].items():
        console.print(f"not measured: {name} ({reason})")
    records = summary["records"]
    console.print(
        f"records: {records['read']} read, {records['used']} used, {records['skipped']} skipped, "
        f"{records['truncated']} truncated"
    )
    console.print(f"run directory: {directory.path}  (report.md, summary.json, model/)")
    other = "dpo" if run.algo != "dpo" else "lipo"
    data = run.config["data"]
    path = f" data.path={data['path']}" if data.get("path") else ""
    console.print(
        f"next: prefrun -m algo={run.algo},{other} seed=1,2,3 "
        f"data={plan.chosen['data'].name}{path}   compares algorithms and seeds"
    )
