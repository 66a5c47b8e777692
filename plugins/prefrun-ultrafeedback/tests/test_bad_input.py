"""Every kind of bad input is one error with file, line, field and remedy."""

import copy
import gzip
import json

import pytest

from prefrun.errors import DataError
from prefrun.records.config import OnBadRecord
from prefrun_ultrafeedback.config import UltraFeedbackConfig
from prefrun_ultrafeedback.data import UltraFeedback

SKIP_REMEDY = "data.on_bad_record=skip"


def record(number):
    completions = [{"response": f"answer {n}", "overall_score": n / 2} for n in range(3)]
    return {"instruction": f"question {number}", "completions": completions}


def lines(rows):
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


GOOD = [record(number) for number in range(6)]


def load(path, **keys):
    return UltraFeedback(UltraFeedbackConfig(path=str(path), **keys)).load(0)


def fault(path, **keys):
    """Return the error of loading PATH, after checking what every error must hold."""
    with pytest.raises(DataError) as caught:
        load(path, **keys)
    error = caught.value
    assert error.exit_code == 2
    assert str(path) in str(error)
    assert error.remedy
    assert "\n  remedy: " in str(error)
    assert len(str(error)) < 600
    return error


def change(path, value):
    """Return a copy of the second good record with the value at PATH replaced, or removed."""
    row = copy.deepcopy(GOOD[1])
    *parents, last = path
    target = row
    for key in parents:
        target = target[key]
    if value is ...:
        del target[last]
    else:
        target[last] = value
    return row


FIRST = ("completions", 0)
BAD_RECORDS = {
    "missing instruction": (("instruction",), ..., "instruction", "missing"),
    "missing completions": (("completions",), ..., "completions", "missing"),
    "missing response": ((*FIRST, "response"), ..., "completions[0].response", "missing"),
    "missing score": ((*FIRST, "overall_score"), ..., "completions[0].overall_score", "missing"),
    "null score": ((*FIRST, "overall_score"), None, "completions[0].overall_score", "missing"),
    "wrong type": (("completions",), "text", "completions", "text, not a list"),
    "empty prompt": (("instruction",), "", "instruction", "the prompt is empty"),
    "blank prompt": (("instruction",), " \n\t", "instruction", "the prompt is empty"),
    "no answers": (("completions",), [], "completions", "0 answer(s), at least 2 needed"),
    "one answer": (
        ("completions",),
        GOOD[1]["completions"][:1],
        "completions",
        "1 answer(s), at least 2 needed",
    ),
    "NaN score": (
        (*FIRST, "overall_score"),
        float("nan"),
        "completions[0].overall_score",
        "nan, not a finite number",
    ),
    "infinite score": (
        (*FIRST, "overall_score"),
        float("-inf"),
        "completions[0].overall_score",
        "-inf, not a finite number",
    ),
    "string score": (
        (*FIRST, "overall_score"),
        "high",
        "completions[0].overall_score",
        "text 'high', not a number",
    ),
    "duplicate answers": (
        ("completions", 2, "response"),
        "answer 0",
        "completions[2].response",
        "the same answer as completions[0].response",
    ),
    "all-equal scores": (
        ("completions",),
        [{"response": text, "overall_score": 4} for text in "abc"],
        "completions[*].overall_score",
        "all 3 answers have the same score 4",
    ),
    "1 MB answer": (
        (*FIRST, "response"),
        "a" * 2**20,
        "completions[0].response",
        "1048576 characters, more than data.max_chars=200000",
    ),
}


@pytest.mark.parametrize("case", BAD_RECORDS)
def test_a_bad_record_stops_with_its_line_and_field(tmp_path, case):
    where, value, field, problem = BAD_RECORDS[case]
    path = tmp_path / "data.jsonl.gz"
    path.write_bytes(gzip.compress(lines([GOOD[0], change(where, value), *GOOD[2:]])))
    error = fault(path)
    assert (error.record, error.field) == (2, field)
    assert f"line 2, field '{field}'" in str(error)
    assert problem in error.problem
    assert SKIP_REMEDY in error.remedy


