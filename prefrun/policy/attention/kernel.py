"""The ways to attend along trees. Standard library only."""

from __future__ import annotations

from enum import Enum


class Kernel(Enum):
    """The ways to attend along trees that share a row."""

    segments = "segments"
    """CPU: causal chains and full blocks, no mask."""
    flex = "flex"
    """CUDA: FlexAttention with a block mask."""
    dense = "dense"
    """Anywhere: scaled dot products with a mask per tree."""
