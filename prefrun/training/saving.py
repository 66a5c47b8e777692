"""Writes the trained model, whole or not at all, once it is known to be what was measured."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING, Any

from prefrun.errors import PluginError, PrefrunError
from prefrun.memory import SAVING, naming_out_of_memory
from prefrun.records.tree import PreferenceTree
from prefrun.rundir.directory import RunDirectory
from prefrun.training.disk import reporting_full_disk

if TYPE_CHECKING:
    from prefrun.algorithm import Algorithm
    from prefrun.training.session import Session

RECORDS = 4
"""Held-out records whose numbers are compared."""
REFUSED = "model.refused"
"""Folder of the run that holds a model which is not the one that was measured."""


@naming_out_of_memory(SAVING)
def save_model(session: Session, directory: RunDirectory) -> None:
    """Write the final model, whole or not at all.

    Raises PrefrunError if a plain loader gets another model from the files.
    """
    kind = session.ready
    staging = directory.path / "model.incomplete"
    shutil.rmtree(staging, ignore_errors=True)
    with reporting_full_disk(staging, directory.path):
        kind.save(staging)
    session.release_reference()  # two models are in memory at a time, as in the evaluation
    problem = kind.problem_with(staging, _some_records(session))
    if problem:
        refused = directory.path / REFUSED
        shutil.rmtree(refused, ignore_errors=True)
        os.replace(staging, refused)
        raise PrefrunError(
            f"the saved model is not the one that was trained and measured: {problem}\n"
            f"  remedy: do not use {refused}; the checkpoints in {directory.checkpoints} have what "
            "was trained; another model or model.dtype may be saved rightly"
        )
    shutil.rmtree(directory.model, ignore_errors=True)
    os.replace(staging, directory.model)


def save_rest(algorithm: Algorithm, directory: RunDirectory) -> None:
    """Let ALGORITHM write what it leaves besides a policy, whole or not at all.

    Raises PluginError if the folder's name is taken.
    """
    name = algorithm.saves_as
    if not name:
        return
    taken = (directory.model, directory.checkpoints, directory.code, directory.evaluation)
    target = directory.path / name
    if target.parent != directory.path or target in (*taken, directory.plots):
        raise PluginError(
            f"{type(algorithm).__name__}.saves_as is '{name}', which is no free name of a folder"
        )
    staging = directory.path / f"{name}.incomplete"
    shutil.rmtree(staging, ignore_errors=True)
    with reporting_full_disk(staging, directory.path):
        staging.mkdir()
        algorithm.save(staging)
    shutil.rmtree(target, ignore_errors=True)
    os.replace(staging, target)


def share_moved(model: Any, start: Any) -> float | None:
    """Return the share of MODEL's weights that differ from those of START; None if not comparable.

    A weight in bfloat16 does not move if an update is below its 256th part.
    """
    before = dict(start.named_parameters())
    after = dict(model.named_parameters())
    if {name: value.shape for name, value in before.items()} != {
        name: value.shape for name, value in after.items()
    }:
        return None
    moved = sum(int((value != before[name]).sum()) for name, value in after.items())
    return float(moved / sum(value.numel() for value in after.values()))


def _some_records(session: Session) -> list[PreferenceTree]:
    """Records as they were measured, or at least trained on."""
    data = session.data
    return [tree for tree in (*data.test, *data.train) if tree.branches][:RECORDS]
