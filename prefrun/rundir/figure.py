"""The look of every picture: sizes, colours, a grid of panels. Imports matplotlib on use."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from prefrun.rundir.files import write_atomically

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito's palette: told apart with any kind of colour vision
BLUE, ORANGE, GREEN = "#0072B2", "#D55E00", "#009E73"
GREY = "#8A8A8A"
DOTS_PER_INCH = 150
COLUMNS = 3
STYLE: Any = {
    "font.size": 10,
    "axes.titlesize": 11,
    "axes.titlelocation": "left",
    "axes.labelsize": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": GREY,
    "axes.grid": True,
    "grid.color": "#E6E6E6",
    "grid.linewidth": 0.8,
    "axes.axisbelow": True,
    "axes.formatter.useoffset": False,
    "legend.frameon": False,
    "lines.linewidth": 1.6,
    "figure.constrained_layout.w_pad": 0.08,
    "figure.constrained_layout.h_pad": 0.08,
}


@contextmanager
def picture(
    path: Path, panels: int, width: float, height: float, *, share_y: bool = False
) -> Iterator[tuple[Figure, list[Axes]]]:
    """Yield a figure of PANELS axes, COLUMNS side by side, and write it to PATH as PNG at the end.

    Each panel is WIDTH x HEIGHT inches. Raises PrefrunError as `write_atomically` does.
    """
    from matplotlib import rc_context
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    columns = min(COLUMNS, panels)
    rows = ceil(panels / columns)
    with rc_context(STYLE):
        figure = Figure(figsize=(columns * width, rows * height), layout="constrained")
        FigureCanvasAgg(figure)
        grid = list(figure.subplots(rows, columns, squeeze=False, sharey=share_y).flat)
        for unused in grid[panels:]:
            unused.remove()
        yield figure, grid[:panels]
        content = BytesIO()
        figure.savefig(content, format="png", dpi=DOTS_PER_INCH)
    write_atomically(path, content.getvalue())
