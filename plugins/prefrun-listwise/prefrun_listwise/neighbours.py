"""Weighted k-nearest-neighbour classification on embeddings (Wu et al. 2018, arXiv 1805.01978)."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import normalize

QUERIES = 512
"""Queries that are compared at once."""


def nearest_classes(
    bank: Tensor, classes: Tensor, queries: Tensor, k: int, temperature: float
) -> Tensor:
    """Class of each query by the votes exp(cosine / temperature) of its k nearest in the bank.

    bank: [N, D]; classes: [N] int64 from 0; queries: [M, D]. Returns [M] int64.
    """
    bank = normalize(bank, dim=-1)
    chosen = []
    for part in normalize(queries, dim=-1).split(QUERIES):
        cosines, nearest = (part @ bank.T).topk(min(k, len(bank)), dim=-1)
        votes = cosines.new_zeros(len(part), int(classes.max()) + 1)
        weights = ((cosines - cosines[:, :1]) / temperature).exp()  # the nearest has weight 1
        chosen.append(votes.scatter_add_(1, classes[nearest], weights).argmax(-1))
    return torch.cat(chosen)
