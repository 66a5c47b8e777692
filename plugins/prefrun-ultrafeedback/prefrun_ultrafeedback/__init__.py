"""data=ultrafeedback: instructions with several answers each, scored and rated by aspect."""

from pathlib import Path

from prefrun import Component, conf_dir, hookimpl
from prefrun_ultrafeedback.config import UltraFeedbackConfig


@hookimpl
def prefrun_components() -> list[Component]:
    """Add data=ultrafeedback."""
    return [
        Component(
            "data",
            "ultrafeedback",
            UltraFeedbackConfig,
            "prefrun_ultrafeedback.data:UltraFeedback",
            "lists of scored answers: an embedded sample (default), the hub's data set, or files",
        )
    ]


@hookimpl
def prefrun_config_dir() -> Path:
    """Name the folder of data/ultrafeedback.yaml."""
    return conf_dir("prefrun_ultrafeedback")
