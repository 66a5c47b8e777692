"""Training on two processes, under DDP and FSDP, gives the results of one process."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from tests.training.distributed_worker import CASES, PROCESSES, STEPS, Case, make_examples, train

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def examples():
    return make_examples()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """What two processes wrote of all cases."""
    folder = tmp_path_factory.mktemp("distributed")
    words = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    words += [f"--nproc_per_node={PROCESSES}", "-m", "tests.training.distributed_worker"]
    done = subprocess.run(
        [*words, str(folder)],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONFAULTHANDLER": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr[-6000:]}"
    return folder


def results(folder, name):
    return [
        torch.load(folder / f"{name}-{rank}.pt", weights_only=True) for rank in range(PROCESSES)
    ]


def assert_same(one, other):
    assert one["losses"] == pytest.approx(other["losses"], rel=1e-4, abs=1e-6)
    assert len(one["losses"]) == STEPS
    assert one["weights"].keys() == other["weights"].keys()
    for name, value in one["weights"].items():
        torch.testing.assert_close(value, other["weights"][name], rtol=0, atol=2e-4, msg=name)


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_two_processes_train_as_one(name, folder, examples, tmp_path):
    case = CASES[name]
    # a loss over the batch sees its own process' batch
    alone = train(case, examples, tmp_path, PROCESSES if case.algorithm.batch_coupled else 1)
    both = results(folder, name)
    for mine in both:
        assert mine["wrapped"] == name.partition("-")[0]
        assert_same(mine, alone)
    assert alone["wrapped"] == ""
    assert sorted(both[0]["seen"] + both[1]["seen"]) == sorted(alone["seen"])


@pytest.mark.slow
def test_the_processes_had_different_numbers_of_passes(folder):
    first, second = (result["passes"] for result in results(folder, "fsdp"))
    assert 1 in first
    assert 1 in second
    assert all(abs(one - other) >= 2 for one, other in zip(first, second, strict=True))


@pytest.mark.slow
def test_every_process_adds_its_part_to_a_checkpoint(folder):
    for name in ("ddp-resumed", "fsdp-resumed"):
        checkpoints = sorted((folder / name).glob("checkpoint-*"))
        assert [path.name for path in checkpoints] == ["checkpoint-2", "checkpoint-3"]
        for checkpoint in checkpoints:
            files = {path.name for path in checkpoint.iterdir()}
            assert files >= {"trainer_state.json", "rng_state_0.pth", "rng_state_1.pth"}


def test_batches_of_a_step_add_up_to_one_batch(examples, tmp_path):
    case = Case()
    assert_same(train(case, examples, tmp_path, batches=3), train(case, examples, tmp_path))
