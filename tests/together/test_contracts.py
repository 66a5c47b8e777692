"""Every shape of algorithm runs from the command line, and hooks hear of the run's life."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.together.conftest import MAIN, SMALL, Workplace

EVALUATION = tuple(word for word in SMALL if not word.startswith("trainer."))

INIT = '''
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from prefrun import Component, conf_dir, hookimpl


@dataclass
class BestConfig:
    n: int = 2
    """Answers to choose from."""


@dataclass
class TuneConfig:
    steps: int = 3
    """Optimizer steps."""


@dataclass
class AroundConfig:
    base: str = "lipo"
    """A loss."""
    base_keys: dict[str, Any] = field(default_factory=dict)
    """Its keys."""


@dataclass
class RoundsConfig:
    fail: bool = False
    """Stop before the last round, as a crash would."""


@dataclass
class CountConfig:
    """No keys."""


@dataclass
class KeepConfig:
    """No keys."""


@hookimpl
def prefrun_components():
    return [
        Component("algo", "best", BestConfig, "prefrun_shapes.algo:BestOfN", "best of n answers"),
        Component("algo", "tune", TuneConfig, "prefrun_shapes.algo:Tune", "supervised tuning"),
        Component("algo", "around", AroundConfig, "prefrun_shapes.algo:Around", "around a loss"),
        Component("algo", "rounds", RoundsConfig, "prefrun_shapes.algo:Rounds", "two rounds"),
        Component("algo", "count", CountConfig, "prefrun_shapes.algo:Count", "counts answers"),
        Component("evaluator", "keep", KeepConfig, "prefrun_shapes.algo:Keep", "keeps a file"),
    ]


@hookimpl
def prefrun_config_dir() -> Path:
    return conf_dir("prefrun_shapes")


@hookimpl
def prefrun_report_section(directory, folder):
    file = directory / "evaluation" / "kept.txt"
    if file.exists() and "broken" in directory.name:
        raise RuntimeError("no such picture")
    return f"## Kept\\n\\n{file.read_text()}" if file.exists() else None


@hookimpl
def prefrun_comparison_section(directories, folder):
    files = [path / "evaluation" / "kept.txt" for path in directories]
    return f"## Kept by {sum(file.exists() for file in files)} of {len(files)}"


def tell(run, line):
    with (run.output_dir.parent / "heard.txt").open("a") as file:
        file.write(line + "\\n")


@hookimpl
def prefrun_run_configured(run):
    tell(run, "configured")


@hookimpl
def prefrun_run_started(run):
    tell(run, "started")


@hookimpl
def prefrun_step_logged(run, step, metrics):
    tell(run, f"logged {step} {'loss' in metrics}")


@hookimpl
def prefrun_checkpoint_written(run, step, path):
    tell(run, f"checkpoint {step} {(path / 'model.safetensors').exists()}")


@hookimpl
def prefrun_run_finished(run, summary):
    tell(run, f"finished {summary['steps']}")


@hookimpl
def prefrun_run_failed(run, error):
    tell(run, f"failed {type(error).__name__}")
'''

ALGO = '''
"""A decoding-time method and one that owns its run, each as small as it can be."""
import torch
from prefrun.algorithm import DecodingAlgorithm, Outcome, RunAlgorithm
from prefrun.base_algorithm import build_loss
from prefrun.evaluation.evaluator import Estimate, Evaluator


class Chooser:
    """Answers with the best of n by the run's reward."""

    def __init__(self, policy, reward, n):
        self.policy, self.reward, self.n = policy, reward, n

    def generate(self, trees, max_new_tokens, temperature, seed):
        tries = [
            self.policy.generate(trees, max_new_tokens, temperature, seed + 1000 * number)
            for number in range(self.n)
        ]
        scores = [self.reward.score(trees, answers) for answers in tries]
        best = [max(range(self.n), key=lambda k: scores[k][i]) for i in range(len(trees))]
        return [tries[k][i] for i, k in enumerate(best)]

    def logps(self, trees):
        return self.policy.logps(trees)

    def kl(self, trees, responses, other):
        return self.policy.kl(trees, responses, other)

    def count_tokens(self, responses):
        return self.policy.count_tokens(responses)


class BestOfN(DecodingAlgorithm):
    """Best of n (a test)."""

    def wrap(self, services):
        return Chooser(services.policy(), services.reward, self.config.n)


