"""algo=cpo, simpo and orpo as the host sees them: pairwise losses without a reference."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, ClassVar

from torch import Tensor

from prefrun.algorithm import LossAlgorithm, LossOutput, Term
from prefrun.needs import NORMALISED
from prefrun.policy.batch import BranchBatch
from prefrun_pairwise.algo import choose_pairs
from prefrun_pairwise.cpo import AVERAGED, CpoKnobs, alpha_rewards, cpo_values
from prefrun_pairwise.orpo import orpo_values
from prefrun_pairwise.pairs import reward_means
from prefrun_pairwise.policy_configs import CpoConfig, GammaScale, SimpoConfig
from prefrun_pairwise.tokens import mean_logps, sum_logps, token_nll

SYMBOLS = """
  log pi(y) = sum over the answer's tokens, avg = its mean over the tokens
  LS = log sigmoid      NLL = -log pi(y_c) per token, over all chosen tokens of the batch
"""


class ReferenceFree(LossAlgorithm):
    """A loss of pairs, and the likelihood of the chosen answers."""

    needs = frozenset()
    kind: ClassVar[str] = "offline, pairs"
    vectors = "insights_variants.json"
    averaged: bool = True
    """Whether the loss takes means over tokens."""

    def __init__(self, config: Any) -> None:
        super().__init__(config)
        self.pairs = config.pairs
        self.nll_weight = self._nll_weight()
        if self.nll_weight or self.reads_probabilities:
            self.needs = frozenset({NORMALISED})  # -log pi has a least value if pi is a probability

    def _nll_weight(self) -> float:
        """Return the weight of the chosen answers' negative log-likelihood."""
        weight: float = self.config.cpo_alpha
        return weight

    @property
    def reads_probabilities(self) -> bool:
        """Whether the preference term has a meaning for log-probs only."""
        return False

    @abstractmethod
    def values(self, chosen: Tensor, rejected: Tensor) -> Tensor:
        """Return the loss [P] of log-probs [P]."""

    @abstractmethod
    def rewards(self, logps: Tensor) -> Tensor:
        """Return the rewards [P] to log of log-probs [P]."""

    def loss(self, batch: BranchBatch) -> LossOutput:
        """Return the term `preference` and, where it has a weight, `nll`."""
        trees, chosen, rejected = choose_pairs(batch.scores, batch.branch_mask, self.pairs)
        per_answer = mean_logps if self.averaged else sum_logps
        logps = [
            per_answer(batch.policy_token_logps[trees, side], batch.token_mask[trees, side])
            for side in (chosen, rejected)
        ]
        values = self.values(*logps)
        weights = batch.weights[trees].to(values)
        terms = {"preference": Term(values, weights)}
        if self.nll_weight:
            nll, tokens = token_nll(
                batch.policy_token_logps[trees, chosen], batch.token_mask[trees, chosen]
            )
            terms["nll"] = Term(self.nll_weight * nll, weights * tokens)
        rewards = [self.rewards(side.detach()) for side in logps]
        return LossOutput(terms, reward_means(*rewards) if len(trees) else {})


class Cpo(ReferenceFree):
    """CPO."""

    paper: ClassVar[str] = "Xu et al. 2024, arXiv 2401.08417"
    formula: ClassVar[str] = "-LS(beta (log pi(y_c) - log pi(y_r))) + alpha NLL"
    verdict: ClassVar[str] = (
        "No claim tested; with eight variants on one world: 3.47 to 4.16 in reward."
    )
    golden = "prefrun_pairwise.golden:cpo_cases"
    card = f"""
CPO: Contrastive Preference Optimization. Xu et al., arXiv 2401.08417. Offline, pairs, no reference.
{SYMBOLS}
  sigmoid   -(1-eps) LS(beta m) - eps LS(-beta m),  m = log pi(y_c) - log pi(y_r)
  hinge     max(0, 1 - beta m)
  ipo       (avg_c - avg_r - 1/(2 beta))^2
  each      + cpo_alpha NLL

As TRL 1.16's CPOTrainer. Same name, different maths: its ipo has no reference, and averages. The
NLL term here is a mean over tokens, of the answer only; in the paper it is a mean over answers.
Pitfalls: sums favour short chosen answers; the NLL term holds the policy to the chosen answers, so
these should be good ones.
"""

    def __init__(self, config: CpoConfig) -> None:
        super().__init__(config)
        self.averaged = config.loss.name in AVERAGED
        self.knobs = CpoKnobs(beta=config.beta, label_smoothing=config.label_smoothing)

    def values(self, chosen: Tensor, rejected: Tensor) -> Tensor:
        """Return the loss [P]."""
        return cpo_values(self.config.loss.name, chosen, rejected, self.knobs)

    def rewards(self, logps: Tensor) -> Tensor:
        """Return beta times the log-probs."""
        return self.knobs.beta * logps


