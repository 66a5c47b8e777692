"""Log-probs under the frozen reference: read from the cache, the rest computed and written."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from torch import Tensor

from prefrun.errors import PrefrunError
from prefrun.policy.adapter import adapter_disabled
from prefrun.policy.cache import ReferenceCache, path_key
from prefrun.policy.fingerprint import weights_version
from prefrun.policy.policy import BranchLogps, LoadedModel
from prefrun.policy.scoring import scored_batches
from prefrun.policy.tokenise import TokenisedTree

if TYPE_CHECKING:
    from prefrun.models.text import LanguageModel


def reference_logps(
    model: LanguageModel,
    trees: Sequence[TokenisedTree],
    cache: ReferenceCache | None,
    budget: int,
    show: Callable[[int, int], None] = lambda done, total: None,
) -> list[BranchLogps]:
    """Return the log-probs of TREES under the start model, an adapter switched off.

    Only what CACHE lacks is computed, rows of up to BUDGET tokens at a time, longest first, each
    branch once however many trees have it; a batch is written before the next begins, so a killed
    pass goes on with the same batches. SHOW is called with the branches done and in all. Raises
    PrefrunError where the weights are no longer those of `loaded.fingerprint`.
    """
    loaded = model.loaded
    _check_frozen(loaded)
    keys = [
        [
            path_key(loaded.fingerprint, prompt, ids)
            for prompt, ids in zip(tree.prompts, tree.branches, strict=True)
        ]
        for tree in trees
    ]
    wanted = {key for row in keys for key in row}
    known = cache.read(loaded.fingerprint, wanted) if cache else {}
    show(len(known), len(wanted))
    missing, missing_keys = _missing(trees, keys, known)
    with adapter_disabled(loaded.model):
        for batch in scored_batches(model, missing, budget):
            fresh: dict[bytes, Tensor] = {}
            for piece, logps in batch:
                row = [missing_keys[piece.index][branch] for branch in piece.branches]
                fresh |= zip(row, logps.token_logps, strict=True)
            if cache:
                cache.write(loaded.fingerprint, fresh)
            known |= fresh
            show(len(known), len(wanted))
    return [BranchLogps(tuple(known[key] for key in row)) for row in keys]


def _missing(
    trees: Sequence[TokenisedTree], keys: list[list[bytes]], known: dict[bytes, Tensor]
) -> tuple[list[TokenisedTree], list[list[bytes]]]:
    """Return the trees with only their unknown branches, each branch in one tree only."""
    seen = set(known)
    left: list[TokenisedTree] = []
    left_keys: list[list[bytes]] = []
    for tree, row in zip(trees, keys, strict=True):
        places = []
        for place, key in enumerate(row):
            if key not in seen:
                seen.add(key)
                places.append(place)
        if places:
            left_keys.append([row[place] for place in places])
            left.append(tree.only(places))
    return left, left_keys


def _check_frozen(loaded: LoadedModel) -> None:
    if loaded.weights_version in (None, weights_version(loaded.model)):
        return
    raise PrefrunError(
        f"reference log-probs were asked of '{loaded.name}' after its weights had been trained\n"
        "  remedy: take them before training, or from a second, frozen copy of the start model"
    )
