"""Turns preference trees into token ids, under an explicit length limit."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import takewhile
from typing import Any

import numpy as np
from numpy.typing import NDArray

from prefrun.errors import ConfigError
from prefrun.policy.rendering import RenderedTree, render
from prefrun.policy.trie import Trie
from prefrun.policy.truncation import LengthLimit, TruncationCount
from prefrun.records.tree import Branch, Message, PreferenceTree, Step

CHUNK = 1024
"""Trees per call of the tokenizer: enough for its threads, little enough for memory."""


@dataclass(frozen=True)
class TokenisedTree:
    """A tree as token ids. All branches stand behind the same prompt ids."""

    id: str
    prompt_ids: tuple[int, ...]
    """At least one token, unless branches have prompts of their own that begin differently."""
    branches: tuple[tuple[int, ...], ...]
    """Per branch, the answer's ids with its end-of-turn tokens; empty where nothing fitted."""
    step_ends: tuple[tuple[int, ...], ...]
    """Per branch and step, index one past the step's last token. A token that spans two steps
    belongs to the later one; the end of turn belongs to the last."""
    truncated: TruncationCount
    contexts: tuple[tuple[int, ...], ...] = ()
    """Per branch, the rest of its own prompt, which stands between `prompt_ids` and its answer;
    () where all branches reply to the tree's prompt."""

    @cached_property
    def trie(self) -> Trie:
        """All branches behind the prompt, each shared token once."""
        return Trie.of(self.prompt_ids, self.branches, self.contexts)

    @property
    def prompts(self) -> list[tuple[int, ...]]:
        """Per branch, all that stands before its answer."""
        rests = self.contexts or ((),) * len(self.branches)
        return [(*self.prompt_ids, *rest) for rest in rests]

    def only(self, branches: Sequence[int]) -> TokenisedTree:
        """Return the tree with BRANCHES only, in that order."""
        return replace(
            self,
            branches=tuple(self.branches[k] for k in branches),
            step_ends=tuple(self.step_ends[k] for k in branches),
            contexts=tuple(self.contexts[k] for k in branches) if self.contexts else (),
        )