class Tune(RunAlgorithm):
    """Likelihood of the best answer (a test): its own loop, the host's data, model and log."""

    def run(self, services):
        from prefrun.policy.collate import Example, collate
        from prefrun.policy.logprobs import token_logprobs
        from prefrun.policy.tokenise import Tokeniser

        model, tokenizer = services.loaded.model, services.loaded.tokenizer
        trees = list(services.data.train)[:8]
        references = services.reference_logps(trees)
        tokens = Tokeniser(tokenizer, 256).tokenise_all(trees)
        items = [
            Example.of(tree, ids, services.data.objective, reference)
            for tree, ids, reference in zip(trees, tokens, references)
        ]
        batch = collate(items, tokenizer.pad_token_id)
        best = batch["scores"].masked_fill(~batch["branch_mask"], -1e9).argmax(-1)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.003)
        for step in range(1, self.config.steps + 1):
            logps, _ = token_logprobs(model, batch)
            loss = -logps.sum(-1).gather(-1, best[:, None]).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            services.log(step, {"loss": loss.item()})
        measured = {"last_loss": Estimate(loss.item())}
        return Outcome(services.policy(), measured, {"last_loss": "min"})


class Around(RunAlgorithm):
    """A loss that another algorithm names (a test)."""

    def __init__(self, config):
        super().__init__(config)
        self.base = build_loss(config.base, config.base_keys)

    def run(self, services):
        return Outcome(services.train(self.base))


class Rounds(RunAlgorithm):
    """Two rounds of a loss (a test), each from the other half of the records."""

    def run(self, services):
        trees = list(services.data.train)
        starts = []
        for number in range(2):
            if number == 1 and self.config.fail and not (services.run.output_dir / "x").exists():
                (services.run.output_dir / "x").touch()
                raise RuntimeError("a crash between rounds")
            starts.append(services.policy().logps(trees[:1])[0].sums[0])
            policy = services.train(build_loss("lipo", {}), trees[number::2], round=number)
        moved = Estimate(abs(starts[1] - starts[0]))
        return Outcome(policy, {"moved": moved})


class Count(RunAlgorithm):
    """Answers per record (a test): needs no language model."""

    uses_model = False

    def run(self, services):
        counts = [float(len(tree.branches)) for tree in services.data.test]
        return Outcome(metrics={"answers": Estimate(sum(counts) / len(counts), per_record=counts)})


class Keep(Evaluator):
    """Keeps a file where the trained policy is measured (a test)."""

    def evaluate(self, context):
        if context.folder is not None:
            (context.folder / "kept.txt").write_text(f"{len(context.trees)} prompts")
        return {"kept": Estimate(float(context.folder is not None))}
