"""Rows come out of every kind of file with their places; damage is reported where it is."""

import gzip
import json

import pytest

from prefrun.errors import DataError
from prefrun.records.reading import read_rows, stem

ROWS = [{"n": 1, "text": "one"}, {"n": 2, "text": "zwei \u2028 ü"}]
LINES = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in ROWS).encode()


def fault(path):
    """Return the first DataError of PATH, raised or in place of a row."""
    try:
        return next(row for _, row in read_rows(path) if isinstance(row, DataError))
    except DataError as error:
        return error


def check(error, file, record=None, problem="", remedy=""):
    """Assert that ERROR names its file, its record, what is wrong and what to do."""
    assert str(error.file) == str(file)
    assert error.record == record
    assert problem in error.problem
    assert error.remedy
    assert remedy in error.remedy
    assert str(file) in str(error)
    assert "remedy:" in str(error)


def write(path, data):
    path.write_bytes(data)
    return path


def save_parquet(path):
    import pyarrow
    import pyarrow.parquet

    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(ROWS), path)


def save_dataset(path):
    import datasets

    datasets.Dataset.from_list(ROWS).save_to_disk(str(path))


WRITERS = {
    "a.jsonl": lambda path: write(path, LINES),
    "a.jsonl.gz": lambda path: write(path, gzip.compress(LINES)),
    "a.json": lambda path: write(path, json.dumps(ROWS, indent=1).encode()),
    "a.parquet": save_parquet,
    "saved": save_dataset,
}


@pytest.mark.parametrize("name", WRITERS)
def test_every_kind_gives_the_same_rows(tmp_path, name):
    path = tmp_path / name
    WRITERS[name](path)
    found = list(read_rows(str(path)))
    assert [row for _, row in found] == ROWS
    assert [place.number for place, _ in found] == [1, 2]
    assert [place.id for place, _ in found] == [f"{name}:1", f"{name}:2"]
    assert all(place.is_line == (".jsonl" in name) for place, _ in found)
    assert stem(path) == name.split(".")[0]


def test_a_folder_is_read_by_name_and_hidden_files_are_not(tmp_path):
    write(tmp_path / "b.jsonl", b'{"n": 2}')
    write(tmp_path / "a.jsonl", b'\n{"n": 1}\n\n')
    write(tmp_path / ".DS_Store", b"\0")
    found = [(place.id, row["n"]) for place, row in read_rows(tmp_path)]
    assert found == [("a.jsonl:2", 1), ("b.jsonl:1", 2)]


def test_a_byte_order_mark_is_no_part_of_the_first_line(tmp_path):
    path = write(tmp_path / "a.jsonl", b"\xef\xbb\xbf" + LINES)
    assert [row for _, row in read_rows(path)] == ROWS


def test_a_bad_line_does_not_hide_the_next_one(tmp_path):
    path = write(tmp_path / "a.jsonl", b'{"n": 1}\n{"n": \n{"n": 3}\n')
    rows = [row for _, row in read_rows(path)]
    assert rows[0] == {"n": 1}
    assert isinstance(rows[1], DataError)
    assert rows[2] == {"n": 3}


BAD_LINES = {
    "invalid JSON": (b'{"n": 1}\n{"n" 1}\n', "invalid JSON at column 6", "correct"),
    "cut off": (b'{"n": 1}\n{"n": "abc', "invalid JSON at column 7", "correct"),
    "no object": (b'{"n": 1}\n[1, 2]\n', "list, not an object", "{...}"),
    "not UTF-8": (b'{"n": 1}\n{"n": "\xe9"}\n', "byte 0xe9 at byte offset 16", "UTF-8"),
    "too deep": (b'{"n": 1}\n' + b"[" * 100_000, "invalid JSON", "correct"),
    "too many digits": (b'{"n": 1}\n{"n": ' + b"1" * 5000 + b"}", "invalid JSON", "correct"),
}


@pytest.mark.parametrize("suffix", [".jsonl", ".jsonl.gz"])
@pytest.mark.parametrize("case", BAD_LINES)
def test_a_bad_line_is_named(tmp_path, case, suffix):
    data, problem, remedy = BAD_LINES[case]
    path = write(tmp_path / f"a{suffix}", gzip.compress(data) if suffix.endswith("gz") else data)
    check(fault(path), path, 2, problem, remedy)


