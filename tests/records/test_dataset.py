"""Splitting is stable, bad records stop or are counted, and the fingerprint tells data apart."""

import json
import random
import subprocess
import sys

import numpy as np
import pytest

from prefrun.errors import DataError
from prefrun.records.config import FileDataConfig, OnBadRecord
from prefrun.records.converters.lists import LISTS
from prefrun.records.converters.step_trees import STEP_TREES
from prefrun.records.converters.trl_prompt_only import PROMPT_ONLY
from prefrun.records.dataset import build_split, generated_split, hold_out, number_rows
from prefrun.records.place import Place
from prefrun.records.reading import read_rows
from prefrun.records.tree import Branch, PreferenceTree, Step

SKIP = OnBadRecord.skip


def row(number, **changes):
    return {"prompt": f"p{number}", "responses": ["good", "bad"], "scores": [2, 1]} | changes


def build(rows, record_format=LISTS, held_out=None, **keys):
    if held_out is not None:
        held_out = number_rows("held", held_out)
    config = FileDataConfig(**keys)
    return build_split("test", number_rows("made", rows), record_format, config, held_out=held_out)


def prompts(trees):
    return [tree.prompt for tree in trees]


def test_the_stated_part_is_held_out_and_order_is_kept():
    split = build([row(n) for n in range(50)], test_fraction=0.3)
    assert (len(split.train), len(split.test)) == (35, 15)
    assert sorted(prompts(split.train) + prompts(split.test)) == sorted(f"p{n}" for n in range(50))
    for part in (split.train, split.test):
        numbers = [int(prompt[1:]) for prompt in prompts(part)]
        assert numbers == sorted(numbers)


def test_the_split_does_not_depend_on_order():
    rows = [row(n) for n in range(40)]
    shuffled = random.Random(1).sample(rows, len(rows))
    assert set(prompts(build(rows).test)) == set(prompts(build(shuffled).test))


def test_records_of_one_prompt_stay_together():
    rows = [row(n % 10, responses=[f"good {n}", "bad"]) for n in range(40)]
    split = build(rows)
    assert not set(prompts(split.train)) & set(prompts(split.test))
    assert (len(split.train), len(split.test)) == (32, 8)


def test_one_record_is_held_out_and_one_stays_at_the_extremes():
    rows = [row(0), row(1), row(2)]
    assert len(build(rows, test_fraction=0.001).test) == 1
    assert len(build(rows, test_fraction=0.999).train) == 1


@pytest.mark.parametrize("rows", [[row(0)], [row(0), row(0, responses=["a", "b"])]])
def test_one_prompt_cannot_be_split(rows):
    with pytest.raises(DataError, match=r"1 different prompt.*\n.*two different prompts"):
        build(rows)


def test_hold_out_reads_chats_by_content():
    chat = [{"role": "user", "content": "hi"}]
    other = [{"role": "user", "content": "ho"}]
    split = build([row(0, prompt=chat), row(1, prompt=chat), row(2, prompt=other)])
    assert sorted([len(split.train), len(split.test)]) == [1, 2]
    assert hold_out([*split.train, *split.test], 0.2)[1] == list(split.test)


def test_held_out_rows_of_their_own_are_all_used():
    split = build([row(0), row(1)], held_out=[row(2)])
    assert prompts(split.train) == ["p0", "p1"]
    assert prompts(split.test) == ["p2"]
    assert (split.counts.read, split.counts.used) == (3, 3)


def test_max_records_takes_usable_ones_and_reads_no_further():
    rows = iter([row(0), row(1, scores=[1, 1]), row(2), row(3), row(4)])
    split = build(rows, max_records=3, on_bad_record=SKIP)
    assert sorted(prompts(split.train) + prompts(split.test)) == ["p0", "p2", "p3"]
    assert next(rows)["prompt"] == "p4"
    assert (split.counts.read, split.counts.used, split.counts.skipped) == (4, 3, 1)


