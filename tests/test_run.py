"""Checks that end a run before it begins, without a model."""

from __future__ import annotations

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from prefrun.compose import register_configs
from prefrun.errors import ConfigError
from prefrun.paths import conf_dir
from prefrun.plan import make_plan, retyped
from prefrun.schema import EvaluationConfig, TrainerConfig, check_seed


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"max_steps": 0}, "trainer.max_steps"),
        ({"batch_size": 0}, "trainer.batch_size"),
        ({"micro_batch_tokens": 0}, "trainer.micro_batch_tokens"),
        ({"learning_rate": -1.0}, "trainer.learning_rate"),
        ({"truncation": "middle"}, "trainer.truncation"),
        ({"checkpoint_steps": -1}, "trainer.checkpoint_steps"),
        ({"lr_scheduler": "linnear"}, "Did you mean 'linear'"),
        ({"optimizer": "adamm"}, "trainer.optimizer"),
        ({"compile": True, "gradient_checkpointing": True}, "trainer.gradient_checkpointing"),
        ({"max_prompt_length": 0}, "trainer.max_prompt_length"),
        (
            {"max_prompt_length": 64, "max_length": 64},
            "max_prompt_length=64.*max_length=64",
        ),
        ({"epochs": 0.0, "max_steps": -1}, "trainer.epochs"),
        ({"weight_decay": -1.0}, "trainer.weight_decay"),
        ({"learning_rate": float("inf")}, "trainer.learning_rate"),
    ],
)
def test_trainer_settings_out_of_range_name_their_key(values, named):
    with pytest.raises(ConfigError, match=named):
        TrainerConfig(**values)


@pytest.mark.parametrize(
    ("key", "value"), [("temperature", -0.5), ("temperature", float("nan")), ("max_records", 0)]
)
def test_evaluation_settings_out_of_range_name_their_key(key, value):
    with pytest.raises(ConfigError, match=rf"evaluation\.{key}"):
        EvaluationConfig(**{key: value})


@pytest.mark.parametrize("seed", [-1, 2**32])
def test_a_seed_that_numpy_cannot_take_is_refused(seed):
    with pytest.raises(ConfigError, match="seed="):
        check_seed(seed)


def test_a_plan_without_algorithm_says_what_to_choose():
    register_configs()
    with initialize_config_dir(str(conf_dir("prefrun")), version_base="1.3"):
        config = compose("config")
    with pytest.raises(ConfigError, match="choose algo=NAME"):
        make_plan(config)


def test_a_run_whose_component_is_gone_cannot_be_resumed():
    names = dict.fromkeys(("algo", "data", "model", "reward", "tracker"), "gone")
    plain = OmegaConf.to_container(OmegaConf.create({"seed": 1, "algo": {}, "evaluator": {}}))
    with pytest.raises(ConfigError, match="algo=gone, which is not installed"):
        retyped(plain, {**names, "evaluator": {}})