'''


@pytest.fixture
def shapes(tmp_path: Path) -> Workplace:
    """A workplace with a plugin of two further kinds of algorithm."""
    site = tmp_path / "site"
    package, info = site / "prefrun_shapes", site / "prefrun_shapes-1.0.dist-info"
    (package / "conf" / "algo").mkdir(parents=True)
    info.mkdir()
    (package / "__init__.py").write_text(INIT)
    (package / "algo.py").write_text(ALGO)
    count = "  - override /model@_global_.model: none\n"
    for name, more in {"best": "", "tune": "", "around": "", "rounds": "", "count": count}.items():
        text = f"defaults:\n  - /schema/algo/{name}@_here_\n{more}  - _self_\n"
        (package / "conf" / "algo" / f"{name}.yaml").write_text(text)
    (package / "conf" / "evaluator").mkdir()
    text = "defaults:\n  - /schema/evaluator/keep@_here_\n  - _self_\n"
    (package / "conf" / "evaluator" / "keep.yaml").write_text("# @package evaluator.keep\n" + text)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: prefrun-shapes\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[prefrun]\nshapes = prefrun_shapes\n")
    place = Workplace(tmp_path)
    place.environment["PYTHONPATH"] = os.pathsep.join(
        [str(site), place.environment.get("PYTHONPATH", "")]
    )
    return place


def heard(place: Workplace) -> list[str]:
    return (place.folder / "heard.txt").read_text().split("\n")[:-1]


def test_a_method_that_trains_nothing_is_evaluated(shapes):
    words = ("algo=best", "algo.n=4", "data=ultrafeedback", *EVALUATION, "output_dir=best")
    done = shapes.run(*words)
    assert done.returncode == 0, done.stderr
    summary = shapes.summary("best")
    assert summary["steps"] == 0
    assert summary["metrics"]["reward"]["after"] > summary["metrics"]["reward"]["before"]
    assert not (shapes.folder / "best" / "model").exists()
    assert heard(shapes) == ["configured", "started", "finished 0"]


def test_a_method_that_owns_its_run_borrows_the_services(shapes):
    summary = shapes.train("tune", "algo=tune")
    lines = shapes.metrics("tune")
    assert [line["step"] for line in lines] == [1, 2, 3]
    assert lines[-1]["loss"] < lines[0]["loss"]
    assert summary["metrics"]["kl"]["after"] > 0
    assert summary["metrics"]["last_loss"] == {"before": None, "after": lines[-1]["loss"]}
    assert summary["directions"]["last_loss"] == "min"
    assert (shapes.folder / "tune" / "model" / "model.safetensors").exists()


def test_a_loss_inside_another_algorithm_trains_as_it_does_alone(shapes):
    alone = shapes.train("alone", "algo=lipo", "algo.beta=0.2")
    inside = shapes.train("inside", "algo=around", "+algo.base_keys.beta=0.2")
    assert inside["steps"] == 6
    assert inside["metrics"] == alone["metrics"]


def test_rounds_follow_each_other_and_resume(shapes):
    whole = shapes.train("whole", "algo=rounds", "trainer.max_steps=4")
    assert whole["steps"] == 8
    assert [line["step"] for line in shapes.metrics("whole")] == [2, 4, 6, 8]
    assert whole["metrics"]["moved"]["after"] > 0
    losses = [line["loss"] for line in shapes.metrics("whole")]
    done = shapes.run(
        *MAIN, *SMALL, "algo=rounds", "trainer.max_steps=4", "algo.fail=true", "output_dir=cut"
    )
    assert done.returncode == 1
    assert [line["step"] for line in shapes.metrics("cut")] == [2, 4]
    resumed = shapes.run("resume", "cut")
    assert resumed.returncode == 0, resumed.stderr
    assert [line["loss"] for line in shapes.metrics("cut")] == pytest.approx(losses, abs=1e-6)
    for name, values in shapes.summary("cut")["metrics"].items():
        assert values["after"] == pytest.approx(whole["metrics"][name]["after"], abs=1e-6)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["algo.base=lipi"], "algo.base=lipi is not installed. Did you mean 'lipo'?"),
        (["algo.base=count"], "algo.base=count is no loss"),
        (["+algo.base_keys.bta=1"], "algo.base_keys: Key 'bta' not in 'LipoConfig'"),
    ],
)
def test_a_wrong_inner_loss_is_refused_before_anything_is_written(shapes, words, said):
    done = shapes.run("algo=around", "data=ultrafeedback", "output_dir=bad", *words)
    assert done.returncode == 2
    assert said in done.stderr
    assert not (shapes.folder / "bad").exists()


def test_a_method_without_a_language_model_loads_none(shapes):
    done = shapes.run("algo=count", "data=ultrafeedback", "output_dir=count")
    assert done.returncode == 0, done.stderr
    summary = shapes.summary("count")
    assert summary["model"] == "none"
    assert summary["metrics"] == {"answers": {"before": None, "after": 4.0}}
    assert not (shapes.folder / "count" / "model").exists()
    refused = shapes.run("algo=lipo", "data=ultrafeedback", "model=none", "output_dir=none")
    assert refused.returncode == 2
    assert "choose model=NAME. Installed: " in refused.stderr
    assert not (shapes.folder / "none").exists()


def test_plugins_add_sections_to_reports(shapes):
    shapes.train("kept", "evaluator=[keep]")
    assert "## Kept\n\n8 prompts" in (shapes.folder / "kept" / "report.md").read_text()
    shapes.train("other", "evaluator=[kl]")
    assert "## Kept" not in (shapes.folder / "other" / "report.md").read_text()
    assert shapes.run("report", "kept", "other").returncode == 0
    assert "## Kept by 1 of 2" in (shapes.folder / "comparison.md").read_text()


def test_a_section_that_fails_costs_no_run(shapes):
    shapes.train("broken", "evaluator=[keep]")
    text = (shapes.folder / "broken" / "report.md").read_text()
    assert "## shapes\n\nThis section failed: RuntimeError: no such picture" in text
    assert "Traceback" in (shapes.folder / "broken" / "prefrun.log").read_text()


def test_several_rewards_judge_one_objective_each(shapes):
    parts = [f"+reward@reward.parts.{name}=data" for name in ("one", "other")]
    twice = shapes.train("twice", "reward=several", *parts, "+reward.weights.other=0.5")
    once = shapes.train("once")
    for when in ("before", "after"):
        expected = 1.5 * once["metrics"]["reward"][when]
        assert twice["metrics"]["reward"][when] == pytest.approx(expected)


def test_hooks_hear_of_a_run_in_order(shapes):
    shapes.train("run")
    assert heard(shapes) == [
        "configured",
        "started",
        "logged 2 True",
        "checkpoint 2 True",
        "logged 4 True",
        "checkpoint 4 True",
        "logged 6 True",
        "checkpoint 6 True",
        "finished 6",
    ]


def test_hooks_hear_of_a_failure(shapes):
    done = shapes.run(
        "algo=lipo", "data=ultrafeedback", *SMALL, "output_dir=bad", "trainer.learning_rate=1e30"
    )
    assert done.returncode == 1
    assert heard(shapes)[-1] == "failed NonFiniteError"
