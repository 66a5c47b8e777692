"""Random numbers by name, and the tokens that follow from them."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b

import torch
from torch import Tensor


def uniforms(seed: int, names: Sequence[str], count: int) -> Tensor:
    """Return [len(NAMES), COUNT] float64 in [0, 1); a row depends on SEED and its name only.

    A smaller COUNT gives the first of the same numbers. The global random state is neither read
    nor changed.
    """
    rows = []
    for name in names:
        digest = blake2b(f"{seed}\0{name}".encode(), digest_size=8).digest()
        generator = torch.Generator().manual_seed(int.from_bytes(digest, "little") >> 1)
        rows.append(torch.rand(count, generator=generator, dtype=torch.float64))
    return torch.stack(rows)


def draw(logits: Tensor, numbers: Tensor, temperature: float, top_p: float) -> Tensor:
    """Return [N] token ids: of each row of logits [N, V] where its CDF passes its number.

    NUMBERS: [N] float64 in [0, 1), on the device of LOGITS. Temperature 0 takes the likeliest.
    """
    if temperature == 0:
        return logits.argmax(-1)
    probabilities = (logits.double() / temperature).softmax(-1)
    if top_p < 1:
        probabilities = _nucleus(probabilities, top_p)
    cdf = probabilities.cumsum(-1)
    point = numbers[:, None] * cdf[:, -1:]
    return torch.searchsorted(cdf, point, right=True).clamp(max=cdf.shape[-1] - 1)[:, 0]


def _nucleus(probabilities: Tensor, top_p: float) -> Tensor:
    """Set to 0 what is not among the likeliest tokens that reach TOP_P (Holtzman et al. 2020)."""
    ordered, places = probabilities.sort(descending=True, stable=True)
    before = ordered.cumsum(-1) - ordered
    return torch.zeros_like(probabilities).scatter(1, places, ordered.where(before < top_p, 0.0))


def logps_of(logits: Tensor, tokens: Tensor) -> Tensor:
    """Return [N] log-probs of TOKENS [N] under LOGITS [N, V]."""
    return logits.gather(1, tokens[:, None])[:, 0] - logits.logsumexp(-1)
