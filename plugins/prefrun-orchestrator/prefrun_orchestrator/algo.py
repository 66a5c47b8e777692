"""algo=orchestrator as the host sees it: stage 1, what it measures, and stage 2."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from prefrun.algorithm import LOOP_KEYS, TRAINER_KEYS, LossAlgorithm, Outcome, RunAlgorithm
from prefrun.base_algorithm import build_loss
from prefrun.console import console
from prefrun.errors import ConfigError
from prefrun_orchestrator.adapter import Adapter, AdapterSettings, read_settings
from prefrun_orchestrator.conditioned import ConditionedPolicy, Likelihood, best_answers
from prefrun_orchestrator.config import (
    Answers,
    OrchestratorConfig,
    RewardsFrom,
    Stage2,
    TargetSource,
)
from prefrun_orchestrator.encoders import check_encoder
from prefrun_orchestrator.fit import AdapterFit, FitSettings
from prefrun_orchestrator.measure import Measured, measure
from prefrun_orchestrator.offline import relabelled
from prefrun_orchestrator.prompt_weights import PromptWeights, prompt_of
from prefrun_orchestrator.results import ADAPTER, RESULT, write_result
from prefrun_orchestrator.scores import (
    check_scores,
    choose_objectives,
    judging,
    own_weights,
    rewards_of,
)
from prefrun_orchestrator.targets import log_targets, warnings_about
from prefrun_orchestrator.weights import Statistics

if TYPE_CHECKING:
    from collections.abc import Sequence

    from prefrun.policy.policy import Policy
    from prefrun.records.split import DataSplit
    from prefrun.records.tree import PreferenceTree
    from prefrun.reward import ObjectivesReward, Reward
    from prefrun.training.services import Services

log = logging.getLogger(__name__)

CARD = """
Preference Orchestrator: prompt-aware multi-objective alignment
Liu, Xu, Yang, Geng, arXiv 2511.10656 (November 2025). No official code; the formulas are those that
public reviews of the paper quote. Unverified: direction of the KL, whether rewards are standardised
before the softmax, all training settings but T.

Stage 1, an adapter from a prompt x to weights of K objectives:
  r_k   = reward k of the preferred answer, normalised by statistics of ALL training answers
  w*_k  = exp(r_k / T) / sum_j exp(r_j / T)           T = 0.1                        (eq. 7)
  w     = softmax(f(x))        loss = mean KL(w* || w), gradient by the logits (w - w*) / B
Stage 2, with frozen weights and the same normalisation, R(x, y) = sum_k w_k(x) r_k(x, y):
  offline      records' answers relabelled by R, for any pairwise or listwise loss (algo.base)
  online       maximise E[R] - beta KL(pi || pi_ref) by group-relative policy gradient
  conditioned  '<w1> 0.62 <w2> 0.38 ' before the prompt, likelihood of the best answer under w
A user's weights (algo.weights, or metadata 'weights' of a record) replace the adapter's.

