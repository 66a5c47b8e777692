"""data=linear_world: what its labels mean."""

import numpy as np
import pytest

from prefrun import ConfigError
from prefrun_lab.config import Labels, LinearWorldConfig
from prefrun_lab.linear_world import LinearWorld


def load(seed=0, **keys):
    return LinearWorld(LinearWorldConfig(**{"train": 300, "test": 200, **keys})).load(seed)


def fit(trees):
    """The least-squares weights of the labels, and their residual."""
    features = np.concatenate([tree.metadata["features"] for tree in trees])
    labels = np.concatenate([tree.labels() for tree in trees])
    weights, *_ = np.linalg.lstsq(features, labels, rcond=None)
    return weights, np.abs(features @ weights - labels).max()


def test_true_reward_is_linear_and_has_the_scale():
    split = load(scale=2.0)
    weights, residual = fit([*split.train, *split.test])
    assert residual < 1e-5
    assert np.linalg.norm(weights) == pytest.approx(2.0, abs=1e-5)


def test_another_seed_is_another_world():
    one, other = fit(load(0).test)[0], fit(load(1).test)[0]
    assert abs(one @ other) < 0.9


def test_flip_reverses_a_share_of_the_training_records_only():
    split, clean = load(flip=0.25), load()
    weights, _ = fit(clean.test)
    flipped = 0
    for tree in split.train:
        true = np.array(tree.metadata["features"]) @ weights
        order = np.argsort(tree.labels())
        assert np.allclose(sorted(true), sorted(tree.labels()), atol=1e-4)
        flipped += bool((order == np.argsort(-true)).all())
        assert (order == np.argsort(-true)).all() or (order == np.argsort(true)).all()
    assert 0.15 < flipped / len(split.train) < 0.35
    assert fit(split.test)[1] < 1e-5


def test_bradley_terry_labels_follow_the_reward_difference():
    split = load(labels=Labels.bradley_terry, answers=2, train=4000)
    weights, _ = fit(split.test)
    gaps, wins = [], []
    for tree in split.train:
        first, second = np.array(tree.metadata["features"]) @ weights
        gaps.append(first - second)
        wins.append(tree.labels()[0] > tree.labels()[1])
    expected = 1 / (1 + np.exp(-np.array(gaps)))
    assert np.mean(wins) == pytest.approx(expected.mean(), abs=0.03)
    sure = np.array(gaps) > 1
    assert np.mean(np.array(wins)[sure]) == pytest.approx(expected[sure].mean(), abs=0.04)


@pytest.mark.parametrize("key", [{"flip": 1.5}, {"answers": 1}, {"scale": 0.0}, {"train": 0}])
def test_bad_keys(key):
    with pytest.raises(ConfigError, match=f"data.{next(iter(key))}="):
        LinearWorldConfig(**key)
