"""tracker=wandb: sends a run to Weights & Biases, or keeps it on disk to be sent later."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from prefrun import Component, conf_dir, hookimpl
from prefrun_wandb.config import WandbConfig

if TYPE_CHECKING:
    from prefrun.comparison.compare import Comparison


@hookimpl
def prefrun_components() -> list[Component]:
    """Add tracker=wandb."""
    return [
        Component(
            "tracker",
            "wandb",
            WandbConfig,
            "prefrun_wandb.tracker:WandbTracker",
            "Weights & Biases; offline where there is no API key",
        )
    ]


@hookimpl
def prefrun_config_dir() -> Path:
    """Name the folder of tracker/wandb.yaml."""
    return conf_dir("prefrun_wandb")


@hookimpl
def prefrun_comparison_written(
    comparison: Comparison, directories: Sequence[Path], folder: Path
) -> None:
    """Write the table to W&B too, where the sweep's runs are there."""
    from prefrun_wandb.comparison import send_comparison  # imports wandb

    send_comparison(comparison, directories, folder)
