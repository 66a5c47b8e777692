"""algo=spo as the host sees it: the policy also learns to tell degrees of preference."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from random import Random
from typing import ClassVar

import torch
from torch import Tensor

from prefrun.algorithm import LossOutput, Term
from prefrun.errors import ConfigError
from prefrun.needs import STEP_EMBEDDINGS, TEXT
from prefrun.policy.batch import BranchBatch
from prefrun.records.tree import Branch, PreferenceTree, Step
from prefrun_augmented.around import AroundLoss, best_and_worst, place_of, with_roles
from prefrun_augmented.config import Extractor, SpoConfig
from prefrun_augmented.degrees import poorer
from prefrun_augmented.spo_loss import degree_values

CARD = """
SPO: self-supervised preference optimization, with preference degrees
Li, Huang, Zhang, Xu, Chen, Song, Shi, Wang, Xu, arXiv 2409.17791. Offline; beside a preference
loss, a linear head must tell how much of the better answer's content was removed.

  y^(m)  the better answer without its ceil(m P / (M - 1)) weightiest of P keyword phrases (RAKE)
  h      mean over the answer's tokens of the policy's last hidden states
  loss   = base + gamma * mean over m = 0 .. M - 1 of cross-entropy(W h(y^(m)) + b, m)
  base   = algo.base, DPO by default; the head is thrown away after training

Reconstruction: the published repository holds no code. Which text is cut (the better answer), the
pooling (mean), M and gamma are choices. Other methods are called SPO, too.

Pitfalls: removed text is shorter, so the head can tell by length: extractor=random removes as many
words by chance, as a control. An answer with too few phrases has the base loss only. A large gamma
makes a classifier of the policy: watch kl.
"""


class Spo(AroundLoss):
    """A base loss and a classifier of degrees."""

    card = CARD
    golden = "prefrun_augmented.golden:spo"
    vectors = "spo.json"
    paper: ClassVar[str] = "Li et al. 2024, arXiv 2409.17791"
    kind: ClassVar[str] = "offline, pairs and made answers"
    formula: ClassVar[str] = "base + gamma CE(W h(y without m parts) + b, m)"
    verdict: ClassVar[str] = (
        "Not reproduced: degrees add nothing at a small weight and do harm at a large one, three "
        "seeds."
    )
    own_needs = frozenset({STEP_EMBEDDINGS, TEXT})
    config: SpoConfig

    def __init__(self, config: SpoConfig) -> None:
        super().__init__(config)
        self.module_learning_rate = config.head_learning_rate

    def make_module(self, hidden_size: int) -> torch.nn.Module:
        """Return the head. Raises ConfigError where the base has parameters of its own."""
        if super().make_module(hidden_size) is not None:
            raise ConfigError(
                f"algo.base={self.config.base} has parameters of its own, and so has algo=spo\n"
                "  remedy: choose another base"
            )
        return torch.nn.Linear(hidden_size, self.config.degrees)

    def prepare(self, trees: Sequence[PreferenceTree], seed: int) -> list[PreferenceTree]:
        """Add the poorer versions of each record's best answer."""
        draw = Random(f"spo {seed}") if self.config.extractor is Extractor.random else None
        return [self._extended(tree, draw) for tree in self.base.prepare(trees, seed)]

    def step_done(self, sums: Mapping[str, Tensor]) -> None:
        """The head has no state beside its parameters; the base has none here."""

    def loss(self, batch: BranchBatch) -> LossOutput:
        """Return the base's terms and `degrees`."""
        base = self.base_loss(batch)
        assert isinstance(self.module, torch.nn.Linear)
        pooled = _pooled(batch).to(self.module.weight)
        best, _, _ = best_and_worst(batch)
        places, found = [best], []
        for degree in range(1, self.config.degrees):
            place, has = place_of(batch, degree)
            places.append(place)
            found.append(has)
        whole = torch.stack(found, -1).all(-1)
        rows = torch.arange(len(best), device=best.device).unsqueeze(-1)
        logits = self.module(pooled[rows, torch.stack(places, -1)])  # [B, M, M]
        labels = torch.arange(self.config.degrees, device=best.device).expand(len(best), -1)
        values = degree_values(logits.flatten(0, 1), labels.flatten())
        weights = (batch.weights.to(values) * whole).repeat_interleave(self.config.degrees)
        term = Term(self.config.gamma * values.masked_fill(weights == 0, 0.0), weights)
        right = (logits.argmax(-1) == labels).float().mean(-1)
        accuracy = (right * whole).sum() / whole.sum().clamp(min=1)
        metrics = {**base.metrics, "degrees/accuracy": accuracy.detach()}
        return LossOutput({**base.terms, "degrees": term}, metrics, base.sums)

    def _extended(self, tree: PreferenceTree, draw: Random | None) -> PreferenceTree:
        best = tree.branches[tree.ranks(self.objective).index(1)]
        versions = poorer(best.text, self.config.degrees, draw)
        return with_roles(
            tree,
            [
                (degree, Branch((Step(text),), prompt=best.prompt))
                for degree, text in enumerate(versions, 1)
            ],
        )


def _pooled(batch: BranchBatch) -> Tensor:
    """[B, K, H] mean over each answer's tokens, from the means of its steps."""
    assert batch.step_embeddings is not None
    steps = batch.step_embeddings.shape[2]
    counts = torch.nn.functional.one_hot(batch.step_index, steps) * batch.token_mask.unsqueeze(-1)
    share = counts.sum(2) / batch.lengths.clamp(min=1).unsqueeze(-1)
    return (batch.step_embeddings * share.unsqueeze(-1).to(batch.step_embeddings)).sum(2)
