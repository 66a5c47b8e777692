"""data=multi30k: the generated pair, three file layouts, and what is wrong with a record."""

from __future__ import annotations

import gzip
import json
import os
from pathlib import Path

import pytest

from prefrun import ConfigError, DataError
from prefrun.records.config import OnBadRecord
from prefrun.testing import check_data
from prefrun_simulpl.component_config import ParallelDataConfig
from prefrun_simulpl.data import ParallelData
from prefrun_simulpl.judge import ReorderedJudge
from prefrun_simulpl.pair_records import reference_of
from prefrun_simulpl.reordered import is_held_out, monotone, records, reordered, swapped

SHARED = Path(
    os.environ.get("PREFRUN_SHARED_DATA", Path(__file__).parents[3].parent / "shared" / "data")
)
SENTENCES = [(f"ein Satz {n}", f"a sentence {n}") for n in range(6)]


def load(**keys):
    return ParallelData(ParallelDataConfig(**keys)).load(0)


def write_lines(path: Path, lines: list[str]) -> str:
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return str(path)


def json_lines(path: Path, rows: list[dict]) -> str:
    return write_lines(path, [json.dumps(row) for row in rows])


def pairs_of(split) -> set[tuple[str, str]]:
    return {(tree.prompt_text, reference_of(tree)) for tree in (*split.train, *split.test)}


def test_conformance() -> None:
    check_data("multi30k", overrides=["max_records=40"])


def test_all_layouts_hold_the_same_pairs(tmp_path) -> None:
    sources, targets = zip(*SENTENCES, strict=True)
    fields = json_lines(tmp_path / "a.jsonl", [{"de": s, "en": t} for s, t in SENTENCES])
    tabs = write_lines(tmp_path / "b.tsv", [f"{s}\t{t}" for s, t in SENTENCES])
    packed = tmp_path / "c.tsv.gz"
    packed.write_bytes(gzip.compress(Path(tabs).read_bytes()))
    one, two = write_lines(tmp_path / "d.de", sources), write_lines(tmp_path / "d.en", targets)
    splits = [load(path=fields), load(path=tabs), load(path=str(packed))]
    splits.append(load(path=one, target_path=two))
    assert all(pairs_of(split) == set(SENTENCES) for split in splits)
    assert len({split.fingerprint for split in splits}) == 1


def test_held_out_pairs_may_have_a_file_of_their_own(tmp_path) -> None:
    path = write_lines(tmp_path / "train.tsv", [f"{s}\t{t}" for s, t in SENTENCES[:4]])
    test_path = write_lines(tmp_path / "test.tsv", [f"{s}\t{t}" for s, t in SENTENCES[4:]])
    split = load(path=path, test_path=test_path)
    assert (len(split.train), len(split.test)) == (4, 2)


def test_given_preferences_keep_their_order_and_delays(tmp_path) -> None:
    row = {"de": "x y z", "en": "r", "chosen": "a b", "rejected": "b", "chosen_delays": [1, 3]}
    path = json_lines(tmp_path / "p.jsonl", [row, {**row, "de": "other", "chosen_delays": None}])
    trees = [*load(path=path).train, *load(path=path).test]
    tree = next(tree for tree in trees if tree.prompt_text == "x y z")
    assert [(branch.text, branch.rank) for branch in tree.branches] == [("a b", 1), ("b", 2)]
    assert tree.metadata == {"reference": "r", "chosen_delays": [1, 3]}


@pytest.mark.parametrize(
    ("change", "field", "problem"),
    [
        ({"de": "  "}, "de", "empty"),
        ({"en": ""}, "en", "empty"),
        ({"de": None}, "de", "missing"),
        ({"en": 3}, "en", "not a string"),
        ({"chosen": "a"}, "rejected", "missing"),
        ({"chosen": "a", "rejected": "a"}, "rejected", "same answer"),
        ({"chosen": "a", "rejected": "b", "chosen_delays": [4]}, "chosen_delays", "no schedule"),
        ({"chosen": "a b", "rejected": "b", "chosen_delays": [2, 1]}, "chosen_delays", "schedule"),
        ({"chosen": "a b", "rejected": "b", "rejected_delays": [0]}, "rejected_delays", "schedule"),
        ({"chosen": "a", "rejected": "b", "chosen_delays": [1.5]}, "chosen_delays", "schedule"),
    ],
)
def test_a_bad_record_names_file_line_and_field(tmp_path, change, field, problem) -> None:
    rows = [{"de": s, "en": t} for s, t in SENTENCES]
    rows[3] |= change
    path = json_lines(tmp_path / "bad.jsonl", rows)
    with pytest.raises(DataError, match=problem) as caught:
        load(path=path)
    assert f"bad.jsonl, line 4, field '{field}'" in str(caught.value)
    split = load(path=path, on_bad_record=OnBadRecord.skip)
    assert (split.counts.used, split.counts.skipped) == (5, 1)


