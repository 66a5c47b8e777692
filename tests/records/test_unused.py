"""Text that a format does not use is refused, with the words that would use it."""

import pytest

from prefrun.errors import DataError
from prefrun.records.config import FileDataConfig, OnBadRecord
from prefrun.records.converters.trl_preference import PREFERENCE
from prefrun.records.converters.ultrafeedback import ULTRAFEEDBACK
from prefrun.records.dataset import build_split, number_rows
from prefrun.records.format import Format

ROW = {"prompt": "p", "chosen": "a", "rejected": "b"}


def build(row, record_format=PREFERENCE, **keys):
    """Read ROW, and the same with another prompt."""
    other = {record_format.prompt_field: "other"}
    rows = number_rows("made", [row, row | other])
    return build_split("test", rows, record_format, FileDataConfig(**keys))


@pytest.mark.parametrize(
    ("extra", "names"),
    [
        ({"question": "Why?"}, "column question "),
        ({"note": {"by": ["Ann"]}}, "column note.by[] "),
        ({"turns": [{"said": "x"}, {"said": "y"}]}, "column turns[].said "),
        ({"source": "a sentence to translate"}, "column source "),
        ({"one": "x", "two": "y"}, "columns one, two "),
    ],
)
def test_unused_text_is_refused_even_where_bad_records_are_skipped(extra, names):
    for choice in OnBadRecord:
        with pytest.raises(DataError, match="would not be used") as caught:
            build(ROW | extra, on_bad_record=choice)
        assert names in caught.value.problem
        assert (caught.value.file, caught.value.record) == ("made", "1")


@pytest.mark.parametrize(
    "extra",
    [
        {"id": "x-1", "source": "argilla/x", "chosen_model": "gpt-4", "language": "en"},
        {"score": 1.5, "flag": True, "none": None, "empty": " ", "list": [], "object": {"n": 1}},
        {"chosen-model": "gpt-4", "prompt_id": "0" * 64, "source": ["a", "b"]},
    ],
)
def test_ids_models_numbers_and_nothing_are_no_text(extra):
    assert build(ROW | extra).counts.used == 2


@pytest.mark.parametrize("ignored", [["note"], ["note.by", "note.to"], ["*"]])
def test_what_is_meant_to_be_unused_is_named(ignored):
    row = ROW | {"note": {"by": "Ann", "to": "Bob"}}
    assert build(row, ignore_columns=ignored).counts.used == 2


def test_only_what_is_named_is_ignored():
    with pytest.raises(DataError, match=r"column note\.to "):
        build(ROW | {"note": {"by": "Ann", "to": "Bob"}}, ignore_columns=["note.by"])


def test_a_column_that_only_later_records_have_is_found():
    rows = [ROW, ROW | {"prompt": "q", "late": "x"}]
    with pytest.raises(DataError, match="record 2: the column late"):
        build_split("test", number_rows("made", rows), PREFERENCE, FileDataConfig())


def test_hints_name_the_key_that_would_use_a_column():
    targets = ("prompt", "answers", "system")
    made = Format("made", PREFERENCE.read, columns=PREFERENCE.columns, targets=targets)

    def advice(**row):
        with pytest.raises(DataError) as caught:
            build_split("test", number_rows("made", [row]), made, FileDataConfig())
        return caught.value.remedy

    assert "data.columns.prompt=question;" in advice(question="q", chosen="a", rejected="b")
    assert "data.columns.prompt=prompt+context;" in advice(**ROW, context="c")
    assert "'data.columns.answers=[response_a,response_b]' and" in advice(
        prompt="p", response_a="a", response_b="b"
    )
    assert "'data.ignore_columns=[notes]'" in advice(**ROW, notes=[{"text": "x"}])


@pytest.mark.parametrize(
    "extra",
    [
        {"images": [{"bytes": None, "path": "x.jpg"}]},
        {"image": "x.png"},
        {"audio": {"array": [0.1]}},
        {"jpg_0": b"..."},
        {"picture_of_it": {"bytes": b"...", "path": None}},
    ],
)
def test_pictures_and_sound_are_refused_by_name(extra):
    with pytest.raises(DataError, match="holds pictures or sound") as caught:
        build(ROW | extra)
    assert caught.value.field == next(iter(extra))


def test_ultrafeedbacks_own_notes_are_known_and_others_are_not():
    notes = {"critique": "so so", "custom_system_prompt": "x y"}
    answers = [
        {"response": text, "overall_score": score} | notes for text, score in [("a", 1), ("b", 2)]
    ]
    row = {"instruction": "p", "completions": answers}
    assert build(row, ULTRAFEEDBACK).counts.used == 2
    row["completions"][1]["translation"] = "c d"
    with pytest.raises(DataError, match=r"column completions\[\]\.translation would"):
        build(row, ULTRAFEEDBACK)


def test_a_format_that_does_not_say_what_it_reads_refuses_nothing():
    undeclared = Format("made", PREFERENCE.read)
    assert build(ROW | {"more": "x"}, undeclared).counts.used == 2


def test_a_plugin_that_fails_on_a_record_is_named_and_skipped():
    def read(row, id):
        return PREFERENCE.read(
            {"prompt": row["prompt"], "chosen": row["good"], "rejected": "b"}, id
        )

    rows = [{"prompt": f"p{n}", "good": "a"} for n in range(3)] + [{"prompt": "p3"}]
    broken = Format("votes", read)
    with pytest.raises(DataError, match=r"test_unused\.py, line \d+, .*votes, raised KeyError: 'g"):
        build_split("test", number_rows("made", rows), broken, FileDataConfig())
    config = FileDataConfig(on_bad_record=OnBadRecord.skip)
    counts = build_split("test", number_rows("made", rows), broken, config).counts
    assert (counts.used, counts.skipped) == (3, 1)
    assert counts.problems[0].startswith("made, record 4: ")


def test_a_copy_of_a_column_that_is_used_is_no_loss():
    turns = [{"role": "user", "content": "p"}, {"role": "assistant", "content": "a"}]
    pair = {"chosen": turns, "rejected": [turns[0], turns[1] | {"content": "b"}]}
    other = {"chosen": [turns[0] | {"content": "q"}, turns[1]]}
    other["rejected"] = [other["chosen"][0], pair["rejected"][1]]
    rows = [pair | {"messages": turns}, other | {"messages": other["chosen"]}]
    split = build_split("test", number_rows("made", rows), PREFERENCE, FileDataConfig())
    assert split.counts.used == 2
    rows[1]["messages"] = turns
    with pytest.raises(DataError, match=r"record 2: the columns messages"):
        build_split("test", number_rows("made", rows), PREFERENCE, FileDataConfig())
