"""Compares the saved weights of two runs, tensor by tensor. Imports torch."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from torch import Tensor

from prefrun.errors import PrefrunError
from prefrun.repetition.deviation import SMALLEST, Deviation

KIND = "weights"


def weight_deviations(old: Path, new: Path, tolerance: float) -> tuple[int, list[Deviation]]:
    """Return the number of tensors in the model folders OLD and NEW, and those that deviate.

    TOLERANCE is relative to a tensor's largest number; 0 = bit for bit. A folder that is missing
    holds none. Raises PrefrunError, naming the file, for one that cannot be read.
    """
    with ExitStack() as stack:
        before, after = (_tensors(folder, stack) for folder in (old, new))
        names = dict.fromkeys([*before, *after])
        found = [
            deviation
            for name in names
            if (deviation := _between(name, before.get(name), after.get(name), tolerance))
        ]
    return len(names), found


def _tensors(folder: Path, stack: ExitStack) -> dict[str, Any]:
    """The open file of every tensor in FOLDER, by the tensor's name."""
    return {name: file for file in _files(folder, stack) for name in file.keys()}  # noqa: SIM118


def _files(folder: Path, stack: ExitStack) -> Iterator[Any]:
    for path in sorted(folder.glob("*.safetensors")):
        try:
            yield stack.enter_context(safe_open(path, framework="pt"))
        except Exception as error:  # safetensors has exceptions of its own
            raise PrefrunError(f"{path}: cannot be read: {error}") from error


def _between(name: str, old: Any, new: Any, tolerance: float) -> Deviation | None:
    if old is None or new is None:
        note = f"only in the {'new' if old is None else 'old'} run"
        return Deviation(KIND, name, None, None, math.inf, math.inf, note)
    one, two = old.get_tensor(name), new.get_tensor(name)
    if one.shape != two.shape or one.dtype != two.dtype:
        note = f"{_form(one)}, now {_form(two)}"
        return Deviation(KIND, name, None, None, math.inf, math.inf, note)
    if torch.equal(_bytes(one), _bytes(two)):
        return None
    before, after = one.double().flatten(), two.double().flatten()
    gaps = (after - before).abs().nan_to_num(nan=math.inf)
    size, scale = float(gaps.max()), float(before.abs().max())
    if tolerance > 0 and size <= tolerance * max(scale, SMALLEST):
        return None
    place = int(gaps.argmax())
    relative = size / scale if scale else math.inf
    note = f"{int((gaps > 0).sum())} of {gaps.numel()} differ"
    return Deviation(KIND, name, float(before[place]), float(after[place]), size, relative, note)


def _bytes(tensor: Tensor) -> Tensor:
    return tensor.contiguous().reshape(-1).view(torch.uint8)


def _form(tensor: Tensor) -> str:
    return f"{str(tensor.dtype).removeprefix('torch.')} {list(tensor.shape)}"
