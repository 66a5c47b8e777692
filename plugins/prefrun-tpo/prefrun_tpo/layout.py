"""Places the steps of a tree: equal beginnings are one node. Standard library only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(slots=True)
class Node:
    """One step, shared by all branches that come through it."""

    text: str
    depth: int
    """Steps before it; the prompt has depth -1."""
    reward: float | None
    """Its implied reward; None for the prompt."""
    children: list[Node] = field(default_factory=list)
    leaf: int | None = None
    """Number of the branch that ends here."""
    height: float = 0.0
    """Vertical place: 0 is the first leaf, 1 the next."""


def grow(prompt: str, branches: Sequence[tuple[Sequence[str], Sequence[float]]]) -> Node:
    """Return the root of the tree of BRANCHES, each its steps and their rewards, with heights.

    The reward of a shared step is that of the first branch: what stands before it is the same. A
    branch that is the beginning of another one has its last step drawn beside it.
    """
    root = Node(prompt, -1, None)
    for number, (steps, rewards) in enumerate(branches):
        node = root
        for place, (text, reward) in enumerate(zip(steps, rewards, strict=True)):
            last = place == len(steps) - 1
            node = _child(node, text, reward, number if last else None)
    _place(root, 0)
    return root


def nodes(root: Node) -> list[Node]:
    """Return all nodes, parents before children."""
    found = [root]
    for child in root.children:
        found += nodes(child)
    return found


def _child(node: Node, text: str, reward: float, leaf: int | None) -> Node:
    if leaf is None:
        for child in node.children:
            if child.text == text and child.leaf is None:
                return child
    child = Node(text, node.depth + 1, reward, leaf=leaf)
    node.children.append(child)
    return child


def _place(node: Node, used: int) -> int:
    """Set the heights below NODE, from leaf USED on; return the next free leaf."""
    if not node.children:
        node.height = float(used)
        return used + 1
    for child in node.children:
        used = _place(child, used)
    node.height = (node.children[0].height + node.children[-1].height) / 2
    return used
