"""stage2=conditioned: the weights stand in the prompt, as in Rewards-in-Context."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from torch import Tensor

from prefrun.algorithm import LossAlgorithm, LossOutput, Term
from prefrun.needs import NORMALISED
from prefrun.records.tree import Message, Prompt

if TYPE_CHECKING:
    from prefrun.policy.batch import BranchBatch
    from prefrun.policy.policy import BranchLogps, Policy, Sample
    from prefrun.records.tree import PreferenceTree
    from prefrun_orchestrator.prompt_weights import PromptWeights


def prefix_of(weights: Sequence[float]) -> str:
    """Return weights as text: '<w1> 0.62 <w2> 0.38 '."""
    return "".join(f"<w{k}> {weight:.2f} " for k, weight in enumerate(weights, start=1))


def conditioned(trees: Sequence[PreferenceTree], weights: PromptWeights) -> list[PreferenceTree]:
    """Return TREES with their weights before the prompt (of a chat: the last user message)."""
    rows = weights(trees)
    return [
        replace(tree, prompt=_prefixed(tree.prompt, prefix_of(row.tolist())))
        for tree, row in zip(trees, rows, strict=True)
    ]


def best_answers(
    trees: Sequence[PreferenceTree], rewards: Sequence[Tensor], weights: PromptWeights
) -> list[PreferenceTree]:
    """Return TREES with the answer of the highest weighted sum only, and the weights in the prompt.

    rewards: per tree, [n, K].
    """
    kept = []
    for tree, own, row in zip(trees, rewards, weights(trees), strict=True):
        best = int(weights.scalarise(own, row).argmax())
        kept.append(replace(tree, branches=(tree.branches[best],)))
    return conditioned(kept, weights)


class Likelihood(LossAlgorithm):
    """Supervised training: the mean over tokens of -log pi of every answer."""

    needs = frozenset({NORMALISED})
    min_branches = 1

    def loss(self, batch: BranchBatch) -> LossOutput:
        """Return one term; an answer weighs as much as it has tokens."""
        tokens = batch.lengths.to(batch.policy_logps)
        values = -batch.policy_logps / tokens.clamp(min=1.0)
        weights = tokens * batch.branch_weights.to(tokens) * batch.weights.to(tokens).unsqueeze(-1)
        return LossOutput({"likelihood": Term(values.flatten(), weights.flatten())})


class ConditionedPolicy:
    """Implements `Policy`: a policy that gets every prompt with its weights."""

    def __init__(self, policy: Policy, weights: PromptWeights) -> None:
        self.policy, self.weights = policy, weights

    def sample(
        self,
        trees: Sequence[PreferenceTree],
        n: int,
        max_new_tokens: int,
        temperature: float,
        top_p: float = 1.0,
        stop: Sequence[str] = (),
        seed: int = 0,
    ) -> list[list[Sample]]:
        """See `Policy.sample`."""
        prompts = conditioned(trees, self.weights)
        return self.policy.sample(prompts, n, max_new_tokens, temperature, top_p, stop, seed)

    def generate(
        self, trees: Sequence[PreferenceTree], max_new_tokens: int, temperature: float, seed: int
    ) -> list[str]:
        """See `Policy.generate`."""
        prompts = conditioned(trees, self.weights)
        return self.policy.generate(prompts, max_new_tokens, temperature, seed)

    def logps(self, trees: Sequence[PreferenceTree]) -> list[BranchLogps]:
        """See `Policy.logps`."""
        return self.policy.logps(conditioned(trees, self.weights))

    def kl(
        self, trees: Sequence[PreferenceTree], responses: Sequence[str], other: Policy
    ) -> list[float]:
        """See `Policy.kl`. OTHER gets the weights in its prompt, too."""
        return self.policy.kl(conditioned(trees, self.weights), responses, other)

    def count_tokens(self, responses: Sequence[str]) -> list[int]:
        """See `Policy.count_tokens`."""
        return self.policy.count_tokens(responses)


def _prefixed(prompt: Prompt, prefix: str) -> Prompt:
    if isinstance(prompt, str):
        return prefix + prompt
    users = [number for number, message in enumerate(prompt) if message.role == "user"]
    if not users:
        return (Message("user", prefix.strip()), *prompt)
    last = users[-1]
    message = replace(prompt[last], content=prefix + prompt[last].content)
    return (*prompt[:last], message, *prompt[last + 1 :])
