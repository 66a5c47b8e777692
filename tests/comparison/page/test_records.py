"""The records: what each configuration answered and how it ranks the data's answers."""

from __future__ import annotations

from prefrun.comparison.page import records
from prefrun.comparison.page.records import records_payload


def test_a_record_holds_prompt_answers_and_every_configuration(comparison):
    payload = records_payload(comparison.rows)
    texts, first = payload["texts"], payload["records"][1]
    name, prompt, answers, start, sides = first
    assert name == "record-1"
    assert texts[prompt].startswith("Prompt number 1.")
    assert [(texts[text], score) for text, score in answers][2] == ("answer 2 of 1", -2)
    assert [texts[start[0]], start[1]] == ["as before", 0.5]
    lipo, dpo, odd = sides
    assert [texts[lipo[0]], *lipo[1:]] == ["lipo says 1", 1, [2, 1, 0], [0]]
    assert [texts[dpo[0]], *dpo[1:]] == ["dpo says 1", 3, [0, 1, 2], [1]]
    assert odd is None


def test_configurations_are_shown_with_the_same_seed(comparison):
    assert records_payload(comparison.rows)["seeds"] == [1, 1, 1]


def test_records_stop_where_the_page_would_grow_too_large(comparison, monkeypatch):
    monkeypatch.setattr(records, "BUDGET", 400)
    payload = records_payload(comparison.rows)
    assert (len(payload["records"]), payload["total"]) == (1, 3)
    monkeypatch.setattr(records, "MOST_RECORDS", 2)
    monkeypatch.setattr(records, "BUDGET", 10**6)
    assert len(records_payload(comparison.rows)["records"]) == 2


def test_other_answers_under_the_same_id_have_no_implied_reward_here(comparison, sweep):
    path = sweep / "3" / "samples.jsonl"
    path.write_text(path.read_text().replace("answer 0 of 1", "another answer"))
    sides = records_payload(comparison.rows)["records"][1][4]
    assert sorted(len(side[2]) for side in sides if side) == [0, 3]


def test_damaged_or_missing_samples_leave_their_place_empty(comparison, sweep):
    (sweep / "1" / "samples.jsonl").write_text("{")
    (sweep / "3" / "samples.jsonl").unlink()
    assert records_payload(comparison.rows)["records"] == []


def test_without_runs_there_are_no_records():
    assert records_payload([])["records"] == []
