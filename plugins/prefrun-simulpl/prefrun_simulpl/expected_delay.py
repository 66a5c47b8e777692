"""Expected delays under write probabilities: a latency regulariser with a gradient.

prefrun's own design, no part of the paper; its recursion is that of monotonic attention.
"""

from __future__ import annotations

import torch
from torch import Tensor


def expected_delays(write: Tensor, lengths: Tensor | None = None) -> Tensor:
    """[..., T, S] probability of writing unit t once j source units are read -> [..., T] E[g(t)].

    a(t,j), the probability that unit t is written after exactly j reads, follows from
    u(t,j) = a(t-1,j) + u(t,j-1) (1 - c(t,j-1)), a(t,j) = c(t,j) u(t,j), a(0,1) = 1. With the whole
    source read, writing is certain. LENGTHS [...]: source lengths where they differ; default S.
    """
    places = torch.arange(1, write.shape[-1] + 1, device=write.device)
    last = places if lengths is None else lengths.unsqueeze(-1)
    final = places >= (write.shape[-1] if lengths is None else last)
    certain = torch.where(final.unsqueeze(-2), torch.ones_like(write), write)
    before = torch.zeros_like(write[..., 0, :])
    before[..., 0] = 1.0
    means = []
    for unit in range(write.shape[-2]):
        arrived, columns = torch.zeros_like(before[..., 0]), []
        for place in range(write.shape[-1]):
            here = before[..., place] + arrived
            columns.append(certain[..., unit, place] * here)
            arrived = (1 - certain[..., unit, place]) * here
        before = torch.stack(columns, dim=-1)
        means.append((before * places).sum(-1))
    return torch.stack(means, dim=-1)


def expected_proportion(write: Tensor) -> Tensor:
    """[..., T, S] -> [...] E[AP] = mean over t of E[g(t)] / S."""
    return expected_delays(write).mean(-1) / write.shape[-1]
