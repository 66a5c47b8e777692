"""A loaded model as a `Policy`: answers, log-probs and the divergence from another."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from copy import copy
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from prefrun.errors import ConfigError
from prefrun.models.text import LanguageModel
from prefrun.policy.adapter import adapter_disabled, has_adapter
from prefrun.policy.budget import cut_to_budget, in_budget
from prefrun.policy.collate import collate_tokens
from prefrun.policy.head import ToLogits
from prefrun.policy.linear_logps import chunk_rows
from prefrun.policy.logprobs import run_to_head, select, vocabulary_of
from prefrun.policy.packing import Packing
from prefrun.policy.policy import BranchLogps, LoadedModel, Policy, Sample
from prefrun.policy.sampling.request import Request, Rules
from prefrun.policy.sampling.sample import sample
from prefrun.policy.sampling.stops import Stops
from prefrun.policy.scoring import inference, longest_first, numbers_of, to_device
from prefrun.policy.tokenise import TokenisedTree, Tokeniser
from prefrun.records.tree import Branch, PreferenceTree, Step


class ModelPolicy:
    """Implements `Policy` with a causal language model.

    BATCH_SIZE counts the completions that are drawn together, BUDGET the tokens that are scored
    together in rows as PACKING makes them. Both go by length, longest first, and ties by content:
    results follow the set of trees and not their order.
    """

    def __init__(
        self,
        loaded: LoadedModel,
        tokeniser: Tokeniser,
        batch_size: int,
        packing: Packing,
        budget: int,
    ) -> None:
        self.loaded, self.tokeniser, self.batch_size = loaded, tokeniser, batch_size
        self.packing, self.budget = packing, budget
        self._beneath = False

    @property
    def _kind(self) -> LanguageModel:
        return LanguageModel(self.loaded, self.packing)

    @property
    def has_adapter(self) -> bool:
        """Whether the model carries a PEFT adapter."""
        return has_adapter(self.loaded.model)

    def reference_view(self) -> ModelPolicy:
        """Return the start model: this very model, its adapter switched off at each call.

        Raises ValueError without adapter: the weights themselves are trained then, and the
        reference must be a second model.
        """
        if not self.has_adapter:
            raise ValueError(f"'{self.loaded.name}' has no adapter to switch off")
        view = copy(self)
        view._beneath = True
        return view

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
        """See `Policy.sample`."""
        if n < 1:
            raise ValueError(f"n={n} must be at least 1")
        rules = Rules(max_new_tokens, temperature, top_p, seed)
        model, tokenizer = self.loaded.model, self.loaded.tokenizer
        stops = Stops(model, tokenizer, self.tokeniser.stop_ids, stop)
        prompts = self.tokeniser.prompt_ids(trees, reserve=max_new_tokens)
        order = sorted(
            range(len(trees)),
            key=lambda i: (len(prompts[i]), prompts[i], trees[i].id),
            reverse=True,
        )
        requests = [
            Request(prompts[index], _name(trees[index].id, number))
            for index in order
            for number in range(n)
        ]
        with self._in_use():
            drawn = sample(model, tokenizer.pad_token_id, requests, rules, stops, self.batch_size)
        samples: list[list[Sample]] = [[] for _ in trees]
        for place, each in enumerate(drawn):
            text = stops.text(each.ids)
            samples[order[place // n]].append(Sample(text, each.ids, each.logps, each.ended))
        return samples

    def generate(
        self, trees: Sequence[PreferenceTree], max_new_tokens: int, temperature: float, seed: int
    ) -> list[str]:
        """See `Policy.generate`."""
        samples = self.sample(trees, 1, max_new_tokens, temperature, seed=seed)
        return [sample.text for (sample,) in samples]

    def logps(self, trees: Sequence[PreferenceTree]) -> list[BranchLogps]:
        """See `Policy.logps`."""
        return self.logps_of(self.tokeniser.tokenise_all(trees))

    def logps_of(self, tokenised: Sequence[TokenisedTree]) -> list[BranchLogps]:
        """Return the log-probs of every branch of trees that the tokenizer has read already."""
        with self._in_use():
            result = numbers_of(self._kind, tokenised, self.budget)
        return [
            BranchLogps(tuple(values), has_equal=tree.equal_branches is not None)
            for tree, values in zip(tokenised, result, strict=True)
        ]

    def count_tokens(self, responses: Sequence[str]) -> list[int]:
        """See `Policy.count_tokens`."""
        return self.tokeniser.count(responses)

    def kl(
        self, trees: Sequence[PreferenceTree], responses: Sequence[str], other: Policy
    ) -> list[float]:
        """See `Policy.kl`. Positions after the end of turn are not the policy's own: left out.

        Raises ConfigError where OTHER does not show its next-token distributions or has another
        vocabulary.
        """
        if not isinstance(other, ModelPolicy):
            raise ConfigError(
                f"KL needs the next-token distributions of both policies, and "
                f"{type(other).__name__} does not show its own\n  remedy: leave out evaluator kl"
            )
        answered = [
            replace(tree, branches=(Branch((Step(response),)),))
            for tree, response in zip(trees, responses, strict=True)
        ]
        tokenised = [self._until_stop(tree) for tree in self.tokeniser.tokenise_all(answered)]
        pieces = cut_to_budget(tokenised, self.packing, self.budget)
        order = [pieces[index] for index in longest_first(tokenised)]
        sums = [0.0] * len(trees)
        for batch in in_budget(order, self.packing, self.budget):
            values = self._kl_of([piece.encoded for piece in batch], other)
            for piece, value in zip(batch, values, strict=True):
                sums[piece.index] = value
        return sums

    def _until_stop(self, tree: TokenisedTree) -> TokenisedTree:
        (ids,) = tree.branches
        stops = self.tokeniser.stop_ids
        end = next((i + 1 for i, token in enumerate(ids) if token in stops), len(ids))
        return replace(tree, branches=(ids[:end],), step_ends=((end,),))

    def _kl_of(self, trees: list[TokenisedTree], other: ModelPolicy) -> list[float]:
        batch = collate_tokens(trees, self.loaded.tokenizer.pad_token_id, self.packing)
        rows, to_logits = self._positions(batch)
        other_rows, other_to_logits = other._positions(batch)
        size, other_size = (
            vocabulary_of(to_logits, rows),
            vocabulary_of(other_to_logits, other_rows),
        )
        if size != other_size:
            raise ConfigError(
                f"'{self.loaded.name}' and '{other.loaded.name}' have vocabularies of {size} and "
                f"{other_size} tokens: no KL between them"
            )
        values = []
        for start in range(0, len(rows), chunk_rows(size)):
            part = slice(start, start + chunk_rows(size))
            with self._in_use():
                mine = to_logits(rows[part]).log_softmax(-1).cpu()
            with other._in_use():
                theirs = other_to_logits(other_rows[part]).log_softmax(-1).cpu()
            values.append(_kl(mine, theirs))
        flat = torch.cat([*values, torch.zeros(0, dtype=torch.float64)])[batch["gather"]]
        parts = torch.split(flat, [len(tree.branches[0]) for tree in trees])
        return [float(part.sum()) for part in parts]

    def _positions(self, batch: dict[str, Any]) -> tuple[Tensor, ToLogits]:
        """Return [U, H], what the head reads at each scored position, and the head."""
        placed = to_device(batch, self.loaded.model.device)
        with self._in_use():
            return run_to_head(
                self.loaded.model, placed, lambda f, to_logits: (select(f, placed), to_logits)
            )

    @contextmanager
    def _in_use(self) -> Iterator[None]:
        beneath = adapter_disabled(self.loaded.model) if self._beneath else nullcontext()
        model = self.loaded.model
        with inference(model), beneath:
            yield


def _name(id: str, number: int) -> str:
    """Name the random numbers of a tree's completion with this NUMBER."""
    return f"{id}\0{number}" if number else id


def _kl(mine: Tensor, theirs: Tensor) -> Tensor:
    """[N, V] log-probs of two policies -> [N] float64 KL of the first from the second."""
    mass = mine.double().exp()
    gaps = torch.where(mass > 0, mine.double() - theirs.double(), 0.0)
    return (mass * gaps).sum(-1)
