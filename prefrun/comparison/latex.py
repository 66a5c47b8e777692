"""The tables of a comparison as comparison.tex, for \\input in a paper that uses booktabs."""

from __future__ import annotations

from prefrun.comparison.compare import Comparison
from prefrun.comparison.tables import Entry, TextTable, all_tables
from prefrun.escaping import visible

ESCAPED = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "±": r"$\pm$",
    "†": r"$\dagger$",
    "↑": r"$\uparrow$",
    "↓": r"$\downarrow$",
    "<": r"$<$",
    ">": r"$>$",
}


def to_latex(comparison: Comparison) -> str:
    """Return every table as a tabular of its own; warnings and titles are comments."""
    warnings = "".join(f"% Warning: {' '.join(line.split())}\n" for line in comparison.warnings)
    return warnings + "\n".join(_tabular(table) for table in all_tables(comparison))


def _tabular(table: TextTable) -> str:
    columns = "l" + "r" * (len(table.headings) - 1)
    title = [f"% {table.title}"] if table.title else []
    lines = [
        *title,
        rf"\begin{{tabular}}{{{columns}}}",
        r"\toprule",
        _row(tuple(map(Entry, table.headings))),
        r"\midrule",
        *map(_row, table.rows),
        r"\bottomrule",
        r"\end{tabular}",
    ]
    return "\n".join(lines) + "\n"


def _row(entries: tuple[Entry, ...]) -> str:
    return " & ".join(map(_text, entries)) + r" \\"


def _text(entry: Entry) -> str:
    text, note = _escaped(entry.text), _escaped(entry.note)
    return (rf"\textbf{{{text}}}" if entry.strong else text) + note


def _escaped(text: str) -> str:
    return "".join(ESCAPED.get(character, character) for character in visible(text))
