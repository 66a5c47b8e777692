"""Text of others steers neither the terminal nor a page, and stays readable."""

from __future__ import annotations

import io

import pytest
from rich.table import Table
from rich.text import Text

from prefrun.cli import main
from prefrun.console import EscapingConsole
from prefrun.errors import DataError
from prefrun.escaping import one_line, visible

HOSTILE = "\x1b]0;title\x07\x1b[31m\x1b[2J\x9b1m\x7f\r\u202edetrever\u2066\u200f\u061c\u2028\ufeff"
ESCAPED = (
    r"\x1b]0;title\x07\x1b[31m\x1b[2J\x9b1m\x7f\r"
    r"\u202edetrever\u2066\u200f\u061c\u2028\ufeff"
)


def test_what_steers_is_shown_as_escapes():
    assert visible(HOSTILE) == ESCAPED
    assert visible("\ud800\U000e0041") == r"\ud800\U000e0041"


@pytest.mark.parametrize("text", ["a\n\tb", "naïve Ωμέγα 日本語 עברית 👩\u200d💻", r"\x1b"])
def test_other_text_stays_as_it_is(text):
    assert visible(text) == text


def test_one_line_holds_no_line_break():
    assert one_line("a\n# b\tc\x1b") == r"a # b c\x1b"


@pytest.mark.parametrize("terminal", [False, True])
def test_the_console_escapes_whatever_it_is_given(terminal):
    stream = io.StringIO()
    console = EscapingConsole(file=stream, force_terminal=terminal, width=500, highlight=False)
    table = Table()
    table.add_column("cell")
    table.add_row("\u202edetrever\x1b[2J")
    for thing in ("text \x1b[2J\u202e", Text("styled \x1b[2J", style="bold"), table):
        console.print(thing, markup=False)
    shown = stream.getvalue()
    assert shown.count(r"\x1b[2J") == 3
    assert "\x1b[2J" not in shown
    assert "\u202e" not in shown
    assert ("\x1b[1m" in shown) == terminal, "the console's own styles work"


def test_an_error_that_quotes_a_record_is_escaped(monkeypatch, capsys):
    def raise_it(arguments: list[str]) -> int:
        raise DataError(f"no such role: {HOSTILE}", file="pairs.jsonl", record=HOSTILE)

    monkeypatch.setattr("prefrun.cli._dispatch", raise_it)
    assert main(["algo=dpo"]) == 2
    assert visible(shown := capsys.readouterr().err) == shown
    assert shown.count(ESCAPED) == 2
