"""data=topics: the world is what it says."""

from __future__ import annotations

import numpy as np
import pytest

from prefrun_orchestrator.config import TopicsConfig
from prefrun_orchestrator.topics import Topics


def load(seed=0, **keys):
    return Topics(TopicsConfig(train_records=40, test_records=30, **keys)).load(seed)


def rewards(tree):
    return np.array([[branch.scores[f"r{k}"] for k in (1, 2, 3)] for branch in tree.branches])


def test_rewards_have_norm_one_and_utility_is_the_true_weighted_sum():
    for tree in load().test:
        assert np.linalg.norm(rewards(tree), axis=1) == pytest.approx(1.0)
        true = rewards(tree) @ np.array(tree.metadata["true_weights"])
        assert tree.labels() == pytest.approx(true.tolist())


def test_training_preferences_err_by_the_noise():
    errors = [
        tree.labels() - rewards(tree) @ np.array(tree.metadata["true_weights"])
        for tree in load(noise=0.05).train
    ]
    assert np.std(np.concatenate(errors)) == pytest.approx(0.05, rel=0.2)


def test_a_topic_has_its_own_weights_and_words():
    split = load()
    by_topic = {}
    for tree in split.train:
        by_topic.setdefault(tree.metadata["topic"], []).append(tree)
    assert len(by_topic) == 4
    words = {
        topic: {word for tree in trees for word in tree.prompt.split()}
        for topic, trees in by_topic.items()
    }
    common = set.intersection(*words.values())
    for topic, trees in by_topic.items():
        assert len({tuple(tree.metadata["true_weights"]) for tree in trees}) == 1
        assert words[topic] - common
        assert all(len(tree.prompt.split()) == 20 for tree in trees)


def test_scales_and_offsets_change_the_rewards_and_nothing_else():
    plain, scaled = load(), load(scales=[1.0, 40.0, 0.1], offsets=[0.0, 10.0, -3.0])
    for one, other in zip(plain.test, scaled.test, strict=True):
        expected = rewards(one) * [1, 40, 0.1] + [0, 10, -3]
        assert rewards(other) == pytest.approx(expected)
        assert one.labels() == other.labels()
        assert one.prompt == other.prompt


def test_every_seed_is_another_world():
    assert load(1).train[0].metadata != load(2).train[0].metadata
    assert load(1).fingerprint != load(2).fingerprint
