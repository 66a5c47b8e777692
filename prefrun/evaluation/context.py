"""What evaluators of a run are given: the held-out records, two policies and the judge."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

from prefrun.evaluation.answers import judged_answers
from prefrun.evaluation.evaluator import NotApplicable
from prefrun.evaluation.measured import Measured

if TYPE_CHECKING:
    from prefrun.policy.policy import BranchLogps, Policy
    from prefrun.records.tree import PreferenceTree
    from prefrun.reward import Reward
    from prefrun.training.services import Services


class Context:
    """Implements `EvaluationContext` for one policy of a run."""

    def __init__(
        self,
        services: Services,
        policy: Policy | None,
        baseline: Policy | None,
        known: Mapping[str, Any] | None = None,
        folder: Path | None = None,
        reward: Reward | None = None,
    ) -> None:
        """KNOWN is what `to_json()` of an earlier context with the same baseline returned.

        FOLDER is where evaluators may keep files; it is made when first asked for. REWARD is the
        judge, if it is not the run's. POLICY and BASELINE are None in a run that has no policy.
        """
        self._services, self._folder = services, folder
        self._reward = services.reward if reward is None else reward
        self._trees = held_out(services.data.test, services.config.evaluation.max_records)
        self._policy = self._measured(policy)
        self._baseline = self._policy if policy is baseline else self._measured(baseline)
        if known is not None:
            self._baseline.restore(known if reward is None else {**known, "rewards": None})

    def _measured(self, policy: Policy | None) -> Measured:
        return Measured(policy, self._trees, self._services.config.evaluation, self.seed)

    @property
    def trees(self) -> Sequence[PreferenceTree]:
        """Held-out records. Raises NotApplicable where there is none."""
        return self._policy.trees

    @property
    def objective(self) -> str:
        """The score that says which answer is better."""
        return self._services.data.objective

    @property
    def policy(self) -> Policy:
        """The policy being measured. Raises NoPolicy if there is none."""
        return self._policy.policy

    @property
    def baseline(self) -> Policy:
        """The starting model, which is also the reference."""
        return self._baseline.policy

    @property
    def reward(self) -> Reward:
        """The judge. Raises NotApplicable where the run has none."""
        if self._reward is None:
            raise NotApplicable("the run has no reward: the data have no judge; set reward=NAME")
        return self._reward

    @property
    def seed(self) -> int:
        """For sampling and resampling."""
        return self._services.run.seed

    @property
    def bootstrap(self) -> int:
        """Resamples behind a confidence interval."""
        return self._services.config.evaluation.bootstrap

    @property
    def folder(self) -> Path | None:
        """Where an evaluator may keep files of its own; None for the start model."""
        if self._folder is not None:
            self._folder.mkdir(exist_ok=True)
        return self._folder

    def responses(self) -> list[str]:
        """One sampled answer of the policy per tree."""
        return self._policy.responses()

    def baseline_responses(self) -> list[str]:
        """The same of the baseline."""
        return self._baseline.responses()

    def rewards(self) -> list[float]:
        """Score of each of `responses()`. Raises NotApplicable without a reward."""
        return self._policy.rewards(self.reward)

    def baseline_rewards(self) -> list[float]:
        """Score of each of `baseline_responses()`."""
        return self._baseline.rewards(self.reward)

    def logps(self) -> list[BranchLogps]:
        """Log-probs of the records' own answers under the policy."""
        return self._policy.logps()

    def baseline_logps(self) -> list[BranchLogps]:
        """The same under the baseline."""
        return self._baseline.logps()

    def samples(self) -> list[dict[str, Any]]:
        """Per held-out record its prompt and what was asked for of both policies' answers.

        `answers` are those of the data with both policies' log-ratio, see `judged_answers`.
        """
        rows = zip(self._trees, self._policy.samples(), self._baseline.samples(), strict=True)
        samples = [
            {"id": tree.id, "prompt": tree.prompt_text}
            | dict(own)
            | {f"baseline_{name}": value for name, value in base.items()}
            for tree, own, base in rows
        ]
        own_logps, start_logps = self._policy.known_logps, self._baseline.known_logps
        if own_logps is not None and start_logps is not None:
            parts = zip(samples, self._trees, own_logps, start_logps, strict=True)
            for sample, tree, own, start in parts:
                sample["answers"] = judged_answers(tree, self.objective, own, start)
        return samples

    def to_json(self) -> dict[str, Any]:
        """Return the baseline's parts computed so far, for a later context or a resumed run."""
        return self._baseline.to_json()


def held_out(trees: Sequence[PreferenceTree], max_records: int | None) -> Sequence[PreferenceTree]:
    """Return MAX_RECORDS of TREES in their order, drawn without replacement; all where None.

    The draw does not depend on the run's seed: all runs on the same data share their prompts.
    """
    if max_records is None or max_records >= len(trees):
        return trees
    return [trees[number] for number in sorted(Random(0).sample(range(len(trees)), max_records))]
