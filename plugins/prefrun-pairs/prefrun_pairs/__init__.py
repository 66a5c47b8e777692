"""data=hh and data=trl: pairs of answers in hh-rlhf's text, and every TRL record format."""

from pathlib import Path

from prefrun import Component, conf_dir, hookimpl
from prefrun_pairs.config import HhConfig, TrlConfig


@hookimpl
def prefrun_components() -> list[Component]:
    """Add data=hh and data=trl."""
    return [
        Component(
            "data",
            "hh",
            HhConfig,
            "prefrun_pairs.data:HhPairs",
            "pairs of dialogues in hh-rlhf's text layout, from data.path",
        ),
        Component(
            "data",
            "trl",
            TrlConfig,
            "prefrun_pairs.data:TrlRecords",
            "pairs, lists or single answers in TRL's formats or any columns, from files or the hub",
        ),
    ]


@hookimpl
def prefrun_config_dir() -> Path:
    """Name the folder of data/hh.yaml and data/trl.yaml."""
    return conf_dir("prefrun_pairs")
