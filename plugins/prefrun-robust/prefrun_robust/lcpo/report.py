"""What report.md and comparison.md show of the reliabilities that algo=lcpo learned."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from prefrun.comparison.configurations import group_runs
from prefrun.comparison.runs import load_run
from prefrun.comparison.statistics import standard_error
from prefrun.rundir.configuration import read_config
from prefrun.rundir.directory import RunDirectory
from prefrun.rundir.figure import GREY, picture
from prefrun.rundir.metrics import read_metrics

PREFIX = "eta/"
PICTURE = "lcpo-reliability.png"
TRUE_NAME = "annotator-{}"
"""How data=noisy_annotators calls its annotators."""


def section(directory: Path, folder: Path) -> str | None:
    """Draw the reliabilities of the run in DIRECTORY; None where it learned none."""
    run = RunDirectory(directory)
    lines = read_metrics(run.metrics)
    curves = _curves(lines)
    if not curves:
        return None
    known = _known(read_config(run.config))
    with picture(folder / "plots" / PICTURE, 1, 6.4, 3.8) as (_, (axes,)):
        for name, (steps, values) in curves.items():
            (line,) = axes.plot(steps, values, label=name)
            if name in known:
                axes.axhline(known[name], color=line.get_color(), linestyle=":", linewidth=1.2)
        axes.axhline(0.5, color=GREY, linewidth=0.8)
        axes.set(xlabel="optimizer step", ylabel="reliability eta", ylim=(None, 1.02))
        axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
    dotted = " Dotted: the true ones of this generated data." if known else ""
    return (
        "## Reliability of the labels\n\n"
        "The learned probability that an annotator's label is right; at 0.5 a label says nothing."
        f"{dotted}\n\n![reliabilities](plots/{PICTURE})"
    )


def comparison_section(directories: Sequence[Path]) -> str | None:
    """Tabulate the last logged reliabilities, means over seeds; None where no run has any."""
    runs = [load_run(RunDirectory(directory)) for directory in directories]
    groups = group_runs([run for run in runs if run.unfinished is None])
    groups = {label: members for label, members in groups.items() if _last(members[0].path)}
    runs = [run for members in groups.values() for run in members]
    if not runs:
        return None
    names = list(dict.fromkeys(name for run in runs for name in _last(run.path)))
    rows = [["configuration", *names], ["---"] * (1 + len(names))]
    known = _known(runs[0].config)
    if known:
        rows.append(["true", *(f"{known[name]:g}" if name in known else "" for name in names)])
    for label, members in groups.items():
        found = [_last(run.path) for run in members]
        rows.append([label, *(_cell([each[n] for each in found if n in each]) for n in names)])
    table = "\n".join(f"| {' | '.join(row)} |" for row in rows)
    return f"## Reliability of the labels\n\nLearned eta at the end, means over seeds.\n\n{table}"


def _cell(values: Sequence[float]) -> str:
    if not values:
        return ""
    error = standard_error(values)
    return f"{fmean(values):.3f}" + ("" if error is None else f" ± {error:.3f}")


def _curves(lines: Sequence[Mapping[str, Any]]) -> dict[str, tuple[list[int], list[float]]]:
    curves: dict[str, tuple[list[int], list[float]]] = {}
    for line in lines:
        for name, value in line.items():
            if name.startswith(PREFIX) and isinstance(value, float):
                steps, values = curves.setdefault(name.removeprefix(PREFIX), ([], []))
                steps.append(int(line["step"]))
                values.append(value)
    return curves


def _last(path: Path) -> dict[str, float]:
    curves = _curves(read_metrics(RunDirectory(path).metrics))
    return {name: values[-1] for name, (_, values) in curves.items()}


def _known(config: Mapping[str, Any]) -> dict[str, float]:
    """The true reliabilities, where the data's configuration tells them."""
    true = (config.get("data") or {}).get("reliabilities") or []
    return {TRUE_NAME.format(number): float(each) for number, each in enumerate(true)}
