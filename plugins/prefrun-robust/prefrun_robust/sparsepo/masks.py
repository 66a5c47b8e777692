"""Where token masks come from: learned heads on hidden states, or activations (MaPO)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

WIDTH = 200
"""Hidden units of the two-layer heads."""


class MaskHead(nn.Module):
    """Turns the reference's hidden states at N positions into N numbers of at least 0.

    simple: per layer Linear(H -> 1), ReLU, dropout; ml: Linear(H -> 200), dropout,
    Linear(200 -> 1), ReLU; binary: the sign of `simple`, through which no gradient flows. Over
    several layers the results are joined by Linear(L -> 1) without bias and ReLU.
    """

    def __init__(
        self, kind: str, layers: int, hidden: int, dropout: float, start: float | None = None
    ) -> None:
        """KIND: simple, ml or binary. START: about what the masks are at first."""
        super().__init__()
        self.kind = kind
        self.norm = nn.LayerNorm(hidden)
        self.heads = nn.ModuleList(_head(kind, hidden, dropout) for _ in range(layers))
        self.join = nn.Linear(layers, 1, bias=False) if layers > 1 else None
        self.dropout = nn.Dropout(dropout)
        if start is not None:
            self._start_at(start)

    def forward(self, hidden: Tensor) -> Tensor:
        """[N, L, H] -> [N]."""
        states = self.norm(hidden)
        columns = [head(states[:, layer]) for layer, head in enumerate(self.heads)]
        masks: Tensor = self.dropout(torch.relu(torch.cat(columns, -1)))
        if self.join is not None:
            masks = self.dropout(torch.relu(self.join(masks)))
        masks = masks.squeeze(-1)
        return masks.sign() if self.kind == "binary" else masks

    @torch.no_grad()
    def _start_at(self, start: float) -> None:
        """Small weights, biases of 1, equal shares for all layers: masks are about START."""
        for head in self.heads:
            last = head[-1] if isinstance(head, nn.Sequential) else head
            assert isinstance(last, nn.Linear)
            last.weight.mul_(0.1)
            last.bias.fill_(1.0 if self.join is not None else start)
        if self.join is not None:
            self.join.weight.fill_(start / len(self.heads))


def _head(kind: str, hidden: int, dropout: float) -> nn.Module:
    if kind == "ml":
        return nn.Sequential(nn.Linear(hidden, WIDTH), nn.Dropout(dropout), nn.Linear(WIDTH, 1))
    return nn.Linear(hidden, 1)


def rescaled(values: Tensor, mask: Tensor) -> Tensor:
    """(v - min) / (max - min) over each answer's tokens, 0 elsewhere: [P, T].

    values: [P, T]; mask: [P, T] bool. An answer whose values are all equal, such as one token, gets
    1. The official z-normalisation before it changes nothing, as this map is affine-invariant.
    """
    low = values.masked_fill(~mask, torch.inf).amin(-1, keepdim=True)
    high = values.masked_fill(~mask, -torch.inf).amax(-1, keepdim=True)
    span = high - low
    flat = (span <= 0) | ~span.isfinite()
    scaled = (values - low) / torch.where(flat, torch.ones_like(span), span)
    return torch.where(flat, torch.ones_like(scaled), scaled).masked_fill(~mask, 0.0)


def activation_mask(activations: Mapping[str, Sequence[Tensor]], mask: Tensor) -> Tensor:
    """MaPO: the mean over types of the mean over a type's hooks of `rescaled`: [P, T].

    activations: per type, per hook, [P, T] means over the hook's features.
    """
    kinds = [
        torch.stack([rescaled(each, mask) for each in hooks]).mean(0)
        for hooks in activations.values()
    ]
    return torch.stack(kinds).mean(0)
