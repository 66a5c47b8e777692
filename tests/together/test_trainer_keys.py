"""A key of `trainer` that a user sets is read by the run, or refused before a model is loaded."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hydra import compose, initialize_config_dir

from benchmarks.frozen_cases import CASES
from prefrun.algorithm import TRAINER_KEYS
from prefrun.compose import register_configs
from prefrun.errors import ConfigError
from prefrun.honoured import check_honoured
from prefrun.paths import conf_dir
from prefrun.plan import Plan, make_plan
from prefrun.schema import TrainerConfig
from tests.together.conftest import Workplace

OTHER: dict[str, Any] = {
    "max_steps": 7,
    "epochs": 2.5,
    "batch_size": 3,
    "micro_batch_tokens": 99,
    "learning_rate": 0.125,
    "lr_scheduler": "cosine",
    "warmup_steps": 2,
    "weight_decay": 0.5,
    "max_grad_norm": 0.25,
    "optimizer": "sgd",
    "logging_steps": 9,
    "checkpoint_steps": 8,
    "keep_checkpoints": 4,
    "gradient_checkpointing": True,
    "compile": True,
    "max_length": 77,
    "max_prompt_length": 55,
    "truncation": "keep_start",
    "on_empty_step": "warn",
}
"""A value of each key that is not its default."""


def plan_of(*words: str) -> Plan:
    register_configs()
    with initialize_config_dir(str(conf_dir("prefrun")), version_base="1.3"):
        return make_plan(compose("config", overrides=list(words)))


def without_trainer(name: str) -> tuple[str, ...]:
    return tuple(word for word in CASES[name] if not word.startswith("trainer."))


FIRST = {words[0]: name for name, words in reversed(CASES.items())}
VARIANTS = sorted({*FIRST.values(), *(name for name in CASES if name.startswith("orchestrator"))})
"""A case of every algorithm, and all of the one whose keys depend on its settings."""


def test_every_key_has_another_value():
    assert set(OTHER) == TRAINER_KEYS
    assert all(value != getattr(TrainerConfig(), key) for key, value in OTHER.items())


@pytest.mark.parametrize("name", VARIANTS)
def test_each_key_is_honoured_or_refused(name):
    plan = plan_of(*without_trainer(name))
    algorithm = plan.algorithm()
    check_honoured(plan, algorithm, ())
    for key, value in OTHER.items():
        steps = (
            {"max_steps": -1} if key == "epochs" and "max_steps" in algorithm.trainer_keys else {}
        )
        changed = replace(plan, trainer=TrainerConfig(**{**steps, key: value}))
        ways = [(changed, ()), (changed, (f"trainer.{key}={value}",))]
        ways += [(plan, (f"++trainer.{key}=its default",))] * (key != "epochs")
        for set_to, words in ways:
            if key in algorithm.trainer_keys:
                check_honoured(set_to, algorithm, words)
                continue
            own = algorithm.instead.get(key)
            remedy = f"set {own} instead of" if own else "leave out"
            with pytest.raises(ConfigError) as caught:
                check_honoured(set_to, algorithm, words)
            assert f"trainer.{key}=" in str(caught.value)
            assert f"remedy: {remedy} trainer.{key}" in str(caught.value)


@pytest.fixture
def with_plugin(make_plugin, plugin_folder, workplace) -> Callable[..., Workplace]:
    """Return a function that installs a plugin for the workplace's commands."""

    def install(*words: Any) -> Workplace:
        make_plugin(*words)
        before = workplace.environment.get("PYTHONPATH", "")
        workplace.environment["PYTHONPATH"] = os.pathsep.join([str(plugin_folder), before])
        return workplace

    return install


READING = """
import json
from prefrun import hookimpl
from prefrun.algorithm import TRAINER_KEYS
from prefrun.schema import TrainerConfig

FOUND, USUAL = set(), TrainerConfig.__getattribute__


def reading(self, key):
    FOUND.update({key} & TRAINER_KEYS)
    return USUAL(self, key)


@hookimpl
def prefrun_run_started(run):
    TrainerConfig.__getattribute__ = reading


@hookimpl
def prefrun_run_finished(run):
    (run.output_dir / "read.json").write_text(json.dumps(sorted(FOUND)))
"""
"""A plugin that notes which keys of the trainer's settings a run reads."""


OF_THE_HOST = ("sparsepo_common", "orchestrator", "groco_views", "simulpl")
"""Their loops make transformers' arguments, which hold what these do not use."""


