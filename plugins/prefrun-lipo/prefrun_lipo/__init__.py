"""algo=lipo: listwise preference optimization through learning-to-rank."""

from pathlib import Path

from prefrun import Component, conf_dir, hookimpl
from prefrun_lipo.config import LipoConfig


@hookimpl
def prefrun_components() -> list[Component]:
    """Add algo=lipo."""
    return [
        Component(
            "algo",
            "lipo",
            LipoConfig,
            "prefrun_lipo.algo:Lipo",
            "LiPO: ranking losses over a list of answers (lambda, pair_logistic, list_mle, ...)",
        )
    ]


@hookimpl
def prefrun_config_dir() -> Path:
    """Name the folder of algo/lipo.yaml."""
    return conf_dir("prefrun_lipo")
