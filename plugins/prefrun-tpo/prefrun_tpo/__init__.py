"""algo=tpo: Tree Preference Optimization; data=gsm8k_trees: trees from lists of solutions."""

from pathlib import Path

from prefrun import Component, conf_dir, hookimpl
from prefrun_tpo.config import Gsm8kTreesConfig, TpoConfig


@hookimpl
def prefrun_components() -> list[Component]:
    """Add algo=tpo and data=gsm8k_trees."""
    return [
        Component(
            "algo",
            "tpo",
            TpoConfig,
            "prefrun_tpo.algo:Tpo",
            "Tree Preference Optimization: step-weighted ranking over preference trees",
        ),
        Component(
            "data",
            "gsm8k_trees",
            Gsm8kTreesConfig,
            "prefrun_tpo.gsm8k:Gsm8kTrees",
            "trees from lists of solutions, one step a line, from data.path",
        ),
    ]


@hookimpl
def prefrun_config_dir() -> Path:
    """Name the folder of algo/tpo.yaml and data/gsm8k_trees.yaml."""
    return conf_dir("prefrun_tpo")
