"""evaluator=simt: its numbers, its logs, its curve, and the sections drawn from it."""

from __future__ import annotations

import json

import pytest
import torch

from prefrun import ConfigError, DataError
from prefrun.evaluation.evaluator import NotApplicable
from prefrun.records.tree import PreferenceTree
from prefrun.testing import check_evaluator
from prefrun.testing.context import RandomContext
from prefrun_simulpl.component_config import Decoding, ParallelDataConfig, SimtEvaluatorConfig
from prefrun_simulpl.curves import at_latency, shared_range
from prefrun_simulpl.data import ParallelData
from prefrun_simulpl.evaluator import SimtEvaluator
from prefrun_simulpl.latency import METRICS
from prefrun_simulpl.quality import corpus_bleu
from prefrun_simulpl.report import report_section
from prefrun_simulpl.rules import ConfidenceRule, FullSentenceRule, WaitKRule, rule_of

SMALL = {"thresholds": [0.3, 0.6], "wait_k": [2], "max_tokens": 20}


class Translating:
    """A policy as the host makes them, as far as the evaluator looks."""

    def __init__(self, loaded) -> None:
        self.loaded = loaded


class Context(RandomContext):
    """Held-out sentences of the generated pair."""

    def __init__(self, loaded, folder) -> None:
        super().__init__()
        split = ParallelData(ParallelDataConfig(max_records=8)).load(0)
        self.trees, self.reward = split.test, split.reward
        self.policy, self.folder = Translating(loaded), folder


@pytest.fixture
def context(loaded, tmp_path) -> Context:
    loaded.model.config.trained_for = {"policy": "wait_k", "k": 3}
    folder = tmp_path / "evaluation"
    folder.mkdir()
    return Context(loaded, folder)


def evaluate(context, **keys):
    return SimtEvaluator(SimtEvaluatorConfig(**{**SMALL, **keys})).evaluate(context)


def read_log(context) -> list[dict]:
    text = (context.folder / "simt" / "instances.log").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


def test_conformance() -> None:
    check_evaluator("simt")


def test_the_log_holds_what_the_metrics_are_made_of(context) -> None:
    metrics = evaluate(context)
    lines = read_log(context)
    assert [line["index"] for line in lines] == list(range(8))
    for line in lines:
        words = line["prediction"].split()
        assert len(words) == len(line["delays"]) == len(line["elapsed"])
        assert line["prediction_length"] == len(words)
        assert line["source_length"] == len(line["source"].split())
        assert line["actions"].count("WRITE") == len(words)
        assert line["actions"].count("READ") == line["source_length"]
    for name, metric in METRICS.items():
        values = [
            metric(line["delays"], line["source_length"], len(line["reference"].split(" ")))
            for line in lines
        ]
        assert metrics[name].value == pytest.approx(sum(values) / len(values))
        assert metrics[name].per_record == pytest.approx(values)
        assert [line["metric"][name] for line in lines] == pytest.approx(values)
    bleu = corpus_bleu(
        [line["prediction"] for line in lines], [line["reference"] for line in lines]
    )
    assert metrics["BLEU"].value == bleu
    assert set(metrics) <= set(SimtEvaluator.directions) | {"accuracy", "correct", "monotone"}


def test_empty_hypotheses_are_counted_and_have_no_latency(context, loaded) -> None:
    loaded.model.lm_head = Ending(loaded.model.lm_head)
    metrics = evaluate(context)
    assert metrics["empty_hypotheses"].value == 8
    assert metrics["BLEU"].value == 0
    assert "AL" not in metrics


class Ending(torch.nn.Module):
    """A head that always ends the sentence."""

    def __init__(self, head) -> None:
        super().__init__()
        self.head = head

    def forward(self, hidden):
        logits = self.head(hidden)
        logits[..., 2] = logits.max() + 1
        return logits


def test_computing_time_comes_on_top_of_reading(context) -> None:
    metrics = evaluate(context, computation_aware=True, word_ms=1000.0)
    assert metrics["AL_CA"].value > metrics["AL"].value
    for line in read_log(context):
        assert all(e > d for e, d in zip(line["elapsed"], line["delays"], strict=True))
        assert line["elapsed"] == sorted(line["elapsed"])


def test_the_curve_has_a_row_per_setting(context, tmp_path) -> None:
    evaluate(context)
    rows = json.loads((context.folder / "simt" / "curve.json").read_text())
    settings = [(row["system"], row["setting"]) for row in rows]
    assert settings == [
        ("confidence", 0.3),
        ("confidence", 0.6),
        ("wait-k", 2),
        ("full sentence", None),
    ]
    assert rows[-1]["StartOffset"] == 8
    text = report_section(tmp_path, tmp_path)
    assert text.startswith("## Quality and latency\n")
    assert (tmp_path / "plots" / "quality_and_latency.png").stat().st_size > 5000
    assert text.count("| confidence |") == 2


def test_a_run_without_a_curve_has_no_section(tmp_path) -> None:
    assert report_section(tmp_path, tmp_path) is None


def test_the_trained_policy_is_what_the_model_was_trained_for(context) -> None:
    trained = evaluate(context)
    chosen = evaluate(context, policy=Decoding.wait_k, k=3)
    assert trained["AL"] == chosen["AL"]
    assert trained["StartOffset"].value == 3


@pytest.mark.parametrize(
    ("keys", "trained_for", "rule"),
    [
        ({}, {"policy": "confidence", "threshold": 0.7, "min_source": 2}, ConfidenceRule(0.7, 2)),
        ({}, {"policy": "full_sentence"}, FullSentenceRule()),
        ({"policy": Decoding.wait_k, "k": 4}, {"policy": "confidence", "k": 9}, WaitKRule(4)),
        (
            {"policy": Decoding.confidence, "threshold": 0.4},
            {"policy": "wait_k"},
            ConfidenceRule(0.4),
        ),
    ],
)
def test_the_rule_follows_the_keys_then_the_training(keys, trained_for, rule) -> None:
    assert rule_of(SimtEvaluatorConfig(**keys), trained_for) == rule


def test_other_models_and_untrained_ones_are_not_measured(context, loaded) -> None:
    with pytest.raises(NotApplicable, match="model=simt"):
        evaluate(RandomContext())
    loaded.model.config.trained_for = None
    with pytest.raises(NotApplicable, match="nothing yet"):
        evaluate(context)


def test_records_of_other_data_are_named(context) -> None:
    context.trees = [PreferenceTree(id="other:1", prompt="bal")]
    with pytest.raises(DataError, match="other:1"):
        evaluate(context)


@pytest.mark.parametrize(
    "keys", [{"k": 0}, {"wait_k": [0]}, {"word_ms": 0.0}, {"thresholds": [float("nan")]}]
)
def test_settings_out_of_range_are_refused(keys) -> None:
    with pytest.raises(ConfigError, match=r"evaluator\.simt"):
        SimtEvaluatorConfig(**keys)


def test_quality_between_two_points_is_interpolated() -> None:
    points = [(1.0, 10.0), (3.0, 20.0), (2.0, 16.0)]
    assert at_latency(points, 2.5) == 18.0
    assert at_latency(points, 1.0) == 10.0
    assert at_latency(points, 3.5) is None
    assert shared_range([points, [(2.0, 0.0), (5.0, 1.0)]]) == (2.0, 3.0)
    assert shared_range([points, [(4.0, 0.0), (5.0, 1.0)]]) is None
