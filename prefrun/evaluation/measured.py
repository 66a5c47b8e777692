"""What one policy does on the held-out records: each part is computed once, when first needed."""

from __future__ import annotations

import math
from base64 import b64decode, b64encode
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from prefrun.evaluation.evaluator import NoPolicy, NotApplicable

if TYPE_CHECKING:
    from torch import Tensor

    from prefrun.policy.policy import BranchLogps, Policy
    from prefrun.records.tree import PreferenceTree
    from prefrun.reward import Reward
    from prefrun.schema import EvaluationConfig


class Measured:
    """Answers, rewards and log-probs of one policy. Survives JSON, so that none is made twice."""

    def __init__(
        self,
        policy: Policy | None,
        trees: Sequence[PreferenceTree],
        settings: EvaluationConfig,
        seed: int,
    ) -> None:
        self._policy, self._trees = policy, trees
        self._settings, self._seed = settings, seed
        self._responses: list[str] | None = None
        self._rewards: list[float] | None = None
        self._logps: list[BranchLogps] | None = None

    @property
    def policy(self) -> Policy:
        """The policy. Raises NoPolicy if there is none."""
        if self._policy is None:
            raise NoPolicy("the run has no policy")
        return self._policy

    @property
    def trees(self) -> Sequence[PreferenceTree]:
        """The held-out records. Raises NotApplicable where there is none."""
        if not self._trees:
            raise NotApplicable("the data have no held-out records")
        return self._trees

    def responses(self) -> list[str]:
        """One sampled answer per tree."""
        if self._responses is None:
            self._responses = self.policy.generate(
                self.trees, self._settings.max_new_tokens, self._settings.temperature, self._seed
            )
        return self._responses

    def rewards(self, reward: Reward) -> list[float]:
        """Score of each answer by REWARD. Raises NotApplicable where a score is not finite."""
        if self._rewards is None:
            scores = reward.score(self.trees, self.responses())
            for tree, score in zip(self.trees, scores, strict=True):
                if not math.isfinite(score):
                    raise NotApplicable(f"reward {reward.name} gave {score} for record {tree.id}")
            self._rewards = [float(score) for score in scores]
        return self._rewards

    def logps(self) -> list[BranchLogps]:
        """Log-probs of the trees' own answers. Raises NotApplicable where one is not finite."""
        if self._logps is None:
            logps = self.policy.logps(self.trees)
            for tree, branches in zip(self.trees, logps, strict=True):
                if not all(math.isfinite(total) for total in branches.sums):
                    raise NotApplicable(f"a log-prob of record {tree.id} is not finite")
            self._logps = logps
        return self._logps

    @property
    def known_logps(self) -> list[BranchLogps] | None:
        """What `logps()` returned; None where nobody asked."""
        return self._logps

    def samples(self) -> Sequence[Mapping[str, Any]]:
        """Per tree its answer and reward, as far as they were asked for."""
        columns = {"response": self._responses, "reward": self._rewards}
        known = {name: column for name, column in columns.items() if column is not None}
        return [
            {name: column[number] for name, column in known.items()}
            for number in range(len(self._trees))
        ]

    def to_json(self) -> dict[str, Any]:
        """Return what was computed so far; log-probs as base64 of little-endian float32."""
        logps: list[list[str]] | None = None
        if self._logps is not None:
            logps = [[_encode(branch) for branch in tree.token_logps] for tree in self._logps]
        return {"responses": self._responses, "rewards": self._rewards, "logps": logps}

    def restore(self, known: Mapping[str, Any]) -> None:
        """Take over what `to_json` returned for the same policy and trees."""
        from prefrun.policy.policy import BranchLogps

        self._responses, self._rewards = known["responses"], known["rewards"]
        if known["logps"] is not None:
            self._logps = [
                BranchLogps(tuple(_decode(branch) for branch in tree)) for tree in known["logps"]
            ]


def _encode(values: Tensor) -> str:
    return b64encode(values.float().numpy().astype("<f4").tobytes()).decode()


def _decode(text: str) -> Tensor:
    import numpy as np
    import torch

    return torch.from_numpy(np.frombuffer(b64decode(text), dtype="<f4").astype(np.float32))
