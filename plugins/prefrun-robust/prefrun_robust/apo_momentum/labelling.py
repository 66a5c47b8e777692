"""Samples answers of the current policy, and makes training records of the reward's verdicts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from prefrun.policy.policy import Policy
from prefrun.records.tree import Branch, PreferenceTree, Step
from prefrun.reward import Reward
from prefrun_robust.apo_momentum.config import InnerLoss


@dataclass(frozen=True, slots=True)
class Sampled:
    """A prompt's sampled answers and their rewards."""

    id: str
    answers: tuple[str, ...]
    rewards: tuple[float, ...]

    def row(self) -> dict[str, Any]:
        """As JSON."""
        return {"id": self.id, "answers": list(self.answers), "rewards": list(self.rewards)}

    @classmethod
    def of(cls, row: dict[str, Any]) -> Sampled:
        """Read back what `row` returned."""
        return cls(row["id"], tuple(row["answers"]), tuple(row["rewards"]))


def sample(
    policy: Policy,
    reward: Reward,
    trees: Sequence[PreferenceTree],
    count: int,
    *,
    round: int,
    max_new_tokens: int,
    temperature: float,
    seed: int,
) -> list[Sampled]:
    """Draw COUNT answers per prompt and let REWARD score them."""
    asked = [
        replace(tree, id=f"{tree.id} round {round} sample {number}", branches=())
        for tree in trees
        for number in range(count)
    ]
    answers = policy.generate(asked, max_new_tokens, temperature, seed)
    repeated = [tree for tree in trees for _ in range(count)]
    rewards = [float(each) for each in reward.score(repeated, answers)]
    return [
        Sampled(
            tree.id,
            tuple(answers[place * count : (place + 1) * count]),
            tuple(rewards[place * count : (place + 1) * count]),
        )
        for place, tree in enumerate(trees)
    ]


def training_records(
    trees: Sequence[PreferenceTree], sampled: Sequence[Sampled], objective: str, loss: InnerLoss
) -> list[PreferenceTree]:
    """Return a record per prompt whose answers differ in reward; other prompts teach nothing.

    dpo: its best and its worst answer. sppo: all different answers, each with its win probability
    as score and with the number of times it was drawn as weight.
    """
    records = []
    for tree, drawn in zip(trees, sampled, strict=True):
        if max(drawn.rewards) > min(drawn.rewards):
            chosen = _extremes(drawn) if loss is InnerLoss.dpo else _all(drawn)
            branches = tuple(
                Branch((Step(text),), scores={objective: score}, weight=weight)
                for text, score, weight in chosen
            )
            records.append(replace(tree, branches=branches))
    return records


def win_probabilities(rewards: Sequence[float]) -> list[float]:
    """Per answer, the share of the other sampled answers that it beats; a tie is half a win.

    Unbiased for the probability to beat an answer of the sampling policy.
    """
    return [
        sum(
            1.0 if mine > other else 0.5 if mine == other else 0.0
            for number, other in enumerate(rewards)
            if number != place
        )
        / (len(rewards) - 1)
        for place, mine in enumerate(rewards)
    ]


def _extremes(drawn: Sampled) -> list[tuple[str, float, float]]:
    """Of several best (or worst) answers the first counts."""
    best = drawn.rewards.index(max(drawn.rewards))
    worst = drawn.rewards.index(min(drawn.rewards))
    return [(drawn.answers[place], drawn.rewards[place], 1.0) for place in (best, worst)]


def _all(drawn: Sampled) -> list[tuple[str, float, float]]:
    wins = dict(zip(drawn.answers, win_probabilities(drawn.rewards), strict=True))
    return [(text, win, float(drawn.answers.count(text))) for text, win in wins.items()]
