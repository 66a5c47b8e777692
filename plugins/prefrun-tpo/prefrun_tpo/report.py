"""The section of report.md that shows trees."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from prefrun.rundir.files import read_json
from prefrun_tpo.tree_ranking import FILE


def section(directory: Path, folder: Path) -> str | None:
    """Draw the trees of the run in DIRECTORY into FOLDER/plots; None where it has none."""
    kept = directory / "evaluation" / FILE
    if not kept.exists():
        return None
    from prefrun_tpo.picture import write_picture

    trees = read_json(kept)
    lines = [
        "## Trees",
        "",
        "Held-out trees after training. A step that branches share is drawn once; its colour is "
        "its implied reward log pi - log pi_ref, blue above 0 and orange below. At the end of a "
        "branch: its score, and its implied reward.",
    ]
    for number, tree in enumerate(trees, 1):
        name = f"tree-{number}.svg"
        write_picture(folder / "plots" / name, tree)
        lines += ["", f"Record {tree['id']}{_tau(tree)}:", "", f"![a tree](plots/{name})"]
    return "\n".join(lines)


def _tau(tree: dict[str, Any]) -> str:
    return "" if tree["tau"] is None else f", Kendall's tau {tree['tau']:.2f}"
