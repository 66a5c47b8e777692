"""algo=dpop with data, a reward and an evaluator that belong to it. A plugin to copy from.

Only names here: code is imported when it is first used.
"""

from pathlib import Path

from prefrun import Component, conf_dir, hookimpl
from prefrun_example.config import (
    ChosenLikelihoodConfig,
    DpopConfig,
    EditedSumsConfig,
    ExactSumConfig,
)

prefrun_api = 1


@hookimpl
def prefrun_components() -> list[Component]:
    """Add one choice each to algo, data, reward and evaluator."""
    return [
        Component(
            "algo",
            "dpop",
            DpopConfig,
            "prefrun_example.algo:Dpop",
            "DPO-Positive: DPO that does not pay for less likely chosen answers",
        ),
        Component(
            "data",
            "edited_sums",
            EditedSumsConfig,
            "prefrun_example.source:EditedSums",
            "generated: worked sums, and copies with one digit changed",
        ),
        Component(
            "reward",
            "exact_sum",
            ExactSumConfig,
            "prefrun_example.judge:ExactSum",
            "1 where every step of a worked sum and its result are right, else 0",
        ),
        Component(
            "evaluator",
            "chosen_likelihood",
            ChosenLikelihoodConfig,
            "prefrun_example.measure:ChosenLikelihood",
            "whether the best answers became likelier than under the start model, or less likely",
        ),
    ]


@hookimpl
def prefrun_config_dir() -> Path:
    """Name the folder of algo/dpop.yaml and the others."""
    return conf_dir("prefrun_example")
