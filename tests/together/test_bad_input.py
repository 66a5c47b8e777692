"""Bad data: one clear error with file, line, field and remedy, before a model, nothing left."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.together.conftest import SMALL, Workplace

Row = dict[str, Any]
BAD_LINE = 3
LONG = "x" * 1_000_000


def rated(number: int, first: Any = 8.0, second: Any = 2.0, **changes: Any) -> Row:
    """A record in UltraFeedback's layout."""
    answers = [
        {"model": "a", "response": "yes", "overall_score": first},
        {"model": "b", "response": "no", "overall_score": second},
    ]
    return {"instruction": f"Question {number}?", "completions": answers} | changes


def dialogues(number: int, **changes: Any) -> Row:
    """A record in hh-rlhf's layout."""
    begin = f"\n\nHuman: Question {number}?\n\nAssistant: "
    return {"chosen": begin + "yes", "rejected": begin + "no"} | changes


def preference(number: int, **changes: Any) -> Row:
    """A record in TRL's preference format."""
    return {"prompt": f"Question {number}?", "chosen": "yes", "rejected": "no"} | changes


ROWS: dict[str, Callable[[int], Row]] = {
    "ultrafeedback": rated,
    "hh": dialogues,
    "trl": preference,
}
ONE = rated(0)["completions"][:1]
TWICE = [*ONE, *ONE]
HUGE = [{"model": "a", "response": LONG, "overall_score": 8.0}, *rated(0)["completions"][1:]]
EMPTY_TURN = "\n\nHuman: \n\nAssistant: "

BAD_ROWS: dict[str, tuple[str, Row, str, str]] = {
    # name: data source, row, field, what is said of it
    "rated, no answers": ("ultrafeedback", {"instruction": "q"}, "completions", "missing"),
    "rated, empty prompt": ("ultrafeedback", rated(3, instruction=" "), "instruction", "empty"),
    "rated, one answer": ("ultrafeedback", rated(3, completions=ONE), "completions", "1 answer"),
    "rated, zero answers": ("ultrafeedback", rated(3, completions=[]), "completions", "0 answer"),
    "rated, NaN": ("ultrafeedback", rated(3, float("nan")), "[0].overall_score", "nan"),
    "rated, text score": ("ultrafeedback", rated(3, 8.0, "2"), "[1].overall_score", "text '2'"),
    "rated, no score": ("ultrafeedback", rated(3, None), "[0].overall_score", "missing"),
    "rated, all equal": ("ultrafeedback", rated(3, 2.0), "[*].overall_score", "same score 2"),
    "rated, twice": ("ultrafeedback", rated(3, completions=TWICE), "[1].response", "same answer"),
    "rated, 1 MB": ("ultrafeedback", rated(3, completions=HUGE), "[0].response", "1000000 char"),
    "hh, missing": ("hh", {"chosen": dialogues(3)["chosen"]}, "rejected", "missing"),
    "hh, null": ("hh", dialogues(3, rejected=None), "rejected", "it is null"),
    "hh, empty prompt": ("hh", {k: EMPTY_TURN + k for k in dialogues(3)}, "chosen", "empty"),
    "hh, no turn": ("hh", dialogues(3, chosen="yes"), "chosen", "begin with a turn"),
    "hh, twice": ("hh", dialogues(3, rejected=dialogues(3)["chosen"]), "rejected", "same answer"),
    "hh, 1 MB": ("hh", dialogues(3, chosen=dialogues(3)["chosen"] + LONG), "chosen", "1000003 c"),
    "trl, missing": ("trl", {"prompt": "q", "chosen": "yes"}, "rejected", "missing"),
    "trl, empty prompt": ("trl", preference(3, prompt=""), "prompt", "empty"),
    "trl, number": ("trl", preference(3, chosen=4), "chosen", "a number, not text"),
    "trl, twice": ("trl", preference(3, rejected="yes"), "rejected", "same answer"),
    "trl, 1 MB": ("trl", preference(3, chosen=LONG), "chosen", "1000000 characters"),
}


def lines_of(source: str) -> list[bytes]:
    """Twelve good records, one per line."""
    return [json.dumps(ROWS[source](number)).encode() + b"\n" for number in range(12)]


def spoil(lines: list[bytes], change: Callable[[bytes], bytes]) -> bytes:
    """The lines as a file, with the third one changed."""
    changed = change(lines[BAD_LINE - 1].rstrip()) + b"\n"
    return b"".join([*lines[: BAD_LINE - 1], changed, *lines[BAD_LINE:]])


def refused(place: Workplace, source: str, path: str) -> str:
    """Run without torch and transformers at hand; return the one error after checking its form."""
    for name in ("torch", "transformers"):
        package = place.folder / "unloadable" / name
        package.mkdir(parents=True, exist_ok=True)
        (package / "__init__.py").write_text("raise ImportError('a model must not be loaded')")
    place.environment["PYTHONPATH"] = str(place.folder / "unloadable")
    done = place.run_anew("algo=lipo", f"data={source}", f"data.path={path}", "output_dir=out")
    assert done.returncode == 2, done.stderr
    assert done.stdout == ""
    assert done.stderr.startswith(f"prefrun: {place.folder / path}")
    assert done.stderr.count("prefrun: ") == 1
    assert "\n  remedy: " in done.stderr
    assert "Traceback" not in done.stderr
    assert not (place.folder / "out").exists()
    return done.stderr


