"""Algorithms that own their run train by the host's loop, and resume to the same end."""

from __future__ import annotations

import os

import pytest

from tests.together.conftest import SMALL, Workplace

INIT = '''
from dataclasses import dataclass
from pathlib import Path
from prefrun import Component, conf_dir, hookimpl


@dataclass
class LoopedConfig:
    parts: int = 2
    """Micro-batches per step."""


@dataclass
class OnlineConfig:
    renew: int = 0
    """The reference is renewed every so many steps; 0 = never."""


@hookimpl
def prefrun_components():
    return [
        Component("algo", "looped", LoopedConfig, "prefrun_loops.algo:Looped", "own loop"),
        Component("algo", "online", OnlineConfig, "prefrun_loops.algo:Online", "online DPO"),
    ]


@hookimpl
def prefrun_config_dir() -> Path:
    return conf_dir("prefrun_loops")


@hookimpl
def prefrun_checkpoint_written(run, step, path):
    with (run.output_dir.parent / f"{run.output_dir.name}.txt").open("a") as file:
        file.write(f"{step} {path.is_dir()}\\n")
'''
ALGO = '''
import os, signal
from dataclasses import replace
import torch
from prefrun.algorithm import LossOutput, Outcome, RunAlgorithm, Term
from prefrun.base_algorithm import build_loss
from prefrun.evaluation.evaluator import Estimate
from prefrun.training.step_loop import MicroBatch, StepLoop


def die_at(step):
    """Kill this process the first time it comes here, if the test wants that."""
    mark = os.environ.get("DIES_ONCE")
    if mark and step == 3 and not os.path.exists(mark):
        open(mark, "w").close()
        os.kill(os.getpid(), signal.SIGKILL)


class Likelihood(StepLoop):
    """The likelihood of all answers, times a scale that is learned, too."""

    learning_rates = {"scale": 0.1}

    def __init__(self, services, parts):
        self.services, self.parts = services, parts
        self.scale = torch.nn.Linear(1, 1, bias=False)
        torch.nn.init.ones_(self.scale.weight)
        self.modules = {"model": services.loaded.model, "scale": self.scale}
        self.steps = services.config.trainer.max_steps
        self.seen = []

    def step(self, number):
        die_at(number)
        size = self.services.config.trainer.batch_size
        trees = list(self.services.data.train)[number * size : (number + 1) * size]
        self.seen += [tree.id for tree in trees]
        width = len(trees) // self.parts
        return [self.part(trees[at : at + width]) for at in range(0, len(trees), width)]

    def part(self, trees):
        def loss():
            batch = self.services.token_logps(trees)
            values = -batch.policy_logps[batch.branch_mask]
            scaled = self.scale(values[:, None]).squeeze(-1)
            noise = 0.01 * torch.rand(())
            weights = torch.ones_like(scaled)
            return LossOutput({"nll": Term(scaled + noise, weights)}, {"noise": noise})

        count = sum(len(tree.branches) for tree in trees)
        return MicroBatch(loss, {"nll": float(count)}, tuple(tree.id for tree in trees))

    def state(self):
        return {"seen": self.seen}

    def restore(self, state):
        self.seen = list(state["seen"])


class Looped(RunAlgorithm):
    """A loop of its own (a test)."""

    def run(self, services):
        loop = Likelihood(services, self.config.parts)
        services.optimise(loop)
        measured = {
            "scale": Estimate(float(loop.scale.weight.detach())),
            "seen": Estimate(float(len(set(loop.seen)))),
        }
        return Outcome(services.policy(), measured)


class Online(RunAlgorithm):
    """Online DPO (a test)."""

    def check_ids(self, services, trees):
        """The tokens that are scored are the ones that were sampled."""
        with torch.no_grad():
            batch = services.token_logps(trees)
        sampled = batch.extras["sampled_logps"]
        assert batch.token_mask.sum() == sum(len(b.ids) for t in trees for b in t.branches)
        assert (batch.policy_token_logps - sampled).abs().max() < 1e-4

    def run(self, services):
        def records(step, policy):
            die_at(step)
            size = services.config.trainer.batch_size
            prompts = list(services.data.train)[step * size : (step + 1) * size]
            trees = []
            for tree, pair in zip(prompts, policy.sample(prompts, 2, 12, 1.0, seed=step)):
                scores = services.reward.score([tree] * 2, [each.text for each in pair])
                branches = [a.branch({"overall": score}) for a, score in zip(pair, scores)]
                trees.append(replace(tree, branches=tuple(branches)))
            self.check_ids(services, trees)
            return trees

        loss = build_loss("dpo", {"beta": 0.5})
        return Outcome(services.online(loss, records, renew_reference=self.config.renew or None))
'''
WORDS = (
    "data=ultrafeedback",
    *SMALL,
    "trainer.learning_rate=1e-3",
    "trainer.logging_steps=1",
    "evaluator=[kl]",
)


