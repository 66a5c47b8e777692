"""data=linear_world: feature vectors whose true reward is linear, with noisy labels."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from prefrun.records.config import FileDataConfig
from prefrun.records.converters.step_trees import STEP_TREES
from prefrun.records.dataset import build_split, number_rows
from prefrun.records.split import DataSplit
from prefrun_lab.config import Labels, LinearWorldConfig

Floats = NDArray[np.float64]
STREAM = 20611
"""Keeps the numbers apart from those of other worlds with the same seed."""
DECIMALS = 6
"""Of features and scores, so that no machine's last bits change a record."""
NOTE = (
    "Generated feature vectors (linear world): {train} training records with {noise}, {test} "
    "held-out ones labelled by the true reward"
)


class LinearWorld:
    """Makes new records for every seed, the same on every machine."""

    card = """
    Linear world: an answer is a vector f of standard normal numbers, its true reward is
    scale * w.f with a random direction |w| = 1. Training labels are the true reward
    (labels=deterministic) or the true reward plus Gumbel noise, whose order follows Plackett-Luce,
    for two answers Bradley-Terry (labels=bradley_terry). In a share `flip` of the training records
    the order is then reversed: the best answer gets the worst one's label, and so on. Held-out
    labels are the true reward. The run's seed draws w, the answers and the noise.
    metadata['features'] holds a vector per answer. Source: the project's own.
    """

    def __init__(self, config: LinearWorldConfig) -> None:
        self.config = config

    def load(self, seed: int) -> DataSplit:
        """Generate the records of SEED."""
        config = self.config
        draw = np.random.default_rng([STREAM, seed])
        direction = draw.normal(size=config.dimension)
        weights = config.scale * direction / np.linalg.norm(direction)
        noise = f"labels={config.labels.name} flip={config.flip:g}"
        return build_split(
            "linear_world",
            number_rows("linear_world", list(self._rows(config.train, weights, draw, True))),
            STEP_TREES,
            FileDataConfig(),
            held_out=number_rows(
                "linear_world-test", list(self._rows(config.test, weights, draw, False))
            ),
            note=NOTE.format(train=config.train, test=config.test, noise=noise),
        )

    def _rows(
        self, count: int, weights: Floats, draw: np.random.Generator, noisy: bool
    ) -> Iterator[dict[str, Any]]:
        """Yield COUNT records; NOISY ones as the configuration says."""
        config = self.config
        kind = "training" if noisy else "held-out"
        for number in range(1, count + 1):
            features = draw.normal(size=(config.answers, len(weights))).round(DECIMALS)
            labels = features @ weights
            if noisy and config.labels is Labels.bradley_terry:
                labels = labels + draw.gumbel(size=config.answers)
            if noisy and draw.random() < config.flip:
                labels = _reversed(labels)
            yield {
                "prompt": f"Which answer to {kind} question {number} is best?",
                "branches": [
                    {"steps": [{"text": f"answer {place}"}], "scores": {"overall": label}}
                    for place, label in enumerate(labels.round(DECIMALS).tolist(), 1)
                ],
                "metadata": {"features": features.tolist()},
            }


def _reversed(labels: Floats) -> Floats:
    """Give the best answer the worst label, the second best the second worst, and so on."""
    order = labels.argsort()
    result = labels.copy()
    result[order] = labels[order[::-1]]
    return result
