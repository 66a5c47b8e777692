"""Training on two processes, under DDP and FSDP, gives the results of one process."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tokenizers import Tokenizer
from transformers import PreTrainedTokenizerFast

from prefrun.policy.collate import Example
from prefrun.policy.policy import BranchLogps
from prefrun.policy.tokenise import Tokeniser
from prefrun.testing import make_trees
from tests.policy.conftest import BPE, CHATML
from tests.training.distributed_worker import CASES, PROCESSES, STEPS, Case, train

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def examples():
    """Records of which, in turn, the first process gets short and long ones."""
    short, long = make_trees(9, 2, seed=2), make_trees(9, 9, seed=9)
    order = [*short[:3], *long[:3], *long[3:6], *short[3:6], *short[6:], *long[6:]]
    trees = [replace(tree, id=f"{place}") for place, tree in enumerate(order)]
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer.from_str(BPE), eos_token="<|im_end|>", pad_token="<pad>"
    )
    tokenizer.chat_template = CHATML
    tokens = Tokeniser(tokenizer, 128).tokenise_all(trees)
    draw = torch.Generator().manual_seed(0)
    references = [
        BranchLogps(tuple(-3 - torch.rand(len(ids), generator=draw) for ids in each.branches))
        for each in tokens
    ]
    return [
        Example.of(*parts[:2], "overall", parts[2])
        for parts in zip(trees, tokens, references, strict=True)
    ]


@pytest.fixture(scope="module")
def folder(examples, tmp_path_factory):
    """What two processes wrote of all cases."""
    folder = tmp_path_factory.mktemp("distributed")
    torch.save(examples, folder / "examples.pt")
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
        torch.load(folder / f"{name}-{rank}.pt", weights_only=False) for rank in range(PROCESSES)
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
