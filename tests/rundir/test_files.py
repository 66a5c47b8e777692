"""Whole files or nothing."""

from __future__ import annotations

import errno
import json
import os

import pytest

from prefrun.errors import PrefrunError
from prefrun.rundir.files import read_json, read_json_lines, write_atomically, write_json


def no_space(*_: object) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_write_replaces_the_whole_file(tmp_path):
    path = tmp_path / "new" / "text.txt"
    write_atomically(path, "first, longer than the second")
    write_atomically(path, "zweite Fassung, größer")
    assert path.read_text(encoding="utf-8") == "zweite Fassung, größer"


def test_bytes_are_written_as_they_are(tmp_path):
    write_atomically(tmp_path / "picture", b"\x89PNG\r\n")
    assert (tmp_path / "picture").read_bytes() == b"\x89PNG\r\n"


def test_the_file_gets_the_permissions_of_any_new_file(tmp_path):
    (tmp_path / "usual").write_text("")
    write_atomically(tmp_path / "atomic", "")
    assert (tmp_path / "atomic").stat().st_mode == (tmp_path / "usual").stat().st_mode


@pytest.mark.parametrize("broken", ["fsync", "replace"])
def test_a_full_disk_leaves_the_old_file_and_no_other(tmp_path, monkeypatch, broken):
    path = tmp_path / "status.json"
    write_atomically(path, "old")
    monkeypatch.setattr(os, broken, no_space)
    with pytest.raises(PrefrunError, match="no space left") as caught:
        write_atomically(path, "x" * 5000)
    assert str(path) in str(caught.value)
    assert "4.9 KiB are needed" in str(caught.value)
    assert path.read_text() == "old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["status.json"]


def test_an_interrupt_during_a_write_leaves_the_old_file_and_no_other(tmp_path, monkeypatch):
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    path = tmp_path / "status.json"
    write_atomically(path, "old")
    monkeypatch.setattr(os, "fsync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_atomically(path, "new")
    assert path.read_text() == "old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["status.json"]


def test_a_path_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(PrefrunError, match="cannot be written") as caught:
        write_atomically(tmp_path / "file" / "below.json", "")
    assert "below.json" in str(caught.value)


def test_json_round_trip_keeps_order_and_letters(tmp_path):
    value = {"z": [1, 2.5, None, True], "a": {"größe": "ü"}}
    write_json(tmp_path / "value.json", value)
    assert read_json(tmp_path / "value.json") == value
    assert list(read_json(tmp_path / "value.json")) == ["z", "a"]
    assert "größe" in (tmp_path / "value.json").read_text(encoding="utf-8")


def test_numbers_json_does_not_know_become_null(tmp_path):
    write_json(tmp_path / "value.json", {"loss": float("nan"), "kl": [float("inf"), 1.0]})
    text = (tmp_path / "value.json").read_text()
    assert json.loads(text, parse_constant=pytest.fail) == {"loss": None, "kl": [None, 1.0]}


def test_scalars_of_numpy_are_numbers(tmp_path):
    numpy = pytest.importorskip("numpy")
    values = {"one": numpy.float32(0.5), "many": numpy.array([1, 2]), "bad": numpy.float64("nan")}
    write_json(tmp_path / "value.json", values)
    assert read_json(tmp_path / "value.json") == {"one": 0.5, "many": [1, 2], "bad": None}


@pytest.mark.parametrize("text", ["", "{", '{"a": 1}x', "\ufeff"])
def test_damaged_json_is_named(tmp_path, text):
    (tmp_path / "summary.json").write_text(text)
    with pytest.raises(PrefrunError, match=r"summary\.json: is not valid JSON \(line 1") as caught:
        read_json(tmp_path / "summary.json")
    assert caught.value.exit_code == 1


def test_missing_and_binary_files_are_named(tmp_path):
    with pytest.raises(PrefrunError, match=r"summary\.json: there is no such file"):
        read_json(tmp_path / "summary.json")
    (tmp_path / "summary.json").write_bytes(b"\xff\xfe")
    with pytest.raises(PrefrunError, match=r"summary\.json: is not UTF-8"):
        read_json(tmp_path / "summary.json")


def test_lines_with_unusual_separators_stay_whole(tmp_path):
    path = tmp_path / "samples.jsonl"
    path.write_text('{"text": "a\u2028b"}\n{"text": "c"}\n', encoding="utf-8")
    assert read_json_lines(path) == [{"text": "a\u2028b"}, {"text": "c"}]


def test_a_damaged_line_is_named(tmp_path):
    (tmp_path / "samples.jsonl").write_text('{"a": 1}\n{"a": \n')
    with pytest.raises(PrefrunError, match=r"samples\.jsonl, line 2"):
        read_json_lines(tmp_path / "samples.jsonl")
