"""The configuration diff: only what differs, and no secret."""

from __future__ import annotations

from prefrun.comparison.compare import compare
from prefrun.comparison.page.settings import settings_payload
from prefrun.comparison.runs import load_runs


def test_only_keys_that_differ_are_kept(comparison):
    payload = settings_payload(comparison.rows)
    values = {
        key: None if number is None else payload["values"][number]
        for key, number in zip(payload["keys"], payload["rows"][0], strict=True)
    }
    assert values["algo"] == "lipo"
    assert values["algo.beta"] == "0.05"
    assert values["algo.label_smoothing"] is None
    assert "trainer.learning_rate" not in values
    assert "seed" not in values
    assert payload["equal"] >= 2


def test_secrets_are_masked(make_run, tmp_path):
    for number, token in enumerate(("hf_one", "hf_two")):
        make_run(f"s/{number}", {"kl": 1.0}, data__token=token, data__n=number)
    payload = settings_payload(compare(load_runs([tmp_path / "s"])).rows)
    assert "data.n" in payload["keys"]
    assert "hf_" not in str(payload)
