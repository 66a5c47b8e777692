"""The keys of tracker=wandb."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Mode(Enum):
    """Where a W&B run goes."""

    offline = "offline"
    online = "online"
    disabled = "disabled"


@dataclass
class WandbConfig:
    """Weights & Biases."""

    project: str = "prefrun"
    """Name of the W&B project."""
    mode: Mode | None = None
    """offline = a folder that `wandb sync` sends later; online = sent at once; disabled = nothing
    is recorded; null = online where an API key is found, else offline."""
