"""The evaluation context: what is computed, how often, and that it survives JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from prefrun.evaluation.answers import MOST_ANSWERS, MOST_CHARACTERS
from prefrun.evaluation.context import Context, held_out
from prefrun.evaluation.evaluator import NotApplicable
from prefrun.policy.policy import BranchLogps
from prefrun.records.split import DataSplit, ReadCounts
from prefrun.records.tree import Branch, PreferenceTree, Step
from prefrun.rundir.files import read_json, write_json
from prefrun.rundir.run import Run
from prefrun.schema import EvaluationConfig
from prefrun.testing import make_trees

MakeServices = Callable[..., Any]


class FakePolicy:
    """Answers with its name and how it was asked; counts what it was asked for."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.calls: list[str] = []

    def generate(self, trees: Any, max_new_tokens: int, temperature: float, seed: int) -> list[str]:
        self.calls.append("generate")
        return [f"{self.name} {tree.id} {max_new_tokens} {temperature} {seed}" for tree in trees]

    def logps(self, trees: Sequence[PreferenceTree]) -> list[BranchLogps]:
        self.calls.append("logps")
        draw = torch.Generator().manual_seed(len(self.name))
        return [
            BranchLogps(tuple(-torch.rand(5, generator=draw) for _ in tree.branches))
            for tree in trees
        ]


class FakeReward:
    """Scores an answer by who wrote it."""

    name = "fake"

    def __init__(self, scores: Mapping[str, float]) -> None:
        self.scores = scores
        self.calls = 0

    def score(self, trees: Sequence[PreferenceTree], responses: Sequence[str]) -> list[float]:
        self.calls += 1
        return [self.scores[response.split()[0]] for response in responses]


@pytest.fixture
def make_services(tmp_path: Path) -> MakeServices:
    """Return `make_services(trees, reward, **evaluation)`: what a context reads of a run."""

    def make(trees: Sequence[PreferenceTree], reward: Any = None, **evaluation: Any) -> Any:
        return SimpleNamespace(
            data=DataSplit("demo", [], trees, "f" * 8, ReadCounts(), objective="honesty"),
            config=SimpleNamespace(evaluation=EvaluationConfig(**evaluation)),
            reward=reward,
            run=Run("id", "name", tmp_path, 7, "demo", "demo", None, {}),
        )

    return make


def test_answers_come_from_the_run_s_evaluation_settings(make_services: MakeServices) -> None:
    policy, baseline = FakePolicy("new"), FakePolicy("old")
    services = make_services(make_trees(2), max_new_tokens=9, temperature=0.5)
    context = Context(services, policy, baseline)
    assert context.responses() == ["new tree-0 9 0.5 7", "new tree-1 9 0.5 7"]
    assert context.baseline_responses() == ["old tree-0 9 0.5 7", "old tree-1 9 0.5 7"]
    assert context.objective == "honesty"


def test_each_part_is_computed_once(make_services: MakeServices) -> None:
    policy, baseline = FakePolicy("new"), FakePolicy("old")
    reward = FakeReward({"new": 1.0, "old": 0.0})
    context = Context(make_services(make_trees(2), reward), policy, baseline)
    for _ in range(2):
        context.logps(), context.rewards(), context.responses()
        context.baseline_logps(), context.baseline_rewards(), context.baseline_responses()
    assert sorted(policy.calls) == sorted(baseline.calls) == ["generate", "logps"]
    assert reward.calls == 2


def test_the_starting_model_is_measured_once_although_it_is_also_the_baseline(
    make_services: MakeServices,
) -> None:
    policy = FakePolicy("old")
    context = Context(make_services(make_trees(2)), policy, policy)
    assert context.responses() == context.baseline_responses()
    assert context.logps() is context.baseline_logps()
    assert sorted(policy.calls) == ["generate", "logps"]


def test_baseline_parts_come_back_from_json_exactly(
    make_services: MakeServices, tmp_path: Path
) -> None:
    services = make_services(make_trees(3), FakeReward({"new": 1.0, "old": 0.1}))
    start = FakePolicy("old")
    before = Context(services, start, start)
    before.rewards(), before.logps()
    write_json(tmp_path / "before.json", before.to_json())

    baseline = FakePolicy("old")
    after = Context(services, FakePolicy("new"), baseline, read_json(tmp_path / "before.json"))
    assert after.baseline_rewards() == before.rewards()
    assert after.baseline_responses() == before.responses()
    for kept, made in zip(after.baseline_logps(), before.logps(), strict=True):
        assert kept.sums == made.sums
        assert all(map(torch.equal, kept.token_logps, made.token_logps))
    assert baseline.calls == []
    assert after.rewards() == [1.0] * 3


