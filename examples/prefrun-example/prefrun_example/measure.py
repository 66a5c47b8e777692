"""evaluator=[chosen_likelihood]: did the records' best answers become less likely?"""

from collections.abc import Sequence
from statistics import fmean
from typing import ClassVar

from prefrun import DataError
from prefrun.evaluation.evaluator import Estimate, EvaluationContext, Evaluator, NotApplicable
from prefrun.evaluation.interval import mean_with_interval
from prefrun.policy.policy import BranchLogps


class ChosenLikelihood(Evaluator):
    """Log-ratios log pi(y|x) - log pi_ref(y|x) of the best answers and of the others."""

    card = """
    h = log pi(y|x) - log pi_ref(y|x), in nats, of the held-out records' own answers:

      chosen_log_ratio     mean h of a prompt's best answers, mean over prompts
      rejected_log_ratio   the same of its other answers; neither end is best
      chosen_fell          share of prompts whose best answers have h < 0 on average

    All are 0 of the start model. Source: what figures of arXiv 2402.13228 show of DPO and DPOP.
    """
    directions: ClassVar = {
        "chosen_log_ratio": "max",
        "rejected_log_ratio": "none",
        "chosen_fell": "min",
    }

    def evaluate(self, context: EvaluationContext) -> dict[str, Estimate]:
        """Return the three means with intervals. Raises NotApplicable without ranked answers."""
        try:
            ranks = [tree.ranks(context.objective) for tree in context.trees]
        except DataError as error:
            raise NotApplicable(error.problem) from error
        parts = zip(ranks, context.logps(), context.baseline_logps(), strict=True)
        rows = [self._row(*part) for part in parts]
        return {
            name: mean_with_interval(
                [row[name] for row in rows], resamples=context.bootstrap, seed=context.seed
            )
            for name in self.directions
        }

    def _row(
        self, ranks: Sequence[int], own: BranchLogps, start: BranchLogps
    ) -> dict[str, float | None]:
        """Return one prompt's three numbers; answers that were cut to no token are left out."""
        chosen: list[float] = []
        rejected: list[float] = []
        for rank, after, before, length in zip(
            ranks, own.sums, start.sums, own.lengths, strict=True
        ):
            if length:
                ratio = (after - before) / (length if self.config.per_token else 1)
                (chosen if rank == 1 else rejected).append(ratio)
        mean = fmean(chosen) if chosen else None
        return {
            "chosen_log_ratio": mean,
            "rejected_log_ratio": fmean(rejected) if rejected else None,
            "chosen_fell": None if mean is None else float(mean < 0),
        }
