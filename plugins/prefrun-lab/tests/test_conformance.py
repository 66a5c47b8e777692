"""What the host asks of every component."""

import pytest

from prefrun.component import Component
from prefrun.plugins import components
from prefrun.testing import check_data, check_evaluator
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


@pytest.mark.parametrize("name", ["linear", "mlp", "scratch"])
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
def test_model(name, check):
    """The suite of models asks for a language model; what is saved, `tests/test_feature_scorer.py`
    asks."""
    component: Component = components()["model", name]
    overrides = ["data=linear_world"] if name == "scratch" else []
    check(ComponentSubject(component, overrides))


def test_ordering():
    check_evaluator("ordering")
