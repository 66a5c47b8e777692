"""A file that cannot be a loss is refused at the line that is wrong."""

from __future__ import annotations

import pytest

from prefrun.errors import ConfigError, PluginError
from prefrun.loss_file.reading import read_loss_file


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("x = 1\ndef f(batch:\n", ":2: SyntaxError: '(' was never closed\n    def f(batch:"),
        ("import math\n\ny = math.nothing\n", ":3: AttributeError: module 'math' has no attribute"),
        ("import not_there_at_all\n", ":1: ModuleNotFoundError: No module named"),
        ("def _inner():\n    1 / 0\n\n_inner()\n", ":2: ZeroDivisionError: division by zero"),
        (
            "def a(batch): ...\n\ndef b(batch): ...\n",
            ":3: the file defines several functions (a, b)",
        ),
    ],
)
def test_what_is_wrong_is_named_with_its_line(write, code, expected):
    path = write(code)
    with pytest.raises(PluginError) as caught:
        read_loss_file(path)
    assert str(caught.value).startswith(f"{path}{expected}")


def test_imported_functions_and_private_ones_are_no_losses(write):
    code = "from math import dist\nfrom ast import walk\ndef _h(): ...\ndef loss(batch): ...\n"
    assert read_loss_file(write(code)).function.__name__ == "loss"


def test_a_file_without_a_function_and_one_that_is_not_there_are_refused(write, tmp_path):
    with pytest.raises(PluginError, match="defines no function"):
        read_loss_file(write("x = 1\n"))
    with pytest.raises(ConfigError, match="cannot be read: No such file"):
        read_loss_file(tmp_path / "nothing.py")
    with pytest.raises(ConfigError, match="rename the file"):
        read_loss_file(write("def f(batch): ...\n", "a b.py"))
