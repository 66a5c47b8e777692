"""data=noisy_annotators: pairs of feature vectors whose labels are sometimes flipped."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator, default_rng
from numpy.typing import NDArray

from prefrun.records.dataset import generated_split
from prefrun.records.split import DataSplit
from prefrun.records.tree import Branch, PreferenceTree, Step
from prefrun_robust.lcpo.config import NoisyAnnotatorsConfig

Vector = NDArray[np.float64]
NOTE = (
    "Generated pairs of feature vectors: {train} training pairs with noisy labels, {test} held-out "
    "pairs with true ones"
)


class NoisyAnnotators:
    """Makes the same records for the same configuration on every machine."""

    card = """
    Two answers of a record are feature vectors whose difference x is standard normal. Their true
    reward difference is <v, x>, |v| = norm; a clean label follows Bernoulli(sigmoid(<v, x>)), and
    the record's annotator, chosen at random, flips it with probability 1 - reliability. Held-out
    labels are the signs of <v, x>. tree.metadata holds `features`, and in training `clean`, whether
    the label was not flipped. Source: the project's own, after the noise model of arXiv 2509.24159.
    """

    def __init__(self, config: NoisyAnnotatorsConfig) -> None:
        self.config = config

    def load(self, seed: int) -> DataSplit:
        """Generate everything, from SEED unless the configuration has one."""
        config = self.config
        draw = default_rng(seed if config.generator_seed is None else config.generator_seed)
        direction = draw.standard_normal(config.dimension)
        weights = direction * (config.norm / float(np.linalg.norm(direction)))
        train = [self._noisy(number, weights, draw) for number in range(config.records)]
        test = [self._true(number, weights, draw) for number in range(config.test_records)]
        note = NOTE.format(train=len(train), test=len(test))
        return generated_split("noisy_annotators", train, test, note=note)

    def _noisy(self, number: int, weights: Vector, draw: Generator) -> PreferenceTree:
        features = _features(len(weights), draw)
        reward = float(weights @ (features[0] - features[1]))
        first = draw.random() < 1.0 / (1.0 + np.exp(-reward))
        annotator = int(draw.integers(len(self.config.reliabilities)))
        clean = bool(draw.random() < self.config.reliabilities[annotator])
        return _tree(
            f"train-{number}", features, first == clean, f"annotator-{annotator}", clean=clean
        )

    def _true(self, number: int, weights: Vector, draw: Generator) -> PreferenceTree:
        features = _features(len(weights), draw)
        first = float(weights @ (features[0] - features[1])) > 0
        return _tree(f"test-{number}", features, first, None)


def _features(dimension: int, draw: Generator) -> Vector:
    """[2, D] normal numbers of variance 1/2, rounded, so that files of them are short."""
    features: Vector = np.round(draw.standard_normal((2, dimension)) / np.sqrt(2.0), 6)
    return features


def _tree(
    name: str, features: Vector, first_wins: bool, annotator: str | None, **known: bool
) -> PreferenceTree:
    scores = (1.0, 0.0) if first_wins else (0.0, 1.0)
    branches = tuple(
        Branch((Step(f"answer {place}"),), scores={"overall": score})
        for place, score in enumerate(scores)
    )
    metadata = {"features": features.tolist(), **known}
    return PreferenceTree(name, f"Pair {name}.", branches, annotator=annotator, metadata=metadata)
