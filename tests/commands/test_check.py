"""`prefrun check NAME`: a verdict per property, and an exit code for scripts."""

from __future__ import annotations

import pytest

PLUGIN = """
from dataclasses import dataclass
from prefrun import Component, ConfigError, conf_dir, hookimpl


@dataclass
class LengthConfig:
    unit: int = 1

    def __post_init__(self):
        if self.unit == 0:
            raise ConfigError("evaluator.length.unit=0 must not be 0")


@dataclass
class JudgeConfig:
    pass


@hookimpl
def prefrun_components():
    return [
        Component("evaluator", "length", LengthConfig, "prefrun_demo.parts:Length", "lengths"),
        Component("reward", "length", JudgeConfig, "prefrun_demo.parts:Judge", "lengths"),
    ]


@hookimpl
def prefrun_config_dir():
    return conf_dir("prefrun_demo")
"""
PARTS = """
from prefrun.evaluation.evaluator import Estimate, Evaluator


class Length(Evaluator):
    directions = {"length": "none"}

    def evaluate(self, context):
        lengths = [float(self.config.unit * len(text)) for text in context.responses()]
        if self.config.unit < 0:
            return {"length": Estimate(float("nan"))}
        return {"length": Estimate(sum(lengths) / len(lengths), per_record=lengths)}


class Judge:
    name = "length"

    def __init__(self, config):
        pass

    def of(self, data):
        return self

    def score(self, trees, responses):
        return [float(len(response)) for response in responses]
"""
YAML = "# @package {1}\ndefaults:\n  - /schema/{0}/length@_here_\n  - _self_\n"
PACKAGES = {"evaluator": "evaluator.length", "reward": "reward"}


@pytest.fixture(autouse=True)
def plugin(make_plugin, plugin_folder):
    files = {f"{group}/length.yaml": YAML.format(group, PACKAGES[group]) for group in PACKAGES}
    make_plugin("demo", PLUGIN, files)
    (plugin_folder / "prefrun_demo" / "parts.py").write_text(PARTS)


def test_every_component_of_that_name_is_judged(prefrun):
    done = prefrun("check", "length")
    assert done.returncode == 0, done.stderr
    assert "evaluator=length (prefrun-demo 1.2.3)" in done.stdout
    assert "reward=length (prefrun-demo 1.2.3)" in done.stdout
    assert "  passed   metrics_are_sound" in done.stdout
    assert "  skipped  objectives_are_sound: it has no objectives" in done.stdout
    assert "10 passed\n" in done.stdout
    assert "9 passed, 1 skipped\n" in done.stdout


@pytest.mark.parametrize("word", ["unit=-1", "evaluator.length.unit=-1"])
def test_a_failed_property_has_its_reason_and_ends_with_1(prefrun, word):
    done = prefrun("check", "evaluator=length", word)
    assert done.returncode == 1
    assert f"  FAILED   metrics_are_sound: length is nan\n{' ' * 11}must hold: " in done.stdout
    assert "every_metric_has_a_direction: means nothing while metrics_are_sound" in done.stdout
    assert "1 failed" in done.stdout
    assert "reward=length" not in done.stdout


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([], "usage: prefrun check NAME"),
        (["lenght"], "Did you mean 'length'?"),
        (["data=length"], "there is no data=length, but evaluator=length, reward=length"),
        (["hf"], "model=hf needs model.name=VALUE"),
        (["evaluator=length", "unit"], "'unit' is no key=value"),
        (["evaluator=length", "units=2"], "Did you mean 'unit'?"),
        (["evaluator=length", "unit=0"], "evaluator.length.unit=0 must not be 0"),
        (["reward=classifier"], "reward=classifier needs reward.path=VALUE"),
    ],
)
def test_wrong_words_end_with_2_and_say_what_to_type(prefrun, words, expected):
    done = prefrun("check", *words)
    assert done.returncode == 2
    assert expected in done.stderr
    assert "Traceback" not in done.stderr


LOSS = """
from prefrun.policy.batch import BranchBatch
from torch import Tensor

def regression(batch: BranchBatch, scale: float = 0.1) -> Tensor:
    \"\"\"Square of scale * log-ratio - score. Source: an example.\"\"\"
    gaps = (SIGN * batch.scores - scale * batch.log_ratios) * batch.branch_mask
    return gaps.square().sum(-1)
"""


def test_a_loss_file_is_judged(prefrun, tmp_path):
    (tmp_path / "losses").mkdir()
    for sign, ends_with in (("1", 0), ("-1", 1)):
        (tmp_path / "losses" / f"my{sign}.py").write_text(LOSS.replace("SIGN", sign))
        done = prefrun("check", f"losses/my{sign}.py", "scale=0.2")
        assert done.returncode == ends_with, done.stdout + done.stderr
    assert "algo=my-1.py scale=0.2 (" in done.stdout
    assert "  FAILED   step_prefers_better_answers: " in done.stdout
    assert "1 failed" in done.stdout


def test_a_plugin_that_does_not_load_is_told_with_its_reason(prefrun, make_plugin):
    make_plugin("cracked", "import no_such_module_anywhere")
    done = prefrun("check", "cracked")
    assert done.returncode == 2
    assert "'cracked' failed to load: ModuleNotFoundError" in done.stderr
