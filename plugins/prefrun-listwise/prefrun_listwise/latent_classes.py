"""data=latent_classes: feature vectors of ten classes that lie tangled in feature space."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from prefrun.records.config import FileDataConfig
from prefrun.records.converters.step_trees import STEP_TREES
from prefrun.records.dataset import build_split, number_rows
from prefrun.records.split import DataSplit
from prefrun_listwise.data_config import LatentClassesConfig

CLASSES, LATENT, HIDDEN, FEATURES = 10, 16, 64, 64
DECIMALS = 6
"""Of features, so that no machine's last bits change a record."""
NOTE = "Generated sample data (latent classes): {train} training and {test} held-out items"


class LatentClasses:
    """Makes the same records for the same configuration and seed on every machine."""

    card = """
    Latent classes: an item is a point around one of ten class centres in R^16; a random network of
    two layers turns it into 64 features, and noise is added. A record is one item: its answers are
    the ten classes, the right one scored 1; metadata['vector'] holds the features. Source: the
    project's own.
    """

    def __init__(self, config: LatentClassesConfig) -> None:
        self.config = config

    def load(self, seed: int) -> DataSplit:
        """Generate classes and items from SEED."""
        train, test = self.config.train, self.config.test
        rows = list(_rows(self.config, seed))
        return build_split(
            "latent_classes",
            number_rows("latent_classes", rows[:train]),
            STEP_TREES,
            FileDataConfig(),
            held_out=number_rows("latent_classes-test", rows[train:]),
            note=NOTE.format(train=train, test=test),
        )


def _rows(config: LatentClassesConfig, seed: int) -> Iterator[dict[str, Any]]:
    """Yield training and then held-out records."""
    draw = np.random.default_rng([seed, LATENT])
    total = config.train + config.test
    centres = draw.normal(size=(CLASSES, LATENT))
    classes = draw.integers(CLASSES, size=total)
    latent = centres[classes] + config.spread * draw.normal(size=(total, LATENT))
    inner = draw.normal(size=(LATENT, HIDDEN)) / np.sqrt(LATENT)
    outer = draw.normal(size=(HIDDEN, FEATURES)) / np.sqrt(HIDDEN)
    features = np.tanh(latent @ inner) @ outer
    features = features + config.noise * draw.normal(size=features.shape)
    for number, (own, vector) in enumerate(zip(classes, features.round(DECIMALS), strict=True), 1):
        yield {
            "prompt": f"Which class has item {number}?",
            "branches": [
                {"steps": [{"text": f"class {each}"}], "scores": {"overall": float(each == own)}}
                for each in range(CLASSES)
            ],
            "metadata": {"vector": vector.tolist()},
        }
