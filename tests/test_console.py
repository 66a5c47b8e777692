"""A run outlives whoever reads what it prints."""

from __future__ import annotations

import subprocess
import sys

import pytest

from prefrun.console import Lasting

LOUD = """
import os, sys
from prefrun.console import console
console.print("heard")
sys.stdin.readline()
console.print("lost")
print("lost, too")
print("at work to the end", file=sys.stderr)
sys.exit(143)
"""


def test_a_reader_that_went_away_costs_the_text_and_not_the_run():
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", LOUD], text=True, **pipes) as process:
        assert process.stdout.readline() == "heard\n"
        process.stdout.close()
        process.stdin.close()
        assert process.stderr.read() == "at work to the end\n"
        assert process.wait(60) == 143


def test_another_error_of_a_write_is_raised(monkeypatch):
    def full(text: str) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(sys.stdout, "write", full)
    with pytest.raises(OSError, match="No space left"):
        Lasting().write("text")
