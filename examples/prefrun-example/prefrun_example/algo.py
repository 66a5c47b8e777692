"""algo=dpop as prefrun sees it: it trains and evaluates, this gives the loss."""

import math

from torch import Tensor

from prefrun.algorithm import LossAlgorithm, LossOutput, Term
from prefrun.policy.batch import BranchBatch
from prefrun_example.loss import better_pairs, dpop_losses

CARD = """
DPOP, DPO-Positive: Pal et al. 2024 (Smaug), arXiv 2402.13228. Offline, pairs; needs a reference.

  h_w, h_l = log pi(y|x) - log pi_ref(y|x) of the chosen and the rejected answer, sums over tokens
  loss     = -log sigmoid(beta * (h_w - h_l - penalty * max(0, -h_w)))

penalty is the paper's lambda. DPO (penalty=0) is content where both answers become less likely, as
long as the rejected one does so faster; that happens most where the two differ in few tokens. Here
a chosen answer below the reference costs penalty times what it has lost.
Of a list, every pair of different score counts; the mean is over all pairs of the batch.

Pitfalls: answers with equal scores make no pair; at step 0 the loss is ln 2; with a large penalty
the gradient is up to 1 + penalty times that of DPO, which trainer.max_grad_norm cuts.
"""


class Dpop(LossAlgorithm):
    """DPO with a price on chosen answers that become less likely."""

    card = CARD
    golden = "prefrun_example.golden:compute"
    vectors = "dpop.json"
    paper = "Pal et al. 2024, arXiv 2402.13228"
    kind = "offline, pairs"
    formula = "-LS(beta (h_w - h_l - penalty max(0, -h_w)))"

    def loss_at_start(self) -> float:
        """Every pair costs ln 2 while all log-ratios are 0."""
        return math.log(2)

    def loss(self, batch: BranchBatch) -> LossOutput:
        """Return one term: a value per pair of answers, weighted 0 where i is not better than j."""
        ratios = batch.log_ratios
        better = better_pairs(batch.scores, batch.branch_mask)
        values = dpop_losses(ratios, self.config.beta, self.config.penalty)
        weights = better * batch.weights[:, None, None]
        term = Term(values.flatten(), weights.flatten().to(values))
        return LossOutput({"dpop": term}, pair_metrics(ratios.detach(), better))


def pair_metrics(log_ratios: Tensor, better: Tensor) -> dict[str, Tensor]:
    """Means over the pairs of BETTER [B, K, K], of LOG_RATIOS [B, K]; 0 where there is none."""
    chosen, rejected = log_ratios.unsqueeze(-1), log_ratios.unsqueeze(-2)
    count = better.sum().clamp(min=1)
    return {
        "log_ratio/chosen": (chosen * better).sum() / count,
        "log_ratio/margin": ((chosen - rejected) * better).sum() / count,
        "chosen_fell": ((chosen < 0) & better).sum() / count,
    }
