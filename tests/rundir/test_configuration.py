"""config.yaml read back."""

from __future__ import annotations

import pytest

from prefrun.errors import PrefrunError
from prefrun.rundir.configuration import flatten, read_config


def test_numbers_keep_their_type(tmp_path):
    (tmp_path / "config.yaml").write_text("a: 1e-5\nb: 1\nc: '1'\nd: null\ne: [1, x]\n")
    config = read_config(tmp_path / "config.yaml")
    assert config == {"a": 1e-5, "b": 1, "c": "1", "d": None, "e": [1, "x"]}
    assert isinstance(config["a"], float)


@pytest.mark.parametrize("text", ["a: [1", "a: ${b", "- 1\n- 2\n"])
def test_a_damaged_file_is_named(tmp_path, text):
    (tmp_path / "config.yaml").write_text(text)
    with pytest.raises(PrefrunError, match=r"config\.yaml"):
        read_config(tmp_path / "config.yaml")


def test_nested_keys_are_joined_by_dots():
    nested = {"a": {"b": {"c": 1}, "empty": {}}, "list": [{"x": 1}]}
    assert flatten(nested) == {"a.b.c": 1, "a.empty": {}, "list": [{"x": 1}]}
