"""Chooses the fastest exact way to pack a model's rows: each candidate must first prove itself."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

from prefrun.errors import ConfigError
from prefrun.policy.attention.kernel import Kernel
from prefrun.policy.head import unwrap
from prefrun.policy.packing import Packing
from prefrun.policy.packing_check import problem_with

log = logging.getLogger(__name__)


def choose_packing(model: Any, wanted: str | None = None, text: Sequence[int] = ()) -> Packing:
    """Return how MODEL's trees are packed: as WANTED, `model.attention`, else the fastest way.

    A `Kernel`'s name packs trees with it; any other name leaves one row per branch to the attention
    of transformers with that name. By itself it takes segments on a CPU, flex on CUDA, dense where
    that fails, and one row per branch, with a warning, for a model that does not honour packed
    rows. A kernel is checked on TEXT, token ids of the data. Raises ConfigError if one was asked
    for that does not give the model's log-probs.
    """
    names = {kernel.value: kernel for kernel in Kernel}
    if wanted is not None and wanted not in names:
        return Packing(None, f"one row per branch, {wanted}")
    on_cuda = next(unwrap(model).parameters()).device.type == "cuda"
    automatic = [Kernel.flex, Kernel.dense] if on_cuda else [Kernel.segments]
    for kernel in [names[wanted]] if wanted else automatic:
        problem = problem_with(model, kernel, text)
        if problem is None:
            return Packing(kernel, f"packed trees, {kernel.value}")
        if wanted:
            raise ConfigError(
                f"model.attention={wanted} does not work with {type(unwrap(model)).__name__}: "
                f"{problem}\n  remedy: leave it out"
            )
        log.warning("%s cannot pack trees with %s: %s", _name(model), kernel.value, problem)
    return Packing(None, f"one row per branch: {_name(model)} does not take packed trees")


def _name(model: Any) -> str:
    return type(unwrap(model)).__name__
