"""How much of a model training moved, and what a run leaves besides."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Any

import pytest
import torch

from prefrun.algorithm import Outcome, RunAlgorithm
from prefrun.errors import PrefrunError
from prefrun.rundir.directory import RunDirectory
from prefrun.training.saving import save_rest, share_moved


def test_weights_that_moved_are_counted_by_bits(make_model):
    start, model = make_model("llama", torch.bfloat16), make_model("llama", torch.bfloat16)
    assert share_moved(model, start) == 0
    weight = model.lm_head.weight
    with torch.no_grad():
        weight.fill_(0.5)
        start.lm_head.weight.fill_(0.5)
        weight[:3].add_(1e-4)  # below half a step of bfloat16 near 0.5
        weight[0, :5].add_(1e-2)
    count = sum(value.numel() for value in model.parameters())
    assert share_moved(model, start) == 5 / count


def test_models_of_other_shapes_are_not_compared(make_model):
    assert share_moved(make_model("llama"), make_model("llama", vocab_size=410)) is None


class Leaves(RunAlgorithm):
    """Leaves a folder; what is written into it raises ERROR."""

    saves_as = "left"
    error: OSError | None = None

    def run(self, services: Any) -> Outcome:
        return Outcome()

    def save(self, folder: Path) -> None:
        (folder / "half.txt").write_text("half")
        if self.error is not None:
            raise self.error


def test_a_full_disk_leaves_nothing_of_what_a_run_leaves(tmp_path: Path) -> None:
    directory, algorithm = RunDirectory(tmp_path), Leaves(None)
    algorithm.error = OSError(errno.ENOSPC, "No space left on device")
    with pytest.raises(PrefrunError, match="the disk is full"):
        save_rest(algorithm, directory)
    assert not list(tmp_path.iterdir())
    algorithm.error = None
    save_rest(algorithm, directory)
    save_rest(algorithm, directory)  # as a resumed run does
    assert [path.name for path in tmp_path.iterdir()] == ["left"]