@pytest.mark.parametrize(
    "name",
    [
        *("linear_dpo", "groco_views", "apo_tabular", "rps_simulation", "grow_trees", "rps"),
        *("orchestrator", "orchestrator_online", "simulpl", "sparsepo_common", "lipo"),
    ],
)
def test_a_run_reads_the_keys_it_honours(name, workplace, with_plugin):
    with_plugin("reading", READING)
    done = workplace.run(*CASES[name], "output_dir=run")
    assert done.returncode == 0, done.stderr
    found = set(json.loads((workplace.folder / "run" / "read.json").read_text()))
    honoured = plan_of(*without_trainer(name)).algorithm().trainer_keys
    unless_steps_are_given = {"epochs"} if "max_steps" in honoured else set()
    assert honoured - unless_steps_are_given <= found
    if name not in OF_THE_HOST:
        assert found <= honoured


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ("algo=rps", "data=control_codes", "model=tiny", "trainer.max_steps=5"),
            ("trainer.max_steps=5 does nothing with algo=rps", "leave out trainer.max_steps"),
        ),
        (
            (
                *("algo=groco_views", "data=latent_classes"),
                *("trainer.learning_rate=1", "trainer.compile=true"),
            ),
            (
                "trainer.compile=True, trainer.learning_rate=1.0 do nothing with algo=groco_views",
                "set algo.learning_rate instead of trainer.learning_rate; "
                "leave out trainer.compile",
            ),
        ),
        (
            ("algo=simulpl", "data=multi30k", "trainer.max_steps=100"),
            ("set algo.supervised.steps and algo.preference.steps instead of trainer.max_steps",),
        ),
        (
            ("algo=orchestrator", "data=topics", "trainer.batch_size=2"),
            ("set algo.batch_size instead of trainer.batch_size",),
        ),
        (
            ("algo=lipo", "data=ultrafeedback", "trainer.epochs=2"),
            ("trainer.epochs=2 does nothing with trainer.max_steps=100", "trainer.max_steps=-1"),
        ),
        (
            ("algo=lipo", "data=ultrafeedback", "trainer.epochs=1", "trainer.max_steps=5"),
            ("trainer.epochs=1 does nothing with trainer.max_steps=5",),
        ),
    ],
)
def test_a_key_that_does_nothing_is_refused_before_anything_is_written(workplace, words, said):
    done = workplace.run(*words, "output_dir=bad")
    assert done.returncode == 2
    assert all(text in done.stderr for text in said), done.stderr
    assert not (workplace.folder / "bad").exists()


def experiment(folder: Path, text: str) -> str:
    (folder / "conf" / "experiment").mkdir(parents=True)
    (folder / "conf" / "experiment" / "mine.yaml").write_text("# @package _global_\n" + text)
    return f"--config-dir={folder / 'conf'}"


def test_an_experiment_is_the_users_word(workplace):
    conf = experiment(workplace.folder, "trainer:\n  max_steps: 7\n")
    done = workplace.run(conf, "+experiment=mine", "algo=rps_simulation", "data=control_codes")
    assert done.returncode == 2
    assert "trainer.max_steps=7 does nothing with algo=rps_simulation" in done.stderr


def test_steps_on_the_command_line_count_instead_of_an_experiments_epochs(workplace):
    conf = experiment(workplace.folder, "trainer:\n  epochs: 2\n  max_steps: -1\n")
    summary = workplace.train("run", conf, "+experiment=mine", "trainer.max_steps=1")
    assert summary["steps"] == 1


PLUGIN = """
from dataclasses import dataclass
from prefrun import Component, conf_dir, hookimpl


@dataclass
class PresetConfig:
    pass


@hookimpl
def prefrun_components():
    return [Component("tracker", "preset", PresetConfig, "prefrun.tracker:Tracker", "a preset")]


@hookimpl
def prefrun_config_dir():
    return conf_dir("prefrun_preset")
"""
PRESET = """# @package _global_
defaults:
  - /schema/tracker/preset@tracker
  - _self_
trainer:
  max_length: 77
"""


def test_what_a_component_sets_for_all_runs_is_not_the_users_word(with_plugin):
    place = with_plugin("preset", PLUGIN, {"tracker/preset.yaml": PRESET})
    words = ("algo=rps_simulation", "data=control_codes", "algo.trials=9", "tracker=preset")
    done = place.run(*words, "output_dir=run")
    assert done.returncode == 0, done.stderr
    done = place.run(*words, "trainer.max_length=77", "output_dir=other")
    assert "trainer.max_length=77 does nothing" in done.stderr
