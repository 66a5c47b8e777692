"""model=tiny: a small language model of prefrun's own."""

from pathlib import Path

from prefrun import Component, conf_dir, hookimpl
from prefrun_tiny.config import TinyModelConfig


@hookimpl
def prefrun_components() -> list[Component]:
    """Add model=tiny."""
    return [
        Component(
            "model",
            "tiny",
            TinyModelConfig,
            "prefrun_tiny.model:TinyModel",
            "a small model of prefrun's own, trained on the sample instructions; runs on a CPU",
        )
    ]


@hookimpl
def prefrun_config_dir() -> Path:
    """Name the folder of model/tiny.yaml."""
    return conf_dir("prefrun_tiny")
