"""The reliabilities of annotators: state that is learned beside the policy."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from prefrun_robust.lcpo.loss import updated_reliability


class Reliabilities(torch.nn.Module):
    """One eta per annotator, and the number of optimizer steps behind them; no parameters."""

    eta: Tensor
    """[K]; the first is that of records without annotator."""
    steps: Tensor
    """Scalar int64."""

    def __init__(self, names: Sequence[str], start: float) -> None:
        """NAMES: annotators in order; '' and annotators left out share the first eta."""
        super().__init__()
        self.places = {name: place for place, name in enumerate(names, 1)}
        self.register_buffer("eta", torch.full((1 + len(names),), start))
        self.register_buffer("steps", torch.zeros((), dtype=torch.int64))

    def index(self, annotators: Sequence[str]) -> Tensor:
        """Return [P], the place of each annotator's eta."""
        places = [self.places.get(name, 0) for name in annotators]
        return torch.tensor(places, dtype=torch.int64, device=self.eta.device)

    def sums(self, index: Tensor, posterior: Tensor, weights: Tensor) -> dict[str, Tensor]:
        """Return what `update` takes: sums [K] over pairs of weight * w and of weight.

        index, posterior, weights: [P].
        """
        zeros = torch.zeros_like(self.eta)
        return {
            "posterior": zeros.index_add(0, index, (weights * posterior).to(zeros)),
            "count": zeros.index_add(0, index, weights.to(zeros)),
        }

    def update(self, posterior: Tensor, count: Tensor, rate: float, least: float) -> None:
        """Take one optimizer step's sums [K]. LEAST: no eta falls below it."""
        eta = updated_reliability(self.eta, posterior.to(self.eta), count.to(self.eta), rate)
        self.eta.copy_(eta.clamp(min=least))
        self.steps += 1
