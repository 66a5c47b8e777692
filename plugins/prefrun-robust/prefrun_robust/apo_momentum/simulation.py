"""algo=apo_tabular: the exact iteration on tables of rewards."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor

from prefrun.algorithm import Outcome, RunAlgorithm
from prefrun.errors import DataError
from prefrun.evaluation.evaluator import Estimate
from prefrun.records.split import DataSplit
from prefrun.records.tree import PreferenceTree
from prefrun.reward import Reward
from prefrun.training.services import Services
from prefrun_robust.apo_momentum.config import ApoTabularConfig
from prefrun_robust.apo_momentum.tabular import regret, rounds

REFERENCE = "reference_logits"
"""Metadata of a record: one number per answer; without it all are equally likely at first."""
REPORTED = (1, 3, 10, 30)
"""Rounds whose regret becomes a metric, beside the last."""

CARD = """
APO with exact steps, on records that hold all answers to a prompt with their rewards.
He, Yuan, Gu, arXiv 2410.06293. A simulation: no language model.

  log pihat_{t+1} = log pi_t + r / beta - log Z            pi_0 = pihat_0 = reference
  log pi_{t+1}    = (1 + alpha) log pihat_{t+1} - alpha log pihat_t - log Z
  regret          = max r - E_pihat r, mean over held-out prompts

The increments follow d_t = alpha d_{t-1} + r / beta, so the rate tends to 1 / (1 - alpha).
"""


class ApoTabular(RunAlgorithm):
    """Measures how fast the regret falls for one alpha."""

    card = CARD
    golden = "prefrun_robust.apo_momentum.golden:compute"
    vectors = "apo_momentum.json"
    uses_model = False
    trainer_keys = frozenset()
    instead: ClassVar = {"max_steps": "algo.rounds"}
    paper = "He et al. 2024, arXiv 2410.06293"
    kind = "simulation, tables"
    formula = "log pi_{t+1} = (1 + alpha) log pihat_{t+1} - alpha log pihat_t - log Z"
    verdict = (
        "Reproduced: from the third round on the regret falls strictly with alpha, and the first "
        "round is the same."
    )

    def __init__(self, config: ApoTabularConfig) -> None:
        super().__init__(config)

    def check(self, data: DataSplit, reward: Reward | None) -> None:
        """Raise DataError where a held-out record is no table."""
        del reward
        if not data.test:
            raise DataError("there are no held-out records", file=data.name)
        for tree in data.test:
            if not tree.branches:
                raise DataError("no answers", record=tree.id, field="branches")
            tree.labels(data.objective)
            given = tree.metadata.get(REFERENCE)
            if given is not None and len(given) != len(tree.branches):
                raise DataError(
                    f"{len(given)} numbers for {len(tree.branches)} answers",
                    record=tree.id,
                    field=f"metadata.{REFERENCE}",
                )

    def run(self, services: Services) -> Outcome:
        """Iterate, log the mean regret of every round, and return that of some as metrics."""
        reference, rewards = tables(services.data.test, services.data.objective)
        config, metrics = self.config, {}
        steps = rounds(
            reference, rewards, beta=config.beta, alpha=config.alpha, count=config.rounds
        )
        for number, (hat, policy) in enumerate(steps, 1):
            of_hat = regret(hat, rewards)
            services.log(
                number,
                {
                    "regret/hat": float(of_hat.mean()),
                    "regret/extrapolated": float(regret(policy, rewards).mean()),
                },
            )
            if number in REPORTED or number == config.rounds:
                metrics[f"regret_{number}"] = Estimate(
                    float(of_hat.mean()), per_record=of_hat.tolist()
                )
        return Outcome(metrics=metrics, directions=dict.fromkeys(metrics, "min"))


def tables(trees: Sequence[PreferenceTree], objective: str) -> tuple[Tensor, Tensor]:
    """Return log reference probabilities and rewards, [N, A] float64.

    A is the largest number of answers; a record with fewer has log-prob -inf and reward of its
    worst answer in the rest, which changes no mean and no maximum.
    """
    most = max(len(tree.branches) for tree in trees)
    reference = torch.full((len(trees), most), -torch.inf, dtype=torch.float64)
    rewards = torch.zeros(len(trees), most, dtype=torch.float64)
    for row, tree in enumerate(trees):
        labels, count = tree.labels(objective), len(tree.branches)
        rewards[row] = min(labels)
        rewards[row, :count] = torch.tensor(labels, dtype=torch.float64)
        given = tree.metadata.get(REFERENCE, [0.0] * count)
        reference[row, :count] = torch.tensor(given, dtype=torch.float64)
    return reference.log_softmax(-1), rewards
