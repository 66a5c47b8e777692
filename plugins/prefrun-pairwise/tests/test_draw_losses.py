"""The script that draws the documentation's picture of the losses."""

from __future__ import annotations

import runpy
from pathlib import Path

SCRIPT = Path(__file__).parents[1] / "docs" / "draw_losses.py"


def test_the_picture_can_be_drawn_anew(tmp_path: Path) -> None:
    runpy.run_path(str(SCRIPT))["draw"](tmp_path / "losses.png")
    assert (tmp_path / "losses.png").read_bytes().startswith(b"\x89PNG")
