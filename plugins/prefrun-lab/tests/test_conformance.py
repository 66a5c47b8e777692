"""What the host asks of every component."""

import pytest

from prefrun.component import Component
from prefrun.plugins import components
from prefrun.testing import check_data
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


@pytest.mark.parametrize("name", [("algo", "scorer"), ("model", "scratch")])
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
def test_component(name, check):
    component: Component = components()[name]
    overrides = ["data=linear_world"] if name[0] == "model" else []
    check(ComponentSubject(component, overrides))
