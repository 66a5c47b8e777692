"""A policy that samples k steered candidates per prompt and answers with the best of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NoReturn

import numpy as np

from prefrun.evaluation.evaluator import NotApplicable
from prefrun.policy.tokenise import Tokeniser
from prefrun_rps.config import Method, RpsConfig
from prefrun_rps.directions import Vector
from prefrun_rps.pools import Pool, PoolFile, PoolKey
from prefrun_rps.shared_prompts import CandidateSampler, Group, Sampling
from prefrun_rps.space import Space
from prefrun_rps.steering import steered

if TYPE_CHECKING:
    from prefrun.policy.policy import BranchLogps, Policy, Sample
    from prefrun.records.tree import PreferenceTree

NO_DISTRIBUTION = "an answer selected from several has no log-probability of its own"


@dataclass(frozen=True, slots=True)
class Request:
    """What one record's candidates are sampled from."""

    key: PoolKey
    tree: PreferenceTree
    directions: Vector
    """[k, d]"""
    prompts: Group
    """[k] token ids."""


@dataclass(frozen=True)
class SelectionPolicy:
    """Implements `Policy`: RPS, or best-of-n."""

    config: RpsConfig
    space: Space
    sampler: CandidateSampler
    tokeniser: Tokeniser
    batch_size: int
    """Answers that are sampled together; a prompt's k candidates always are, even if more."""
    max_new_tokens: int
    """Tokens of a candidate."""
    file: PoolFile

    def with_method(self, method: Method) -> SelectionPolicy:
        """Return the same policy with candidates from elsewhere, at the same budget and seeds."""
        return replace(self, config=replace(self.config, method=method))

    def generate(
        self, trees: Sequence[PreferenceTree], max_new_tokens: int, temperature: float, seed: int
    ) -> list[str]:
        """Return the selected candidate per prompt. How it is sampled is the policy's own."""
        del max_new_tokens, temperature
        return [pool.response for pool in self.pools(trees, seed)]

    def sample(
        self,
        trees: Sequence[PreferenceTree],
        n: int,
        max_new_tokens: int,
        temperature: float,
        top_p: float = 1.0,
        stop: Sequence[str] = (),
        seed: int = 0,
    ) -> list[list[Sample]]:
        """Raise NotApplicable: a sample has log-probs."""
        self._has_no_distribution()

    def pools(self, trees: Sequence[PreferenceTree], seed: int) -> list[Pool]:
        """Return the candidates per prompt: from the file as far as it has them, else sampled.

        Batches follow from TREES alone, so that a resumed run samples what an uninterrupted one
        would have, to the last bit. Raises DataError where a pool has no finite reward.
        """
        known = self.file.read()
        requests = [self._request(tree, seed) for tree in trees]
        order = sorted(requests, key=lambda r: (max(map(len, r.prompts)), r.tree.id), reverse=True)
        step = max(1, self.batch_size // self.config.k)
        for start in range(0, len(order), step):
            batch = order[start : start + step]
            if any(request.key not in known for request in batch):
                pools = [pool for pool in self._sampled(batch) if pool.key not in known]
                self.file.append(pools)
                known |= {pool.key: pool for pool in pools}
        return [known[request.key] for request in requests]

    def _request(self, tree: PreferenceTree, seed: int) -> Request:
        config, objectives = self.config, self.space.objectives
        directions = self.space.candidates(config, tree, seed)
        prompts = self.tokeniser.prompt_ids(
            [steered(tree, v, objectives, config.template, config.placement) for v in directions],
            reserve=self.max_new_tokens,
        )
        return Request(PoolKey(config.method.name, seed, tree.id), tree, directions, prompts)

    def _sampled(self, batch: Sequence[Request]) -> list[Pool]:
        """Sample all candidates of BATCH together, and select."""
        k, key = self.config.k, batch[0].key
        answers = self.sampler.sample(
            [request.prompts for request in batch],
            [f"{request.tree.id}\0{i}" for request in batch for i in range(k)],
            Sampling(self.max_new_tokens, self.config.temperature, self.config.top_p, key.seed),
        )
        flat = [ids for group in answers for ids in group]
        texts = self.tokeniser.tokenizer.batch_decode(flat, skip_special_tokens=True)
        rewards = self.space.rewards([r.tree for r in batch for _ in range(k)], texts)
        parts = range(0, len(texts), k)
        return [
            self._pool(request, texts[at : at + k], rewards[at : at + k])
            for request, at in zip(batch, parts, strict=True)
        ]

    def _pool(self, request: Request, texts: Sequence[str], rewards: Vector) -> Pool:
        tree = request.tree
        return Pool(
            key=request.key,
            preference=tuple(self.space.users[tree.id].tolist()),
            directions=tuple(map(tuple, request.directions.tolist())),
            responses=tuple(texts),
            rewards=tuple(map(tuple, rewards.tolist())),
            selected=self.space.selected(tree, rewards, self.config.reward_norm),
        )

    def compared(self, trees: Sequence[PreferenceTree], pools: Sequence[Pool]) -> Vector:
        """Return v . r of each pool's answer: [n]."""
        pairs = zip(trees, pools, strict=True)
        return np.array([self.space.compared(tree, pool.reward) for tree, pool in pairs])

    def logps(self, trees: Sequence[PreferenceTree]) -> list[BranchLogps]:
        """Raise NotApplicable: there are none."""
        self._has_no_distribution()

    def kl(
        self, trees: Sequence[PreferenceTree], responses: Sequence[str], other: Policy
    ) -> list[float]:
        """Raise NotApplicable: there is none."""
        self._has_no_distribution()

    def _has_no_distribution(self) -> NoReturn:
        raise NotApplicable(NO_DISTRIBUTION)

    def count_tokens(self, responses: Sequence[str]) -> list[int]:
        """See `Policy.count_tokens`."""
        return self.tokeniser.count(responses)
