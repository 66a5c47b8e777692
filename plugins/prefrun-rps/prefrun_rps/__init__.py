"""algo=rps: Robust Preference Selection at decoding time, its simulation, evaluator and data."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from prefrun import Component, conf_dir, hookimpl
from prefrun_rps.config import (
    ControlCodesConfig,
    RpsConfig,
    RpsEvaluatorConfig,
    SimulationConfig,
)


@hookimpl
def prefrun_components() -> list[Component]:
    """Add algo=rps, algo=rps_simulation, evaluator=rps and data=control_codes."""
    return [
        Component(
            "algo",
            "rps",
            RpsConfig,
            "prefrun_rps.algo:Rps",
            "decoding: best of k answers from directions near the user's preference; best-of-n",
        ),
        Component(
            "algo",
            "rps_simulation",
            SimulationConfig,
            "prefrun_rps.simulate:RpsSimulation",
            "RPS against best-of-n on a simulated generator; no language model",
        ),
        Component(
            "evaluator",
            "rps",
            RpsEvaluatorConfig,
            "prefrun_rps.evaluator:RpsEvaluator",
            "RPS against best-of-n at the same budget, by direction",
        ),
        Component(
            "data",
            "control_codes",
            ControlCodesConfig,
            "prefrun_rps.control_codes:ControlCodes",
            "generated descriptions steered by two objectives; training covers a narrow band",
        ),
    ]


@hookimpl
def prefrun_config_dir() -> Path:
    """Name the folder of algo/rps.yaml and the others."""
    return conf_dir("prefrun_rps")


@hookimpl
def prefrun_report_section(directory: Path, folder: Path) -> str | None:
    """Win rate by direction of one run."""
    from prefrun_rps.report import run_section

    return run_section(directory, folder)


@hookimpl
def prefrun_comparison_section(directories: Sequence[Path], folder: Path) -> str | None:
    """Win rate by direction over runs of several seeds."""
    from prefrun_rps.report import comparison_section

    return comparison_section(directories, folder)
