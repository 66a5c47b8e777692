"""A reward model from the command line: any loss trains it, and other runs are judged by it."""

from __future__ import annotations

import pytest

from tests.together.conftest import SMALL, Workplace

TRAIN = ("data=ultrafeedback", "model=reward_head", *SMALL, "trainer.learning_rate=1e-3")


@pytest.mark.parametrize("algo", ["bradley_terry", "lipo"])
def test_a_loss_trains_it_and_a_killed_run_resumes(workplace: Workplace, algo):
    done = workplace.run(f"algo={algo}", *TRAIN, "output_dir=run")
    assert done.returncode == 0, done.stderr
    assert "not measured" not in done.stdout
    summary = workplace.summary("run")
    assert set(summary["metrics"]) >= {"ranking_accuracy", "implied_reward_accuracy"}
    assert summary["metrics"]["implied_reward_accuracy"]["before"] == 0.5
    lines = workplace.metrics("run")
    (workplace.folder / "run" / "summary.json").unlink()
    (workplace.folder / "run" / "status.json").unlink()
    last = workplace.folder / "run" / "checkpoints" / "checkpoint-6"
    for file in last.iterdir():
        file.unlink()
    last.rmdir()
    resumed = workplace.run("resume", "run")
    assert resumed.returncode == 0, resumed.stderr
    assert workplace.metrics("run") == lines
    assert workplace.summary("run")["metrics"] == summary["metrics"]


def test_a_run_is_rewarded_by_what_another_one_trained(workplace: Workplace):
    done = workplace.run("algo=bradley_terry", *TRAIN, "output_dir=judge")
    assert done.returncode == 0, done.stderr
    words = ("algo=dpo", "data=ultrafeedback", *SMALL, "evaluator=[reward]")
    judged = workplace.run(
        *words, "reward=classifier", "reward.path=judge/model", "output_dir=judged"
    )
    assert judged.returncode == 0, judged.stderr
    assert workplace.summary("judged")["metrics"]["reward"]["before"] is not None


def test_the_language_model_below_is_chosen_and_its_keys_are_checked(workplace: Workplace):
    done = workplace.run("algo=dpo", *TRAIN, "model@model.base=hf", "model.base.nmae=x")
    assert done.returncode == 2
    assert "nmae" in done.stderr
    refused = workplace.run("algo=tpo", *TRAIN, "output_dir=tpo")
    assert refused.returncode == 2
    assert "algo=tpo needs what model=reward_head does not give: step_embeddings" in refused.stderr
    assert not (workplace.folder / "tpo").exists()
