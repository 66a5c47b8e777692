"""Writes docs/guides/layouts.md: what data=trl makes of recreated public data sets.

python docs/make_layouts.py
"""

from __future__ import annotations

from pathlib import Path

from prefrun.errors import DataError
from prefrun.records.columns import KEY
from prefrun.records.config import OnBadRecord
from prefrun.records.known_layouts import LAYOUTS
from prefrun.records.layouts import Layout
from prefrun.records.tree import OVERALL, PreferenceTree
from prefrun_pairs.config import TrlConfig
from prefrun_pairs.data import TrlRecords

PAGE = Path(__file__).with_name("guides") / "layouts.md"
FILES = Path(__file__).parents[1] / "plugins/prefrun-pairs/tests/layouts"
INTRODUCTION = """# Public data sets

Written by `python docs/make_layouts.py` from runs; a test keeps it current.

## Layouts by name

The columns of these data sets are known. The first row of a file tells the layout, and the header
of the run names it; `data.layout=NAME` chooses one. A layout is a stored
[mapping](data.md#columns-of-your-own): keys of `data.columns` go before it. A file for which such
keys are set, and no layout, is read by these keys alone.

"""
FILES_TITLE = """
## What becomes of a file

A few rows of each set, recreated with their exact columns, were read by
`data=trl data.path=FILE`. Shown is the first record; the best answer comes first.

"""


def main() -> None:
    """Write the page."""
    PAGE.write_text(page(), encoding="utf-8")


def page() -> str:
    """Return the page."""
    known = [
        (f"`{layout.name}`", layout.example, f"`{_words(layout) or 'none'}`")
        for layout in LAYOUTS.values()
    ]
    files = [(path.stem, *_read(path)) for path in sorted(FILES.glob("*.jsonl"))]
    return (
        INTRODUCTION
        + _table(("layout", "such as", "mapping"), known)
        + FILES_TITLE
        + _table(("rows like those of", "prompt", "answers", "notes"), files)
    )


def _read(path: Path) -> tuple[str, str, str]:
    """Return prompt and answers of the first record of PATH, and what was said of the file."""
    try:
        split = TrlRecords(TrlConfig(path=str(path))).load(0)
        notes = [split.note.partition(":")[0].partition(" (")[0]]
    except DataError as error:
        reason = error.problem.partition(" ('")[0]
        notes = [f"refused: line {error.record}, `{error.field}`: {reason}"]
        try:
            skip = TrlConfig(path=str(path), on_bad_record=OnBadRecord.skip)
            split = TrlRecords(skip).load(0)
        except DataError:
            return "", "", notes[0]
        notes.append(
            f"{split.counts.used} of {split.counts.read} are read with `data.on_bad_record=skip`"
        )
    trees = [*split.train, *split.test]
    first = min(trees, key=lambda tree: int(tree.id.rpartition(":")[2]))
    return _prompt(first), _answers(first), "; ".join(filter(None, notes))


def _prompt(tree: PreferenceTree) -> str:
    if isinstance(tree.prompt, str):
        shown = f"text `{_short(tree.prompt)}`"
    else:
        shown = " ".join(f"{each.role} `{_short(each.content)}`" for each in tree.prompt)
    return f"{shown} and tools" if tree.tools else shown


def _answers(tree: PreferenceTree) -> str:
    branches = list(tree.branches)
    if len(branches) > 1:
        labels = tree.labels()
        order = sorted(range(len(branches)), key=lambda number: -labels[number])
        branches = [branches[number] for number in order]
    shown = []
    for branch in branches:
        score = branch.scores.get(OVERALL)
        shown.append(f"`{_short(branch.text)}`" + ("" if score is None else f" ({score:g})"))
    return "; ".join(shown)


def _words(layout: Layout) -> str:
    """Return the mapping as it would be typed."""
    return " ".join(f"{KEY}.{name}={_value(value)}" for name, value in layout.columns.items())


def _value(columns: object) -> str:
    if isinstance(columns, dict):
        return "{" + ",".join(f"{name}:{_value(value)}" for name, value in columns.items()) + "}"
    if isinstance(columns, list | tuple):
        return f"[{','.join(map(str, columns))}]"
    return str(columns).lower() if isinstance(columns, bool) else str(columns)


def _short(text: str) -> str:
    joined = " ".join(text.split())
    return joined if len(joined) <= 60 else f"{joined[:40]} … {joined[-15:]}"


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "".join(
        "| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |\n" for line in lines
    )


if __name__ == "__main__":
    main()
