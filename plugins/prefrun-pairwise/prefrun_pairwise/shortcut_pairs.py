"""data=shortcut_pairs: feature vectors, and a feature that gives most labels away."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from prefrun.records.dataset import generated_split
from prefrun.records.split import DataSplit
from prefrun.records.tree import Branch, PreferenceTree, Step
from prefrun_pairwise.world_configs import ShortcutPairsConfig

Vector = NDArray[np.float64]
STREAM = 2601
"""Keeps the numbers apart from those of other worlds with the same seed."""
DECIMALS = 6
EASY_GAPS, HARD_GAPS = (0.7, 1.0), (0.0, 0.3)
ESTIMATORS = ("contrastive", "generative")


class ShortcutPairs:
    """Makes new records for every seed, the same on every machine."""

    card = """
    Two answers are feature vectors +x/2 and -x/2, x standard normal. Their true reward difference
    is <v, x>, |v| = norm, and the label follows Bradley-Terry. A share `easy` of the training pairs
    has, beside x, a shortcut feature that points to the preferred answer, and a large gap of scores
    (0.7 to 1); the others have none, and a small gap (0 to 0.3). The score 'overall' is the gap
    itself; 'contrastive' and 'generative' are two estimators, the gap with noise. Held-out pairs
    are labelled by the sign of <v, x>, without the shortcut (metadata['group'] = 'plain'), or with
    a third of it that points to the worse answer ('misleading'). metadata['features'] ends with
    the shortcut. Source: the project's own.
    """

    def __init__(self, config: ShortcutPairsConfig) -> None:
        self.config = config

    def load(self, seed: int) -> DataSplit:
        """Generate the records of SEED."""
        config, draw = self.config, np.random.default_rng([STREAM, seed])
        direction = draw.normal(size=config.dimension)
        weights = config.norm * direction / np.linalg.norm(direction)
        train = [self._training(number, weights, draw) for number in range(config.records)]
        test = [
            self._held_out(f"{group}-{number}", group, shortcut, weights, draw)
            for group, shortcut in (("plain", 0.0), ("misleading", -config.shortcut / 3))
            for number in range(config.test_records)
        ]
        return generated_split("shortcut_pairs", train, test)

    def _training(self, number: int, weights: Vector, draw: Generator) -> PreferenceTree:
        config = self.config
        difference = draw.normal(size=len(weights))
        if draw.random() >= 1 / (1 + np.exp(-weights @ difference)):
            difference = -difference
        easy = draw.random() < config.easy
        gap = draw.uniform(*(EASY_GAPS if easy else HARD_GAPS))
        noisy = gap + config.noise * draw.normal(size=len(ESTIMATORS))
        gaps = {"overall": max(gap, 1e-6)} | dict(zip(ESTIMATORS, noisy.tolist(), strict=True))
        return _tree(f"train-{number}", difference, config.shortcut * easy, gaps, {})

    def _held_out(
        self, name: str, group: str, shortcut: float, weights: Vector, draw: Generator
    ) -> PreferenceTree:
        difference = draw.normal(size=len(weights))
        if weights @ difference < 0:
            difference = -difference
        gaps = dict.fromkeys(("overall", *ESTIMATORS), 1.0)
        return _tree(name, difference, shortcut, gaps, {"group": group})


def _tree(
    name: str,
    difference: Vector,
    shortcut: float,
    gaps: Mapping[str, float],
    metadata: Mapping[str, str],
) -> PreferenceTree:
    """The pair whose preferred answer has +x/2 and scores of the gaps, the other one of 0."""
    half = (np.append(difference, shortcut) / 2).round(DECIMALS)
    better = Branch((Step("answer 1"),), {key: round(gap, DECIMALS) for key, gap in gaps.items()})
    worse = Branch((Step("answer 2"),), dict.fromkeys(gaps, 0.0))
    features = [half.tolist(), (-half).tolist()]
    return PreferenceTree(
        name, f"Pair {name}.", (better, worse), metadata={"features": features, **metadata}
    )