class Tokeniser:
    """Turns trees into token ids with a model's tokenizer.

    A chat is put through the chat template. The prompt is what the template writes with
    `add_generation_prompt=True`, the answer is what it writes after that, end of turn included;
    both are tokenised apart, so that all answers share their prompt's ids. A plain prompt stands
    as it is, behind the tokenizer's BOS if it has that habit, and an answer gets EOS.
    """

    def __init__(
        self,
        tokenizer: Any,
        max_length: int,
        max_prompt_length: int | None = None,
        truncation: str = "keep_end",
    ) -> None:
        """Raises ConfigError for limits that cannot be met."""
        self.tokenizer = tokenizer
        self.limit = LengthLimit(max_length, max_prompt_length, truncation)

    def tokenise(self, tree: PreferenceTree) -> TokenisedTree:
        """Tokenise one tree. See `tokenise_all`."""
        return self.tokenise_all([tree])[0]

    def tokenise_all(self, trees: Sequence[PreferenceTree]) -> list[TokenisedTree]:
        """Tokenise TREES, in order; every branch stays, cut where it must be.

        Raises ConfigError where tokenizer and data do not fit, DataError for a single record.
        """
        parts = [_by_prompt(tree) for tree in trees]
        flat = [part for group in parts for part in group]
        tokenised: list[TokenisedTree] = []
        for start in range(0, len(flat), CHUNK):
            tokenised.extend(self._tokenise_chunk(flat[start : start + CHUNK]))
        made = iter(tokenised)
        return [
            _joined(tree, [next(made) for _ in group]) if _has_own_prompts(tree) else next(made)
            for tree, group in zip(trees, parts, strict=True)
        ]

    def prompt_ids(self, trees: Sequence[PreferenceTree], reserve: int) -> list[tuple[int, ...]]:
        """Tokenise the prompts of TREES, leaving RESERVE tokens for an answer where possible."""
        bare = [render(self.tokenizer, replace(tree, branches=())) for tree in trees]
        prompts = self._encode_prompts(bare)
        return [self.limit.cut_prompt(ids, reserve, self.tokenizer.bos_token_id) for ids in prompts]

    def count(self, texts: Sequence[str]) -> list[int]:
        """Return the number of tokens of each text, special tokens not counted."""
        return [len(ids) for ids in self._encode(list(texts))]

    @cached_property
    def stop_ids(self) -> frozenset[int]:
        """Ids that end an answer: EOS, and the end of turn that the chat template writes."""
        stops = {self.tokenizer.eos_token_id} - {None}
        if self.tokenizer.chat_template:
            answer = (Branch((Step("yes"),)),)
            tail = render(
                self.tokenizer, PreferenceTree("probe", (Message("user", "ready?"),), answer)
            ).tails[0]
            suffix = self._encode([tail.rpartition("yes")[2]])[0]
            marks = {*self.tokenizer.all_special_ids, *self.tokenizer.get_added_vocab().values()}
            stops.update([token for token in suffix if token in marks][:1])
        return frozenset(stops)

    def _tokenise_chunk(self, trees: Sequence[PreferenceTree]) -> list[TokenisedTree]:
        rendered = [render(self.tokenizer, tree) for tree in trees]
        prompts = self._encode_prompts(rendered)
        answers = iter(self._encode([tail for tree in rendered for tail in tree.tails]))
        result = []
        for tree, text, prompt in zip(trees, rendered, prompts, strict=True):
            branches = [self._ended(next(answers), text.chat) for _ in text.tails]
            ends = [
                (*self._token_ends(tail, chars), len(ids))
                for tail, chars, ids in zip(text.tails, text.step_ends, branches, strict=True)
            ]
            result.append(self._cut(tree.id, prompt, branches, ends))
        return result

    def _encode_prompts(self, rendered: Sequence[RenderedTree]) -> list[list[int]]:
        encoded = self._encode([tree.prompt for tree in rendered])
        for tree, ids in zip(rendered, encoded, strict=True):
            if not tree.chat and self._bos and ids[:1] != self._bos:
                ids[:0] = self._bos
        return encoded

    def _encode(self, texts: list[str]) -> list[list[int]]:
        if not texts:
            return []
        encoded = self.tokenizer(
            texts,
            add_special_tokens=False,
            return_attention_mask=False,
            return_token_type_ids=False,
            verbose=False,
        )
        return [list(ids) for ids in encoded["input_ids"]]

    @cached_property
    def _bos(self) -> list[int]:
        """BOS where the tokenizer puts it before plain text, else nothing."""
        bos = self.tokenizer.bos_token_id
        begins = self.tokenizer("a")["input_ids"][:1] == [bos]
        return [bos] if bos is not None and begins else []

    def _ended(self, ids: list[int], chat: bool) -> list[int]:
        """Append EOS to the answer to a plain prompt; a chat template has written its own end."""
        if chat:
            return ids
        eos = self.tokenizer.eos_token_id
        if eos is None:
            raise ConfigError(
                "the model's tokenizer has no end-of-sequence token, so plain answers cannot end\n"
                "  remedy: set eos_token in tokenizer_config.json in the model's folder"
            )
        return ids if ids[-1:] == [eos] else [*ids, eos]

    def _token_ends(self, tail: str, chars: tuple[int, ...]) -> tuple[int, ...]:
        """Map step ends in characters of TAIL to step ends in tokens."""
        if not chars:
            return ()
        if not self.tokenizer.is_fast:
            raise ConfigError(
                f"{type(self.tokenizer).__name__} cannot tell where a step ends\n"
                "  remedy: choose a model with a fast tokenizer (tokenizer.json)"
            )
        encoded = self.tokenizer(
            tail, add_special_tokens=False, return_offsets_mapping=True, verbose=False
        )
        ends = [end for _, end in encoded["offset_mapping"]]
        return tuple(bisect_right(ends, char) for char in chars)

    def _cut(
        self, id: str, prompt: list[int], branches: list[list[int]], ends: list[tuple[int, ...]]
    ) -> TokenisedTree:
        longest = max(map(len, branches), default=0)
        kept = self.limit.cut_prompt(prompt, longest, self.tokenizer.bos_token_id)
        if not kept:
            raise ConfigError(f"the model's tokenizer gives no token for the prompt of record {id}")
        cut = tuple(self.limit.cut_answer(ids, len(kept)) for ids in branches)
        prompts = int(len(kept) < len(prompt))
        answers = sum(len(new) < len(old) for new, old in zip(cut, branches, strict=True))
        return TokenisedTree(
            id=id,
            prompt_ids=kept,
            branches=cut,
            step_ends=tuple(
                tuple(min(end, len(ids)) for end in steps)
                for steps, ids in zip(ends, cut, strict=True)
            ),
            truncated=TruncationCount(int(prompts + answers > 0), prompts, answers),
        )


def _has_own_prompts(tree: PreferenceTree) -> bool:
    return any(branch.score_prompt or branch.prompt is not None for branch in tree.branches)


def _by_prompt(tree: PreferenceTree) -> list[PreferenceTree]:
    """Return TREE, or a tree for each branch where some have prompts of their own."""
    if not _has_own_prompts(tree):
        return [tree]
    return [
        replace(tree, prompt=branch.prompt or tree.prompt, branches=(replace(branch, prompt=None),))
        for branch in tree.branches
    ]


def _joined(tree: PreferenceTree, parts: Sequence[TokenisedTree]) -> TokenisedTree:
    """Undo `_by_prompt`: the prompts' common beginning is the tree's.

    The rest of a prompt is context, or the branch's first step where it is scored. The very first
    token of a row is always context: nothing predicts it.
    """
    prompts = [part.prompt_ids for part in parts]
    shared = sum(1 for _ in takewhile(lambda ids: len(set(ids)) == 1, zip(*prompts, strict=False)))
    contexts, branches, step_ends = [], [], []
    for branch, part, prompt in zip(tree.branches, parts, prompts, strict=True):
        start = max(shared, 1) if branch.score_prompt else len(prompt)
        contexts.append(prompt[shared:start])
        branches.append((*prompt[start:], *part.branches[0]))
        first = len(prompt) - start
        ends = tuple(first + end for end in part.step_ends[0])
        step_ends.append((first, *ends) if branch.score_prompt else ends)
    cut = TruncationCount.of(parts)
    return TokenisedTree(
        id=tree.id,
        prompt_ids=prompts[0][:shared],
        branches=tuple(branches),
        step_ends=tuple(step_ends),
        truncated=replace(cut, records=min(cut.records, 1)),
        contexts=tuple(contexts),
    )


def step_of_token(ends: Sequence[int]) -> NDArray[np.int64]:
    """Return, per token of a branch, the index of its step."""
    return np.repeat(np.arange(len(ends)), np.diff(ends, prepend=0))
