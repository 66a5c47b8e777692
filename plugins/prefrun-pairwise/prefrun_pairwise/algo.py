"""algo=dpo as the host sees it."""

from __future__ import annotations

import math
from typing import ClassVar

import torch
from torch import Tensor

from prefrun.algorithm import LossAlgorithm, LossOutput, Term
from prefrun.needs import NORMALISED
from prefrun.policy.batch import BranchBatch
from prefrun_pairwise.catalog import PAIR_LOSSES
from prefrun_pairwise.config import DpoConfig, PairChoice
from prefrun_pairwise.dpo import PairKnobs
from prefrun_pairwise.mixture import pair_terms
from prefrun_pairwise.pairs import AnswerTokens, Pairs, implied_rewards, pairs_from_tokens
from prefrun_pairwise.tokens import wpo_weights

CARD = """
DPO: Direct Preference Optimization. Rafailov et al., arXiv 2305.18290. Offline, pairs.
The variants are those of TRL 1.16's DPOTrainer, checked against its numbers.

  h_c, h_r = log pi - log pi_ref of the chosen and the rejected answer (sums over tokens)
  d = h_c - h_r      LS = log sigmoid      S = sigmoid      eps = label_smoothing

  sigmoid       -LS(beta d)                                 DPO
  cdpo          -(1-eps) LS(beta d) - eps LS(-beta d)       conservative DPO
  robust        [-(1-eps) LS(beta d) + eps LS(-beta d)] / (1 - 2 eps)
  hinge         max(0, 1 - beta d)                          SLiC
  ipo           (h_c/|y_c| - h_r/|y_r| - 1/(2 beta))^2      IPO; ipo_normalize=sum: not averaged
  sigmoid_norm  -LS(beta (h_c/|y_c| - h_r/|y_r|))           length-normalised DPO
  exo_pair      reverse KL to the smoothed preference       EXO; label_smoothing > 0
  nca_pair      -LS(beta h_c) - LS(-beta h_c)/2 - LS(-beta h_r)/2
  bco_pair      -LS(beta h_c) - LS(-beta h_r)
  sppo_hard     (h_c - 1/(2 beta))^2 + (h_r + 1/(2 beta))^2
  apo_zero      1 - S(beta h_c) + S(beta h_r)               apo_down: S(beta h_c) + 1 - S(beta d)
  aot           as cdpo on sorted differences, over the batch (aot_unpaired: sorted ratios)
  discopop      logistic and exponential loss, mixed by S(beta d / tau)
  sft           negative log-likelihood of the chosen answer, mean over the batch's tokens
  poly          -LS(beta d) + poly_alpha (1 - S(beta d))    Poly-DPO, 2604.24953
  dpo_gamma     -LS(beta [log pi_c - log pi_r - gamma (log ref_c - log ref_r)])

Same name, different maths: ipo is averaged over tokens in TRL and LLaMA-Factory, summed in OpenRLHF
and the paper; TRL's sigmoid ignores label_smoothing, here that is refused: choose cdpo.
LD-DPO weights the reference's tokens, too, in TRL, and only the policy's in LLaMA-Factory
(ld_reference=false). ipo, cdpo, ld_dpo, dpo_norm, poly_dpo and da_dpo are algorithms of their own,
too, with only their keys.
Pitfalls: discopop with its own tau first moves from the chosen to the rejected answer, until a pair
is far enough above d = 0; answers with equal scores make no pair; the chosen answer's log-prob may
fall while the margin grows; at step 0 the loss of sigmoid is ln 2.
"""


AT_START = {
    "sigmoid": math.log(2),
    "sigmoid_norm": math.log(2),
    "cdpo": math.log(2),
    "robust": math.log(2),
    "hinge": 1.0,
    "nca_pair": 2 * math.log(2),
    "bco_pair": 2 * math.log(2),
    "apo_zero": 1.0,
}
"""The losses that do not depend on data or keys where h_c = h_r = 0."""

TURNED_TAU = (1 - math.log(2)) / 3
"""Below it DiscoPOP (arXiv 2406.08414, its tau: 0.05) has a minimum at a d < 0 and rises at 0."""


