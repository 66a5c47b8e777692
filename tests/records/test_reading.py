"""Rows come out of every kind of file with their places; damage is reported where it is."""

import gzip
import json

import pytest

from prefrun.errors import DataError
from prefrun.records import limits, text_files
from prefrun.records.limits import LONGEST_LINE, MOST_BLANK_LINES
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


@pytest.mark.parametrize("suffix", [".jsonl", ".jsonl.gz"])
def test_an_endless_line_ends_early(tmp_path, suffix):
    data = LINES + b"a" * (LONGEST_LINE + 2)
    path = write(tmp_path / f"a{suffix}", gzip.compress(data, 1) if "gz" in suffix else data)
    with pytest.raises(DataError) as error:
        list(read_rows(path))
    check(error.value, path, len(LINES.splitlines()) + 1, "longer than 64.0 MiB", "per line")


def test_endless_blank_lines_end_early(tmp_path):
    data = LINES + b"\n" * (MOST_BLANK_LINES + 9)
    path = write(tmp_path / "a.jsonl.gz", gzip.compress(data, 1))
    with pytest.raises(DataError, match="blank lines in a row"):
        list(read_rows(path))


def test_a_file_that_grows_absurdly_ends_early(tmp_path, monkeypatch):
    monkeypatch.setattr(limits, "FREE_GROWTH", 1 << 20)
    line = b'{"prompt": "the same", "chosen": "again", "rejected": "and again"}\n'
    path = write(tmp_path / "a.jsonl.gz", gzip.compress(line * 60_000))
    with pytest.raises(DataError, match="over 100 times its size") as error:
        list(read_rows(path))
    assert error.value.record
    plain = write(tmp_path / "b.jsonl", line * 60_000)
    assert sum(1 for _ in read_rows(plain)) == 60_000


@pytest.mark.parametrize("encoded", [True, False])
def test_a_parquet_file_that_grows_absurdly_ends_early(tmp_path, monkeypatch, encoded):
    monkeypatch.setattr(limits, "FREE_GROWTH", 1 << 20)
    pyarrow = pytest.importorskip("pyarrow")
    pytest.importorskip("pyarrow.parquet")
    path = tmp_path / "a.parquet"
    rows = pyarrow.table({"prompt": ["a" * 1000] * 20_000})
    pyarrow.parquet.write_table(rows, path, compression="zstd", use_dictionary=encoded)
    with pytest.raises(DataError, match="over 100 times its size"):
        list(read_rows(path))


def test_a_list_is_read_as_a_whole_and_has_a_largest_size(tmp_path, monkeypatch):
    monkeypatch.setattr(text_files, "LARGEST_LIST", 100)
    path = write(tmp_path / "a.json", b"[" + b" " * 200 + b"]")
    with pytest.raises(DataError, match="read as a whole") as error:
        list(read_rows(path))
    assert ".jsonl" in error.value.remedy


@pytest.mark.parametrize("name", ["a.jsonl", "a.json"])
def test_too_little_memory_says_what_was_read(tmp_path, monkeypatch, name):
    def fail(*_: object, **__: object) -> None:
        raise MemoryError

    monkeypatch.setattr(text_files.json, "loads", fail)
    path = write(tmp_path / name, LINES)
    with pytest.raises(DataError, match="the memory is used up") as error:
        list(read_rows(path))
    assert error.value.file == path
    assert "data.max_records" in error.value.remedy


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.jsonl", '{"prompt": "a", "chosen": "b", "chosen": "c"}\n'),
        ("a.jsonl", '{"prompt": "a", "answers": [{"chosen": 1, "chosen": 1}]}\n'),
        ("a.json", '[{"prompt": "a", "chosen": "b", "chosen": "c"}]'),
    ],
)
def test_a_key_that_stands_twice_is_an_error(tmp_path, name, text):
    path = write(tmp_path / name, text.encode())
    assert "'chosen' stands twice" in str(fault(path))
