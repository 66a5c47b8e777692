"""What the host asks of every component."""

import pytest

from prefrun.component import Component
from prefrun.plugins import components
from prefrun.testing import check_data, check_evaluator, check_model
from prefrun.testing.component import (
    ComponentSubject,
    composes_with_defaults,
    config_pickles,
    config_survives_yaml,
    summary_is_one_line,
    unknown_key_is_rejected,
)


@pytest.mark.parametrize("labels", ["deterministic", "bradley_terry"])
def test_linear_world(labels):
    check_data("linear_world", overrides=["train=20", "test=9", "flip=0.3", f"labels={labels}"])


@pytest.mark.parametrize("name", ["linear", "mlp"])
def test_model_of_features(name):
    check_model(name)


@pytest.mark.parametrize(
    "check",
    [
        composes_with_defaults,
        unknown_key_is_rejected,
        summary_is_one_line,
        config_pickles,
        config_survives_yaml,
    ],
)
def test_scratch(check):
    component: Component = components()["model", "scratch"]
    check(ComponentSubject(component, ["data=linear_world"]))


def test_ordering():
    check_evaluator("ordering")
