"""Turns preference trees into token ids, under an explicit length limit."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import repeat, takewhile
from typing import Any

import numpy as np
from numpy.typing import NDArray

from prefrun.errors import ConfigError, DataError
from prefrun.policy.encoding import encode_ids
from prefrun.policy.own_prompts import by_prompt, has_own_prompts
from prefrun.policy.rendering import Change, RenderedTree, render
from prefrun.policy.splitting import SplitPrompt, Splitter
from prefrun.policy.trie import Trie
from prefrun.policy.truncation import LengthLimit, TruncationCount
from prefrun.records.tree import Branch, Message, PreferenceTree, Step

CHUNK = 1024
"""Trees that are rendered together."""


@dataclass(frozen=True)
class TokenisedTree:
    """A tree as token ids. All branches stand behind the same prompt ids."""

    id: str
    prompt_ids: tuple[int, ...]
    """At least one token, unless branches have prompts that begin differently."""
    branches: tuple[tuple[int, ...], ...]
    """Per branch, the answer's ids with its end-of-turn tokens; empty if nothing fitted."""
    step_ends: tuple[tuple[int, ...], ...]
    """Per branch and step, index one past the step's last token. A token that spans two steps
    belongs to the later one; the end of turn belongs to the last."""
    truncated: TruncationCount
    contexts: tuple[tuple[int, ...], ...] = ()
    """Per branch, the rest of its prompt, which stands between `prompt_ids` and its answer; () if
    all branches have the same prompt ids."""
    change: Change = Change.none
    """The worst that the chat template did to one of the answers."""

    @cached_property
    def trie(self) -> Trie:
        """All branches behind the prompt, each shared token once."""
        return Trie.of(self.prompt_ids, self.branches, self.contexts)

    @property
    def prompts(self) -> list[tuple[int, ...]]:
        """Per branch, all that stands before its answer."""
        rests = self.contexts or ((),) * len(self.branches)
        return [(*self.prompt_ids, *rest) for rest in rests]

    @property
    def equal_branches(self) -> tuple[int, int] | None:
        """The first two branches that are equal token by token, prompt included; None if none."""
        seen: dict[Any, int] = {}
        for number, path in enumerate(zip(self.contexts or repeat(()), self.branches)):  # noqa: B905
            if seen.setdefault(path, number) != number:
                return seen[path], number
        return None

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
    `add_generation_prompt=True`, the answer is what it writes after that, end of turn included.
    A plain prompt stands as it is, behind the tokenizer's BOS if it has that habit, and an answer
    gets EOS. Prompt and answer are tokenised together: see `Splitter`.

    For sampling there is no answer yet, so `prompt_ids` tokenises the prompt alone, as any server
    of the model does. The ids are those of training, but for a prompt whose end would be one token
    with the answer's beginning, such as a plain prompt that ends in a space.
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
        self._splitter = Splitter(tokenizer)

    def tokenise(self, tree: PreferenceTree) -> TokenisedTree:
        """Tokenise one tree. See `tokenise_all`."""
        return self.tokenise_all([tree])[0]

    def tokenise_all(self, trees: Sequence[PreferenceTree]) -> list[TokenisedTree]:
        """Tokenise TREES, in order; every branch stays, truncated if it must be.

        Raises ConfigError if tokenizer and data do not fit, DataError for a single record.
        """
        result = []
        for tokenised in self.tokenise_each(trees):
            if isinstance(tokenised, DataError):
                raise tokenised
            result.append(tokenised)
        return result

    def tokenise_each(self, trees: Sequence[PreferenceTree]) -> list[TokenisedTree | DataError]:
        """Do the same, but return the DataError of a record that cannot be tokenised."""
        result: list[TokenisedTree | DataError] = []
        for start in range(0, len(trees), CHUNK):
            chunk = trees[start : start + CHUNK]
            rendered = [self._rendered(tree) for tree in chunk]
            good = [
                part for parts in rendered if not isinstance(parts, DataError) for part in parts
            ]
            split = self._splitter.split_all(good)
            for tree, parts in zip(chunk, rendered, strict=True):
                if isinstance(parts, DataError):
                    result.append(parts)
                else:
                    result.append(self._tokenised(tree, parts, split))
        return result

    def prompt_ids(self, trees: Sequence[PreferenceTree], reserve: int) -> list[tuple[int, ...]]:
        """Tokenise the prompts of TREES, leaving RESERVE tokens for an answer if possible."""
        bare = [render(self.tokenizer, replace(tree, branches=())) for tree in trees]
        split = self._splitter.split_all(bare)
        bos = self.tokenizer.bos_token_id
        return [
            self.limit.truncate_prompts(_checked(part.prompts, tree.id), [reserve], bos)[0]
            for tree, part in zip(trees, split, strict=True)
        ]

    def count(self, texts: Sequence[str]) -> list[int]:
        """Return the number of tokens of each text, special tokens not counted."""
        return [len(ids) for ids in encode_ids(self.tokenizer, texts)]

    @cached_property
    def stop_ids(self) -> frozenset[int]:
        """Ids that end an answer: EOS, and the end of turn that the chat template writes."""
        stops = {self.tokenizer.eos_token_id} - {None}
        if self.tokenizer.chat_template:
            answer = (Branch((Step("yes"),)),)
            tail = render(
                self.tokenizer, PreferenceTree("probe", (Message("user", "ready?"),), answer)
            ).tails[0]
            stops.update(self.marks_in(tail.rpartition("yes")[2])[:1])
        return frozenset(stops)

    def marks_in(self, text: str) -> list[int]:
        """Return the ids of the special and added tokens in TEXT."""
        marks = {*self.tokenizer.all_special_ids, *self.tokenizer.get_added_vocab().values()}
        return [token for token in encode_ids(self.tokenizer, [text])[0] if token in marks]

    def _rendered(self, tree: PreferenceTree) -> list[RenderedTree] | DataError:
        """Return TREE as text, each prompt with its branches."""
        try:
            return [render(self.tokenizer, part) for part in by_prompt(tree)]
        except DataError as error:
            return error

    def _tokenised(
        self, tree: PreferenceTree, parts: Sequence[RenderedTree], split: Iterator[SplitPrompt]
    ) -> TokenisedTree:
        """Put the parts of TREE, the next ones of SPLIT, together again, truncated."""
        prompts: list[tuple[int, ...]] = []
        answers: list[tuple[int, ...]] = []
        ends: list[tuple[int, ...]] = []
        lost_prompts = lost_answers = 0
        for part in (next(split) for _ in parts):
            lengths = [len(ids) for ids in part.answers] or [0]
            bos = self.tokenizer.bos_token_id
            whole = _checked(part.prompts, tree.id)
            kept = self.limit.truncate_prompts(whole, lengths, bos)
            lost_prompts += kept[0] != tuple(whole[0])
            prompts += _checked(kept, tree.id)
            for prompt, ids, steps in zip(kept, part.answers, part.step_ends, strict=False):
                own = tree.branches[len(answers)].ids
                if own is not None:  # the very tokens that were sampled
                    ids, steps = list(own), [len(own)]
                fitting = self.limit.truncate_answer(ids, len(prompt))
                lost_answers += len(fitting) < len(ids)
                answers.append(fitting)
                ends.append(tuple(min(end, len(fitting)) for end in steps))
        lost = TruncationCount(int(lost_prompts + lost_answers > 0), lost_prompts, lost_answers)
        change = max(part.change for part in parts)
        return _joined(tree, prompts, answers, ends, lost, change)


