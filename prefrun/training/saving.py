"""Writes the trained model, and looks whether what was written is what was measured."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING

from prefrun.builtin.loading import fit_tokenizer, no_progress_bar, stored_tokenizer
from prefrun.errors import PluginError, PrefrunError, first_sentence
from prefrun.memory import SAVING, naming_out_of_memory
from prefrun.policy.adapter import has_adapter, known_warnings_off, save_weights
from prefrun.policy.head import unwrap
from prefrun.policy.packing import PLAIN
from prefrun.policy.policy import BranchLogps, LoadedModel
from prefrun.records.tree import PreferenceTree
from prefrun.rundir.directory import RunDirectory
from prefrun.training.disk import reporting_full_disk

if TYPE_CHECKING:
    from prefrun.algorithm import Algorithm
    from prefrun.training.session import Session

RECORDS = 4
"""Held-out records whose log-probs are compared."""
TOLERANCE = {torch.float64: 1e-8, torch.float32: 1e-4, torch.bfloat16: 5e-2, torch.float16: 1e-2}
"""Largest mean difference of a token's log-prob, in nats, that rounding explains, by dtype."""
REFUSED = "model.refused"
"""Folder of the run that holds a model which is not the one that was measured."""


@naming_out_of_memory(SAVING)
def save_model(session: Session, directory: RunDirectory) -> None:
    """Write the final model in Hugging Face layout, whole or not at all.

    Raises PrefrunError if a plain loader gets another model from the files.
    """
    staging = directory.path / "model.incomplete"
    shutil.rmtree(staging, ignore_errors=True)
    with reporting_full_disk(staging, directory.path):
        save_weights(session.loaded.model, staging)
        stored_tokenizer(session.loaded.tokenizer).save_pretrained(staging)
    problem = problem_with(session, staging)
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


def problem_with(session: Session, folder: Path) -> str | None:
    """Compare the model that a plain loader reads from FOLDER with the trained one.

    Returns what is wrong; None if log-probs of some records agree within rounding.
    """
    loaded = session.loaded
    trees = _some_records(session)
    measured = session.policy_of(loaded).logps(trees)
    session.release_reference()  # two models are in memory at a time, as in the evaluation
    try:
        saved, packing = load_saved(folder, loaded), session.packing
    except torch.OutOfMemoryError:
        loaded.model.cpu()
        saved, packing = load_saved(folder, loaded), PLAIN
    except Exception as error:  # whatever a file can do to transformers, peft and safetensors
        return f"it cannot be loaded: {first_sentence(error)}"
    return _difference(measured, session.policy_of(saved, packing).logps(trees), loaded.model)


def load_saved(folder: Path, like: LoadedModel) -> LoadedModel:
    """Load FOLDER as anyone would, with the dtype, attention and device of LIKE."""
    base = unwrap(like.model)
    loader: Any = AutoModelForCausalLM
    if has_adapter(like.model):
        from peft import AutoPeftModelForCausalLM

        loader = AutoPeftModelForCausalLM
    elif type(base.config) not in MODEL_FOR_CAUSAL_LM_MAPPING:
        loader = type(base)  # a plugin's own, which transformers does not know
    with no_progress_bar(), known_warnings_off():
        model = loader.from_pretrained(
            folder, dtype=base.dtype, attn_implementation=base.config._attn_implementation
        )
    model = model.to(base.device).eval()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    fit_tokenizer(tokenizer, unwrap(model), str(folder))
    return replace(like, model=model, tokenizer=tokenizer)


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


def _difference(measured: list[BranchLogps], found: list[BranchLogps], model: Any) -> str | None:
    """Return how log-probs differ; None if rounding explains it."""
    ours = [values for tree in measured for values in tree.token_logps]
    theirs = [values for tree in found for values in tree.token_logps]
    if [len(values) for values in ours] != [len(values) for values in theirs]:
        return "its tokenizer makes other tokens of the records"
    if not ours:
        return None
    gap = (torch.cat(ours) - torch.cat(theirs)).abs().mean().item()
    limit = TOLERANCE.get(unwrap(model).dtype, TOLERANCE[torch.float32])
    if gap <= limit:
        return None
    return (
        f"loaded again, log-probs of {len(measured)} records differ by {gap:.3g} nats per token "
        f"(rounding explains {limit:g})"
    )
