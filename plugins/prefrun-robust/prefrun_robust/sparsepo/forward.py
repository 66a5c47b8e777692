"""What a batch's answers look like to reference and policy, token by token."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from prefrun.policy.adapter import adapter_disabled
from prefrun.policy.collate import lay_out
from prefrun.policy.head import ToLogits, at_head
from prefrun.policy.linear_logps import chunk_rows
from prefrun.policy.logprobs import PLAIN_INPUTS, select, vocabulary_of
from prefrun.policy.scoring import inference
from prefrun_robust.sparsepo.activations import watching
from prefrun_robust.sparsepo.loss import token_terms

Batch = Mapping[str, Any]
"""What `prefrun.policy.collate.collate` makes of pairs, a row per answer: P pairs, N tokens."""


@dataclass(frozen=True, slots=True)
class ReferenceTokens:
    """The reference at the N positions that predict a token of an answer."""

    model: Any
    rows: Tensor
    """[N, H], the head's input."""
    to_logits: ToLogits
    hidden: Tensor
    """[N, L, H], all layers but the embedding."""
    activations: dict[str, list[Tensor]]
    """Per type, per hook, [N] means over features."""

    def logps(self, part: slice) -> Tensor:
        """[n, V] log-probs at some of the positions, without gradient."""
        with inference(self.model), adapter_disabled(self.model):
            return self.to_logits(self.rows[part]).log_softmax(-1)


def read_reference(model: Any, batch: Batch, types: Collection[str] = ()) -> ReferenceTokens:
    """Run the reference MODEL, an adapter switched off, on BATCH.

    TYPES: activations that are kept, of mlp, attention, residual and logits.
    """
    inputs = {name: batch[name] for name in PLAIN_INPUTS} | {"output_hidden_states": True}
    hooked = [kind for kind in types if kind in ("mlp", "attention")]
    with inference(model), adapter_disabled(model), watching(model, hooked) as seen:
        rows, to_logits = at_head(model, inputs, lambda f, head: (select(f, batch), head))
    states = [select(each, batch) for each in seen.states]
    activations = {
        kind: [select(each.unsqueeze(-1), batch).squeeze(-1) for each in means]
        for kind, means in seen.means.items()
    }
    if "residual" in types:
        activations["residual"] = [each.float().mean(-1) for each in states]
    found = ReferenceTokens(model, rows, to_logits, torch.stack(states, 1), activations)
    if "logits" in types:
        with inference(model), adapter_disabled(model):
            means = [to_logits(rows[part]).mean(-1) for part in chunks(rows, to_logits)]
        activations["logits"] = [torch.cat(means)]
    return found


def policy_terms(model: Any, batch: Batch, reference: ReferenceTokens) -> tuple[Tensor, Tensor]:
    """r and k of every answer's tokens under the policy MODEL: [P, 2, T] each, 0 in the padding.

    Log-probs over the vocabulary exist for one chunk of positions at a time, in the backward pass,
    too.
    """

    def score(features: Tensor, to_logits: ToLogits) -> tuple[Tensor, ...]:
        rows = select(features, batch)

        def terms(chosen: Tensor, part: slice) -> tuple[Tensor, Tensor]:
            logps = to_logits(chosen).log_softmax(-1)
            return token_terms(logps, reference.logps(part).to(logps), batch["target"][part])

        columns = [
            checkpoint(terms, rows[part], part, use_reentrant=False)
            for part in chunks(rows, to_logits)
        ]
        return tuple(torch.cat(column) for column in zip(*columns, strict=True))

    inputs = {name: batch[name] for name in PLAIN_INPUTS}
    rewards, kl = at_head(model, inputs, score)
    return on_answers(rewards, batch), on_answers(kl, batch)


def on_answers(values: Tensor, batch: Batch) -> Tensor:
    """[N] -> [P, 2, T], 0 in the padding."""
    return lay_out(values.index_select(0, batch["gather"]), batch["slot"], batch["token_mask"])


def chunks(rows: Tensor, to_logits: ToLogits) -> list[slice]:
    """Cut [N, H] into pieces whose logits are small; at least one piece."""
    size = chunk_rows(vocabulary_of(to_logits, rows))
    return [slice(start, start + size) for start in range(0, max(1, len(rows)), size)]
