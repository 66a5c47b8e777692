"""algo=orchestrator: weights of several objectives that depend on the prompt."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from prefrun import Component, conf_dir, hookimpl
from prefrun_orchestrator.config import ObjectivesConfig, OrchestratorConfig, TopicsConfig


@hookimpl
def prefrun_components() -> list[Component]:
    """Add algo=orchestrator, data=topics and evaluator=objectives."""
    return [
        Component(
            "algo",
            "orchestrator",
            OrchestratorConfig,
            "prefrun_orchestrator.algo:Orchestrator",
            "Preference Orchestrator: a prompt's own weights of several objectives, then training",
        ),
        Component(
            "data",
            "topics",
            TopicsConfig,
            "prefrun_orchestrator.topics:Topics",
            "generated prompts of a few topics, each with its own true weights of the objectives",
        ),
        Component(
            "evaluator",
            "objectives",
            ObjectivesConfig,
            "prefrun_orchestrator.evaluator:Objectives",
            "mean of each objective over sampled answers, and their weighted sum",
        ),
    ]


@hookimpl
def prefrun_config_dir() -> Path:
    """Name the folder of algo/orchestrator.yaml and the others."""
    return conf_dir("prefrun_orchestrator")


@hookimpl
def prefrun_report_section(directory: Path, folder: Path) -> str | None:
    """Pareto front, hypervolume and weights by prompt class of one run."""
    from prefrun_orchestrator.report import run_section

    return run_section(directory, folder)


@hookimpl
def prefrun_comparison_section(directories: Sequence[Path], folder: Path) -> str | None:
    """Pareto front over the policies of several runs."""
    from prefrun_orchestrator.results import RESULT

    if not any((path / RESULT).exists() for path in directories):
        return None  # what comes next imports torch
    from prefrun_orchestrator.comparison import comparison_section

    return comparison_section(directories, folder)
