"""metrics.jsonl survives kills."""

from __future__ import annotations

import errno
import os
import subprocess
import sys

import pytest

from prefrun.errors import PrefrunError
from prefrun.rundir.metrics import MetricsLog, read_metrics

LINES = [{"step": step, "loss": 1.0 / step, "text": "größer"} for step in (5, 10, 15)]


@pytest.fixture
def log(tmp_path):
    made = MetricsLog(tmp_path / "metrics.jsonl")
    for line in LINES:
        made.append(line["step"], {key: line[key] for key in ("loss", "text")})
    return made


def test_what_was_appended_is_read_back(log):
    assert read_metrics(log.path) == LINES


def test_no_file_means_nothing_logged(tmp_path):
    assert read_metrics(tmp_path / "metrics.jsonl") == []
    MetricsLog(tmp_path / "metrics.jsonl").truncate_after(3)
    assert not (tmp_path / "metrics.jsonl").exists()


def test_a_line_cut_anywhere_is_ignored_and_replaced(log):
    content = log.path.read_bytes()
    last = content[:-1].rfind(b"\n") + 1
    for end in range(last, len(content)):
        log.path.write_bytes(content[:end])
        assert read_metrics(log.path) == LINES[:2]
        log.append(15, {"loss": 1.0 / 15, "text": "größer"})
        assert log.path.read_bytes() == content


def test_a_first_line_cut_anywhere_is_replaced(log):
    log.path.write_bytes(b'{"step": 5, "lo')
    log.append(5, {"loss": 0.2})
    assert read_metrics(log.path) == [{"step": 5, "loss": 0.2}]


def test_a_damaged_line_in_the_middle_is_named(log):
    lines = log.path.read_bytes().splitlines(keepends=True)
    for damaged in (b"{\n", b"\xff\n", b'{"loss": 1}\n', b"7\n"):
        log.path.write_bytes(lines[0] + damaged + lines[2])
        with pytest.raises(PrefrunError, match=r"metrics\.jsonl, line 2"):
            read_metrics(log.path)


def test_truncation_drops_later_steps_and_a_partial_line(log):
    log.path.write_bytes(log.path.read_bytes() + b'{"step": 7')
    log.truncate_after(10)
    assert read_metrics(log.path) == LINES[:2]
    assert log.path.read_bytes().endswith(b"\n")
    log.truncate_after(0)
    assert log.path.read_bytes() == b""


def test_a_failed_truncation_leaves_the_file(log, monkeypatch):
    def refuse(*_: object) -> None:
        raise OSError(errno.EIO, "broken disk")

    before = log.path.read_bytes()
    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(PrefrunError, match="broken disk"):
        log.truncate_after(5)
    assert log.path.read_bytes() == before


def test_a_full_disk_leaves_whole_lines(log, monkeypatch):
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(PrefrunError, match=r"metrics\.jsonl: no space left"):
        log.append(20, {"loss": 0.1})
    monkeypatch.undo()
    assert read_metrics(log.path) == LINES
    assert log.path.read_bytes().endswith(b"\n")


def test_a_loss_that_is_not_finite_becomes_null(tmp_path):
    log = MetricsLog(tmp_path / "metrics.jsonl")
    log.append(1, {"loss": float("nan")})
    assert log.path.read_text() == '{"step": 1, "loss": null}\n'


ENDLESS = """
import itertools, pathlib, sys
from prefrun.rundir.metrics import MetricsLog
log = MetricsLog(pathlib.Path(sys.argv[1]))
for step in itertools.count(1):
    log.append(step, {"loss": 1.0, "text": "x" * 2000})
    print(step, flush=True)
"""


def test_a_killed_process_leaves_every_line_it_announced(tmp_path):
    path = tmp_path / "metrics.jsonl"
    command = [sys.executable, "-c", ENDLESS, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        announced = [int(process.stdout.readline()) for _ in range(20)]
        process.kill()
    steps = [line["step"] for line in read_metrics(path)]
    assert steps == list(range(1, len(steps) + 1))
    assert len(steps) >= len(announced)
