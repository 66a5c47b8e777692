"""Adds to the manifest what is known only once torch, model and reference are there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any

from torch import Tensor

from prefrun.errors import PrefrunError
from prefrun.models.kind import ModelKind
from prefrun.rundir.directory import RunDirectory
from prefrun.rundir.files import read_json, write_json
from prefrun.rundir.machine import describe_machine
from prefrun.rundir.numerics import describe_numerics
from prefrun.training.usable import Usable


def record_machine(directory: RunDirectory) -> None:
    """Add GPUs, and torch's threads and switches."""
    _add(directory, "hardware", describe_machine())
    _add(directory, "numerics", describe_numerics() or {})


def record_model(directory: RunDirectory, kind: ModelKind) -> None:
    """Add what identifies the weights, and where and how they are used.

    Raises PrefrunError if a resumed run began with another model, unless that was accepted.
    """
    facts: dict[str, Any] = {
        "fingerprint": kind.fingerprint,
        "parameters": kind.parameters,
        "dtype": str(kind.dtype).removeprefix("torch."),
        "device": str(kind.device),
    }
    notes = {"forward": kind.forward_note, "note": kind.note}
    facts |= {name: note for name, note in notes.items() if note}
    manifest = read_json(directory.manifest)
    first = manifest.get("model", {}).get("fingerprint", kind.fingerprint)
    if first != kind.fingerprint and not _accepted(manifest):
        raise PrefrunError(
            f"{directory.path} began with another model, or the same in another number format: "
            f"fingerprint {first[:12]}, now {kind.fingerprint[:12]}\n"
            f"  remedy: restore it, or `prefrun resume {directory.path} --accept-changes`"
        )
    _add(directory, "model", facts)


def _accepted(manifest: Mapping[str, Any]) -> bool:
    """Whether the user resumes the run whatever has changed."""
    resumed = manifest.get("resumed") or [{}]
    return bool(resumed[-1].get("accepts_changes"))


def record_usable(directory: RunDirectory, usable: Usable) -> None:
    """Add what the chat template does, and put the records that the model can use in the place of
    those that were read."""
    _add(directory, "model", {"chat_template": list(usable.notes)})
    split, manifest = usable.split, read_json(directory.manifest)
    manifest["data"] |= {
        "train": len(split.train),
        "test": len(split.test),
        "problems": split.counts.problems,
        "used_fingerprint": split.fingerprint,
    }
    write_json(directory.manifest, manifest)


def record_reference(directory: RunDirectory, references: Sequence[Sequence[Tensor]]) -> None:
    """Add a digest of the reference log-probs, by record and branch.

    Cached ones may have been computed in other batches, which shows in their last bits.
    """
    digest = sha256()
    for logps in references:
        for values in logps:
            digest.update(values.numpy().tobytes())
    _add(directory, "numerics", {"reference_logps": digest.hexdigest()[:16]})


def _add(directory: RunDirectory, section: str, facts: dict[str, Any]) -> None:
    """Add FACTS, but for what an earlier try of the run has said: the manifest is how it began."""
    manifest = read_json(directory.manifest)
    earlier = manifest.get(section) or {}
    said = {key: value for key, value in earlier.items() if value is not None}
    manifest[section] = {**earlier, **facts, **said}
    write_json(directory.manifest, manifest)
