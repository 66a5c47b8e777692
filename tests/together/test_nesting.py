"""A component inside another one: a second data source, a model inside a reward or an algorithm."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.together.conftest import SMALL, Workplace

INIT = '''
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from prefrun import Component, conf_dir, hookimpl, nested


@dataclass
class MixConfig:
    prompts: Any = nested("data")
    """Further prompts."""
    judge: Any = nested("model")
    """A model that scores the held-out answers."""
    crash: bool = False
    """Stop in the first try."""


@dataclass
class LikelyConfig:
    model: Any = nested("model")
    """Whose likelihood is the reward."""


@hookimpl
def prefrun_components():
    return [
        Component("algo", "mix", MixConfig, "prefrun_inner.parts:Mix", "a second data source"),
        Component("reward", "likely", LikelyConfig, "prefrun_inner.parts:Likely", "likelihood"),
    ]


@hookimpl
def prefrun_config_dir() -> Path:
    return conf_dir("prefrun_inner")
'''

PARTS = '''
"""What is inside is made by `build`, and used by public means only."""
from dataclasses import replace
from prefrun.algorithm import Outcome, RunAlgorithm
from prefrun.evaluation.evaluator import Estimate
from prefrun.nesting import build
from prefrun.policy.standalone import standalone
from prefrun.records.tree import Branch, Step


class Mix(RunAlgorithm):
    """Counts its second source's prompts, and asks its judge (a test)."""

    uses_model = False

    def run(self, services):
        if self.config.crash and not (services.run.output_dir / "tried").exists():
            (services.run.output_dir / "tried").touch()
            raise RuntimeError("a crash")
        metrics = {}
        if self.config.prompts is not None:
            split = build(self.config.prompts).load(services.run.seed)
            metrics["prompts"] = Estimate(float(len(split.train) + len(split.test)))
        if self.config.judge is not None:
            judge = services.policy_of(build(self.config.judge).load())
            logps = judge.logps(services.data.test)
            metrics["judged"] = Estimate(sum(logps[0].sums))
        return Outcome(metrics=metrics)


class LikelyReward:
    """Log-prob of the answer under a model (a test)."""

    name = "likely"

    def __init__(self, settings):
        self._settings, self._policy = settings, None

    def score(self, trees, responses):
        if self._policy is None:
            self._policy = standalone(build(self._settings).load(), max_length=512)
        answered = [
            replace(tree, branches=(Branch((Step(response),)),))
            for tree, response in zip(trees, responses, strict=True)
        ]
        return [logps.sums[0] for logps in self._policy.logps(answered)]


class Likely:
    """Makes the reward."""

    def __init__(self, config):
        self.config = config

    def of(self, data):
        return LikelyReward(self.config.model)
