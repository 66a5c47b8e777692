"""stage2=offline and stage2=conditioned: the records they train on, and the policy that answers."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from prefrun.records.tree import Message, PreferenceTree
from prefrun.testing import make_batch, make_trees
from prefrun.testing.context import RandomPolicy
from prefrun_orchestrator.conditioned import (
    ConditionedPolicy,
    Likelihood,
    best_answers,
    conditioned,
    prefix_of,
)
from prefrun_orchestrator.offline import relabelled
from prefrun_orchestrator.prompt_weights import PromptWeights
from prefrun_orchestrator.scores import rewards_of
from prefrun_orchestrator.weights import Statistics

NAMES = ("helpfulness", "honesty")
TREES = make_trees(4)
REWARDS = rewards_of(TREES, NAMES)
POOL = Statistics.of(torch.cat(REWARDS))


def given(*weights, norm="none"):
    return PromptWeights(NAMES, norm, POOL, given=weights)


def relabel(weights, *, pairs, trees=TREES, rewards=REWARDS):
    return relabelled(trees, rewards, weights, "overall", pairs=pairs)


def test_lists_are_scored_by_the_weighted_sum():
    found = relabel(given(3, 1), pairs=False)
    for tree, own in zip(found, REWARDS, strict=True):
        assert tree.labels() == pytest.approx((own @ torch.tensor([0.75, 0.25]).double()).tolist())
        tree.validate(2)


def test_pairs_are_the_best_and_the_worst_answer():
    for tree, source in zip(relabel(given(1, 0), pairs=True), TREES, strict=True):
        helpfulness = source.labels("helpfulness")
        assert tree.ranks() == [1, 2]
        texts = [branch.text for branch in source.branches]
        assert tree.branches[0].text == texts[helpfulness.index(max(helpfulness))]
        assert tree.branches[1].text == texts[helpfulness.index(min(helpfulness))]


def test_a_record_of_equal_sums_is_left_out():
    same = [torch.ones_like(own) for own in REWARDS[:1]] + REWARDS[1:]
    found = relabel(given(1, 1), pairs=True, rewards=same)
    assert [tree.id for tree in found] == [tree.id for tree in TREES[1:]]


def test_the_weights_of_a_record_decide_for_it_alone():
    trees = [replace(TREES[0], metadata={"weights": [0, 1]}), *TREES[1:]]

    class Uniform:
        def weights(self, texts):
            return torch.full((len(texts), 2), 0.5, dtype=torch.float64)

    weights = PromptWeights(NAMES, "none", POOL, Uniform())
    found = relabel(weights, pairs=False, trees=trees)
    assert found[0].labels() == pytest.approx(TREES[0].labels("honesty"))
    assert found[1].labels() == pytest.approx(REWARDS[1].mean(-1).tolist())


def test_rewards_are_normalised_as_in_stage_one():
    found = relabel(given(1, 0, norm="zscore"), pairs=False)
    sums = [label for tree in found for label in tree.labels()]
    assert sum(sums) / len(sums) == pytest.approx(0.0, abs=1e-9)


def test_weights_stand_before_the_prompt():
    assert prefix_of([0.618, 0.382]) == "<w1> 0.62 <w2> 0.38 "
    chat = (Message("user", "Hi."), Message("assistant", "Yes?"), Message("user", "Go."))
    plain, talk, silent = conditioned(
        [
            PreferenceTree("a", "Go."),
            PreferenceTree("b", chat),
            PreferenceTree("c", (Message("system", "Speak."),)),
        ],
        given(3, 1),
    )
    assert plain.prompt == "<w1> 0.75 <w2> 0.25 Go."
    assert talk.prompt == (*chat[:2], Message("user", "<w1> 0.75 <w2> 0.25 Go."))
    assert silent.prompt[0] == Message("user", "<w1> 0.75 <w2> 0.25")


def test_conditioned_training_sees_the_best_answer_under_the_weights():
    for tree, source in zip(best_answers(TREES, REWARDS, given(0, 1)), TREES, strict=True):
        honesty = source.labels("honesty")
        assert [b.text for b in tree.branches] == [
            source.branches[honesty.index(max(honesty))].text
        ]
        assert tree.prompt_text.startswith("<w1> 0.00 <w2> 1.00 ")


def test_the_likelihood_is_the_mean_over_tokens():
    batch = make_batch(needs=frozenset())
    batch = replace(batch, weights=torch.ones_like(batch.weights))
    batch = replace(batch, branch_weights=batch.branch_mask.to(batch.branch_weights))
    loss = Likelihood(None).loss(batch).loss
    logps = batch.policy_token_logps[batch.token_mask]
    assert loss.item() == pytest.approx(-logps.mean().item())


def test_a_conditioned_policy_puts_weights_into_every_prompt():
    seen = []

    class Spy(RandomPolicy):
        def sample(self, trees, *rest, **named):
            seen.extend(tree.prompt_text for tree in trees)
            return super().sample(trees, *rest, **named)

        def logps(self, trees):
            seen.extend(tree.prompt_text for tree in trees)
            return super().logps(trees)

        def kl(self, trees, responses, other):
            seen.extend(tree.prompt_text for tree in trees)
            return super().kl(trees, responses, other)

    policy = ConditionedPolicy(Spy(0), given(1, 1))
    answers = policy.generate(TREES, 5, 1.0, 0)
    policy.logps(TREES)
    policy.kl(TREES, answers, RandomPolicy(1))
    assert [samples[0].text for samples in policy.sample(TREES, 2, 5, 1.0)] == answers
    assert len(seen) == 4 * len(TREES)
    assert all(text.startswith("<w1> 0.50 <w2> 0.50 ") for text in seen)
    assert policy.count_tokens(["a b"]) == [2]