@pytest.mark.parametrize("case", BAD_ROWS)
def test_a_bad_record_is_named_by_file_line_and_field(workplace, case):
    source, row, field, said = BAD_ROWS[case]
    data = spoil(lines_of(source), lambda line: json.dumps(row).encode())
    (workplace.folder / "rows.jsonl").write_bytes(data)
    message = refused(workplace, source, "rows.jsonl")
    problem = message.splitlines()[0]
    file = workplace.folder / "rows.jsonl"
    assert problem.startswith(f"prefrun: {file}, line {BAD_LINE}, field '")
    assert f"{field}': " in problem
    assert said in problem
    assert "data.on_bad_record=skip" in message


@pytest.mark.parametrize("source", ROWS)
@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda line: line[:-5], f"line {BAD_LINE}: invalid JSON at column"),
        (lambda line: b"[1]", f"line {BAD_LINE}: is JSON of type list"),
        (lambda line: line.replace(b"yes", b"y\xe9s"), f"line {BAD_LINE}: not UTF-8: byte 0xe9"),
    ],
)
def test_an_unreadable_line_is_named(workplace, source, change, said):
    (workplace.folder / "rows.jsonl").write_bytes(spoil(lines_of(source), change))
    message = refused(workplace, source, "rows.jsonl")
    assert said in message
    assert "data.on_bad_record=skip" in message


def write_files(folder: Path, source: str) -> None:
    """One file or folder for every way in which a whole file is no use."""
    lines = lines_of(source)
    plain = b"".join(lines)
    packed = gzip.compress(plain)
    files = {
        "no_gzip.jsonl.gz": plain,
        "truncated.jsonl.gz": packed[:-30],
        "damaged.jsonl.gz": packed[:60] + bytes(8) + packed[68:],
        "packed.jsonl": packed,
        "empty.jsonl": b"",
        "blank.jsonl": b"\n\n",
        "broken.parquet": b"PAR1",
        "table.csv": b"a,b\n",
        "mixed/a.jsonl": plain,
        "mixed/b.jsonl.gz": packed,
        "strange/a.jsonl": plain,
        "strange/README.md": b"hello",
        "single.jsonl": lines[0],
    }
    for name, content in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(content)
    (folder / "nothing").mkdir()


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("no_gzip.jsonl.gz", "holds no gzip data"),
        ("truncated.jsonl.gz", "the file is truncated"),
        ("damaged.jsonl.gz", "gzip data are damaged"),
        ("packed.jsonl", "rename it to packed.jsonl.gz"),
        ("empty.jsonl", "the file is empty"),
        ("blank.jsonl", "the file is empty"),
        ("broken.parquet", "not a readable parquet file"),
        ("table.csv", "unknown file format"),
        ("mixed", "files of different kinds: .jsonl: a.jsonl; .jsonl.gz: b.jsonl.gz"),
        ("strange", "holds other things: README.md"),
        ("nothing", "the folder is empty"),
        ("single.jsonl", "1 usable record(s)"),
        ("empti.jsonl", "no such file or folder. Did you mean 'empty.jsonl'?"),
    ],
)
def test_a_file_that_is_no_use_is_named(workplace, path, said):
    source = "trl" if path in ("blank.jsonl", "single.jsonl") else "ultrafeedback"
    write_files(workplace.folder, source)
    assert said in refused(workplace, source, path)


def test_skipped_records_are_counted_and_listed_everywhere(workplace):
    rows = [rated(number) for number in range(20)]
    rows[2], rows[7] = rated(2, "good"), rated(7, completions=ONE)
    text = "".join(json.dumps(row) + "\n" for row in rows)
    (workplace.folder / "rows.jsonl").write_text(text)
    words = ("data=ultrafeedback", "data.path=rows.jsonl", "data.on_bad_record=skip")
    done = workplace.run("algo=lipo", *words, *SMALL, "trainer.max_steps=2", "output_dir=out")
    assert done.returncode == 0, done.stderr
    assert "2 of 20 records skipped" in done.stdout
    assert "20 read, 18 used, 2 skipped" in done.stdout
    counts = {"read": 20, "used": 18, "skipped": 2, "truncated": 0}
    assert workplace.summary("out")["records"] == counts
    report = (workplace.folder / "out" / "report.md").read_text()
    for shown in (done.stdout, report):
        assert "rows.jsonl, line 3, field 'completions[0].overall_score': is text 'good'" in shown
        assert "rows.jsonl, line 8, field 'completions': 1 answer(s)" in shown
        assert "the data have no judge" in shown  # no reward, so some metrics are not measured
    following = next(line for line in done.stdout.splitlines() if line.startswith("next: "))
    assert " ".join(words) in following


def test_data_without_any_usable_record_are_refused_also_where_bad_ones_are_skipped(workplace):
    lines = "".join(json.dumps(rated(number, "good")) + "\n" for number in range(3))
    (workplace.folder / "rows.jsonl").write_text(lines)
    words = ("data.path=rows.jsonl", "data.on_bad_record=skip", "output_dir=out")
    done = workplace.run("algo=lipo", "data=ultrafeedback", *words)
    assert done.returncode == 2
    assert "rows.jsonl: none of 3 record(s) can be used" in done.stderr
    assert "line 1" in done.stderr
    assert not (workplace.folder / "out").exists()


def test_an_unreachable_hub_is_told_at_once_with_the_other_sources(workplace):
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        workplace.environment.pop(name, None)
    workplace.environment |= {
        "HF_ENDPOINT": "https://hub.invalid",
        "HF_HOME": str(workplace.folder),
    }
    words = ("algo=lipo", "data=ultrafeedback", "data.source=hub", "output_dir=out")
    done = workplace.run_anew(*words)
    assert done.returncode == 2
    assert "the Hugging Face hub cannot be reached" in done.stderr
    assert "data.path=FILE" in done.stderr
    assert "data.source=sample" in done.stderr
    assert "Retrying" not in done.stderr
    assert not (workplace.folder / "out").exists()