def _checked(prompts: Sequence[Any], record: str) -> Sequence[Any]:
    """Return PROMPTS. Raises ConfigError if one of them has no token."""
    if not all(prompts):
        raise ConfigError(f"the model's tokenizer gives no token for the prompt of record {record}")
    return prompts


def _joined(
    tree: PreferenceTree,
    prompts: Sequence[tuple[int, ...]],
    answers: Sequence[tuple[int, ...]],
    ends: Sequence[tuple[int, ...]],
    truncated: TruncationCount,
    change: Change,
) -> TokenisedTree:
    """Make the prompts' common beginning the tree's.

    The rest of a prompt is context, or the branch's first step if it is scored. The very first
    token of a row is always context: nothing predicts it.
    """
    shared = _common_length(prompts)
    contexts, branches, step_ends = [], [], []
    for branch, prompt, answer, steps in zip(tree.branches, prompts, answers, ends, strict=False):
        start = max(shared, 1) if branch.score_prompt else len(prompt)
        contexts.append(prompt[shared:start])
        branches.append((*prompt[start:], *answer))
        first = len(prompt) - start
        moved = tuple(first + end for end in steps)
        step_ends.append((first, *moved) if branch.score_prompt else moved)
    return TokenisedTree(
        id=tree.id,
        prompt_ids=prompts[0][:shared],
        branches=tuple(branches),
        step_ends=tuple(step_ends),
        truncated=truncated,
        contexts=tuple(contexts) if has_own_prompts(tree) or any(contexts) else (),
        change=change,
    )


def _common_length(prompts: Sequence[tuple[int, ...]]) -> int:
    first = prompts[0]
    if all(ids == first for ids in prompts):
        return len(first)
    return sum(1 for _ in takewhile(lambda ids: len(set(ids)) == 1, zip(*prompts, strict=False)))


def step_of_token(ends: Sequence[int]) -> NDArray[np.int64]:
    """Return, per token of a branch, the index of its step."""
    return np.repeat(np.arange(len(ends)), np.diff(ends, prepend=0))
