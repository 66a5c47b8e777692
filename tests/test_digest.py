"""A file's digest is its content, and a large file is read once."""

from __future__ import annotations

import os

import pytest

from prefrun import digest
from prefrun.digest import file_digest, joint_digest


@pytest.fixture
def reads(monkeypatch):
    """The files that were read; all files count as large, and as written long ago."""
    seen = []
    real = digest._hash
    monkeypatch.setattr(digest, "_hash", lambda file: seen.append(file.name) or real(file))
    monkeypatch.setattr(digest, "LARGE", 0)
    monkeypatch.setattr(digest, "SETTLED", -1.0)
    monkeypatch.setattr(digest, "_KNOWN", {})
    return seen


def new_process(monkeypatch):
    monkeypatch.setattr(digest, "_KNOWN", {})


def test_a_file_is_read_once_on_this_machine(reads, tmp_path, monkeypatch):
    file = tmp_path / "model.safetensors"
    file.write_bytes(b"one")
    first = file_digest(file, tmp_path / "notes")
    assert file_digest(file, tmp_path / "notes") == first
    new_process(monkeypatch)
    assert file_digest(file, tmp_path / "notes") == first
    assert reads == ["model.safetensors"]
    new_process(monkeypatch)
    assert file_digest(file) == first
    assert len(reads) == 2


def test_other_content_of_the_same_size_and_time_is_seen(reads, tmp_path, monkeypatch):
    file, other = tmp_path / "a", tmp_path / "b"
    file.write_bytes(b"one")
    other.write_bytes(b"two")
    times = file.stat().st_atime_ns, file.stat().st_mtime_ns
    first = file_digest(file, tmp_path / "notes")
    os.utime(other, ns=times)
    os.replace(other, file)
    assert file.stat().st_mtime_ns == times[1]
    assert file_digest(file, tmp_path / "notes") != first
    new_process(monkeypatch)
    assert file_digest(file, tmp_path / "notes") != first


def test_a_file_that_was_just_written_is_read_again(reads, tmp_path, monkeypatch):
    monkeypatch.setattr(digest, "SETTLED", 3600.0)
    file = tmp_path / "a"
    file.write_bytes(b"one")
    file_digest(file)
    file_digest(file)
    assert len(reads) == 2


def test_a_damaged_note_costs_a_read_and_no_more(reads, tmp_path, monkeypatch):
    file = tmp_path / "a"
    file.write_bytes(b"one")
    first = file_digest(file, tmp_path / "notes")
    for note in (tmp_path / "notes").iterdir():
        note.write_bytes(b"\xff")
    new_process(monkeypatch)
    assert file_digest(file, tmp_path / "notes") == first


def test_a_folder_that_cannot_be_written_costs_nothing(reads, tmp_path):
    (tmp_path / "notes").write_text("a file")
    (tmp_path / "a").write_bytes(b"one")
    assert file_digest(tmp_path / "a", tmp_path / "notes") == file_digest(tmp_path / "a")


def test_parts_do_not_run_into_each_other():
    assert joint_digest(["ab", "c"]) != joint_digest(["a", "bc"])
