"""Log-probs of the answers' tokens, without the full logits.

The head runs only where a token is scored, in chunks whose logits are recomputed in the backward
pass, so memory does not grow with positions times vocabulary. Softmax sums are in float32.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Set
from typing import Any

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from prefrun.errors import PluginError
from prefrun.policy.collate import lay_out
from prefrun.policy.head import ToLogits, at_head

KEEP_BYTES = 128 << 20
"""Logits up to this size are kept for the backward pass; larger ones are recomputed in chunks."""
CHUNK_BYTES = 64 << 20
MODEL_INPUTS = ("input_ids", "attention_mask")


def _log_collision(logps: Tensor) -> Tensor:
    """[N, V] -> [N] log sum_v p(v)^2: how sure the policy is (Zhou et al. 2024, WPO, eq. 2)."""
    return torch.logsumexp(2 * logps, -1)


EXTRAS: Mapping[str, Callable[[Tensor], Tensor]] = {"log_collision": _log_collision}
"""What an algorithm may ask for in `needs`, made from [N, V] log-probs without gradient."""


def token_logprobs(
    model: Any, batch: Mapping[str, Any], needs: Set[str] = frozenset()
) -> tuple[Tensor, dict[str, Tensor]]:
    """Return log pi(token | prefix) of every answer token, and the extras named in NEEDS.

    MODEL is a transformers causal language model, wrapped or not; BATCH comes from `collate`.
    Both results are [B, K, T] float32 (float64 of a float64 model), 0 outside `token_mask`;
    extras carry no gradient. Raises PluginError for a need the host does not know.
    """
    wanted = sorted(needs - {"reference"})
    unknown = [name for name in wanted if name not in EXTRAS]
    if unknown:
        raise PluginError(
            f"the algorithm needs {unknown}, which the host cannot compute; "
            f"it knows {['reference', *EXTRAS]}"
        )

    def score(features: Tensor, to_logits: ToLogits) -> tuple[Tensor, ...]:
        return _score(select(features, batch), to_logits, batch["target"], wanted)

    inputs = {name: batch[name] for name in MODEL_INPUTS}
    columns = at_head(model, inputs, score)
    logps, *extras = (lay_out(values, batch["slot"], batch["token_mask"]) for values in columns)
    return logps, dict(zip(wanted, extras, strict=True))


def select(features: Tensor, batch: Mapping[str, Any]) -> Tensor:
    """[R, L, H] -> [N, H], the positions at which a scored token is predicted."""
    return features.flatten(0, 1).index_select(0, batch["source"])


def vocabulary_of(to_logits: ToLogits, rows: Tensor) -> int:
    """Return V, the width of the logits that TO_LOGITS makes of ROWS [N, H]."""
    with torch.no_grad():
        return to_logits(rows[:1].detach()).shape[-1]


def chunk_rows(vocabulary: int) -> int:
    """Return how many positions' float32 logits fit into one chunk."""
    return min(max(CHUNK_BYTES // (4 * vocabulary), 128), 1024)


def _score(
    rows: Tensor, to_logits: ToLogits, targets: Tensor, wanted: list[str]
) -> tuple[Tensor, ...]:
    """Return the log-probs [N] of TARGETS and each wanted extra [N]."""
    vocabulary = vocabulary_of(to_logits, rows)
    if torch.is_grad_enabled() and 4 * vocabulary * len(rows) <= KEEP_BYTES:
        return _score_chunk(rows, targets, to_logits, wanted)
    size = chunk_rows(vocabulary)
    chunks = []
    for start in range(0, max(1, len(rows)), size):
        part = (rows[start : start + size], targets[start : start + size], to_logits, wanted)
        chunks.append(checkpoint(_score_chunk, *part, use_reentrant=False))
    return tuple(torch.cat(column) for column in zip(*chunks, strict=True))


def _score_chunk(
    rows: Tensor, targets: Tensor, to_logits: ToLogits, wanted: list[str]
) -> tuple[Tensor, ...]:
    logps = to_logits(rows).log_softmax(-1)
    scored = logps.gather(-1, targets[:, None]).squeeze(-1)
    with torch.no_grad():
        extras = [EXTRAS[name](logps) for name in wanted]
    return (scored, *extras)
