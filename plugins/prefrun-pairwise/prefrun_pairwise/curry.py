"""algo=curry_dpo as the host sees it."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import ClassVar

from prefrun import DataError
from prefrun.algorithm import Outcome, RunAlgorithm
from prefrun.base_algorithm import build_loss
from prefrun.records.split import DataSplit
from prefrun.records.tree import PreferenceTree
from prefrun.reward import Reward
from prefrun.training.services import Services
from prefrun_pairwise.curriculum import Pair, easy_to_hard, pairs_of, stages_of
from prefrun_pairwise.curry_config import Criterion, CurryDpoConfig, Order, StageReference
from prefrun_pairwise.pair_records import pair_record
from prefrun_pairwise.staged import STAGE, Staged

CARD = """
Curri-DPO: curriculum learning on ranked preferences. Pattnaik et al., arXiv 2403.07230. Offline,
lists; around any loss of pairs (algo.base).

  pairs of a list     the best answer against each other one, equal scores left out
  easiness            score(chosen) - score(rejected), or the same of log pi_start (criterion=logps)
  stage of a pair     i * stages // m for the i-th easiest of its prompt's m pairs
  stage t             base loss on its pairs, from and against the model of stage t - 1

With four answers and three stages each stage has one pair per prompt. reference=start keeps the
start model as the reference, in one training through all stages (the paper's ablation).
Pitfalls: compare at an equal number of steps: with reference=previous every stage has the trainer's
steps. The KL to the start model is not held by beta then, only that to the stage before; measure it
(evaluator=[kl]). At the beginning of each stage the loss of dpo is ln 2. Prompts with two answers
fill one stage only, and ties leave later stages smaller. The paper's hyper-parameters are from
memory: beta 0.1, learning rate 5e-7, one epoch per stage, 5k prompts.
"""


class CurryDpo(RunAlgorithm):
    """Trains stage after stage."""

    card = CARD
    golden = "prefrun_pairwise.method_golden:curry_dpo"
    vectors = "curry_dpo.json"
    paper: ClassVar[str] = "Pattnaik et al. 2024, arXiv 2403.07230"
    kind: ClassVar[str] = "offline, lists, any loss of pairs"
    formula: ClassVar[str] = "the base loss on pairs from easy to hard, the reference renewed"
    verdict: ClassVar[str] = (
        "Not reproduced: the reward of DPO on the easiest pairs at a smaller KL, not more of it; "
        "order and reference have no clear effect."
    )

    def __init__(self, config: CurryDpoConfig) -> None:
        super().__init__(config)
        self.base = build_loss(config.base, config.base_keys)

    def check(self, data: DataSplit, reward: Reward | None) -> None:
        """Raise DataError where there is no pair."""
        self.base.check(data, reward)
        if not any(self._pairs(tree, data.objective) for tree in data.train):
            raise DataError("no training record has two answers of different score")

    def run(self, services: Services) -> Outcome:
        """Train through all stages; a resumed run goes on in the stage it had reached."""
        stages = [stage for stage in self.stages(services) if stage]
        if self.config.reference is StageReference.start:
            pairs = [tree for stage in stages for tree in stage]
            return Outcome(services.train(Staged(self.base, len(stages)), pairs))
        for number, pairs in enumerate(stages):
            policy = services.train(self.base, pairs, round=number)
        return Outcome(policy)

    def stages(self, services: Services) -> list[list[PreferenceTree]]:
        """Return the records of each stage, one pair each, in the order of training."""
        count: int = self.config.stages
        trees = services.data.train
        gaps = self._gaps(trees, services)
        stages: list[list[tuple[PreferenceTree, Pair]]] = [[] for _ in range(count)]
        for tree, values in zip(trees, gaps, strict=True):
            pairs = easy_to_hard(
                self._pairs(tree, services.data.objective),
                lambda pair, values=values: values[pair[0]] - values[pair[1]],  # type: ignore[misc]
            )
            for stage, own in zip(stages, stages_of(pairs, count), strict=True):
                stage += [(tree, pair) for pair in own]
        if self.config.order is Order.hard_to_easy:
            stages.reverse()
        if self.config.order is Order.random:
            stages = _dealt(stages, services.run.seed)
        filled = [stage for stage in stages if stage]
        return [
            [pair_record(tree, pair, **{STAGE: number}) for tree, pair in stage]
            for number, stage in enumerate(filled)
        ]

    def _pairs(self, tree: PreferenceTree, objective: str) -> list[Pair]:
        return pairs_of(tree.labels(objective), self.config.pairs.name)

    def _gaps(self, trees: Sequence[PreferenceTree], services: Services) -> list[list[float]]:
        """Return, per record and answer, the number whose gap makes a pair easy."""
        if self.config.criterion is Criterion.logps:
            return [known.sums for known in services.reference_logps(list(trees))]
        return [tree.labels(services.data.objective) for tree in trees]


def _dealt(
    stages: Sequence[list[tuple[PreferenceTree, Pair]]], seed: int
) -> list[list[tuple[PreferenceTree, Pair]]]:
    """Deal all pairs anew, at random, to stages of the same sizes."""
    pairs = [pair for stage in stages for pair in stage]
    Random(seed).shuffle(pairs)
    rest = iter(pairs)
    return [[next(rest) for _ in stage] for stage in stages]