def test_parts_nobody_asked_for_are_left_out_and_computed_later(
    make_services: MakeServices,
) -> None:
    start = FakePolicy("old")
    before = Context(make_services(make_trees(2)), start, start)
    before.responses()
    known = json.loads(json.dumps(before.to_json()))
    baseline = FakePolicy("old")
    after = Context(make_services(make_trees(2)), FakePolicy("new"), baseline, known)
    after.baseline_responses(), after.baseline_logps()
    assert start.calls == ["generate"]
    assert baseline.calls == ["logps"]


def test_without_a_reward_only_the_reward_is_missing(make_services: MakeServices) -> None:
    context = Context(make_services(make_trees(2)), FakePolicy("new"), FakePolicy("old"))
    with pytest.raises(NotApplicable, match="reward"):
        context.rewards()
    assert len(context.responses()) == 2


def test_a_reward_that_is_no_number_names_the_record(make_services: MakeServices) -> None:
    reward = FakeReward({"new": math.nan})
    context = Context(make_services(make_trees(2), reward), FakePolicy("new"), FakePolicy("old"))
    with pytest.raises(NotApplicable, match="fake gave nan for record tree-0"):
        context.rewards()


def test_log_probs_that_are_no_numbers_name_the_record(
    make_services: MakeServices, monkeypatch: pytest.MonkeyPatch
) -> None:
    policy = FakePolicy("new")
    broken = BranchLogps((torch.tensor([-1.0, torch.nan]),))
    monkeypatch.setattr(policy, "logps", lambda trees: [broken for _ in trees])
    context = Context(make_services(make_trees(2)), policy, FakePolicy("old"))
    with pytest.raises(NotApplicable, match="record tree-0"):
        context.logps()


def test_no_held_out_records_is_said_so_and_no_model_is_asked(make_services: MakeServices) -> None:
    policy = FakePolicy("new")
    context = Context(make_services([]), policy, policy)
    for part in (context.responses, context.logps, lambda: context.trees):
        with pytest.raises(NotApplicable, match="no held-out records"):
            part()
    assert policy.calls == []
    assert context.samples() == []


def test_samples_show_both_answers_with_their_rewards(make_services: MakeServices) -> None:
    services = make_services(make_trees(1), FakeReward({"new": 2.0, "old": 1.0}))
    context = Context(services, FakePolicy("new"), FakePolicy("old"))
    context.rewards(), context.baseline_rewards()
    (sample,) = context.samples()
    assert sample == {
        "id": "tree-0",
        "prompt": make_trees(1)[0].prompt_text,
        "response": "new tree-0 64 1.0 7",
        "reward": 2.0,
        "baseline_response": "old tree-0 64 1.0 7",
        "baseline_reward": 1.0,
    }


def test_samples_show_what_both_policies_say_of_the_data_s_answers(
    make_services: MakeServices,
) -> None:
    (tree,) = make_trees(1)
    context = Context(make_services([tree]), FakePolicy("new"), FakePolicy("older"))
    own, start = context.logps()[0].sums, context.baseline_logps()[0].sums
    (sample,) = context.samples()
    assert [answer["text"] for answer in sample["answers"]] == [b.text for b in tree.branches]
    ratios = [after - before for after, before in zip(own, start, strict=True)]
    assert [answer["log_ratio"] for answer in sample["answers"]] == pytest.approx(ratios)
    # honesty, the run's objective, has no scores here, so ranks are shown, higher is better
    assert [answer["score"] for answer in sample["answers"]] == tree.labels("honesty")


def test_samples_hold_no_whole_book(make_services: MakeServices) -> None:
    long = Branch((Step("word " * 2000),), {"honesty": 1.0})
    tree = PreferenceTree(
        "long",
        "Say much.",
        (long, *(Branch((Step(f"answer {number}"),), {"honesty": 0.0}) for number in range(40))),
    )
    context = Context(make_services([tree]), FakePolicy("new"), FakePolicy("older"))
    context.logps(), context.baseline_logps()
    (sample,) = context.samples()
    assert len(sample["answers"]) == MOST_ANSWERS
    assert len(sample["answers"][0]["text"]) == MOST_CHARACTERS
    assert sample["answers"][0]["text"].endswith("…")


def test_the_drawn_records_are_the_same_for_every_run_and_keep_their_order() -> None:
    trees = make_trees(40)
    drawn = held_out(trees, 10)
    assert drawn == held_out(trees, 10)
    assert [trees.index(tree) for tree in drawn] == sorted({trees.index(tree) for tree in drawn})
    assert len(drawn) == 10
    assert drawn != trees[:10]  # sorted data would make the first ones a poor sample
    assert held_out(trees, 40) == held_out(trees, None) == trees
