"""The network of scores: linear in the features, or with one hidden layer."""

from __future__ import annotations

import torch
from torch import Tensor


class ScoreNetwork(torch.nn.Module):
    """Gives every feature vector a score; at first 0, which is also the reference's."""

    def __init__(self, features: int, hidden: int) -> None:
        """HIDDEN units between features and score; 0 = none."""
        super().__init__()
        self.features, self.width = features, hidden or features
        self.body = (
            torch.nn.Sequential(torch.nn.Linear(features, hidden), torch.nn.ReLU())
            if hidden
            else torch.nn.Identity()
        )
        self.head = torch.nn.Linear(self.width, 1, bias=False)
        torch.nn.init.zeros_(self.head.weight)

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Return the scores [...] of features [..., D], and what the head saw [..., H]."""
        states = self.body(features)
        return self.head(states).squeeze(-1), states
