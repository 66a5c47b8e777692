"""data=rated_items: lists of feature vectors with coarse ratings, and a second, shifted domain."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from prefrun.records.config import FileDataConfig, OnBadRecord
from prefrun.records.converters.step_trees import STEP_TREES
from prefrun.records.dataset import build_split, number_rows
from prefrun.records.split import DataSplit
from prefrun_listwise.data_config import RatedItemsConfig

Floats = NDArray[np.float64]
FEATURES = 20
LEVELS = 7
HELD_OUT_LENGTH = 50
SAME, SHIFTED = "same", "shifted"
"""Domains of the held-out lists."""
SHIFT = 0.1
"""How much the shifted domain's features are stretched and turned."""
DECIMALS = 6
"""Of features, so that no machine's last bits change a record."""
NOTE = (
    "Generated sample data (rated items): {train} training lists, {test} held-out ones per domain"
)


class RatedItems:
    """Makes the same records for the same configuration and seed on every machine."""

    card = """
    Rated items: x in R^20, opinion tanh(w.x) + (v.x)^2 / 2 + noise, rounded to a rating from 1 to
    7, so that many ratings tie. Held out are lists of the same domain, and of one whose raters see
    the same items while the scorer sees their features 10 % longer and turned: metadata['group'].
    metadata['features'] holds a vector per answer. Lists without two ratings are left out. Source:
    the project's own.
    """

    def __init__(self, config: RatedItemsConfig) -> None:
        self.config = config

    def load(self, seed: int) -> DataSplit:
        """Generate rater and items from SEED."""
        world = World(self.config.noise, seed)
        train = list(world.lists(self.config.train, self.config.list_length, SAME))
        test = [
            row
            for domain in (SAME, SHIFTED)
            for row in world.lists(self.config.test, HELD_OUT_LENGTH, domain)
        ]
        split = build_split(
            "rated_items",
            number_rows("rated_items", train),
            STEP_TREES,
            FileDataConfig(on_bad_record=OnBadRecord.skip),
            held_out=number_rows("rated_items-test", test),
        )
        return replace(split, note=NOTE.format(train=len(split.train), test=self.config.test))


class World:
    """The rater and a stream of items."""

    def __init__(self, noise: float, seed: int) -> None:
        self.draw = np.random.default_rng([seed, FEATURES])
        self.noise = noise
        self.slope, self.curve = self.draw.normal(size=(2, FEATURES)) / np.sqrt(FEATURES)
        turn = np.eye(FEATURES) + SHIFT * self.draw.normal(size=(FEATURES, FEATURES))
        left, _, right = np.linalg.svd(turn)
        self.shift = (1 + SHIFT) * left @ right  # the rotation nearest to `turn`, stretched
        opinions = self._opinions(self.draw.normal(size=(10_000, FEATURES)))
        self.centre, self.scale = opinions.mean(), opinions.std()
        self.made = 0

    def lists(self, count: int, length: int, domain: str) -> Iterator[dict[str, Any]]:
        """Yield COUNT records of LENGTH items each."""
        for _ in range(count):
            self.made += 1
            features = self.draw.normal(size=(length, FEATURES)).round(DECIMALS)
            ratings = self._ratings(features)
            seen = features @ self.shift.T if domain == SHIFTED else features
            yield {
                "prompt": f"Which item of list {self.made} is best?",
                "branches": [
                    {"steps": [{"text": f"item {place}"}], "scores": {"overall": rating}}
                    for place, rating in enumerate(ratings, 1)
                ],
                "metadata": {"features": seen.round(DECIMALS).tolist(), "group": domain},
            }

    def _opinions(self, features: Floats) -> Floats:
        """What the rater thinks of items [N, FEATURES]: [N]."""
        noise = self.noise * self.draw.normal(size=len(features))
        opinions: Floats = np.tanh(features @ self.slope) + 0.5 * (features @ self.curve) ** 2
        return opinions + noise

    def _ratings(self, features: Floats) -> list[float]:
        """The rating 1 to LEVELS: two thirds of a standard deviation of the opinions apart."""
        middle = (LEVELS + 1) / 2
        scaled = middle + 1.5 * (self._opinions(features) - self.centre) / self.scale
        ratings: list[float] = np.clip(np.round(scaled), 1, LEVELS).tolist()
        return ratings
