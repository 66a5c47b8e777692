"""algo=lcpo as the host sees it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import Tensor

from prefrun.algorithm import LossAlgorithm, LossOutput, Term
from prefrun.policy.batch import BranchBatch
from prefrun.records.tree import PreferenceTree
from prefrun_robust.lcpo.base_loss import make_base
from prefrun_robust.lcpo.config import LcpoConfig, MStep, Reliability
from prefrun_robust.lcpo.loss import expected_nll, gibbs_logits, label_posterior, loss_mix
from prefrun_robust.lcpo.pairs import choose_pairs, pair_batch
from prefrun_robust.lcpo.reliability import Reliabilities

LOGGED_ANNOTATORS = 20
"""With more, only mean, least and largest reliability are logged."""
SHARED, UNKNOWN = "all", "unknown"
"""What the first reliability is called, without and beside named annotators."""

CARD = """
LCPO: Latent Collective Preference Optimization, published as RE-PO. Cao, Xu, Guang, Long, Bakker,
Wang, Yu, arXiv 2509.24159 (ICLR 2026). Offline, pairs, around any base loss.

  p     = sigmoid(L(l>w) - L(w>l))                 base loss of the pair exchanged and as labelled
  w     = sigmoid(logit(p) + logit(eta_k))         E-step: is the label of annotator k right?
  loss  = -[w log p + (1-w) log(1-p)]              M-step of the policy, w held fixed
  eta_k <- (1-a) eta_k + a mean of w over k's pairs of the optimizer step

Base losses of its own: dpo (beta), ipo (tau, average), simpo (beta, gamma), cpo (beta,
nll_weight); any other installed loss of pairs is asked twice, with exchanged labels.
At step 0 p = 1/2 with a reference, so w = eta: label smoothing. Later w of bad pairs falls below
1/2 and their gradient is reversed.

Pitfalls: eta below 1/2 prefers flipped labels; a confidently wrong policy flips right labels
(warmup_steps); ipo with average=false saturates w at once. Evaluation changes no eta; a resumed
run restores it. Not stated in what could be read, so reconstructed: how the NLL term of cpo enters
p (nll_in_posterior), and per-token averaging in ipo. No official code was available.
"""


class Lcpo(LossAlgorithm):
    """Expectation-maximisation over label noise around a base loss."""

    card = CARD
    golden = "prefrun_robust.lcpo.golden:compute"
    vectors = "lcpo.json"
    paper = "Cao et al. 2025, arXiv 2509.24159"
    kind = "offline, pairs"
    formula = "-[w log p + (1-w) log(1-p)], p = S(L_flip - L_obs), w = S(logit p + logit eta_k)"
    verdict = (
        "Reproduced with linear scorers: with four annotators LCPO beats DPO on 5 of 5 seeds "
        "(0.910 against 0.882), and finds the order of their reliabilities."
    )
    module: Reliabilities | None = None

    def __init__(self, config: LcpoConfig) -> None:
        super().__init__(config)
        self.base, self.needs = make_base(config.base, config.base_keys)
        failures = {
            "reads_no_numbers": "annotators are names: each pair's is looked up by its tree's place"
        }
        if not config.warmup_steps and config.eta0 < 1:
            failures["gradient_matches_finite_differences"] = (
                "w follows the policy and is held fixed"
            )
        self.expected_failures = failures
        self.posterior_base = self.base
        if not config.nll_in_posterior:
            self.posterior_base, _ = make_base("cpo", {**config.base_keys, "nll_weight": 0.0})
        self._annotators: list[str] = []
        self._has_unknown = True

    def prepare(self, trees: Sequence[PreferenceTree], seed: int) -> list[PreferenceTree]:
        """Note who the annotators are."""
        del seed
        if self.config.reliability is Reliability.annotator:
            self._annotators = sorted({tree.annotator for tree in trees if tree.annotator})
            self._has_unknown = not all(tree.annotator for tree in trees)
        return list(trees)

    def make_module(self, hidden_size: int) -> Reliabilities:
        """Return the reliabilities, all eta0."""
        del hidden_size
        return Reliabilities(self._annotators, self.config.eta0)

    def step_done(self, sums: Mapping[str, Tensor]) -> None:
        """Move each reliability towards its annotator's mean posterior."""
        least = 0.5 if self.config.keep_above_half else 0.0
        self._state.update(sums["posterior"], sums["count"], self.config.ema, least)

    @property
    def _state(self) -> Reliabilities:
        assert self.module is not None, "the host makes the module before training"
        return self.module

    def loss(self, batch: BranchBatch) -> LossOutput:
        """Return one term over the batch's pairs, and the sums that move the reliabilities."""
        trees, branches = choose_pairs(batch, self.config.pairs)
        pairs = pair_batch(batch, trees, branches)
        observed, flipped = self.posterior_base(pairs, 0), self.posterior_base(pairs, 1)
        logits = gibbs_logits(observed, flipped)
        index = self._state.index(pairs.annotators)
        eta = self._state.eta[index]
        warming = self._state.steps < self.config.warmup_steps
        posterior = eta if warming else label_posterior(logits.to(eta), eta)
        posterior = posterior.to(logits)
        if self.config.m_step is MStep.likelihood:
            values = expected_nll(logits, posterior)
        else:
            values = loss_mix(self.base(pairs, 0), self.base(pairs, 1), posterior)
        sums = self._state.sums(index, posterior, pairs.weights)
        term = Term(values, pairs.weights.to(values))
        return LossOutput({"lcpo": term}, self._metrics(logits.detach(), posterior), sums)

    def _metrics(self, logits: Tensor, posterior: Tensor) -> dict[str, Tensor]:
        count = max(1, len(logits))
        eta = self._state.eta
        named = dict(self._state.places)
        if self._has_unknown:
            named[UNKNOWN if named else SHARED] = 0
        metrics = {
            "lcpo/posterior": posterior.sum() / count,
            "lcpo/doubted": (posterior < 0.5).sum() / count,
            "lcpo/agreement": (logits > 0).sum() / count,
        }
        if len(named) <= LOGGED_ANNOTATORS:
            return metrics | {f"eta/{name}": eta[place].clone() for name, place in named.items()}
        return metrics | {"eta/mean": eta.mean(), "eta/least": eta.min(), "eta/most": eta.max()}