def test_the_first_bad_record_stops_by_default(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text("\n".join(json.dumps(r) for r in [row(0), row(1, scores=["x", 1]), {}]))
    with pytest.raises(DataError) as caught:
        build_split("test", read_rows(path), LISTS, FileDataConfig())
    assert str(caught.value) == (
        f"{path}, line 2, field 'scores[0]': is text 'x', not a number\n"
        "  remedy: give a plain number, or leave all such records out with data.on_bad_record=skip"
    )


def test_skipped_records_are_counted_and_listed(tmp_path):
    path = tmp_path / "a.jsonl"
    lines = [json.dumps(row(0)), "{", json.dumps(row(1, responses=["a", "a"])), json.dumps(row(2))]
    path.write_text("\n".join(lines))
    counts = build_split("test", read_rows(path), LISTS, FileDataConfig(on_bad_record=SKIP)).counts
    assert (counts.read, counts.used, counts.skipped) == (4, 2, 2)
    assert counts.problems[0].startswith(f"{path}, line 2: invalid JSON at column 2")
    assert counts.problems[1] == (
        f"{path}, line 3, field 'responses[1]': the same answer as responses[0]"
    )


def test_no_usable_record_is_an_error_that_shows_the_first_problem():
    with pytest.raises(DataError, match=r"none of 2 record.*field 'prompt': the prompt is empty"):
        build([row(0, prompt=" "), row(1, prompt="")], on_bad_record=SKIP)


FAULTS = {
    "empty prompt": ({"prompt": " \n"}, "prompt", "the prompt is empty"),
    "no prompt": ({"prompt": None}, "prompt", "missing"),
    "one answer": ({"responses": ["a"], "scores": [1]}, "responses", "at least 2 needed"),
    "no answers": ({"responses": [], "scores": []}, "responses", "at least 2 needed"),
    "duplicates": ({"responses": ["a", "a"]}, "responses[1]", "the same answer as responses[0]"),
    "all equal": ({"scores": [3, 3]}, "scores[*]", "all 2 answers have the same score 3"),
    "all tied": ({"scores": None, "ranks": [1, 1]}, "scores[*]", "the same rank"),
    "too long": ({"responses": ["a" * 21, "b"]}, "responses[0]", "data.max_chars=20"),
    "NaN": ({"scores": [1.0, float("nan")]}, "scores[1]", "nan, not a finite number"),
}


@pytest.mark.parametrize("case", FAULTS)
def test_a_fault_is_told_in_the_words_of_the_format(case):
    changes, field, problem = FAULTS[case]
    with pytest.raises(DataError) as caught:
        build([row(0), row(1, **changes)], max_chars=20)
    error = caught.value
    assert (error.file, error.record, error.field) == ("made", "2", field)
    assert problem in error.problem
    assert "data.on_bad_record=skip" in error.remedy


def test_a_missing_objective_names_those_that_every_answer_has():
    branches = [
        {"steps": [{"text": "a"}], "scores": {"overall": 1, "style": 2}},
        {"steps": [{"text": "b"}], "scores": {"overall": 2}},
    ]
    with pytest.raises(DataError) as caught:
        build([{"prompt": "p", "branches": branches}], STEP_TREES, objective="style")
    assert caught.value.field == "branches[1].scores.style"
    assert caught.value.remedy.startswith("set data.objective to one of overall")


def test_formats_without_a_preference_need_none():
    assert len(build([{"prompt": "a"}, {"prompt": "b"}], PROMPT_ONLY).train) == 1


def test_the_fingerprint_tells_records_and_their_use_apart():
    rows = [row(n) for n in range(10)]
    same = {build(rows).fingerprint, build(rows).fingerprint}
    assert len(same) == 1
    others = [
        build(rows[:9]),
        build(rows[::-1]),
        build([*rows[:9], row(9, scores=[2, 1.5])]),
        build([*rows[:9], row(9, responses=["good", "worse"])]),
        build([*rows[:9], row(9, extra=1)]),
        build(rows, test_fraction=0.4),
        build(rows, max_records=9, test_fraction=0.4),
        build(rows, held_out=[row(10)]),
    ]
    prints = {split.fingerprint for split in others} | same
    assert len(prints) == len(others) + 1


def test_the_fingerprint_covers_the_objective():
    rows = [row(n, scores=None, ranks=[1, 2]) for n in range(2)]
    assert build(rows).fingerprint != build(rows, objective="other").fingerprint


def test_the_fingerprint_ignores_where_the_records_lie():
    rows = [row(n) for n in range(4)]
    moved = [(Place("elsewhere", n + 7, is_line=True), each) for n, each in enumerate(rows)]
    there = build_split("test", moved, LISTS, FileDataConfig())
    assert there.fingerprint == build(rows).fingerprint


def test_reading_json_imports_nothing_heavy(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text("\n".join(json.dumps(row(n)) for n in range(4)))
    code = f"""
import sys
from prefrun.records.config import FileDataConfig
from prefrun.records.converters.lists import LISTS
from prefrun.records.dataset import build_split
from prefrun.records.reading import read_rows
build_split("test", read_rows({str(path)!r}), LISTS, FileDataConfig())
heavy = {{"torch", "transformers", "datasets", "pyarrow", "numpy"}} & set(sys.modules)
sys.exit(str(heavy) if heavy else 0)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_generated_records_are_used_as_they_are():
    def split(text: str, **more):
        branches = (Branch((Step(text),), rank=1), Branch((Step("b"),), rank=2))
        trees = [PreferenceTree(f"t{n}", "p", branches) for n in range(3)]
        return generated_split("made", trees[:2], trees[2:], **more)

    one = split("a")
    assert (len(one.train), len(one.test)) == (2, 1)
    assert (one.counts.read, one.counts.used, one.counts.skipped) == (3, 3, 0)
    assert one.note == "Generated data: 2 training and 1 held-out records"
    assert split("a", note="mine").note == "mine"
    assert split("a").fingerprint == one.fingerprint != split("c").fingerprint


def test_all_of_an_array_is_part_of_the_fingerprint():
    first = np.arange(20_000.0).reshape(2, -1)
    other = first.copy()
    other[1, 5000] += 1  # numpy's text of an array leaves this number out

    def fingerprint(features):
        branches = (Branch((Step("a"),), {"overall": 1.0}), Branch((Step("b"),), {"overall": 0.0}))
        tree = PreferenceTree("t", "p", branches, metadata={"features": features})
        return generated_split("made", [tree], []).fingerprint

    assert fingerprint(first) == fingerprint(first.copy())
    kinds = [first, other, first.astype(np.float32), first.reshape(4, -1), list(first)]
    assert len({fingerprint(each) for each in kinds}) == len(kinds)


def test_all_records_can_be_held_out():
    split = build([row(0), row(0), row(1)], test_fraction=1.0)
    assert (len(split.train), len(split.test)) == (0, 3)
