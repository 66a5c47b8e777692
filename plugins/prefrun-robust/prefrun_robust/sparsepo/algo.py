"""algo=sparsepo as the host sees it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import torch

from prefrun.algorithm import TRAINER_KEYS, Outcome, RunAlgorithm
from prefrun.errors import ConfigError, DataError
from prefrun.evaluation.context import held_out
from prefrun.evaluation.evaluator import Estimate
from prefrun.policy.model_policy import ModelPolicy
from prefrun.records.split import DataSplit
from prefrun.records.tree import PreferenceTree
from prefrun.reward import Reward
from prefrun.rundir.files import write_json
from prefrun.training.services import Services
from prefrun_robust.sparsepo.config import SparsePoConfig
from prefrun_robust.sparsepo.measures import area_under_curve, share_of_zeros
from prefrun_robust.sparsepo.records import best_and_worst
from prefrun_robust.sparsepo.report import FILE
from prefrun_robust.sparsepo.training import MaskedTraining

DECISIVE = "decisive_tokens"
"""Metadata of a record: texts of the tokens that decide which answer is better."""
SHOWN = 8
"""Held-out records whose masks are kept for the report."""
BATCH = 16

CARD = """
SparsePO and MaPO. Christopoulou, Cardenas, Lampouras, Bou-Ammar, Wang, arXiv 2410.05102.
Offline, pairs (best and worst answer of a list), token-weighted, needs a reference.

  r_t = log pi(y_t|.) - log pi_ref(y_t|.)      k_t = -KL(pi_ref || pi) at t, whole vocabulary
  U(y) = sum_t m_u(t) r_t                      D(y) = sum_t m_d(t) k_t
  loss = -log sigmoid(beta [(U_c - U_r) - (D_c - D_r)]) + l1_reward |m_u|_1 + l1_kl |m_d|_1

  common       m_u = m_d = a head with ReLU on the reference's hidden states at the position that
               predicts the token; learned with the policy
  independent  two heads
  mapo         mean activations of the reference at that position, scaled to [0, 1] per answer,
               averaged over hooks, then over types (mlp, attention, residual, logits)
  ones         TDPO

The hidden state stands before the token: a mask can know what is likely to come, and not what came.
Pitfalls: a mask of only zeros gives no gradient (initial_mask=1 avoids that at the start); heads
can grow without bound and rescale beta; both L1 terms fall on a common mask; k has the sign of -KL.
The logged rewards are beta (U + D), with a plus, as in the official code.
Not as officially: activations are those of transformers' layers (rotary q and k are not seen, a
fused projection counts once), statistics are not cast to float16. From memory of the code: how
ml heads are joined over layers.
"""


class SparsePo(RunAlgorithm):
    """Token-level DPO whose tokens are weighted by masks."""

    card = CARD
    trainer_keys = TRAINER_KEYS - {"compile", "gradient_checkpointing"}
    golden = "prefrun_robust.sparsepo.golden:compute"
    vectors = "sparsepo.json"
    paper = "Christopoulou et al. 2024, arXiv 2410.05102"
    kind = "offline, pairs"
    formula = "-log sigmoid(beta [sum m_u r]_c-r - beta [sum m_d k]_c-r) + L1 norms of the masks"
    verdict = (
        "Half reproduced on random strings: SparsePO gains more reward than TDPO at no larger KL, "
        "MaPO does not; learned masks did not find the deciding tokens."
    )

    def __init__(self, config: SparsePoConfig) -> None:
        super().__init__(config)

    def check(self, data: DataSplit, reward: Reward | None) -> None:
        """Raise DataError where no record has two answers of different quality."""
        del reward
        if int(os.environ.get("WORLD_SIZE", "1")) > 1:
            raise ConfigError(
                "algo=sparsepo trains in one process only\n  remedy: run it without "
                "torchrun or accelerate"
            )
        if not best_and_worst(data.train, data.objective):
            raise DataError(
                "no training record has two answers of different quality",
                file=data.name,
                field=data.objective,
                remedy="choose data with pairs or lists, or another data.objective",
            )

    def run(self, services: Services) -> Outcome:
        """Train policy and masks, and measure the masks on held-out records."""
        policy, reference = services.policy(), services.reference()
        assert isinstance(reference, ModelPolicy)
        training = MaskedTraining(self.config, services, reference.loaded, services.run.seed)
        data = services.data
        training.train(best_and_worst(data.train, data.objective))
        test = held_out(data.test, services.config.evaluation.max_records)
        pairs = best_and_worst(test, data.objective)
        if not pairs:
            return Outcome(policy)
        rows = measure(training, pairs)
        write_json(services.run.output_dir / FILE, rows[: 2 * SHOWN])
        return Outcome(policy, _metrics(rows), {"mask_auroc": "max"})


@torch.no_grad()
def measure(training: MaskedTraining, pairs: Sequence[PreferenceTree]) -> list[dict[str, Any]]:
    """Return a row per answer: id, better, tokens, decisive, and the two masks."""
    examples = training.examples(pairs)
    tokenizer = training.loaded.tokenizer
    rows = []
    for start in range(0, len(pairs), BATCH):
        part = examples[start : start + BATCH]
        sides = training.answers(part)[:2]
        for place, example in enumerate(part):
            tree = pairs[start + place]
            wanted = tree.metadata.get(DECISIVE)
            for side, ids in enumerate(example.encoded.branches):
                texts = [tokenizer.decode([token]) for token in ids]
                masks = (sides[side].reward_mask[place], sides[side].kl_mask[place])
                reward, kl = (mask[: len(ids)].tolist() for mask in masks)
                rows.append(
                    {
                        "id": tree.id,
                        "better": side == 0,
                        "tokens": texts,
                        "decisive": None if wanted is None else [t in wanted for t in texts],
                        "reward_mask": reward,
                        "kl_mask": kl,
                    }
                )
    return rows


def _metrics(rows: Sequence[dict[str, Any]]) -> dict[str, Estimate]:
    metrics = {
        "mask_sparsity_reward": share_of_zeros([row["reward_mask"] for row in rows]),
        "mask_sparsity_kl": share_of_zeros([row["kl_mask"] for row in rows]),
    }
    known = [row for row in rows if row["decisive"] is not None]
    weights = [weight for row in known for weight in row["reward_mask"]]
    area = area_under_curve(weights, [flag for row in known for flag in row["decisive"]])
    return metrics if area is None else metrics | {"mask_auroc": Estimate(area)}
