"""algo=rationales as the host sees it: a rationale's likelihood beside any preference loss."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import ClassVar

from prefrun.algorithm import LossOutput, Term
from prefrun.errors import DataError
from prefrun.needs import TEXT
from prefrun.policy.batch import BranchBatch
from prefrun.records.split import DataSplit
from prefrun.records.tree import Branch, Message, PreferenceTree, Prompt, Step
from prefrun.reward import Reward
from prefrun_augmented.around import AroundLoss, place_of, with_roles
from prefrun_augmented.config import RationaleLogps, RationalesConfig, RationaleStyle
from prefrun_augmented.rationale_loss import rationale_values

RATIONALE = 1
QUESTIONS = {
    RationaleStyle.detailed: (
        "Given the prompt:\n{prompt}\nWhich of the following assistant's response is more "
        'preferable and strictly follows with the prompt question?\nResponse above:"{first}"\n'
        'or\nResponse below:"{second}"?\n'
    ),
    RationaleStyle.general: (
        "Given the prompt:\n{prompt}\nWhich of the following responses is more preferable?\n"
        "Assistant 1:{first}\nAssistant 2:{second}\nProvide a rationale of your answer.\n"
    ),
}
"""The detailed one is the official code's."""
CARD = """
Preference optimization with rationales: RDPO, RORPO
Just, Jin, Sahu, Phan, Jia, arXiv 2407.14477. Offline, pairs; each pair has a text that says why the
better answer is better, and its likelihood is trained beside any preference loss.

  z    = log pi(rationale | the prompt, both answers, "which is better, and why?")
  loss = base - log sigmoid(gamma z)       rationale_loss=logsigmoid: the published code
       = base - gamma z                    rationale_loss=nll: the paper (from memory)
  base = algo.base, DPO by default: RDPO

RORPO (the repository's rorpo-simple): algo.base=orpo algo.rationale_loss=nll
algo.rationale_logps=mean algo.gamma=1.
Not R-DPO (length-regularised DPO, Park et al.) and not TRL's `robust`.

Pitfalls: z is a sum over tokens, so gamma 0.1 and a rationale of 100 tokens outweigh the pair; the
better answer always stands first unless swap=true; a record without rationale has the base loss
only; a long question may be cut (trainer.max_length). With lists the rationale is that of the best
and the worst answer.
"""


class Rationales(AroundLoss):
    """A base loss and the likelihood of rationales."""

    card = CARD
    golden = "prefrun_augmented.golden:rationales"
    vectors = "rationales.json"
    paper: ClassVar[str] = "Just et al. 2024, arXiv 2407.14477"
    kind: ClassVar[str] = "offline, pairs with rationales"
    formula: ClassVar[str] = "base - log sigmoid(gamma log pi(rationale | question))"
    verdict: ClassVar[str] = (
        "Not reproduced: no gain with 50 or 200 pairs, and shuffled rationales do as well, three "
        "seeds."
    )
    own_needs = frozenset({TEXT})
    config: RationalesConfig

    def check(self, data: DataSplit, reward: Reward | None) -> None:
        """Raise DataError if no training record has a rationale, or the base refuses the data."""
        super().check(data, reward)
        if not any(self._rationale(tree) for tree in data.train):
            raise DataError(
                f"no record of {data.name} has a rationale",
                field=self.config.rationale_field,
                remedy="set algo.rationale_field to the field that holds it, or choose data with "
                "rationales",
            )

    def prepare(self, trees: Sequence[PreferenceTree], seed: int) -> list[PreferenceTree]:
        """Add each record's rationale as a branch that answers a question of its own."""
        draw = Random(f"rationales {seed}")
        return [self._extended(tree, draw) for tree in self.base.prepare(trees, seed)]

    def loss(self, batch: BranchBatch) -> LossOutput:
        """Return the base's terms and one of the rationales; at gamma = 0 the base's only."""
        base = self.base_loss(batch)
        if not self.config.gamma:
            return base
        place, has = place_of(batch, RATIONALE)
        rows = place.new_tensor(range(len(place)))
        sums, lengths = batch.policy_logps[rows, place], batch.lengths[rows, place]
        means = sums / lengths.clamp(min=1)
        logps = means if self.config.rationale_logps is RationaleLogps.mean else sums
        values = rationale_values(logps, self.config.gamma, self.config.rationale_loss.name)
        term = Term(values.masked_fill(~has, 0.0), batch.weights.to(values) * has)
        nll = -(means.detach() * has).sum() / has.sum().clamp(min=1)
        metrics = {**base.metrics, "rationale/nll": nll}
        return LossOutput({**base.terms, "rationale": term}, metrics, base.sums)

    def _rationale(self, tree: PreferenceTree) -> str:
        text = tree.metadata.get(self.config.rationale_field) or ""
        if not isinstance(text, str):
            raise DataError(
                f"the rationale is a {type(text).__name__}, no text",
                record=tree.id,
                field=self.config.rationale_field,
            )
        return text

    def _extended(self, tree: PreferenceTree, draw: Random) -> PreferenceTree:
        text, ranks = self._rationale(tree), tree.ranks(self.objective)
        if not text.strip() or max(ranks) == 1:
            return with_roles(tree, ())
        first = tree.branches[ranks.index(1)].text
        second = tree.branches[ranks.index(max(ranks))].text
        if self.config.swap and draw.random() < 0.5:
            first, second = second, first
        question = QUESTIONS[self.config.style].format(
            prompt=tree.prompt_text, first=first, second=second
        )
        prompt: Prompt = question if isinstance(tree.prompt, str) else (Message("user", question),)
        return with_roles(tree, [(RATIONALE, Branch((Step(text),), prompt=prompt))])
