"""Phase 2: schedules of given answers, and pairs made of the model's own translations."""

from __future__ import annotations

import pytest

from prefrun import DataError
from prefrun.records.tree import Branch, PreferenceTree, Step
from prefrun_simulpl.config import Delays, PairsConfig, SimulPLConfig
from prefrun_simulpl.latency import average_proportion
from prefrun_simulpl.pairs import Pair, Scheduled, build_pairs, read_pairs, write_pairs
from prefrun_simulpl.quality import sentence_chrf
from prefrun_simulpl.reordered import records
from prefrun_simulpl.schedule import wait_k_delays
from prefrun_simulpl.streaming import Translator


@pytest.fixture
def translator(loaded, vocabulary) -> Translator:
    return Translator(loaded.model, vocabulary, 20)


def trees(*, given: bool, delays: dict | None = None) -> list[PreferenceTree]:
    made = []
    for number, row in enumerate(records(6, held_out=True)):
        texts = (row["chosen"], row["rejected"]) if given else (row["en"],)
        branches = tuple(Branch((Step(text),), rank=n) for n, text in enumerate(texts, 1))
        metadata = {"reference": row["en"], **(delays or {})}
        made.append(PreferenceTree(f"r:{number}", row["de"], branches, metadata=metadata))
    return made


def build(translator, given, **keys) -> list[Pair]:
    config = SimulPLConfig(pairs=PairsConfig(**keys), k=2)
    return build_pairs(given, translator, config, lambda done, total: None)


def test_given_answers_without_delays_wait_k_words(translator) -> None:
    for pair in build(translator, trees(given=True)):
        assert pair.chosen.delays == pair.rejected.delays == tuple(wait_k_delays(2, 8, 8))


def test_given_delays_are_kept(translator) -> None:
    own = {"chosen_delays": [1, 1, 1, 1, 5, 6, 7, 8]}
    for pair in build(translator, trees(given=True, delays=own)):
        assert list(pair.chosen.delays) == own["chosen_delays"]
        assert pair.rejected.delays == tuple(wait_k_delays(2, 8, 8))


def test_the_policy_can_schedule_given_answers(translator) -> None:
    pairs = build(translator, trees(given=True), delays=Delays.policy)
    for pair in pairs:
        for side in (pair.chosen, pair.rejected):
            assert len(side.delays) == len(side.text.split())
            assert list(side.delays) == sorted(side.delays)
    assert len({side.delays for pair in pairs for side in (pair.chosen, pair.rejected)}) > 1


def test_made_pairs_prefer_quality_less_latency(translator) -> None:
    records = trees(given=False)
    pairs = build(translator, records, latency_weight=0.3, min_margin=0.0)
    assert pairs
    references = {tree.id: tree.metadata["reference"] for tree in records}
    for pair in pairs:
        assert pair.chosen.score > pair.rejected.score
        for side in (pair.chosen, pair.rejected):
            quality = sentence_chrf(side.text, references[pair.id]) / 100
            latency = average_proportion(side.delays, 8)
            assert side.score == pytest.approx(quality - 0.3 * latency)


def test_pairs_that_are_too_close_are_left_out(translator) -> None:
    with pytest.raises(DataError, match=r"algo\.pairs\.min_margin"):
        build(translator, trees(given=False), min_margin=50.0)


def test_only_the_first_records_are_used(translator) -> None:
    assert len(build(translator, trees(given=True), records=4)) == 4


def test_pairs_survive_their_file(tmp_path) -> None:
    pair = Pair("r:1", "ä b", Scheduled("x y", (1, 2), 0.25), Scheduled("y", (2,)))
    write_pairs(tmp_path / "pairs.jsonl", [pair])
    assert read_pairs(tmp_path / "pairs.jsonl") == [pair]
