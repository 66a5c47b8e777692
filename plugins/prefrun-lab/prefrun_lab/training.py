"""Trains a score network with a loss of the host's kind."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch

from prefrun.algorithm import LossAlgorithm, LossOutput
from prefrun.errors import PrefrunError
from prefrun.policy.collate import STEP_EMBEDDINGS
from prefrun.records.tree import PreferenceTree
from prefrun.training.empty_step import NOTHING_WEIGHED, EmptySteps
from prefrun_lab.config import Optimizer, ScorerConfig
from prefrun_lab.feature_records import FeatureRecords
from prefrun_lab.network import ScoreNetwork

OPTIMIZERS = {Optimizer.adam: torch.optim.Adam, Optimizer.sgd: torch.optim.SGD}


def train_scorer(
    network: ScoreNetwork,
    loss: LossAlgorithm,
    trees: Sequence[PreferenceTree],
    records: FeatureRecords,
    config: ScorerConfig,
    seed: int,
    empty: EmptySteps,
) -> Iterator[tuple[int, float, LossOutput]]:
    """Train NETWORK in place; yield step, loss and the loss' output after each step.

    RECORDS are TREES as tensors. What the method itself trains learns beside the network. Raises
    PrefrunError where the loss is not finite; EMPTY decides about a step that weighs nothing.
    """
    size = min(config.batch_size, len(trees))
    order = _order(loss, trees, config.steps * size, seed)
    loss.module = loss.make_module(network.width)
    own = [] if loss.module is None else [p for p in loss.module.parameters() if p.requires_grad]
    groups = [{"params": list(network.parameters())}]
    if own:
        rate = loss.module_learning_rate or config.learning_rate
        groups.append({"params": own, "lr": rate})  # type: ignore[dict-item]
    optimizer = OPTIMIZERS[config.optimizer](groups, lr=config.learning_rate)
    decay = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1 - step / config.steps)
    for step in range(1, config.steps + 1):
        rows = order[(step - 1) * size : step * size]
        scores, states = network(records.features[rows])
        needs_states = STEP_EMBEDDINGS in loss.needs
        output = loss.loss(records.batch(rows, scores, states if needs_states else None))
        ids = [records.ids[row] for row in rows]
        if not any(bool(term.weights.any()) for term in output.terms.values()):
            empty.report(step, ids, NOTHING_WEIGHED, is_main=True)
        value = output.loss
        if not torch.isfinite(value):
            raise _not_finite(step, ids, config)
        optimizer.zero_grad()
        torch.autograd.backward(value)
        optimizer.step()
        decay.step()
        if output.sums:
            loss.step_done({name: total.detach() for name, total in output.sums.items()})
        yield step, value.item(), output
    empty.conclude(config.steps, is_main=True)


def _order(
    loss: LossAlgorithm, trees: Sequence[PreferenceTree], count: int, seed: int
) -> list[int]:
    """Return COUNT indices of TREES: the loss' own order, or shuffled anew in every pass."""
    order = loss.order(trees, count, seed)
    if order is None:
        draw = torch.Generator().manual_seed(seed)
        order = []
        while len(order) < count:
            order += torch.randperm(len(trees), generator=draw).tolist()
    return order[:count]


def _not_finite(step: int, ids: Sequence[str], config: ScorerConfig) -> PrefrunError:
    return PrefrunError(
        f"the loss of algo.base={config.base} is not finite at step {step}; records: "
        f"{', '.join(ids[:8])}\n  remedy: lower algo.learning_rate={config.learning_rate}; a loss "
        "that needs log-probs below 0, such as odds, cannot work with scores"
    )
