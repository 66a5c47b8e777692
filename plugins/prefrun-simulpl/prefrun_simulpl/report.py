"""The section of a run's report: its curve of quality against latency, as picture and table."""

from __future__ import annotations

from pathlib import Path

from prefrun_simulpl.curve_file import read_curve
from prefrun_simulpl.curves import SYSTEMS, Line, Rows, curve_points, draw_curves

PICTURE = "quality_and_latency.png"
COLUMNS = ("BLEU", "AL", "LAAL", "AP", "DAL", "CW")


def report_section(directory: Path, folder: Path) -> str | None:
    """Draw the curve of the run in DIRECTORY into FOLDER/plots; None where it has none."""
    rows = read_curve(directory)
    if not rows:
        return None
    lines = [
        Line(system, points, color)
        for system, color in SYSTEMS.items()
        if (points := curve_points(rows, system, "BLEU"))
    ]
    draw_curves(folder / "plots" / PICTURE, {"BLEU": lines})
    text = [
        "## Quality and latency",
        "",
        "Each point is a setting: the confidence from which the model writes, or the k of wait-k.",
        "",
        f"![BLEU against average lagging](plots/{PICTURE})",
        "",
        *curve_table(rows),
        "",
        "Action logs: `evaluation/simt/instances.log`, as SimulEval writes them.",
    ]
    return "\n".join(text)


def curve_table(rows: Rows) -> list[str]:
    """Return the rows of a curve as a Markdown table."""
    judged = [name for name in ("accuracy", "correct", "monotone", "reward") if name in rows[0]]
    names = [COLUMNS[0], *judged, *COLUMNS[1:]]
    lines = [f"| system | setting | {' | '.join(names)} |", "|---" * (len(names) + 2) + "|"]
    for row in rows:
        setting = "" if row["setting"] is None else f"{row['setting']:g}"
        cells = ["-" if row[name] is None else f"{row[name]:.3g}" for name in names]
        lines.append(f"| {row['system']} | {setting} | {' | '.join(cells)} |")
    return lines
