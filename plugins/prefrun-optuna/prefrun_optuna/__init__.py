"""hydra/sweeper=optuna: searches over any key, pruned by what a run logs."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from prefrun import conf_dir, hookimpl


@hookimpl
def prefrun_config_dir() -> Path:
    """Name the folder of hydra/sweeper/optuna.yaml, its samplers and pruners."""
    return conf_dir("prefrun_optuna")


@hookimpl
def prefrun_step_logged(step: int, metrics: Mapping[str, float]) -> None:
    """Report the watched metric to the study, and end the run where the pruner says so."""
    from prefrun_optuna.pruning import watch

    watch(step, metrics)


@hookimpl
def prefrun_comparison_section(directories: Sequence[Path], folder: Path) -> str | None:
    """Add the trials of a search."""
    from prefrun_optuna.record import section

    return section(folder)
