"""stage2=online: policy gradient on sampled answers, rewarded by the weighted sum."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import groupby
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from prefrun.algorithm import LossOutput, Term
from prefrun.records.tree import Branch, PreferenceTree, Step
from prefrun.training.step_loop import MicroBatch, StepLoop
from prefrun_orchestrator.policy_gradient import advantages, online_loss
from prefrun_orchestrator.scores import judged

if TYPE_CHECKING:
    from prefrun.reward import ObjectivesReward
    from prefrun.training.services import Services
    from prefrun_orchestrator.config import OrchestratorConfig
    from prefrun_orchestrator.prompt_weights import PromptWeights

TERM = "policy_gradient"
ADVANTAGE, WRITTEN = "advantage", "written"
"""Of an answer: what it is better by; how many of its tokens the policy wrote, since an answer that
was cut has no end of turn."""


class OnlineTraining(StepLoop):
    """A step: sample the answers of some prompts, reward them, follow the policy gradient."""

    def __init__(
        self,
        services: Services,
        reward: ObjectivesReward,
        weights: PromptWeights,
        config: OrchestratorConfig,
    ) -> None:
        self._services, self._reward, self._weights = services, reward, weights
        self._config, self._objective = config, services.data.objective
        self.modules = {"model": services.loaded.model}
        trainer = services.config.trainer
        self.steps = trainer.max_steps
        if self.steps < 0:
            per_epoch = math.ceil(len(services.data.train) / trainer.batch_size)
            self.steps = math.ceil(trainer.epochs * per_epoch)

    def step(self, number: int) -> list[MicroBatch]:
        """Answer the step's prompts `group_size` times each, and reward the answers."""
        prompts, group = self._prompts(number), self._config.group_size
        trees = [
            replace(tree, id=f"{tree.id} {member}", branches=())
            for tree in prompts
            for member in range(group)
        ]
        answers = self._answers(trees, self._services.run.seed + 1000 * (number + 1))
        texts = [answer.text for answer in answers]
        rewards = judged(self._reward, self._weights.objectives, trees, texts)
        weights = self._weights(prompts).repeat_interleave(group, 0)
        sums = self._weights.scalarise(rewards, weights).view(-1, group)
        gains = advantages(sums, self._config.advantage.name)
        answered = []
        rows = zip(trees, answers, sums.flatten().tolist(), gains.flatten().tolist(), strict=True)
        for tree, answer, total, gain in rows:
            extras = {**answer.extras, ADVANTAGE: gain}
            judged_answer = replace(answer, scores={self._objective: total}, extras=extras)
            answered.append(replace(tree, branches=(judged_answer,)))
        means = zip(self._weights.objectives, rewards.mean(0), strict=True)
        metrics = {f"online/{name}": mean for name, mean in means}
        return self._parts(answered, metrics | {"online/weighted_reward": sums.mean()})

    def _answers(self, trees: Sequence[PreferenceTree], seed: int) -> list[Branch]:
        """Return an answer of the policy to each of TREES."""
        policy, limit = self._services.policy(), self._services.config.evaluation.max_new_tokens
        texts = policy.generate(trees, limit, 1.0, seed)
        return [
            Branch((Step(text),), extras={WRITTEN: length + (length < limit)})
            for text, length in zip(texts, policy.count_tokens(texts), strict=True)
        ]

    def _parts(
        self, answered: Sequence[PreferenceTree], metrics: Mapping[str, Tensor]
    ) -> list[MicroBatch]:
        """Divide trees of one answer each into passes; METRICS of the step go with the last."""
        divergences: list[Tensor] = []
        parts = self._services.in_budget(answered)
        return [
            MicroBatch(
                partial(
                    self._loss,
                    _by_prompt(part),
                    divergences,
                    metrics if part is parts[-1] else None,
                ),
                {TERM: len(part)},
                tuple(tree.id for tree in part),
            )
            for part in parts
        ]

    def _loss(
        self,
        trees: Sequence[PreferenceTree],
        divergences: list[Tensor],
        metrics: Mapping[str, Tensor] | None,
    ) -> LossOutput:
        """Return a value per answer; with METRICS, that of the step's last pass, all of them."""
        batch = self._services.token_logps(trees, frozenset({"reference"}))
        real, reference = batch.branch_mask, batch.reference_token_logps
        assert reference is not None  # it was asked for
        written, advantage = (batch.branch_extras[name][real] for name in (WRITTEN, ADVANTAGE))
        mask = batch.token_mask[real]
        places = torch.arange(mask.shape[1], device=mask.device)
        values, divergence = online_loss(
            batch.policy_token_logps[real],
            reference[real],
            mask & (places < written.unsqueeze(1)),
            advantage.to(batch.policy_token_logps),
            self._config.kl_coef,
        )
        divergences.append(divergence)
        terms = {TERM: Term(values, torch.ones_like(values))}
        if metrics is None:
            return LossOutput(terms)
        return LossOutput(terms, {**metrics, "online/kl": torch.cat(divergences).mean()})

    def _prompts(self, number: int) -> list[PreferenceTree]:
        """The prompts of step NUMBER: every epoch shuffles the records anew."""
        trees, size = self._services.data.train, self._services.config.trainer.batch_size
        chosen = []
        for place in range(number * size, (number + 1) * size):
            epoch, index = divmod(place, len(trees))
            seed = 1_000_003 * self._services.run.seed + epoch
            shuffle = torch.Generator().manual_seed(seed)
            chosen.append(trees[int(torch.randperm(len(trees), generator=shuffle)[index])])
        return chosen


def _by_prompt(trees: Sequence[PreferenceTree]) -> list[PreferenceTree]:
    """Join neighbours with one prompt, so that it goes through the model once."""

    def prompt(tree: PreferenceTree) -> Any:
        return tree.prompt, tree.tools

    groups = [list(group) for _, group in groupby(trees, key=prompt)]
    return [
        replace(group[0], branches=tuple(branch for tree in group for branch in tree.branches))
        for group in groups
    ]