class Simpo(ReferenceFree):
    """SimPO and AlphaPO."""

    paper: ClassVar[str] = "Meng et al. 2024, arXiv 2405.14734"
    formula: ClassVar[str] = "-LS(beta (avg_c - avg_r) - gamma)"
    verdict: ClassVar[str] = (
        "No claim tested; with eight variants on one world: 3.47 to 4.43 in reward."
    )
    golden = "prefrun_pairwise.golden:simpo_cases"
    card = f"""
SimPO: Simple Preference Optimization. Meng et al., arXiv 2405.14734. Offline, pairs, no reference.
{SYMBOLS}
  -LS(beta (r_c - r_r) - gamma) + cpo_alpha NLL
  r = avg, or AlphaPO's (1 - p^-alpha) / alpha with p = exp(avg)      arXiv 2501.03884

Same name, different maths: gamma is the margin in the paper's formula and TRL's simpo_gamma, but
the paper's tables and code set gamma / beta, 0.3 to 0.5 at beta 2 to 10: say algo.gamma_scale=ratio
for that. cpo_alpha > 0 is CPO-SimPO. Pitfalls: nothing holds the policy to the start model but the
learning rate; beta is per token and so larger than that of DPO.
"""

    def __init__(self, config: SimpoConfig) -> None:
        super().__init__(config)
        scale = config.beta if config.gamma_scale is GammaScale.ratio else 1.0
        self.knobs = CpoKnobs(
            beta=config.beta, simpo_gamma=config.gamma * scale, alpha=config.alpha
        )

    @property
    def reads_probabilities(self) -> bool:
        """AlphaPO's reward is one of probabilities."""
        return bool(self.config.alpha)

    def values(self, chosen: Tensor, rejected: Tensor) -> Tensor:
        """Return the loss [P]."""
        return cpo_values("simpo", chosen, rejected, self.knobs)

    def rewards(self, logps: Tensor) -> Tensor:
        """Return beta times AlphaPO's rewards."""
        return self.knobs.beta * alpha_rewards(logps, self.knobs.alpha)


class Orpo(ReferenceFree):
    """ORPO."""

    paper: ClassVar[str] = "Hong et al. 2024, arXiv 2403.07691"
    formula: ClassVar[str] = "NLL - beta LS(log odds(y_c) - log odds(y_r)), p = exp(avg)"
    verdict: ClassVar[str] = (
        "No claim tested; with eight variants on one world: 3.47 to 3.92 in reward."
    )
    golden = "prefrun_pairwise.golden:orpo_cases"
    card = f"""
ORPO: Odds Ratio Preference Optimization. Hong et al., arXiv 2403.07691. Offline, pairs, no
reference.
{SYMBOLS}
  NLL - beta LS(log odds(y_c) - log odds(y_r)),  odds = p / (1 - p),  p = exp(avg)

beta is lambda in the paper. Same name, different maths: TRL's NLL also covers the prompt's tokens;
here, as in the paper's formula, it covers the answer's. Pitfalls: it is meant for a model that was
not fine-tuned yet, and replaces that step; the odds are those of a geometric mean over tokens.
"""

    def _nll_weight(self) -> float:
        return 1.0

    def values(self, chosen: Tensor, rejected: Tensor) -> Tensor:
        """Return the loss [P]."""
        return orpo_values(chosen, rejected, beta=self.config.beta)

    def rewards(self, logps: Tensor) -> Tensor:
        """Return beta times the mean log-probs, as TRL logs them."""
        beta: float = self.config.beta
        return beta * logps