'''

YAML = "defaults:\n  - /schema/{}@_here_\n  - _self_\n"
MIX = ("algo=mix", "model=none", "data=ultrafeedback", *SMALL)


@pytest.fixture
def inner(make_plugin: Callable[..., None], plugin_folder: Path, workplace: Workplace) -> Workplace:
    """A workplace with algo=mix and reward=likely, and two files of prompts."""
    conf = {f"{name}.yaml": YAML.format(name) for name in ("algo/mix", "reward/likely")}
    make_plugin("inner", INIT, conf)
    (plugin_folder / "prefrun_inner" / "parts.py").write_text(PARTS)
    before = workplace.environment.get("PYTHONPATH", "")
    workplace.environment["PYTHONPATH"] = os.pathsep.join([str(plugin_folder), before])
    for count in (3, 5):
        write_pairs(workplace.folder / f"pairs{count}.jsonl", count)
    return workplace


def write_pairs(path: Path, count: int, chosen: str = "yes") -> None:
    rows = [{"prompt": f"{n}?", "chosen": chosen, "rejected": "no"} for n in range(count)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def done(place: Workplace, *words: str) -> str:
    result = place.run(*words)
    assert result.returncode == 0, result.stderr + result.stdout
    return result.stdout


def refused(place: Workplace, *words: str) -> str:
    result = place.run(*words)
    assert result.returncode == 2, result.stderr + result.stdout
    return result.stderr


def test_an_algorithm_reads_a_second_data_source(inner):
    done(
        inner,
        *MIX,
        "+data@algo.prompts=trl",
        "algo.prompts.path=pairs5.jsonl",
        "output_dir=run",
    )
    assert inner.summary("run")["metrics"]["prompts"]["after"] == 5
    manifest = json.loads((inner.folder / "run" / "manifest.json").read_text())
    assert manifest["components"]["nested"] == [["algo.prompts", "data", "trl"]]
    path = str(inner.folder / "pairs5.jsonl")
    assert manifest["inputs"]["algo.prompts.path"]["path"] == path
    assert "prefrun_pairs" in manifest["code"]["packages"]


def test_a_model_inside_an_algorithm_and_one_inside_a_reward_judge(inner):
    done(inner, *MIX, "+model@algo.judge=tiny", "output_dir=judge")
    assert inner.summary("judge")["metrics"]["judged"]["after"] < 0
    summary = inner.train("reward", "reward=likely", "+model@reward.model=tiny")
    assert summary["metrics"]["reward"]["before"] < 0
    assert summary["metrics"]["win_rate"]["before"] == 0.5


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ["+data@algo.prompts=trl", "algo.prompts.pth=x"],
            "no key algo.prompts.pth. Did you mean 'path'?",
        ),
        (
            ["+data@algo.prompts=trl", "+algo.prompts.pth=x"],
            "algo.prompts has no key pth. Did you mean 'path'?",
        ),
        (
            ["+data@algo.prompts=trl", "algo.prompts.path=x", "algo.prompts.test_fraction=2"],
            "in algo.prompts, data=trl: data.test_fraction=2.0 must be above 0",
        ),
        (["+model@algo.judge=hf"], "model=hf in algo.judge needs algo.judge.name=VALUE. Local"),
        (
            ["algo.prompts=trl"],
            "algo.prompts takes a component of the group data, not 'trl'\n"
            "  remedy: choose one with '+data@algo.prompts=trl'",
        ),
        (["+model@algo.prompts=tiny"], "takes a component of the group data, not model=tiny"),
        (["+data@algo.prompts=trll"], "there is no data=trll. Did you mean 'trl'?"),
    ],
)
def test_what_does_not_fit_inside_is_refused(inner, words, said):
    assert said in refused(inner, *MIX, *words, "output_dir=bad")
    assert not (inner.folder / "bad").exists()


def test_a_resumed_run_keeps_the_types_and_sees_changed_files(inner):
    words = ["+data@algo.prompts=trl", "algo.prompts.path=pairs5.jsonl", "+model@algo.judge=tiny"]
    result = inner.run(*MIX, *words, "algo.crash=true", "output_dir=cut")
    assert result.returncode == 1
    write_pairs(inner.folder / "pairs5.jsonl", 5, chosen="oh yes")
    said = refused(inner, "resume", "cut")
    assert f"algo.prompts.path={inner.folder / 'pairs5.jsonl'}: files" in said
    write_pairs(inner.folder / "pairs5.jsonl", 5)
    done(inner, "resume", "cut")
    assert inner.summary("cut")["metrics"]["prompts"]["after"] == 5
    assert inner.summary("cut")["metrics"]["judged"]["after"] < 0


def test_a_run_of_the_older_format_is_resumed(inner):
    one = "reward.parts.one"
    words = ["reward=several", f"+reward@{one}=likely", f"+model@{one}.model=tiny"]
    result = inner.run(*MIX, *words, "algo.crash=true", "output_dir=cut")
    assert result.returncode == 1
    file = inner.folder / "cut" / "manifest.json"
    manifest = json.loads(file.read_text())
    (part, model) = manifest["components"].pop("nested")
    assert part == [one, "reward", "likely"]
    assert model == [f"{one}.model", "model", "tiny"]
    names = {"reward_parts": {"one": "likely"}, "nested": [model]}
    file.write_text(json.dumps(manifest | {"components": manifest["components"] | names}))
    done(inner, "resume", "cut")


def test_a_run_s_id_follows_the_content_of_what_is_inside(inner):
    words = [*MIX, "+data@algo.prompts=trl"]
    (inner.folder / "copy").mkdir()
    write_pairs(inner.folder / "copy" / "pairs3.jsonl", 3)
    ids = {}
    for name in ("pairs3.jsonl", "copy/pairs3.jsonl", "pairs5.jsonl"):
        done(inner, *words, f"algo.prompts.path={name}", f"output_dir=out/{name}")
        ids[name] = inner.summary(f"out/{name}")["run_id"]
    assert ids["pairs3.jsonl"] == ids["copy/pairs3.jsonl"] != ids["pairs5.jsonl"]


def test_a_sweep_goes_over_what_is_inside(inner):
    words = [*MIX, "+data@algo.prompts=trl", "algo.prompts.path=pairs3.jsonl,pairs5.jsonl"]
    done(inner, "-m", *words, "output_dir=files")
    text = (inner.folder / "files" / "comparison.md").read_text()
    assert "algo.prompts.path=pairs3.jsonl" in text
    assert "algo.prompts.path=pairs5.jsonl" in text
    done(inner, "-m", *MIX, "+data@algo.prompts=ultrafeedback,sort_digits", "output_dir=names")
    text = (inner.folder / "names" / "comparison.md").read_text()
    assert "algo.prompts=ultrafeedback" in text
    assert "algo.prompts=sort_digits" in text


def test_the_card_says_what_a_key_takes(inner):
    assert "takes a data component: '+data@algo.prompts=NAME'" in done(inner, "explain", "mix")
