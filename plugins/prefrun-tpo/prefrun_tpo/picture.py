"""Draws a preference tree as SVG. Imports matplotlib on use."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from textwrap import shorten
from typing import TYPE_CHECKING, Any
from warnings import catch_warnings, filterwarnings

from prefrun.rundir.figure import BLUE, GREY, ORANGE, STYLE
from prefrun.rundir.files import write_atomically
from prefrun_tpo.layout import Node, grow, nodes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

CHARACTERS = 26
"""Of a step's text."""
WIDTH, HEIGHT, GAP = 2.0, 0.42, 0.45
"""Of a box, and between columns, in inches."""
NEUTRAL = "#F4F4F4"


def write_picture(path: Path, tree: dict[str, Any]) -> None:
    """Write TREE, as `tree_ranking.describe` returns it, to PATH: .svg, or .png by its name."""
    from matplotlib import rc_context
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    branches = tree["branches"]
    root = grow(tree["prompt"], [(b["steps"], b["step_rewards"]) for b in branches])
    placed = nodes(root)
    columns = max(node.depth for node in placed) + 2
    rows = sum(node.leaf is not None for node in placed)
    width, height = columns * (WIDTH + GAP) + 1.6, rows * 0.75 + 0.5
    with rc_context({**STYLE, "svg.hashsalt": "prefrun", "svg.fonttype": "none"}):
        figure = Figure(figsize=(width, height))
        FigureCanvasAgg(figure)
        axes = figure.add_axes((0, 0, 1, 1))
        axes.set(xlim=(-0.15, width - 0.15), ylim=(height, 0))
        axes.axis("off")
        _draw(axes, placed, branches)
        content = BytesIO()
        kind = path.suffix.removeprefix(".")
        metadata = {"Date": None} if kind == "svg" else None
        with catch_warnings():  # a viewer has the letters that matplotlib's font lacks
            filterwarnings("ignore", "Glyph .* missing")
            figure.savefig(content, format=kind, dpi=110, metadata=metadata)
    write_atomically(path, content.getvalue())


def _draw(axes: Axes, placed: list[Node], branches: list[dict[str, Any]]) -> None:
    scale = max((abs(node.reward) for node in placed if node.reward is not None), default=0.0)
    for node in placed:
        for child in node.children:
            (x, y), (to, down) = _corner(node), _corner(child)
            middle = x + WIDTH + GAP / 2
            axes.plot([x + WIDTH, middle, middle, to], [y, y, down, down], color=GREY, linewidth=1)
    for node in placed:
        _draw_box(axes, node, scale)
        if node.leaf is not None:
            x, y = _corner(node)
            branch = branches[node.leaf]
            axes.text(
                x + WIDTH + 0.12,
                y,
                f"score {branch['score']:.4g}\nreward {branch['reward']:+.2f}",
                va="center",
                fontsize=9,
            )


def _draw_box(axes: Axes, node: Node, scale: float) -> None:
    from matplotlib.patches import FancyBboxPatch

    x, y = _corner(node)
    box = FancyBboxPatch(
        (x, y - HEIGHT / 2),
        WIDTH,
        HEIGHT,
        boxstyle="round,pad=0,rounding_size=0.08",
        facecolor=_colour(node.reward, scale),
        edgecolor=GREY,
        linewidth=0.8,
    )
    axes.add_patch(box)
    text = shorten(node.text, CHARACTERS, placeholder="…") or repr(node.text)[:CHARACTERS]
    reward = "" if node.reward is None else f"\n{node.reward:+.2f}"
    axes.text(
        x + WIDTH / 2,
        y,
        (text + reward).replace("$", r"\$"),  # no mathematics
        ha="center",
        va="center",
        fontsize=8.5,
        linespacing=1.25,
    )


def _corner(node: Node) -> tuple[float, float]:
    """Left end and middle height of a node's box, in inches."""
    return (node.depth + 1) * (WIDTH + GAP), 0.6 + node.height * 0.75


def _colour(reward: float | None, scale: float) -> Any:
    """From white towards blue for a positive reward, orange for a negative one."""
    from matplotlib.colors import to_rgb

    if reward is None or scale == 0:
        return NEUTRAL
    strength = 0.75 * min(1.0, abs(reward) / scale)
    end = to_rgb(BLUE if reward > 0 else ORANGE)
    return tuple(1 - strength * (1 - part) for part in end)
