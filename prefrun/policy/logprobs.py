"""Log-probs of the answers' tokens, without the full logits.

The head runs once for each distinct token that is scored, in chunks, so memory does not grow with
positions times vocabulary. Softmax sums are in float32.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Set
from contextlib import contextmanager
from typing import Any, TypeVar

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from prefrun.errors import PluginError
from prefrun.needs import tensors_of
from prefrun.policy.attention.switch import is_active, is_checkpointing, tree_attention
from prefrun.policy.collate import lay_out
from prefrun.policy.head import Head, ToLogits, at_head
from prefrun.policy.hidden_states import HIDDEN_STATES
from prefrun.policy.linear_logps import Extra, chunk_rows, linear_logps

Result = TypeVar("Result")

PLAIN_INPUTS = ("input_ids", "attention_mask")


def _log_collision(logps: Tensor) -> Tensor:
    """[N, V] -> [N] log sum_v p(v)^2: how sure the policy is (Zhou et al. 2024, WPO, eq. 2)."""
    return torch.logsumexp(2 * logps, -1)


EXTRAS: Mapping[str, Extra] = {"log_collision": _log_collision}
"""What an algorithm may ask for in `needs`, made from [N, V] log-probs without gradient."""


def token_logprobs(
    model: Any, batch: Mapping[str, Any], needs: Set[str] = frozenset()
) -> tuple[Tensor, dict[str, Tensor]]:
    """Return log pi(token | prefix) of every answer token, and the extras named in NEEDS.

    MODEL is a transformers causal language model, wrapped or not; BATCH comes from `collate`.
    Both results are [B, K, T] float32 (float64 of a float64 model), 0 outside `token_mask`;
    extras carry no gradient, but for those of HIDDEN_STATES. Raises PluginError for a need the host
    does not know.
    """
    named = tensors_of(needs)
    states = [name for name in named if name in HIDDEN_STATES]
    wanted = [name for name in named if name not in HIDDEN_STATES]
    unknown = [name for name in wanted if name not in EXTRAS]
    if unknown:
        raise PluginError(
            f"the algorithm needs {unknown}, which a language model does not give; "
            f"it gives {sorted([*EXTRAS, *HIDDEN_STATES])}"
        )

    def score(features: Tensor, to_logits: ToLogits) -> tuple[Tensor, ...]:
        extras = [EXTRAS[name] for name in wanted]
        columns = _score(select(features, batch), to_logits, batch["target"], extras)
        return (*columns, *(HIDDEN_STATES[name](features, batch) for name in states))

    columns = run_to_head(model, batch, score)
    logps, *extras = (
        lay_out(values.index_select(0, batch["gather"]), batch["slot"], batch["token_mask"])
        for values in columns[: 1 + len(wanted)]
    )
    more = dict(zip(states, columns[1 + len(wanted) :], strict=True))
    return logps, dict(zip(wanted, extras, strict=True)) | more


def run_to_head(
    model: Any, batch: Mapping[str, Any], use: Callable[[Tensor, ToLogits], Result]
) -> Result:
    """Run MODEL on BATCH and return what USE makes of its head's input. See `at_head`.

    Raises PluginError where gradient checkpointing would attend again outside `tree_attention`.
    """
    with attending(model, batch) as inputs:
        return at_head(model, inputs, use)


@contextmanager
def attending(model: Any, batch: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the inputs that BATCH has for a transformers MODEL, which attends as they need."""
    layout = batch.get("tree_layout")
    if layout is None:
        yield {name: batch[name] for name in PLAIN_INPUTS}
        return
    if torch.is_grad_enabled() and is_checkpointing(model) and not is_active(model):
        raise PluginError(
            "packed trees with gradient checkpointing: put forward and backward pass into "
            "`with prefrun.policy.attention.switch.tree_attention(model):`"
        )
    inputs = {name: batch[name] for name in ("input_ids", "position_ids")}
    inputs["tree_layout"] = layout.to(batch["input_ids"].device)
    with tree_attention(model):
        yield inputs


def select(features: Tensor, batch: Mapping[str, Any]) -> Tensor:
    """[R, L, H] -> [U, H], the positions at which a scored token is predicted."""
    return features.flatten(0, 1).index_select(0, batch["source"])


def vocabulary_of(to_logits: ToLogits, rows: Tensor) -> int:
    """Return V, the width of the logits that TO_LOGITS makes of ROWS [N, H]."""
    with torch.no_grad():
        return to_logits(rows[:1].detach()).shape[-1]


def _score(
    rows: Tensor, to_logits: ToLogits, targets: Tensor, extras: list[Extra]
) -> tuple[Tensor, ...]:
    """Return the log-probs [U] of TARGETS and each of EXTRAS [U]."""
    linear = to_logits.linear() if isinstance(to_logits, Head) else None
    if linear is not None:
        return linear_logps(rows, targets, linear, extras)
    size = chunk_rows(vocabulary_of(to_logits, rows))
    chunks = []
    for start in range(0, max(1, len(rows)), size):
        part = (rows[start : start + size], targets[start : start + size], to_logits, extras)
        chunks.append(checkpoint(_score_chunk, *part, use_reentrant=False))
    return tuple(torch.cat(column) for column in zip(*chunks, strict=True))


def _score_chunk(
    rows: Tensor, targets: Tensor, to_logits: ToLogits, extras: list[Extra]
) -> tuple[Tensor, ...]:
    logps = to_logits(rows).log_softmax(-1)
    scored = logps.gather(-1, targets[:, None]).squeeze(-1)
    with torch.no_grad():
        more = [extra(logps) for extra in extras]
    return (scored, *more)
