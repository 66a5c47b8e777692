"""algo=apo_momentum as the host sees it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from prefrun.algorithm import Outcome, RunAlgorithm
from prefrun.errors import ConfigError, DataError, PrefrunError
from prefrun.records.split import DataSplit
from prefrun.records.tree import PreferenceTree
from prefrun.reward import Reward
from prefrun.rundir.directory import RunDirectory
from prefrun.rundir.files import read_json, write_json
from prefrun.rundir.metrics import read_metrics
from prefrun.schema import TrainerConfig
from prefrun.training.services import Services
from prefrun_robust.apo_momentum.config import ApoMomentumConfig, Returned
from prefrun_robust.apo_momentum.finished import FinishedRound
from prefrun_robust.apo_momentum.inner import round_loss
from prefrun_robust.apo_momentum.labelling import Sampled, sample, training_records
from prefrun_robust.apo_momentum.weights import (
    check_extrapolation,
    extrapolate,
    set_weights,
    trained_weights,
)

FOLDER = "apo_momentum"

CARD = """
APO: Accelerated Preference Optimization. He, Yuan, Gu, arXiv 2410.06293. Online, pairs.
Not TRL's apo_zero / apo_down, which are Anchored Preference Optimization.

  pi_0 = pihat_0 = start model; for t = 0 .. T-1:
  1. K answers per prompt of pi_t, scored by the run's reward
  2. pihat_{t+1} = argmin of the loss with reference pi_t, from pi_t:
     dpo   -log sigmoid(beta (h_w - h_l)), best against worst answer, h = log pi - log pi_t
     sppo  sum over answers of (h - eta (P - 1/2))^2, P = share of the other answers it beats
  3. theta_{t+1} = thetahat_{t+1} + alpha (thetahat_{t+1} - thetahat_t)

alpha = 0 is iterative DPO (SPPO). The prompts are split into T parts, one a round. Momentum is
taken in the space of weights, which is exact for log-linear policies. Of a LoRA adapter the product
is extrapolated and brought back to its rank.
Pitfalls: the first round has a momentum step, too; the optimizer starts anew in each round; a large
alpha amplifies the noise of a round. Not verified: which of pi_T and pihat_T the paper evaluates
(returned), and its hyper-parameters. Not offered: momentum of logits at decoding, which would need
two models. No official code was found.
"""


class ApoMomentum(RunAlgorithm):
    """Rounds of preference optimization with a momentum step after each."""

    card = CARD
    golden = "prefrun_robust.apo_momentum.golden:compute"
    vectors = "apo_momentum.json"
    paper = "He et al. 2024, arXiv 2410.06293"
    kind = "online, pairs"
    formula = "theta_{t+1} = thetahat_{t+1} + alpha (thetahat_{t+1} - thetahat_t)"
    verdict = (
        "Reproduced in small: after three rounds of DPO on a tiny model, reward grows with alpha "
        "(1.13, 1.27, 1.54 for 0, 0.3, 0.6), and KL with it."
    )

    def __init__(self, config: ApoMomentumConfig) -> None:
        super().__init__(config)

    def check(self, data: DataSplit, reward: Reward | None) -> None:
        """Raise where there is no reward to label with, or not a prompt for every round."""
        if reward is None:
            raise ConfigError(
                "algo=apo_momentum labels sampled answers, and the run has no reward\n"
                "  remedy: choose data with a judge, or reward=classifier reward.path=FOLDER"
            )
        if len(data.train) < self.config.rounds:
            raise DataError(
                f"{len(data.train)} training prompt(s) for algo.rounds={self.config.rounds}",
                file=data.name,
                remedy="lower algo.rounds",
            )

    def run(self, services: Services) -> Outcome:
        """Go through the rounds; of those that a resumed run has finished only the last matters."""
        config, model, run = self.config, services.loaded.model, services.run.output_dir
        check_extrapolation(model)
        known = FinishedRound.load(run / FOLDER, model.device)
        hat, step = trained_weights(model), 0
        for number in range(config.rounds):
            records = self._records(services, number, step)
            services.train(round_loss(config), records, round=number)
            step += steps_of(services.config.trainer, len(records))
            is_last = number == config.rounds - 1
            if known is not None and number <= known.number:
                if number == known.number:  # its checkpoints may be gone
                    hat = known.hat
                    set_weights(model, known.policy)
            elif not is_last or config.returned is Returned.extrapolated:
                new = trained_weights(model)
                lost = extrapolate(model, hat, config.alpha)
                hat = new
                if lost > 0:
                    _log_once(services, step, {"apo/lost_norm": lost})
                if not is_last:
                    FinishedRound(number, hat, trained_weights(model)).save(run / FOLDER, run)
        return Outcome(services.policy())

    def _records(self, services: Services, number: int, step: int) -> list[PreferenceTree]:
        """Return the records of round NUMBER, sampled once and read again by a resumed run."""
        data, config = services.data, self.config
        trees = list(data.train[number :: config.rounds])
        path = services.run.output_dir / FOLDER / f"round-{number}.json"
        if path.exists():
            drawn = [Sampled.of(row) for row in read_json(path)]
        else:
            drawn = self._sample(services, trees, number)
            write_json(path, [each.row() for each in drawn])
        _log_once(services, step, _metrics(drawn))
        records = training_records(trees, drawn, data.objective, config.loss)
        if not records:
            raise PrefrunError(
                f"round {number}: no prompt has sampled answers of different reward\n"
                "  remedy: raise algo.samples or algo.temperature"
            )
        return records

    def _sample(
        self, services: Services, trees: Sequence[PreferenceTree], number: int
    ) -> list[Sampled]:
        assert services.reward is not None  # `check` has seen to it
        return sample(
            services.policy(),
            services.reward,
            trees,
            self.config.samples,
            round=number,
            max_new_tokens=services.config.evaluation.max_new_tokens,
            temperature=self.config.temperature,
            seed=services.run.seed,
        )


def steps_of(trainer: TrainerConfig, records: int) -> int:
    """Return the optimizer steps of a round of so many RECORDS, in one process."""
    if trainer.max_steps > 0:
        return trainer.max_steps
    return math.ceil(trainer.epochs * math.ceil(records / trainer.batch_size))


def _log_once(services: Services, step: int, metrics: Mapping[str, float]) -> None:
    """Log METRICS, unless the run that is resumed did so: lines up to its last checkpoint stay."""
    lines = read_metrics(RunDirectory(services.run.output_dir).metrics)
    if not any(line["step"] == step and metrics.keys() <= line.keys() for line in lines):
        services.log(step, metrics)


def _metrics(drawn: Sequence[Sampled]) -> dict[str, float]:
    """What the current policy's answers are like."""
    rewards = [reward for each in drawn for reward in each.rewards]
    tied = sum(max(each.rewards) == min(each.rewards) for each in drawn)
    return {"apo/reward": sum(rewards) / len(rewards), "apo/tied_prompts": tied / len(drawn)}
