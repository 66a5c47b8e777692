"""algo=simulpl, model=simt, evaluator=simt and data=multi30k: simultaneous translation."""

from collections.abc import Sequence
from pathlib import Path

from prefrun import Component, conf_dir, hookimpl
from prefrun_simulpl.component_config import (
    ParallelDataConfig,
    SimtEvaluatorConfig,
    SimtModelConfig,
)
from prefrun_simulpl.config import SimulPLConfig


@hookimpl
def prefrun_components() -> list[Component]:
    """Add the method, its model, its metrics and its data."""
    return [
        Component(
            "algo",
            "simulpl",
            SimulPLConfig,
            "prefrun_simulpl.algo:SimulPL",
            "SimulPL: preferences and latency for simultaneous translation, in three phases",
        ),
        Component(
            "model",
            "simt",
            SimtModelConfig,
            "prefrun_simulpl.model:SimtModel",
            "a small translation model that reads and writes in turn, trained from scratch",
        ),
        Component(
            "evaluator",
            "simt",
            SimtEvaluatorConfig,
            "prefrun_simulpl.evaluator:SimtEvaluator",
            "BLEU, lagging and the curve of both over thresholds and wait-k",
        ),
        Component(
            "data",
            "multi30k",
            ParallelDataConfig,
            "prefrun_simulpl.data:ParallelData",
            "a parallel corpus by path; by default a generated language pair with reordering",
        ),
    ]


@hookimpl
def prefrun_config_dir() -> Path:
    """Name the folder of algo/simulpl.yaml and the others."""
    return conf_dir("prefrun_simulpl")


@hookimpl
def prefrun_report_section(directory: Path, folder: Path) -> str | None:
    """Draw a run's quality against its latency."""
    from prefrun_simulpl.report import report_section

    return report_section(directory, folder)


@hookimpl
def prefrun_comparison_section(directories: Sequence[Path], folder: Path) -> str | None:
    """Draw the curves of several runs into one picture."""
    from prefrun_simulpl.comparison import comparison_section

    return comparison_section(directories, folder)
