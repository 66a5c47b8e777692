"""What is measured: shapes of one optimizer step, methods, targets. Standard library only."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Target:
    """How many times faster than TRL a shape is meant to be."""

    cold: float
    """The reference computed in the step."""
    cached: float
    """The reference read from the cache, TRL still computing its own."""


@dataclass(frozen=True, slots=True)
class ModelSize:
    """A Llama with random weights."""

    hidden: int
    layers: int
    intermediate: int
    heads: int


SMALL = ModelSize(hidden=256, layers=4, intermediate=688, heads=4)
"""7.4 M parameters with 8192 tokens and untied embeddings."""
LARGE = ModelSize(hidden=768, layers=12, intermediate=2048, heads=12)
"""97.5 M parameters with 8192 tokens."""


@dataclass(frozen=True, slots=True)
class Shape:
    """What one prompt of a batch looks like, and the model."""

    answers: int = 2
    """Of a list; a tree's leaves follow from depth and branching."""
    pairs: str = "best"
    """Which pairs are compared: 'best' against each other one, or 'all'. Of a tree, at each inner
    node the best next step against each other one."""
    depth: int = 1
    """Steps of a branch."""
    branching: int = 0
    """Children of an inner node; 0 = a list."""
    prompt: int = 256
    """Tokens of a prompt."""
    length: tuple[int, int] = (64, 256)
    """Fewest and most tokens of an answer, or of a tree's step; drawn uniformly."""
    vocabulary: int = 8192
    model: ModelSize = SMALL
    batch: int = 1
    """Prompts of one optimizer step."""
    target: Target | None = None

    @property
    def is_tree(self) -> bool:
        """Whether branches share steps, not only the prompt."""
        return self.branching > 0

    @property
    def leaves(self) -> int:
        """Branches of one prompt."""
        return self.branching**self.depth if self.is_tree else self.answers


def _tree(depth: int, branching: int) -> Shape:
    return Shape(
        depth=depth, branching=branching, prompt=128, length=(32, 96), target=Target(12, 18)
    )


K2 = Shape(batch=2, target=Target(3.5, 5))
K4 = Shape(answers=4, target=Target(7, 9))
K8 = Shape(answers=8, target=Target(11, 14))

SHAPES: dict[str, Shape] = {
    "k2": K2,
    "k4_best": K4,
    "k4_all": replace(K4, pairs="all", target=Target(13, 20)),
    "k8_best": K8,
    "k8_best_p1024": replace(K8, prompt=1024, target=Target(15, 20)),
    "tree_4x2": _tree(4, 2),
    "tree_3x3": _tree(3, 3),
    "k2_v32k": replace(K2, vocabulary=32768, target=None),
    "k4_best_v32k": replace(K4, vocabulary=32768, target=Target(9, 12)),
    "k4_best_v128k": replace(K4, vocabulary=131072, target=None),
    "k4_best_100m": replace(K4, model=LARGE, target=None),
}

TINY = {
    "tiny": Shape(answers=3, prompt=8, length=(4, 8), vocabulary=64, model=ModelSize(16, 1, 32, 2)),
    "tiny_tree": replace(_tree(2, 2), length=(4, 8), vocabulary=64, model=ModelSize(16, 1, 32, 2)),
}
"""For trying whether every method works; `--all` leaves them out."""

TRL_METHODS = {
    "trl": "TRL, one pair a forward pass, reference in the step",
    "trl_one_batch": "TRL, all pairs in one forward pass, reference in the step",
    "trl_precomputed": "TRL, one pair a forward pass, reference precomputed",
}
OWN_METHODS = {
    "pairs": "prefrun, one pair a forward pass, reference cached",
    "list": "prefrun, one row a branch, reference cached",
    "packed": "prefrun, shared tokens once, reference cached",
    "packed_cold": "prefrun, shared tokens once, reference in the step",
}
METHODS = TRL_METHODS | OWN_METHODS
MEMORY_METHODS = ("trl", "trl_one_batch", "list", "packed", "packed_cold")

LIST_TARGET = 0.9
"""ratio_vs_list is meant to reach this share of ideal_ratio."""
MEMORY_TARGET = 0.25
"""Our peak memory above the loaded model is meant to be at most this share of TRL's."""
SWEEP_TARGET = 10.0