class Dpo(LossAlgorithm):
    """Pairwise losses on the pairs of each list of answers."""

    card = CARD
    golden: ClassVar[str | None] = "prefrun_pairwise.golden:dpo_cases"
    vectors: ClassVar[str | None] = "insights_variants.json"
    needs = frozenset({"reference"})
    paper: ClassVar[str] = "Rafailov et al. 2023, arXiv 2305.18290"
    kind: ClassVar[str] = "offline, pairs"
    formula: ClassVar[str] = "-LS(beta (h_c - h_r)), and 17 further losses"
    verdict: ClassVar[str] = (
        "No claim tested; with eight variants on one world: 3.47 to 4.39 in reward."
    )

    def __init__(self, config: DpoConfig) -> None:
        super().__init__(config)
        if config.wpo:
            self.needs = frozenset({"reference", "log_collision"})
            self.expected_failures = {
                "gradient_matches_finite_differences": "WPO's weights follow the policy, held fixed"
            }
        elif list(config.mix()) == ["discopop"] and config.discopop_tau < TURNED_TAU:
            self.expected_failures = {
                "step_prefers_better_answers": "DiscoPOP's slope at d = 0 is turned, by definition"
            }
        if "sft" in config.mix():  # a likelihood has a greatest value if it is a probability
            self.needs |= {NORMALISED}
        self.batch_coupled = any(_is_coupled(name) for name in config.mix())
        self.knobs = PairKnobs(
            beta=config.beta,
            label_smoothing=config.label_smoothing,
            gamma=config.gamma,
            ipo_normalize=config.ipo_normalize.name,
            discopop_tau=config.discopop_tau,
            poly_alpha=config.poly_alpha,
            divergence=config.divergence.name,
            divergence_alpha=config.divergence_alpha,
        )

    def loss_at_start(self) -> float | None:
        """Return the value at h_c = h_r = 0 of a single loss without weights of WPO or LD-DPO."""
        ((name, weight), *more) = self.config.mix().items()
        weighted = self.config.wpo or self.config.ld_alpha is not None
        return None if more or weighted or name not in AT_START else weight * AT_START[name]

    def loss(self, batch: BranchBatch) -> LossOutput:
        """Return one term per loss of the mixture, each a mean over the batch's pairs."""
        trees, chosen, rejected = choose_pairs(batch.scores, batch.branch_mask, self.config.pairs)
        pairs = pairs_from_tokens(
            _answers(batch, trees, chosen),
            _answers(batch, trees, rejected),
            self.config.ld_alpha,
            self.config.ld_reference,
        )
        weighting = None
        if self.config.wpo:
            weighting = _wpo(batch, trees, chosen) * _wpo(batch, trees, rejected)
        knobs = self.pair_knobs(batch, trees, chosen, rejected)
        mix = list(self.config.mix().items())
        counts = batch.weights[trees]
        terms = {
            # a value of a batch-coupled loss belongs to no single record, so none weighs more
            name: Term(values, weights if _is_coupled(name) else weights * counts.to(weights))
            for (name, _), (values, weights) in zip(
                mix, pair_terms(mix, pairs, knobs, weighting), strict=True
            )
        }
        return LossOutput(terms, self.metrics(pairs, knobs) if len(trees) else {})

    def pair_knobs(
        self, batch: BranchBatch, trees: Tensor, chosen: Tensor, rejected: Tensor
    ) -> PairKnobs:
        """Return the numbers in the formulas, for pairs as `choose_pairs` gives them."""
        del batch, trees, chosen, rejected
        return self.knobs

    def metrics(self, pairs: Pairs, knobs: PairKnobs) -> dict[str, Tensor]:
        """Return what is logged of at least one pair, without gradient."""
        del knobs
        return implied_rewards(pairs, self.config.beta)


def _is_coupled(loss: str) -> bool:
    return PAIR_LOSSES[loss].batch_coupled


def choose_pairs(scores: Tensor, mask: Tensor, choice: PairChoice) -> tuple[Tensor, Tensor, Tensor]:
    """Return the P pairs of a batch as indices: tree, chosen branch, rejected branch, [P] each.

    scores: [B, K], higher is better; mask: [B, K] bool. Tied answers make no pair; of several best
    (or worst) answers the first counts.
    """
    better = (scores.unsqueeze(-1) > scores.unsqueeze(-2)) & mask.unsqueeze(-1) & mask.unsqueeze(-2)
    if choice is not PairChoice.all:
        best = scores.masked_fill(~mask, float("-inf")).argmax(-1)
        better &= torch.nn.functional.one_hot(best, scores.shape[-1]).bool().unsqueeze(-1)
    if choice is PairChoice.best_vs_worst:
        worst = scores.masked_fill(~mask, float("inf")).argmin(-1)
        better &= torch.nn.functional.one_hot(worst, scores.shape[-1]).bool().unsqueeze(-2)
    trees, chosen, rejected = better.nonzero(as_tuple=True)
    return trees, chosen, rejected


def _answers(batch: BranchBatch, trees: Tensor, branches: Tensor) -> AnswerTokens:
    assert batch.reference_token_logps is not None
    return AnswerTokens(
        batch.policy_token_logps[trees, branches],
        batch.reference_token_logps[trees, branches].detach(),
        batch.token_mask[trees, branches],
    )


def _wpo(batch: BranchBatch, trees: Tensor, branches: Tensor) -> Tensor:
    answers = _answers(batch, trees, branches)
    collision = batch.extras["log_collision"][trees, branches]
    return wpo_weights(answers.policy, collision, answers.mask)
