"""Makes the base loss that the configuration names."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from torch import Tensor

from prefrun import ConfigError
from prefrun.algorithm import LossAlgorithm
from prefrun.base_algorithm import build_loss
from prefrun.errors import closest
from prefrun.needs import NORMALISED, REFERENCE
from prefrun.policy.batch import BranchBatch
from prefrun_robust.lcpo.bases import BASES, NEED_REFERENCE, Side
from prefrun_robust.lcpo.pairs import with_winner

PairLoss = Callable[[BranchBatch, int], Tensor]
"""(pairs, column of the winner) -> [P] loss of each pair."""


def make_base(name: str, keys: Mapping[str, Any]) -> tuple[PairLoss, frozenset[str]]:
    """Return the base loss NAME and what it needs of a batch.

    dpo, ipo, simpo and cpo are LCPO's own; any other name is an installed loss, asked twice, with
    the labels of each pair exchanged. Raises ConfigError for an unknown name or key.
    """
    if name in BASES:
        _check_keys(name, keys)
        needs = frozenset({REFERENCE}) if name in NEED_REFERENCE else frozenset()
        if name == "cpo" and keys.get("nll_weight", 1.0):  # a likelihood is of probabilities
            needs = frozenset({NORMALISED})
        return partial(_own, partial(BASES[name], **keys)), needs
    loss = build_loss(name, keys)
    own = type(loss)
    if own.make_module is not LossAlgorithm.make_module or loss.batch_coupled:
        raise ConfigError(
            f"algo.base={name} has parameters of its own or compares records with each other; "
            f"LCPO needs a loss of single pairs\n  remedy: one of {', '.join(BASES)}"
        )
    return partial(_installed, name, loss), loss.needs


def _check_keys(name: str, keys: Mapping[str, Any]) -> None:
    parameters = inspect.signature(BASES[name]).parameters.values()
    defaults = {each.name: each.default for each in parameters if each.kind is each.KEYWORD_ONLY}
    for key, value in keys.items():
        where = f"algo.base_keys.{key}"
        if key not in defaults:
            raise ConfigError(
                f"{where}: algo.base={name} has no such key.{closest(key, list(defaults))} "
                f"Keys: {', '.join(defaults)}"
            )
        if isinstance(defaults[key], bool):
            if not isinstance(value, bool):
                raise ConfigError(f"{where}={value} must be true or false")
        elif isinstance(value, bool) or not isinstance(value, int | float):
            raise ConfigError(f"{where}={value} must be a number")
        elif not 0 <= value < math.inf or (value == 0 and key in ("beta", "tau")):
            bound = "above 0" if key in ("beta", "tau") else "at least 0"
            raise ConfigError(f"{where}={value} must be {bound}, and finite")


def _own(loss: Callable[..., Tensor], pairs: BranchBatch, winner: int) -> Tensor:
    policy, lengths = pairs.policy_logps, pairs.lengths.clamp(min=1)
    reference = None if pairs.reference_token_logps is None else pairs.reference_logps
    sides = [
        Side(policy[:, k], None if reference is None else reference[:, k], lengths[:, k])
        for k in (winner, 1 - winner)
    ]
    return loss(*sides)


def _installed(name: str, loss: LossAlgorithm, pairs: BranchBatch, winner: int) -> Tensor:
    terms = loss.loss(with_winner(pairs, winner)).terms
    shape = pairs.weights.shape
    for term, values in ((term, value.values) for term, value in terms.items()):
        if values.shape != shape:
            raise ConfigError(
                f"algo.base={name}: its term '{term}' has {len(values)} values for "
                f"{len(pairs.ids)} pairs; LCPO needs a loss with one value a pair"
            )
    total: Tensor = sum(
        (value.values for value in terms.values()), start=pairs.policy_logps[:, 0] * 0.0
    )
    return total
