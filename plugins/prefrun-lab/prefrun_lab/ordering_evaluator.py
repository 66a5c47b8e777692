"""evaluator=ordering: accuracy on pairs and Kendall's tau, over all records and by group."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch.nn.utils.rnn import pad_sequence

from prefrun.errors import DataError
from prefrun.evaluation.evaluator import Estimate, EvaluationContext, Evaluator, NotApplicable
from prefrun.evaluation.interval import mean_with_interval
from prefrun_lab.ordering import kendall_tau, pair_accuracy

METRICS = {"accuracy": pair_accuracy, "kendall_tau": kendall_tau}


class Ordering(Evaluator):
    """Do the model's numbers order the answers as the labels do?

    An answer's number is its score, of a language model its log-prob. A record whose answers have
    equal labels has no number here.

    - `accuracy`: the share of a record's pairs of different label in the right order; equal numbers
      count one half.
    - `kendall_tau`: tau-b (Kendall 1945), 0 if all numbers are equal.
    - `accuracy/GROUP`, `kendall_tau/GROUP`: the same by metadata[`evaluator.ordering.group`].
    """

    directions = dict.fromkeys(METRICS, "max")

    def evaluate(self, context: EvaluationContext) -> dict[str, Estimate]:
        """Return both means, and those of each group. Raises NotApplicable without labels."""
        measured: dict[str, Estimate] = {}
        groups = [tree.metadata.get(self.config.group) for tree in context.trees]
        names = list(dict.fromkeys(str(group) for group in groups if group is not None))
        for metric, per_record in _per_record(context).items():
            parts = {metric: per_record}
            for name in names:
                pairs = zip(per_record, groups, strict=True)
                parts[f"{metric}/{name}"] = [v if str(g) == name else None for v, g in pairs]
            for part, values in parts.items():
                if any(value is not None for value in values):
                    mean = mean_with_interval(
                        values, resamples=context.bootstrap, seed=context.seed
                    )
                    measured[part] = replace(mean, direction="max")
        return measured


def _per_record(context: EvaluationContext) -> dict[str, list[float | None]]:
    try:
        labels = [tree.labels(context.objective) for tree in context.trees]
    except DataError as error:
        raise NotApplicable(str(error).splitlines()[0]) from error
    if all(len(set(row)) < 2 for row in labels):
        raise NotApplicable("no held-out record has two answers of different label")
    numbers = [logps.sums for logps in context.logps()]
    mask = _padded([[1.0] * len(row) for row in labels]).bool()
    given = _padded(numbers), _padded(labels), mask
    return {
        metric: [None if value != value else value for value in measure(*given).tolist()]
        for metric, measure in METRICS.items()
    }


def _padded(rows: Sequence[Sequence[float]]) -> torch.Tensor:
    tensors = [torch.tensor(row, dtype=torch.float64) for row in rows]
    return pad_sequence(tensors, batch_first=True)
