"""Trainings in steps, parts and rounds, killed in each of their phases, end as if left alone."""

from __future__ import annotations

import signal

import pytest

from tests.together.conftest import Workplace

pytestmark = pytest.mark.slow

STEPS = (
    *("evaluation.max_records=4", "evaluation.max_new_tokens=4", "evaluation.bootstrap=20"),
    *("trainer.batch_size=4", "trainer.max_steps=3", "trainer.logging_steps=1"),
    *("trainer.checkpoint_steps=1", "trainer.keep_checkpoints=1", "trainer.learning_rate=1e-3"),
)
LISTS = ("data=ultrafeedback", "data.max_records=48")
RUNS = {
    "orchestrator": (
        *("algo=orchestrator", "algo.stage2=online", "algo.group_size=2", "algo.epochs=2"),
        *LISTS,
    ),
    "sparsepo": ("algo=sparsepo", "algo.mask_model=random", *LISTS),
    "apo_momentum": ("algo=apo_momentum", "algo.samples=3", *LISTS),
}
KILLS = {
    "orchestrator": (
        *("checkpoints/adapter/checkpoint-1:1:after", "orchestrator/adapter:1:before"),
        *("metrics.jsonl:1:after", "checkpoints/checkpoint-1:1:after"),
        *("checkpoints/checkpoint-3:1:before", "evaluation_after:1:before"),
    ),
    "sparsepo": (
        *("metrics.jsonl:1:after", "checkpoint-1:1:after", "checkpoint-3:1:before"),
        "evaluation_after:1:before",
    ),
    "apo_momentum": (
        *("round-0/checkpoint-3:1:after", "finished.pt:1:before", "finished.pt:1:after"),
        *("round-1.json:1:before", "metrics.jsonl:1:before", "metrics.jsonl:1:after"),
        *("round-1/checkpoint-2:1:after", "finished.pt:1:before", "round-2.json:1:after"),
        *("round-2/checkpoint-1:1:after", "evaluation_after:1:before"),
    ),
}
"""In the order in which a run that is killed and resumed gets there."""


def result(place: Workplace, output: str) -> tuple[object, ...]:
    summary = place.summary(output)
    weights = (place.folder / output / "model" / "model.safetensors").read_bytes()
    return summary["metrics"], summary["steps"], place.metrics(output), weights


@pytest.mark.parametrize("name", RUNS)
def test_a_run_killed_in_every_phase_ends_the_same(killed, name):
    words = (*RUNS[name], *STEPS)
    start = (*words, "output_dir=cut")
    for point in KILLS[name]:
        killed.environment["KILL_AT"] = point
        done = killed.run(*start)
        assert done.returncode == -signal.SIGKILL, (point, done.stdout, done.stderr)
        start = ("resume", "cut")
    killed.environment["KILL_AT"] = "nothing:1:before"
    for run in (start, (*words, "output_dir=whole")):
        done = killed.run(*run)
        assert done.returncode == 0, done.stderr
    for mine, whole in zip(result(killed, "cut"), result(killed, "whole"), strict=True):
        assert mine == whole
    for output in ("cut", "whole"):
        kept = [*(killed.folder / output / "checkpoints").rglob("checkpoint-*")]
        assert len(kept) == 1, kept
