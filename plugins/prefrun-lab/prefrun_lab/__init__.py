"""Models, an evaluator and data for experiments that take seconds."""

from pathlib import Path

from prefrun import Component, conf_dir, hookimpl
from prefrun_lab.config import (
    LinearConfig,
    LinearWorldConfig,
    MlpConfig,
    OrderingConfig,
    ScratchModelConfig,
)


@hookimpl
def prefrun_components() -> list[Component]:
    """Add three models, an evaluator and a data set."""
    return [
        Component(
            "model",
            "scratch",
            ScratchModelConfig,
            "prefrun_lab.scratch:ScratchModel",
            "a tiny model, trained from scratch on the records of any data set, then cached",
        ),
        Component(
            "model",
            "linear",
            LinearConfig,
            "prefrun_lab.feature_models:Linear",
            "scores feature vectors linearly, with any loss; no language model",
        ),
        Component(
            "model",
            "mlp",
            MlpConfig,
            "prefrun_lab.feature_models:Mlp",
            "scores feature vectors with one hidden layer, with any loss; no language model",
        ),
        Component(
            "evaluator",
            "ordering",
            OrderingConfig,
            "prefrun_lab.ordering_evaluator:Ordering",
            "accuracy on pairs and Kendall's tau of the model's numbers, also by group",
        ),
        Component(
            "data",
            "linear_world",
            LinearWorldConfig,
            "prefrun_lab.linear_world:LinearWorld",
            "generated: feature vectors with a linear true reward, for model=linear",
        ),
    ]


@hookimpl
def prefrun_config_dir() -> Path:
    """Name the folder of model/linear.yaml and the others."""
    return conf_dir("prefrun_lab")
