"""Preferences from records and configuration, and what is said of wrong ones."""

from __future__ import annotations

import numpy as np
import pytest

from prefrun.errors import ConfigError, DataError
from prefrun.records.tree import PreferenceTree
from prefrun_rps.config import RpsConfig
from prefrun_rps.preference import configured_direction, direction_of, judged_objectives

AXES = ("helpfulness", "verbosity")


class Judge:
    name = "judge"
    objectives = (*AXES, "honesty")

    def score(self, trees, responses):
        return [0.0 for _ in responses]

    def score_objectives(self, trees, responses):
        return [(0.0, 0.0, 0.0) for _ in responses]


class Plain:
    name = "plain"

    def score(self, trees, responses):
        return [0.0 for _ in responses]


def record(**metadata):
    return PreferenceTree("r1", "Hello", metadata=metadata)


def test_weights_and_angles_are_the_same_direction():
    weights = direction_of(record(preference={"verbosity": 2.0, "helpfulness": 2.0}), AXES)
    assert np.allclose(weights, direction_of(record(angle_deg=45), AXES))
    assert np.allclose(direction_of(record(preference={"verbosity": -3}), AXES), [0.0, -1.0])


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        ({}, "says nothing of the user's preference"),
        ({"preference": {"helpfulness": 0, "verbosity": 0.0}}, "vector is zero"),
        ({"preference": {}}, "vector is zero"),
        ({"preference": {"helpfulnes": 1}}, "Did you mean 'helpfulness'"),
        ({"preference": {"helpfulness": "much"}}, "'much' is no number"),
        ({"preference": {"helpfulness": float("nan")}}, "not finite"),
        ({"preference": 3}, "no mapping"),
        ({"angle_deg": "30"}, "no number of degrees"),
        ({"angle_deg": 200.0}, "no angle between -180 and 180"),
        ({"angle_deg": float("nan")}, "no angle"),
    ],
)
def test_a_wrong_record_is_named_with_its_field(metadata, message):
    with pytest.raises(DataError, match=message) as caught:
        direction_of(record(**metadata), AXES)
    assert caught.value.record == "r1"
    assert str(caught.value.field).startswith("metadata.")


def test_an_angle_needs_two_objectives():
    with pytest.raises(DataError, match=r"needs 2 objectives, and there are 3[\s\S]*objectives="):
        direction_of(record(angle_deg=30), Judge.objectives)


@pytest.mark.parametrize("reward", [None, Plain()])
def test_a_reward_without_objectives_is_refused(reward):
    with pytest.raises(ConfigError, match=r"several objectives[\s\S]*reward=several"):
        judged_objectives(reward, [])


def test_axes_are_the_rewards_or_some_of_them():
    assert judged_objectives(Judge(), []) == Judge.objectives
    assert judged_objectives(Judge(), ["honesty", "verbosity"]) == ("honesty", "verbosity")
    with pytest.raises(ConfigError, match="Did you mean 'verbosity'"):
        judged_objectives(Judge(), ["verbosite"])


def test_the_configuration_can_name_one_direction_for_all():
    assert configured_direction(RpsConfig(), AXES) is None
    assert np.allclose(configured_direction(RpsConfig(angle_deg=90.0), AXES), [0.0, 1.0])
    found = configured_direction(RpsConfig(preference={"helpfulness": 3.0, "verbosity": 4.0}), AXES)
    assert np.allclose(found, [0.6, 0.8])
    with pytest.raises(ConfigError, match=r"algo\.preference: 'speed' is no objective"):
        configured_direction(RpsConfig(preference={"speed": 1.0}), AXES)
    with pytest.raises(ConfigError, match=r"algo\.angle_deg: an angle needs 2 objectives"):
        configured_direction(RpsConfig(angle_deg=10.0), Judge.objectives)