Pitfalls: the softmax is scale-sensitive, so raw rewards of different scales give one objective all
weight (reward_norm=none is the paper's, for reward models on one scale); statistics of preferred
answers alone would erase what they are preferred for; T = 0.1 gives almost one-hot targets; a low
reward gives a low weight even where that objective should decide (a harmful prompt), for which
target_source=chosen_minus_rejected is a remedy that is not the paper's.
"""

OF_ADAPTER = {
    "max_steps": "algo.epochs",
    "epochs": "algo.epochs",
    "batch_size": "algo.batch_size",
    "learning_rate": "algo.learning_rate",
    "weight_decay": "algo.weight_decay",
    "warmup_steps": "algo.warmup",
}
"""The own keys that take the place of the trainer's if the adapter is all that is trained."""


def keys_read(config: OrchestratorConfig) -> frozenset[str]:
    """Return the keys of `trainer` that a run reads."""
    if config.stage2 is not Stage2.none:
        return TRAINER_KEYS
    trains_adapter = not config.weights and config.adapter is None
    return LOOP_KEYS - {"weight_decay"} if trains_adapter else frozenset()


class Orchestrator(RunAlgorithm):
    """Prompt-aware weights of several objectives, and training under them."""

    card = CARD
    golden = "prefrun_orchestrator.golden:compute"
    paper = "Liu et al. 2025, arXiv 2511.10656"
    kind = "offline or online, several objectives"
    formula = "KL(softmax(r(x, y+) / T) || softmax(f(x))), then R = sum_k w_k(x) r_k(x, y)"
    verdict = (
        "Reproduced for the adapter: regret 0.008 against 0.163 of the best fixed weights, 5 of 5 "
        "seeds; no gain on the language sample, where uniform weights are already best."
    )
    vectors = "orchestrator.json"

    def __init__(self, config: OrchestratorConfig) -> None:
        super().__init__(config)
        self.uses_model = config.stage2 is not Stage2.none
        self.trainer_keys = keys_read(config)
        self.instead = {} if self.uses_model else OF_ADAPTER
        self.base: LossAlgorithm | None = None
        if config.stage2 is Stage2.offline:
            self.base = build_loss(config.base, config.base_keys)

    def check(self, data: DataSplit, reward: Reward | None) -> None:
        """Raise ConfigError or DataError where objectives, scores or weights do not fit."""
        config = self.config
        objectives = choose_objectives(config.objectives, data, reward)
        count = len(objectives)
        if config.weights and len(config.weights) != count:
            raise ConfigError(
                f"algo.weights={list(config.weights)} has {len(config.weights)} numbers for the "
                f"{count} objectives {', '.join(objectives)}"
            )
        if config.min_weight * count >= 1:
            raise ConfigError(
                f"algo.min_weight={config.min_weight} must be below 1/{count}: there are {count} "
                "objectives"
            )
        if config.adapter is not None:
            settings, _ = read_settings(Path(config.adapter), objectives, "algo.adapter")
            if settings.reward_norm != config.reward_norm.name:
                raise ConfigError(
                    f"algo.adapter={config.adapter} was trained with reward_norm="
                    f"{settings.reward_norm}\n  remedy: algo.reward_norm={settings.reward_norm}"
                )
        if config.encoder_name is not None:
            check_encoder(config.encoder_name)
        trees = [*data.train, *data.test]
        if config.rewards is RewardsFrom.reward:
            judging(reward, objectives, "algo.rewards=reward")
        else:
            check_scores(trees, objectives)
        if config.stage2 is Stage2.online:
            judging(reward, objectives, "algo.stage2=online")
        for tree in trees:
            own_weights(tree, objectives)
            if len(tree.branches) > 1:
                tree.labels(data.objective)

    def run(self, services: Services) -> Outcome:
        """Train the adapter, measure its weights, and train the policy under them."""
        data, config = services.data, self.config
        objectives = choose_objectives(config.objectives, data, services.reward)
        judge = None
        if config.rewards is RewardsFrom.reward:
            judge = judging(services.reward, objectives, "algo.rewards=reward")
        train = rewards_of(data.train, objectives, judge)
        pool = Statistics.of(torch.cat(train))
        targets = self._targets(data.train, train, data.objective, pool)
        notes = warnings_about(pool, targets, objectives, config.reward_norm.name)
        for note in notes:
            log.warning("%s", note)
            console.print(f"  warning: {note}", markup=False)
        weights = self._weights(services, objectives, pool, targets)
        measured = self._measure(services, train, judge, weights, pool)
        write_result(services.run.output_dir / RESULT, measured.result, notes)
        policy = self._train(services, train, weights)
        return Outcome(policy, measured.metrics, measured.directions)

    def _targets(
        self,
        trees: Sequence[PreferenceTree],
        rewards: Sequence[Tensor],
        objective: str,
        pool: Statistics,
    ) -> Tensor:
        return log_targets(
            trees,
            rewards,
            objective,
            pool,
            self.config.reward_norm.name,
            self.config.temperature,
            less_rejected=self.config.target_source is TargetSource.chosen_minus_rejected,
        )

    def _weights(
        self,
        services: Services,
        objectives: tuple[str, ...],
        pool: Statistics,
        targets: Tensor,
    ) -> PromptWeights:
        """Return the weights of prompts: given ones, or those of a loaded or trained adapter."""
        config, norm = self.config, self.config.reward_norm.name
        if config.weights:
            return PromptWeights(objectives, norm, pool, given=config.weights)
        folder = services.run.output_dir / ADAPTER
        if config.adapter is not None:
            adapter = Adapter.load(Path(config.adapter), objectives, "algo.adapter")
        else:
            if not folder.exists():  # else it is that of the run that is resumed
                self._fitted(services, objectives, pool, targets).save(folder)
            adapter = Adapter.load(folder, objectives, "adapter")
        return PromptWeights(objectives, norm, adapter.statistics, adapter)

    def _fitted(
        self,
        services: Services,
        objectives: tuple[str, ...],
        pool: Statistics,
        targets: Tensor,
    ) -> Adapter:
        config = self.config
        settings = AdapterSettings(
            objectives,
            config.reward_norm.name,
            config.min_weight,
            config.encoder.name,
            config.encoder_name,
            config.max_length,
        )
        with torch.random.fork_rng():
            torch.manual_seed(services.run.seed)
            adapter = Adapter(settings, pool)
        texts, how = [prompt_of(tree) for tree in services.data.train], FitSettings.of(config)
        services.optimise(
            AdapterFit(adapter, texts, targets, how, services.run.seed, is_part=self.uses_model)
        )
        return adapter

    def _measure(
        self,
        services: Services,
        train: Sequence[Tensor],
        judge: ObjectivesReward | None,
        weights: PromptWeights,
        pool: Statistics,
    ) -> Measured:
        data = services.data
        test = rewards_of(data.test, weights.objectives, judge)
        targets = self._targets(data.test, test, data.objective, pool)
        return measure(services, weights, train, test, targets, pool, self.config.prompt_class)

    def _train(
        self, services: Services, rewards: Sequence[Tensor], weights: PromptWeights
    ) -> Policy | None:
        stage2, trees = self.config.stage2, services.data.train
        if stage2 is Stage2.offline:
            assert self.base is not None
            pairs = self.config.answers is Answers.best_and_worst
            return services.train(
                self.base,
                relabelled(trees, rewards, weights, services.data.objective, pairs=pairs),
            )
        if stage2 is Stage2.conditioned:
            policy = services.train(Likelihood(None), best_answers(trees, rewards, weights))
            return ConditionedPolicy(policy, weights)
        if stage2 is Stage2.online:
            from prefrun_orchestrator.online import OnlineTraining

            reward = judging(services.reward, weights.objectives, "algo.stage2=online")
            services.optimise(OnlineTraining(services, reward, weights, self.config))
            return services.policy()
        return None