@pytest.mark.parametrize("case", BAD_RECORDS)
def test_a_bad_record_can_be_skipped_and_is_listed(tmp_path, case):
    where, value, field, problem = BAD_RECORDS[case]
    path = tmp_path / "data.jsonl"
    path.write_bytes(lines([GOOD[0], change(where, value), *GOOD[2:]]))
    split = load(path, on_bad_record=OnBadRecord.skip)
    counts = split.counts
    assert (counts.read, counts.used, counts.skipped) == (6, 5, 1)
    assert len(split.train) + len(split.test) == 5
    (line,) = counts.problems
    assert line.startswith(f"{path}, line 2, field '{field}': ")
    assert problem in line


def test_a_longer_answer_can_be_allowed(tmp_path):
    path = tmp_path / "data.jsonl"
    path.write_bytes(lines([change((*FIRST, "response"), "a" * 2**20), *GOOD]))
    split = load(path, max_chars=2**20)
    assert max(len(tree.branches[0].text) for tree in (*split.train, *split.test)) == 2**20


BAD_LINES = {
    "invalid JSON": (b'{"instruction": }\n', "invalid JSON at column 17"),
    "not UTF-8": (b'{"instruction": "\xff"}\n', "not UTF-8: byte 0xff at byte offset"),
    "no object": (b'"text"\n', "not an object"),
}


@pytest.mark.parametrize("case", BAD_LINES)
def test_a_bad_line_stops_or_is_skipped(tmp_path, case):
    line, problem = BAD_LINES[case]
    path = tmp_path / "data.jsonl"
    path.write_bytes(lines(GOOD[:2]) + line + lines(GOOD[2:]))
    error = fault(path)
    assert error.record == 3
    assert problem in error.problem
    assert SKIP_REMEDY in error.remedy
    counts = load(path, on_bad_record=OnBadRecord.skip).counts
    assert (counts.read, counts.used, counts.skipped) == (7, 6, 1)


def noise(count):
    """Return COUNT records that gzip cannot shrink to nothing."""
    return lines({**record(n), "hash": str(n * 7919 % 104_729) * 9} for n in range(count))


WHOLE_FILES = {
    "missing": ("data.jsonl", None, "no such file or folder"),
    "empty": ("data.jsonl", b"", "the file is empty"),
    "empty gzip": ("data.jsonl.gz", gzip.compress(b""), "the file is empty"),
    "not gzip": ("data.jsonl.gz", lines(GOOD), "holds no gzip data"),
    "truncated gzip": ("data.jsonl.gz", gzip.compress(noise(4000))[:-3000], "truncated"),
    "unknown format": ("data.txt", lines(GOOD), "unknown file format"),
}


@pytest.mark.parametrize("on_bad_record", OnBadRecord)
@pytest.mark.parametrize("case", WHOLE_FILES)
def test_a_damaged_file_always_stops(tmp_path, case, on_bad_record):
    name, data, problem = WHOLE_FILES[case]
    path = tmp_path / name
    if data is not None:
        path.write_bytes(data)
    error = fault(path, on_bad_record=on_bad_record)
    assert problem in error.problem
    assert SKIP_REMEDY not in error.remedy


def test_a_folder_of_mixed_files_always_stops(tmp_path):
    (tmp_path / "a.jsonl").write_bytes(lines(GOOD))
    (tmp_path / "b.json").write_text(json.dumps(GOOD))
    error = fault(tmp_path, on_bad_record=OnBadRecord.skip)
    assert "a.jsonl" in error.problem
    assert "b.json" in error.problem


def test_nothing_usable_is_an_error_even_when_skipping(tmp_path):
    path = tmp_path / "data.jsonl"
    path.write_bytes(lines([{"id": "p"}] * 3))
    error = fault(path, on_bad_record=OnBadRecord.skip)
    assert "none of 3 record(s) can be used" in error.problem
    assert "field 'instruction': missing" in error.problem