def test_files_of_different_length_are_refused(tmp_path) -> None:
    one = write_lines(tmp_path / "x.de", ["a", "b", "c"])
    two = write_lines(tmp_path / "x.en", ["a", "b"])
    with pytest.raises(DataError, match=r"x\.en: has 2 lines, .*x\.de has more"):
        load(path=one, target_path=two)
    with pytest.raises(DataError, match=r"x\.en: has 2 lines"):
        load(path=two, target_path=one)


def test_a_line_without_a_tab_is_named(tmp_path) -> None:
    path = write_lines(tmp_path / "x.tsv", ["a\tb", "no tab"])
    with pytest.raises(DataError, match=r"x\.tsv, line 2: 1 tab-separated"):
        load(path=path)


@pytest.mark.parametrize("name", ["missing.tsv", "missing.jsonl"])
def test_a_missing_file_is_named(tmp_path, name) -> None:
    with pytest.raises(DataError, match=name):
        load(path=str(tmp_path / name))


@pytest.mark.parametrize(
    "keys",
    [
        {"test_path": "x"},
        {"target_path": "x"},
        {"path": "x", "test_target_path": "y"},
        {"path": "x", "target_path": "y", "test_path": "z"},
        {"source_field": "en"},
    ],
)
def test_keys_that_do_not_fit_are_refused(keys) -> None:
    with pytest.raises(ConfigError, match=r"data"):
        ParallelDataConfig(**keys)


def test_the_generated_pair_says_what_it_is_and_shares_no_source() -> None:
    split = load(max_records=100)
    assert "not Multi30k" in split.note
    assert not {t.prompt_text for t in split.train} & {t.prompt_text for t in split.test}
    assert all(is_held_out(tree.prompt_text) for tree in split.test)
    crossed = [reference_of(t) == t.branches[1].text for t in split.train]
    assert 0.3 < sum(crossed) / len(crossed) < 0.7


def test_reordering_swaps_blocks_of_two() -> None:
    assert [swapped(n) for n in (1, 2, 5)] == [[0], [1, 0], [1, 0, 3, 2, 4]]
    assert reordered(["bal", "dem"]) == monotone(["dem", "bal"])


def test_the_judge_knows_both_orders() -> None:
    row = next(r for r in records(50, held_out=True) if len(set(r["de"].split())) == 8)
    (tree,) = load_one(row)
    crossed = " ".join(reordered(row["de"].split()))
    half = " ".join([*row["chosen"].split()[:4], *crossed.split()[4:]])
    scores = ReorderedJudge().score_objectives([tree] * 5, [row["chosen"], crossed, half, "", "x"])
    assert scores == [(1, 1, 1), (0, 1, 0), (0.5, 1, 0.5), (0, 0, 0), (0, 0, 0)]


def load_one(row):
    split = load(max_records=100)
    return [t for t in (*split.train, *split.test) if t.prompt_text == row["de"]]


def test_the_judge_refuses_another_language() -> None:
    (tree, *_) = load(max_records=2).test
    foreign = type(tree)(id="x", prompt="ein Hund")
    with pytest.raises(DataError, match="'ein'"):
        ReorderedJudge().score([foreign], [""])


def test_the_real_corpus_reads_whole() -> None:
    path = SHARED / "multi30k_val.jsonl.gz"
    if not path.exists():
        pytest.skip(f"{path} is not there")
    split = load(path=str(path))
    assert split.counts.used == 1014
    assert split.counts.skipped == 0
