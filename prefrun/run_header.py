"""What the terminal shows before and after a run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from rich.table import Table

from prefrun.console import console
from prefrun.plan import Plan
from prefrun.rundir.directory import RunDirectory
from prefrun.rundir.run import Run

if TYPE_CHECKING:
    from prefrun.records.split import DataSplit


def print_header(run: Run, plan: Plan, data: DataSplit) -> None:
    """Say what is about to run, on which data, and where it will be."""
    counts = data.counts
    console.print(f"prefrun {run.name}  (run {run.id})")
    console.print(
        f"  data    {data.name}: {len(data.train)} prompts to train, {len(data.test)} held out, "
        f"{counts.skipped} skipped"
    )
    if data.note:
        console.print(f"          {data.note}")
    console.print(f"  model   {plan.chosen['model'].name}    reward  {plan.chosen['reward'].name}")
    console.print(f"  folder  {run.output_dir}")


def print_result(directory: RunDirectory, summary: Mapping[str, Any]) -> None:
    """Show before and after of every metric, and what to do next."""
    table = Table(title=f"{summary['name']}: {summary['steps']} steps")
    for heading in ("metric", "before", "after", "95 % interval"):
        table.add_column(heading, justify="left" if heading == "metric" else "right")
    for name, values in summary["metrics"].items():
        table.add_row(
            name, *(_cell(values.get(key)) for key in ("before", "after")), _interval(values)
        )
    console.print(table)
    for name, reason in summary.get("not_measured", {}).items():
        console.print(f"not measured: {name} ({reason})")
    records = summary["records"]
    console.print(
        f"records: {records['read']} read, {records['used']} used, {records['skipped']} skipped, "
        f"{records['truncated']} truncated"
    )
    console.print(f"run directory: {directory.path}  (report.md, summary.json, model/)")
    console.print(
        f"next: prefrun report {directory.path}"
        f"   or   prefrun -m algo={summary['algo']},dpo seed=1,2,3 data={_data_word(summary)}"
    )


def _data_word(summary: Mapping[str, Any]) -> str:
    return str(summary["data"]).split("-")[0]


def _cell(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"


def _interval(values: Mapping[str, float | None]) -> str:
    low, high = values.get("low"), values.get("high")
    return "" if low is None or high is None else f"{low:.4g} .. {high:.4g}"
