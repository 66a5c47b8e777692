"""Ranges of the keys."""

from __future__ import annotations

import pytest

from prefrun.errors import ConfigError
from prefrun_rps.config import (
    ControlCodesConfig,
    RpsConfig,
    RpsEvaluatorConfig,
    SimulationConfig,
)

WRONG = [
    (RpsConfig, {"k": 0}, "algo.k=0"),
    (RpsConfig, {"theta_max": 180.0}, r"algo.theta_max=180.0 must be in \[0, 180\)"),
    (RpsConfig, {"theta_max": -1.0}, "algo.theta_max=-1.0"),
    (RpsConfig, {"theta_max": float("nan")}, "algo.theta_max=nan"),
    (RpsConfig, {"preference": {"a": 0.0}}, "zero vector"),
    (RpsConfig, {"preference": {"a": float("inf")}}, "algo.preference.a=inf"),
    (RpsConfig, {"preference": {"a": 1.0}, "angle_deg": 3.0}, "two directions"),
    (RpsConfig, {"angle_deg": float("nan")}, "algo.angle_deg=nan"),
    (RpsConfig, {"objectives": ["a", "a"]}, "names one twice"),
    (RpsConfig, {"template": "be good"}, "no {weights}"),
    (RpsConfig, {"temperature": -0.1}, "algo.temperature=-0.1"),
    (RpsConfig, {"top_p": 0.0}, "algo.top_p=0.0"),
    (RpsConfig, {"max_new_tokens": 0}, "algo.max_new_tokens=0"),
    (SimulationConfig, {"trials": 1}, "algo.trials=1"),
    (SimulationConfig, {"theta_max": 200.0}, "algo.theta_max=200.0"),
    (SimulationConfig, {"falloff": 0.0}, "algo.falloff=0.0"),
    (SimulationConfig, {"width": -1.0}, "algo.width=-1.0"),
    (SimulationConfig, {"sigma": -1.0}, "algo.sigma=-1.0"),
    (SimulationConfig, {"center": float("inf")}, "algo.center=inf"),
    (RpsEvaluatorConfig, {"bins": []}, "evaluator.rps.bins"),
    (RpsEvaluatorConfig, {"bins": [10.0, 5.0]}, "rising"),
    (ControlCodesConfig, {"train_records": 0}, "data.train_records=0"),
    (ControlCodesConfig, {"train_max_angle": 91.0}, "data.train_max_angle=91.0"),
    (ControlCodesConfig, {"test_angles": []}, "data.test_angles"),
    (ControlCodesConfig, {"test_angles": [5.0, 5.0]}, "names one twice"),
    (ControlCodesConfig, {"test_prompts": 25}, "data.test_prompts=25"),
    (ControlCodesConfig, {"answers": 1}, "data.answers=1"),
    (ControlCodesConfig, {"template": "no code"}, "data.template"),
]


@pytest.mark.parametrize(("config", "keys", "message"), WRONG)
def test_a_value_out_of_range_is_refused(config, keys, message):
    with pytest.raises(ConfigError, match=message):
        config(**keys)
