"""The first reason of a job's failure is told, not what followed from it."""

from __future__ import annotations

import signal

import pytest

from prefrun.errors import DataError, PrefrunError
from prefrun.processes.failure import first_error, keep_error


def test_the_earliest_error_comes_through_with_its_type(tmp_path):
    keep_error(tmp_path, 1, DataError("is damaged", file="x.jsonl", record=3, remedy="mend it"))
    keep_error(tmp_path, 0, RuntimeError("connection closed by peer"))
    error = first_error(tmp_path, {0: 1, 1: 1}, {})
    assert isinstance(error, DataError)
    assert str(error) == "x.jsonl, line 3: is damaged\n  remedy: mend it"
    assert (error.exit_code, error.remedy) == (2, "mend it")


def test_a_strangers_error_brings_its_traceback(tmp_path):
    try:
        raise ValueError("odd")
    except ValueError as error:
        keep_error(tmp_path, 0, error)
    error = first_error(tmp_path, {0: 1}, {})
    assert isinstance(error, ValueError)
    assert "test_failure.py" in error.__notes__[0]


def test_an_error_that_cannot_travel_is_told_in_words(tmp_path):
    class LocalError(Exception):
        pass

    keep_error(tmp_path, 2, LocalError("here"))
    error = first_error(tmp_path, {2: 1}, {})
    assert isinstance(error, PrefrunError)
    assert str(error) == "process 2: LocalError: here"


def test_a_killed_process_is_the_reason_with_the_end_of_its_output(tmp_path):
    keep_error(tmp_path, 0, RuntimeError("connection closed by peer"))
    log = tmp_path / "stderr.log"
    log.write_text("".join(f"line {number}\n" for number in range(100)))
    codes = {0: 1, 2: -signal.SIGTERM, 1: -signal.SIGKILL}
    text = str(first_error(tmp_path, codes, {1: log}))
    assert text.startswith(
        "process 1 was killed by SIGKILL (the system may have run out of memory)"
    )
    assert text.splitlines()[1] == "  line 80"
    assert text.splitlines()[-1] == "  line 99"


@pytest.mark.parametrize(
    ("code", "words"),
    [(-signal.SIGTERM, "process 0 was killed by SIGTERM"), (3, "process 0 ended with exit code 3")],
)
def test_an_end_without_words_is_told(tmp_path, code, words):
    assert str(first_error(tmp_path, {0: code}, {})) == words
