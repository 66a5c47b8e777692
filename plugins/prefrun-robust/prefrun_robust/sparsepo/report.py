"""The section of report.md that shows token masks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from prefrun.rundir.figure import BLUE, GREY, picture
from prefrun.rundir.files import read_json

FILE = "sparsepo/masks.json"
"""In the run's folder: a row per held-out answer, with tokens and masks."""
PICTURE = "sparsepo-masks.png"
ANSWERS = 8
TOKENS = 24
"""Answers, and tokens of each, that are drawn."""


def section(directory: Path, folder: Path) -> str | None:
    """Draw the masks that the run in DIRECTORY kept; None where it kept none."""
    file = directory / FILE
    if not file.exists():
        return None
    _draw(folder / "plots" / PICTURE, read_json(file)[:ANSWERS])
    return (
        "## Token masks\n\n"
        "Reward masks on held-out answers, the better and the worse one of a record in turn: the "
        "darker, the more a token's log-ratio counts; white counts nothing. Underlined: tokens "
        f"that decide, where the data say so.\n\n![token masks](plots/{PICTURE})"
    )


def _draw(path: Path, rows: list[dict[str, Any]]) -> None:
    from matplotlib.patches import Rectangle

    most = max((weight for row in rows for weight in row["reward_mask"]), default=0.0) or 1.0
    width = max(min(len(row["tokens"]), TOKENS) for row in rows)
    with picture(path, 1, max(4.0, 0.42 * width + 1.0), 0.42 * len(rows) + 0.4) as (_, (axes,)):
        for line, row in enumerate(rows):
            decisive = row["decisive"] or [False] * len(row["tokens"])
            marks = zip(row["tokens"], row["reward_mask"], decisive, strict=True)
            for place, (token, weight, decides) in enumerate(list(marks)[:TOKENS]):
                strength = weight / most
                box = Rectangle(
                    (place, line), 0.96, 0.9, facecolor=BLUE, alpha=strength, edgecolor="none"
                )
                axes.add_patch(box)
                ink = "white" if strength > 0.55 else "black"
                axes.text(place + 0.48, line + 0.45, token[:6], ha="center", va="center", color=ink)
                if decides:
                    axes.plot([place + 0.2, place + 0.76], [line + 0.82] * 2, color=ink, lw=1.5)
        axes.set(xlim=(0, width), ylim=(len(rows), 0), xticks=[])
        axes.set_yticks(
            [line + 0.45 for line in range(len(rows))],
            ["better" if row["better"] else "worse" for row in rows],
            color=GREY,
        )
        axes.grid(visible=False)
        for spine in axes.spines.values():
            spine.set_visible(False)
        axes.tick_params(length=0)