@pytest.fixture
def place(make_plugin, plugin_folder, workplace: Workplace) -> Workplace:
    """A workplace with both algorithms."""
    yaml = "defaults:\n  - /schema/algo/{0}@_here_\n  - _self_\n"
    files = {f"algo/{name}.yaml": yaml.format(name) for name in ("looped", "online")}
    make_plugin("loops", INIT, files)
    (plugin_folder / "prefrun_loops" / "algo.py").write_text(ALGO)
    before = workplace.environment.get("PYTHONPATH", "")
    workplace.environment["PYTHONPATH"] = os.pathsep.join([str(plugin_folder), before])
    return workplace


def finish(place: Workplace, output: str, *words: str):
    """Run to the end and return metrics lines and final numbers."""
    done = place.run(*words, *WORDS, f"output_dir={output}")
    assert done.returncode == 0, done.stderr + done.stdout
    return place.metrics(output), place.summary(output)["metrics"]


@pytest.mark.parametrize(
    "words", [("algo=looped",), ("algo=online",), ("algo=online", "algo.renew=2")]
)
def test_a_killed_training_goes_on_to_the_same_numbers(place: Workplace, words):
    lines, metrics = finish(place, "whole", *words)
    assert [line["step"] for line in lines] == [1, 2, 3, 4, 5, 6]
    place.environment["DIES_ONCE"] = str(place.folder / "died")
    assert place.run(*words, *WORDS, "output_dir=killed").returncode == -9
    resumed = place.run("resume", "killed")
    assert resumed.returncode == 0, resumed.stderr + resumed.stdout
    assert place.metrics("killed") == lines
    assert place.summary("killed")["metrics"] == metrics
    assert (place.folder / "whole.txt").read_text() == "2 True\n4 True\n6 True\n"
    assert (place.folder / "killed.txt").read_text() == "2 True\n4 True\n6 True\n"
    assert len(list((place.folder / "killed" / "checkpoints").glob("*"))) == 2


def test_parts_of_a_step_change_no_result(place: Workplace):
    one, _ = finish(place, "one", "algo=looped", "algo.parts=1")
    two, _ = finish(place, "two", "algo=looped", "algo.parts=4")
    for line, other in zip(one, two, strict=True):
        # each part adds a random number of its own, of mean 0.005
        assert line["loss"] == pytest.approx(other["loss"], abs=0.02)
    assert one[-1]["loss"] < one[0]["loss"]


def test_the_optimizer_that_is_recorded_is_the_one_that_trains(place: Workplace):
    adamw, _ = finish(place, "adamw", "algo=looped")
    sgd, _ = finish(place, "sgd", "algo=looped", "trainer.optimizer=sgd")
    assert adamw[0]["loss"] == sgd[0]["loss"]
    assert adamw[-1]["loss"] != sgd[-1]["loss"]


def test_the_loss_of_online_dpo_leaves_ln_2(place: Workplace):
    lines, metrics = finish(place, "online", "algo=online")
    assert lines[0]["loss"] == pytest.approx(0.6931, abs=1e-3)
    assert min(line["loss"] for line in lines[3:]) < 0.65
    assert metrics["kl"]["after"] > 0


def test_a_key_that_nothing_can_honour_is_refused(place: Workplace):
    done = place.run("algo=online", *WORDS, "trainer.max_steps=-1", "output_dir=x")
    assert done.returncode != 0
    assert "trainer.max_steps=-1 says no number" in done.stderr + done.stdout
