"""evaluator=rps and the report it feeds."""

from __future__ import annotations

import re

import pytest

from prefrun.evaluation.evaluator import NotApplicable
from prefrun.policy.tokenise import Tokeniser
from prefrun.records.tree import Message, PreferenceTree
from prefrun.testing import check_evaluator
from prefrun.testing.context import RandomContext
from prefrun_rps.config import Method, RpsConfig, RpsEvaluatorConfig
from prefrun_rps.directions import from_angles, unit
from prefrun_rps.evaluator import RpsEvaluator
from prefrun_rps.policy import SelectionPolicy
from prefrun_rps.pools import PoolFile
from prefrun_rps.report import run_section
from prefrun_rps.results import EVALUATION, read_results
from prefrun_rps.space import Space

ANGLES = [0.0, 0.0, 15.0, 15.0, 40.0, 40.0]


class Asked:
    """A generator whose answer is the weights it was asked for, and a judge that reads them."""

    name = "asked"
    objectives = ("one", "two")

    def sample(self, groups, names, sampling):
        return [list(prompts) for prompts in groups]

    def score(self, trees, responses):
        return [sum(row) for row in self.score_objectives(trees, responses)]

    def score_objectives(self, trees, responses):
        """Good only below 30 degrees: beyond, the reward is nothing."""
        rows = []
        for text in responses:
            weights = [int(number) for number in re.findall(r"\*(-?\d+)", text)]
            v = unit(weights)
            rows.append(tuple(v) if v[1] < 0.5 else (0.0, 0.0))
        return rows


def make_context(tokenizer, folder, method=Method.rps, training=(0.0, 10.0), users=None):
    trees = [PreferenceTree(f"r{i}", (Message("user", f"Go {i}."),)) for i in range(len(ANGLES))]
    users = from_angles(ANGLES) if users is None else users
    asked = Asked()
    context = RandomContext()
    context.trees = trees
    context.folder = folder / "evaluation"
    context.folder.mkdir()
    context.policy = SelectionPolicy(
        config=RpsConfig(method=method, k=15),
        space=Space(
            asked,
            asked.objectives,
            {tree.id: v for tree, v in zip(trees, users, strict=True)},
            tuple(from_angles(list(training))) if training else (),
        ),
        sampler=asked,
        tokeniser=Tokeniser(tokenizer, 1024),
        batch_size=30,
        max_new_tokens=4,
        file=PoolFile(folder / "candidates.jsonl"),
    )
    return context


def evaluate(context):
    return RpsEvaluator(RpsEvaluatorConfig()).evaluate(context)


def test_it_measures_selection_policies_only():
    report = check_evaluator("rps")
    skipped = [verdict for verdict in report.verdicts if verdict.status == "skipped"]
    assert "only algo=rps selects" in skipped[0].seen
    with pytest.raises(NotApplicable):
        evaluate(RandomContext())


def test_win_rate_and_gain_by_distance_from_training(tokenizer, tmp_path):
    metrics = evaluate(make_context(tokenizer, tmp_path))
    assert metrics["rps_win_rate/to_1"].value == pytest.approx(0.0, abs=0.26)  # at 0 degrees
    assert metrics["rps_win_rate/beyond_20"].value == 1.0  # at 40, where best-of-n gets nothing
    assert metrics["rps_gain/beyond_20"].value > 0.5
    assert metrics["rps_win_rate/to_10"].per_record[:2] == (None, None)
    assert "rps_win_rate/to_20" not in metrics  # no prompt lies there
    difference = metrics["rps_score"].value - metrics["best_of_n_score"].value
    assert metrics["rps_gain"].value == pytest.approx(difference)
    directions = RpsEvaluator(RpsEvaluatorConfig()).directions
    assert set(metrics) <= set(directions)
    assert directions["best_of_n_score"] == "none"


def test_best_of_n_ties_with_itself(tokenizer, tmp_path):
    metrics = evaluate(make_context(tokenizer, tmp_path, Method.best_of_n))
    assert metrics["rps_win_rate"].value == 0.5
    assert metrics["rps_gain"].value == 0.0


def test_without_training_directions_there_are_no_bins(tokenizer, tmp_path):
    metrics = evaluate(make_context(tokenizer, tmp_path, training=()))
    assert not [name for name in metrics if "/" in name]
    assert "rps_win_rate" in metrics


def test_results_by_direction_are_written_and_reported(tokenizer, tmp_path):
    context = make_context(tokenizer, tmp_path)
    evaluate(context)
    results = read_results(tmp_path / EVALUATION)
    assert [(result.name, result.count) for result in results] == [
        ("0°", 2),
        ("15°", 2),
        ("40°", 2),
    ]
    assert [round(result.distance) for result in results] == [0, 5, 30]
    assert results[2].win_rate.value == 1.0
    section = run_section(tmp_path, tmp_path)
    assert section.startswith("## RPS against best-of-n by direction")
    assert "| 40° | 30° | 2 | 1.00 [1.00, 1.00] |" in section
    assert "(plots/rps.png)" in section
    assert (tmp_path / "plots" / "rps.png").read_bytes().startswith(b"\x89PNG")


def test_a_run_without_results_has_no_section(tmp_path):
    assert run_section(tmp_path, tmp_path) is None
