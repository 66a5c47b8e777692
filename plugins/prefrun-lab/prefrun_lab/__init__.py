"""model=scratch, algo=scorer and data=linear_world: experiments that take seconds."""

from pathlib import Path

from prefrun import Component, conf_dir, hookimpl
from prefrun_lab.config import LinearWorldConfig, ScorerConfig, ScratchModelConfig


@hookimpl
def prefrun_components() -> list[Component]:
    """Add a model, an algorithm and a data set."""
    return [
        Component(
            "model",
            "scratch",
            ScratchModelConfig,
            "prefrun_lab.scratch:ScratchModel",
            "a tiny model, trained from scratch on the records of any data set, then cached",
        ),
        Component(
            "algo",
            "scorer",
            ScorerConfig,
            "prefrun_lab.scorer:Scorer",
            "any loss on feature vectors: trains a linear scorer or an MLP; no language model",
        ),
        Component(
            "data",
            "linear_world",
            LinearWorldConfig,
            "prefrun_lab.linear_world:LinearWorld",
            "generated: feature vectors with a linear true reward, for algo=scorer",
        ),
    ]


@hookimpl
def prefrun_config_dir() -> Path:
    """Name the folder of model/scratch.yaml and the others."""
    return conf_dir("prefrun_lab")
