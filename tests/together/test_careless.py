"""What a plugin does wrong in a run costs nobody else what was computed."""

from __future__ import annotations

import json
import os
from collections.abc import Callable

import pytest

from tests.together.conftest import MAIN, SMALL, Workplace

CODE = """
from dataclasses import dataclass
from prefrun import Component, conf_dir, hookimpl
from prefrun.evaluation.evaluator import Estimate, Evaluator
from prefrun.tracker import Tracker


@dataclass
class FragileConfig:
    seeds: str = ""


@dataclass
class ForgetfulConfig:
    pass


class Fragile(Evaluator):
    def evaluate(self, context):
        if context.policy is not context.baseline and str(context.seed) in self.config.seeds:
            raise KeyError("no such field")
        return {"fragile": Estimate(1.0)}


class Forgetful(Tracker):
    def log(self, step, metrics):
        raise ConnectionError("no network")

    def close(self, failed):
        raise SystemExit(3)


@hookimpl
def prefrun_components():
    return [
        Component("evaluator", "fragile", FragileConfig, "prefrun_careless:Fragile", "fragile"),
        Component("tracker", "forgetful", ForgetfulConfig, "prefrun_careless:Forgetful", "forgets"),
    ]


@hookimpl
def prefrun_config_dir():
    return conf_dir("prefrun_careless")


@hookimpl
def prefrun_run_configured(run):
    raise SystemExit("not today")


@hookimpl
def prefrun_step_logged(run, step, metrics):
    raise ValueError("out of cheese")
"""
EVALUATOR_YAML = """
# @package evaluator.fragile
defaults:
  - /schema/evaluator/fragile@_here_
  - _self_
"""


@pytest.fixture
def careless(
    make_plugin: Callable[..., None], plugin_folder: os.PathLike[str], workplace: Workplace
) -> Workplace:
    """A workplace with a plugin that fails wherever it is called."""
    files = {
        "evaluator/fragile.yaml": EVALUATOR_YAML.lstrip(),
        "tracker/forgetful.yaml": "defaults:\n  - /schema/tracker/forgetful@_here_\n  - _self_\n",
    }
    make_plugin("careless", CODE, files)
    path = os.pathsep.join([str(plugin_folder), os.environ.get("PYTHONPATH", "")])
    workplace.environment["PYTHONPATH"] = path
    return workplace


def test_an_observer_and_a_tracker_that_fail_are_told_once_and_cost_no_run(careless):
    done = careless.run(*MAIN, *SMALL, "output_dir=run", "tracker=forgetful")
    assert done.returncode == 0, done.stderr
    out = " ".join(done.stdout.split())
    for told in (
        "hook prefrun_run_configured of plugin careless failed, and the run goes on without it: "
        "SystemExit: not today (",
        "hook prefrun_step_logged of plugin careless failed, and the run goes on without it: "
        "ValueError: out of cheese (",
        "log of the tracker Forgetful failed, and the run goes on without it: ConnectionError",
        "close of the tracker Forgetful failed",
    ):
        assert out.count(told) == 1, told
    assert "prefrun_careless/__init__.py:" in out
    assert careless.summary("run")["steps"] == 6
    assert [line["step"] for line in careless.metrics("run")] == [2, 4, 6]


@pytest.mark.slow
def test_an_evaluator_that_fails_in_a_sweep_costs_its_own_number_only(careless):
    words = ("evaluator=[ranking_accuracy,fragile]", "evaluator.fragile.seeds=2")
    done = careless.run("-m", *MAIN, *SMALL, *words, "seed=1,2,3", "output_dir=sweep")
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    sweep = careless.folder / "sweep"
    (failure,) = map(json.loads, (sweep / "failed.jsonl").read_text().splitlines())
    assert (failure["job"], failure["evaluators"]) == (1, ["fragile"])
    assert "evaluator=fragile failed: KeyError: 'no such field' (" in failure["error"]
    assert "prefrun_careless/__init__.py:" in failure["error"]
    good, bad = careless.summary("sweep/0"), careless.summary("sweep/1")
    assert bad["status"] == "failed"
    assert set(good["metrics"]) == set(bad["metrics"])
    assert bad["metrics"]["fragile"]["after"] is None
    assert bad["metrics"]["ranking_accuracy"]["after"] is not None
    assert "failed: KeyError" in bad["not_measured"]["fragile"]
    assert (sweep / "1/model/model.safetensors").exists()
    status = json.loads((sweep / "1/status.json").read_text())
    assert status["status"] == "failed"
    assert "evaluator=fragile failed" in status["reason"]
    assert careless.summary("sweep/2")["status"] == "finished"
