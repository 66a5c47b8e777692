"""algo=dpo: direct preference optimization and its variants on pairs."""

from pathlib import Path

from prefrun import Component, conf_dir, hookimpl
from prefrun_pairwise.config import DpoConfig


@hookimpl
def prefrun_components() -> list[Component]:
    """Add algo=dpo."""
    return [
        Component(
            "algo",
            "dpo",
            DpoConfig,
            "prefrun_pairwise.algo:Dpo",
            "DPO and its variants: every loss type of TRL's DPOTrainer, cDPO and DPO-gamma",
        )
    ]


@hookimpl
def prefrun_config_dir() -> Path:
    """Name the folder of algo/dpo.yaml."""
    return conf_dir("prefrun_pairwise")
