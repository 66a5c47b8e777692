"""tracker=wandb: sends a run to Weights & Biases, or keeps it on disk to be sent later."""

from pathlib import Path

from prefrun import Component, conf_dir, hookimpl
from prefrun_wandb.config import WandbConfig


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