BAD_FILES = {
    "empty": ("a.jsonl", b"", None, "empty", "records"),
    "blank": ("a.jsonl", b"\n \n", None, "empty", "records"),
    "empty gzip": ("a.jsonl.gz", gzip.compress(b""), None, "empty", "records"),
    "empty list": ("a.json", b"[]", None, "empty", "records"),
    "not gzip": ("a.jsonl.gz", LINES, None, "no gzip data", "drop .gz"),
    "gzip without the name": ("a.jsonl", gzip.compress(LINES), None, "gzip", "a.jsonl.gz"),
    "damaged gzip": (
        "a.jsonl.gz",
        gzip.compress(LINES)[:-8] + b"\0" * 8,
        None,
        "damaged",
        "download",
    ),
    "unknown format": ("a.csv", b"a,b", None, "unknown file format", ".jsonl.gz"),
    "object, no list": ("a.json", b'{"n": 1}', None, "no JSON list", ".jsonl"),
    "lines named .json": ("a.json", LINES, 2, "Extra data", "end the file's name in .jsonl"),
    "invalid JSON list": ("a.json", b'[\n{"n" 1}]', 2, "column 6", "correct"),
    "non-object in a list": ("a.json", b'[{"n": 1}, 2]', "2", "int, not an object", "{...}"),
    "non-UTF-8 list": ("a.json", b'["\xff"]', None, "0xff at byte offset 2", "UTF-8"),
    "no parquet": ("a.parquet", b"PAR1 no", None, "not a readable parquet", "download"),
}


@pytest.mark.parametrize("case", BAD_FILES)
def test_a_bad_file_is_named(tmp_path, case):
    name, data, record, problem, remedy = BAD_FILES[case]
    path = write(tmp_path / name, data)
    check(fault(path), path, record, problem, remedy)


def test_a_truncated_gzip_says_how_far_it_could_be_read(tmp_path):
    lines = b"".join(b'{"n": %d}\n' % (n * 7919 % 10007) for n in range(5000))
    path = write(tmp_path / "a.jsonl.gz", gzip.compress(lines)[:-2000])
    error = fault(path)
    check(error, path, None, "truncated", "download the file again")
    assert int(error.problem.split("in line ")[1].split(":")[0]) > 1


def test_a_missing_file_names_its_neighbour_and_the_folder_it_was_looked_for(tmp_path):
    write(tmp_path / "pairs.jsonl", LINES)
    error = fault(tmp_path / "pair.jsonl")
    check(error, tmp_path / "pair.jsonl", None, "no such file", "correct data.path")
    assert "Did you mean 'pairs.jsonl'?" in error.problem


def test_a_path_the_system_refuses(tmp_path):
    path = tmp_path / f"{'a' * 300}.jsonl"
    check(fault(path), path)


def test_a_folder_of_mixed_files_names_them(tmp_path):
    write(tmp_path / "a.jsonl", LINES)
    write(tmp_path / "a.jsonl.gz", gzip.compress(LINES))
    error = fault(tmp_path)
    check(error, tmp_path, None, "different kinds", "one kind")
    assert ".jsonl: a.jsonl" in error.problem
    assert ".jsonl.gz: a.jsonl.gz" in error.problem


def test_a_folder_with_other_things_names_them(tmp_path):
    write(tmp_path / "a.jsonl", LINES)
    write(tmp_path / "README.md", b"#")
    (tmp_path / "old").mkdir()
    check(fault(tmp_path), tmp_path, None, "README.md, old", "one kind")


def test_an_empty_folder(tmp_path):
    check(fault(tmp_path), tmp_path, None, "folder is empty", "put")


def test_saved_splits_must_be_chosen(tmp_path):
    import datasets

    part = datasets.Dataset.from_list(ROWS)
    datasets.DatasetDict({"train": part, "test": part}).save_to_disk(str(tmp_path / "saved"))
    path = tmp_path / "saved"
    check(fault(path), path, None, "the splits test, train", f"data.path={path / 'test'}")
    assert len(list(read_rows(path / "train"))) == 2


def test_a_damaged_saved_dataset(tmp_path):
    save_dataset(tmp_path / "saved")
    next((tmp_path / "saved").glob("*.arrow")).write_bytes(b"no")
    path = tmp_path / "saved"
    check(fault(path), path, None, "not a readable `datasets` folder", "save_to_disk")
