"""A configuration file that would fill the memory is refused at once, with file and line."""

from __future__ import annotations

import pytest
import yaml

from prefrun.errors import ConfigError
from prefrun.yaml_size import LARGEST_FILE, check_size

LAUGHS = "a0: &a0 [x, x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12)
)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (LAUGHS, "aliases are replaced, line 6"),
        ("a: &a {b: *a}\n", "holds itself by an alias, line 1"),
        ("a: " + "[" * 60 + "]" * 60, "nested more than 50 deep"),
        ("a: " + "[" * 5000 + "]" * 5000, "nested"),
        ("x: 1\n" * (LARGEST_FILE // 5 + 1), "is larger than"),
    ],
)
def test_a_file_that_grows_is_refused(tmp_path, text, said):
    file = tmp_path / "paper.yaml"
    file.write_text(text)
    with pytest.raises(ConfigError, match=r"paper\.yaml") as caught:
        check_size(file)
    assert said in str(caught.value)
    assert "remedy: " in str(caught.value)


@pytest.mark.parametrize("text", ["", "a: &a [1, 2]\nb: *a\nc: *a\n", "a: [", "\x00"])
def test_other_files_are_left_to_those_who_read_them(tmp_path, text):
    file = tmp_path / "paper.yaml"
    file.write_text(text)
    check_size(file)


def test_aliases_are_not_expanded_to_be_counted(tmp_path, monkeypatch):
    monkeypatch.setattr(yaml, "load", None)
    file = tmp_path / "paper.yaml"
    file.write_text(LAUGHS)
    with pytest.raises(ConfigError, match="aliases are replaced"):
        check_size(file)
