"""The shipped YAML files compose to their schemas, one by one and in lists."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hydra import compose, initialize_config_dir
from hydra.errors import ConfigCompositionException
from omegaconf import DictConfig, OmegaConf

from prefrun.builtin import prefrun_components
from prefrun.builtin.config import (
    ClassifierRewardConfig,
    ModelDType,
    RankingAccuracyConfig,
    TiePolicy,
    WinRateConfig,
)
from prefrun.component import Component
from prefrun.compose import register_configs
from prefrun.errors import ConfigError
from prefrun.nested_keys import declared_groups
from prefrun.paths import conf_dir

EVALUATORS = ["kl", "ranking_accuracy", "response_length", "reward", "win_rate"]


@pytest.fixture(autouse=True)
def _hydra() -> Iterator[None]:
    register_configs()
    with initialize_config_dir(str(conf_dir("prefrun")), version_base="1.3"):
        yield


def config(*overrides: str) -> DictConfig:
    return compose("config", ["~model", *overrides])


def node_of(component: Component) -> DictConfig:
    """What COMPONENT composes to if it is chosen in a run."""
    group, name = component.group, component.name
    if group == "model":
        return compose("config", [f"model={name}"]).model
    composed = config(f"{group}=[{name}]" if group == "evaluator" else f"{group}={name}")[group]
    if group == "evaluator":
        assert list(composed) == [name]
    return composed[name] if group == "evaluator" else composed


@pytest.mark.parametrize(
    "component", prefrun_components(), ids=lambda item: f"{item.group}={item.name}"
)
def test_every_component_composes_to_its_own_schema_and_loads(component: Component) -> None:
    node = node_of(component)
    assert OmegaConf.get_type(node) is component.config
    assert callable(component.load())


def test_yaml_and_dataclass_agree_on_the_defaults() -> None:
    for component in prefrun_components():
        node = node_of(component)
        for key in declared_groups(component.config):
            node[key] = OmegaConf.structured(component.config)[key]  # of other components
        assert node == OmegaConf.structured(component.config), component.name


def test_several_evaluators_are_chosen_as_a_list() -> None:
    composed = config("evaluator=[kl,reward]").evaluator
    assert sorted(composed) == ["kl", "reward"]
    everything = config(f"evaluator=[{','.join(EVALUATORS)}]").evaluator
    assert sorted(everything) == EVALUATORS
    assert config("evaluator=win_rate").evaluator == {"win_rate": {"tie_margin": 0.0}}


def test_keys_of_a_chosen_evaluator_are_set_and_typed() -> None:
    composed = config(
        "evaluator=[ranking_accuracy,win_rate]",
        "evaluator.win_rate.tie_margin=0.25",
        "evaluator.ranking_accuracy.tie_policy=strict",
    ).evaluator
    assert OmegaConf.to_object(composed.win_rate) == WinRateConfig(0.25)
    assert OmegaConf.to_object(composed.ranking_accuracy) == RankingAccuracyConfig(TiePolicy.strict)


@pytest.mark.parametrize(
    "word",
    [
        "evaluator.win_rate.tie_margn=1",
        "evaluator.win_rate.tie_margin=wide",
        "evaluator.ranking_accuracy.tie_policy=gt",
        "tracker.mode=offline",
    ],
)
def test_wrong_keys_and_types_are_refused(word: str) -> None:
    with pytest.raises(ConfigCompositionException):
        config("evaluator=[ranking_accuracy,win_rate]", word)


def test_a_reward_label_may_be_a_number() -> None:
    composed = config("reward=classifier", "reward.path=my/model", "reward.label=1")
    assert OmegaConf.to_object(composed.reward) == ClassifierRewardConfig("my/model", "1")
    assert composed.reward.dtype is ModelDType.auto


@pytest.mark.parametrize(
    ("make", "key"),
    [
        (lambda: RankingAccuracyConfig(tie_tolerance=-1), "ranking_accuracy.tie_tolerance=-1"),
        (lambda: RankingAccuracyConfig(tie_tolerance=float("nan")), "tie_tolerance=nan"),
        (lambda: WinRateConfig(tie_margin=-0.5), "win_rate.tie_margin=-0.5"),
        (lambda: ClassifierRewardConfig(batch_size=0), "reward.batch_size=0"),
        (lambda: ClassifierRewardConfig(max_length=1), "reward.max_length=1"),
    ],
)
def test_values_out_of_range_name_their_key(make: object, key: str) -> None:
    assert callable(make)
    with pytest.raises(ConfigError, match=key):
        make()
