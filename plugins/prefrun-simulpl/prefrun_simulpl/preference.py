"""Phase 3: SimulDPO on scheduled pairs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from prefrun.algorithm import LossOutput
from prefrun.training.step_loop import MicroBatch, StepLoop
from prefrun_simulpl.config import Latency, SimulPLConfig
from prefrun_simulpl.expected_delay import expected_delays
from prefrun_simulpl.latency import average_lagging, average_proportion
from prefrun_simulpl.layout import Row, Target, add_target, source_row, token_delays
from prefrun_simulpl.model import SimtForCausalLM
from prefrun_simulpl.pairs import Pair, Scheduled
from prefrun_simulpl.scoring import RowStates, score_targets
from prefrun_simulpl.simuldpo import simuldpo_losses, simuldpo_rewards
from prefrun_simulpl.training import BETAS, output, shuffled
from prefrun_simulpl.vocabulary import Vocabulary

Reference = tuple[Tensor, Tensor]
"""[2, T] log-probs of tokens and of actions of one pair, chosen first, on the CPU."""


@dataclass(slots=True)
class LaidOut:
    """Both translations of some pairs, in rows."""

    rows: list[Row] = field(default_factory=list)
    targets: list[tuple[int, Target]] = field(default_factory=list)
    """(row, translation), chosen and rejected in turn."""
    sources: list[int] = field(default_factory=list)
    """Words of each one's source."""


class Preference(StepLoop):
    """The training of phase 3. Each step is a function of its number only.

    The reference is the model as it is when this is made; its log-probs are kept.
    """

    name = "preference"
    betas = BETAS
    rate_key = "algo.preference.learning_rate"

    def __init__(
        self,
        model: SimtForCausalLM,
        vocabulary: Vocabulary,
        pairs: Sequence[Pair],
        config: SimulPLConfig,
        seed: int,
    ) -> None:
        rate = config.preference.learning_rate
        self.modules, self.steps = {"model": model}, config.preference.steps
        self.schedule = lambda step: rate
        self.model, self.vocabulary, self.pairs = model, vocabulary, pairs
        self.config, self.seed = config, seed
        self._latency = torch.tensor([self._latencies(pair) for pair in pairs])
        self._reference = self._reference_logps()

    def step(self, number: int) -> Sequence[MicroBatch]:
        """Return the pairs of step NUMBER, laid out in rows."""
        chosen = self._batch(number)
        pairs = [self.pairs[index] for index in chosen]
        laid_out = self._lay_out(pairs, grid=self.config.preference.expected_latency > 0)
        return [
            MicroBatch(
                lambda: self._loss(chosen, laid_out),
                ids=tuple(pair.id for pair in pairs),
                tokens=sum(len(row.ids) for row in laid_out.rows),
            )
        ]

    def _loss(self, chosen: Sequence[int], laid_out: LaidOut) -> LossOutput:
        """Return the mean loss of the pairs CHOSEN."""
        keys, states = self.config.preference, RowStates(self.model, laid_out.rows)
        logps = score_targets(states, laid_out.targets, laid_out.sources)
        device = logps.tokens.device
        reference = [self._reference[index] for index in chosen]
        tokens, actions = (
            _padded([each[part] for each in reference], logps.tokens.shape[-1]).to(device)
            for part in (0, 1)
        )
        shape = (len(chosen), 2, -1)
        rewards = simuldpo_rewards(
            logps.tokens.view(shape),
            tokens,
            logps.actions.view(shape),
            actions,
            logps.mask.view(shape),
            beta=keys.beta,
            eta=keys.eta,
        )
        latency = self._latency[chosen].to(rewards)
        loss = simuldpo_losses(rewards, latency, alpha=keys.alpha).mean()
        metrics = _metrics(rewards.detach(), latency)
        if keys.expected_latency:
            proportion = self._expected(states, laid_out.targets)
            loss = loss + keys.expected_latency * proportion
            metrics["expected_proportion"] = proportion
        return output(self.name, loss, metrics)

    def _batch(self, step: int) -> list[int]:
        size = min(self.config.preference.batch_size, len(self.pairs))
        per_epoch = len(self.pairs) // size
        order = shuffled(len(self.pairs), step // per_epoch, self.seed)
        start = step % per_epoch * size
        return order[start : start + size]

    def _lay_out(self, pairs: Sequence[Pair], *, grid: bool) -> LaidOut:
        """Lay out chosen and rejected of PAIRS. GRID: the regulariser's places, too."""
        result = LaidOut()
        for number, pair in enumerate(pairs):
            source = self.vocabulary.split(pair.source)
            row = source_row(source)
            for branch, side in enumerate((pair.chosen, pair.rejected), 1):
                target = self.vocabulary.split(side.text)
                added = add_target(
                    row,
                    branch,
                    target,
                    token_delays(side.delays, target, len(source)),
                    source=len(source),
                    probes=True,
                    min_source=self.config.min_source,
                    grid=grid and side is pair.chosen,
                )
                result.targets.append((number, added))
                result.sources.append(len(source))
            result.rows.append(row)
        return result

    def _expected(self, states: RowStates, targets: Sequence[tuple[int, Target]]) -> Tensor:
        """Return the mean expected average proportion of the chosen translations."""
        proportions = []
        for row, target in targets:
            if target.grid:
                flat = [(row, place) for line in target.grid for place in line]
                write = states.confidence(flat).sigmoid().view(len(target.grid), -1)
                proportions.append(expected_delays(write).mean() / write.shape[-1])
        return torch.stack(proportions).mean()

    @torch.no_grad()
    def _reference_logps(self) -> list[Reference]:
        size, kept = self.config.preference.batch_size, list[Reference]()
        for start in range(0, len(self.pairs), size):
            laid_out = self._lay_out(self.pairs[start : start + size], grid=False)
            states = RowStates(self.model, laid_out.rows)
            logps = score_targets(states, laid_out.targets, laid_out.sources)
            tokens, actions = (
                values.view(-1, 2, values.shape[-1]).cpu()
                for values in (logps.tokens, logps.actions)
            )
            kept += zip(tokens, actions, strict=True)
        return kept

    def _latencies(self, pair: Pair) -> list[float]:
        source = len(pair.source.split())
        return [self._latency_of(side, source) for side in (pair.chosen, pair.rejected)]

    def _latency_of(self, side: Scheduled, source: int) -> float:
        if self.config.preference.latency is Latency.lagging:
            return average_lagging(side.delays, source) / source
        return average_proportion(side.delays, source)


def _padded(values: Sequence[Tensor], length: int) -> Tensor:
    """[2, T] each -> [N, 2, LENGTH]. What lies beyond the batch's own length is padding."""
    filled = torch.zeros(len(values), 2, max(length, *(each.shape[1] for each in values)))
    for number, each in enumerate(values):
        filled[number, :, : each.shape[1]] = each
    return filled[..., :length]


def _metrics(rewards: Tensor, latency: Tensor) -> dict[str, Tensor]:
    margins = rewards[:, 0] - rewards[:, 1]
    return {
        "rewards/chosen": rewards[:, 0].mean(),
        "rewards/rejected": rewards[:, 1].mean(),
        "rewards/margins": margins.mean(),
        "rewards/accuracies": (margins > 0).float().mean(),
        "latency/chosen": latency[:, 0].mean(),
        "latency/rejected": latency[:, 1].mean(),
    }
