"""Tokenises prompt and answer together, and says where the one ends and the other begins."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import takewhile
from typing import Any

from prefrun.errors import ConfigError
from prefrun.policy.encoding import Encoded, encode, encode_ids
from prefrun.policy.rendering import RenderedTree


@dataclass(frozen=True, slots=True)
class SplitPrompt:
    """One prompt with its answers as ids, nothing truncated."""

    prompts: list[list[int]]
    """Per answer, the prompt before it: they differ at most in their last tokens. Without answers
    the prompt alone."""
    answers: list[list[int]]
    """Per answer, its ids, end of turn included."""
    step_ends: list[list[int]]
    """Per answer and step, index one past the step's last token."""


class Splitter:
    """Tokenises each answer together with its prompt, so that the ids are those of the whole text.

    The two are told apart by offsets: a token that goes on behind the prompt belongs to the answer,
    and one that goes on behind a step to the next step. A tokenizer that is not fast knows no
    offsets; there the prompt is what its ids alone and those of the whole begin with.
    """

    def __init__(self, tokenizer: Any) -> None:
        self.tokenizer = tokenizer

    def split_all(self, rendered: Sequence[RenderedTree]) -> Iterator[SplitPrompt]:
        """Yield RENDERED as ids, in order. Raises ConfigError if the tokenizer cannot."""
        encoded = encode(self.tokenizer, _texts(rendered))
        for tree in rendered:
            if not tree.tails:
                yield SplitPrompt([self._begun(next(encoded).ids, tree.chat)], [], [])
                continue
            split = SplitPrompt([], [], [])
            for tail, chars in zip(tree.tails, tree.step_ends, strict=True):
                self._split(tree, tail, chars, next(encoded), split)
            yield split

    def _split(
        self, tree: RenderedTree, tail: str, chars: Sequence[int], whole: Encoded, into: SplitPrompt
    ) -> None:
        """Add one answer: TAIL behind the prompt of TREE, with steps that end at CHARS."""
        boundary = len(tree.prompt)
        first = self._boundary(tree, whole)
        ends = [self._step_end(whole, boundary + char) - first for char in chars]
        answer = self._ended(whole.ids[first:], tree.chat)
        into.prompts.append(self._begun(whole.ids[:first], tree.chat))
        into.answers.append(answer)
        into.step_ends.append([*(max(end, 0) for end in ends), len(answer)])

    def _boundary(self, tree: RenderedTree, whole: Encoded) -> int:
        """Return the number of the prompt's tokens, at least one if no BOS stands before it: the
        very first token of a row has nothing to predict it."""
        if whole.offsets is not None:
            first = whole.tokens_before(len(tree.prompt))
        else:
            alone = zip(encode_ids(self.tokenizer, [tree.prompt])[0], whole.ids, strict=False)
            first = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], alone))
        bare = first == 0 and (tree.chat or not self._bos)
        return 1 if bare and encode_ids(self.tokenizer, [tree.prompt])[0] else first

    def _step_end(self, whole: Encoded, char: int) -> int:
        if whole.offsets is None:
            raise ConfigError(
                f"{type(self.tokenizer).__name__} cannot tell where a step ends\n"
                "  remedy: choose a model with a fast tokenizer (tokenizer.json)"
            )
        return whole.tokens_before(char)

    @cached_property
    def _bos(self) -> list[int]:
        """BOS if the tokenizer puts it before plain text, else nothing."""
        bos = self.tokenizer.bos_token_id
        begins = self.tokenizer("a")["input_ids"][:1] == [bos]
        return [bos] if bos is not None and begins else []

    def _begun(self, ids: list[int], chat: bool) -> list[int]:
        """Put BOS before a plain prompt; a chat template has written its own beginning."""
        if chat or not self._bos or ids[:1] == self._bos:
            return ids
        return [*self._bos, *ids]

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


def _texts(rendered: Iterable[RenderedTree]) -> Iterator[str]:
    for tree in rendered:
        if not tree.tails:
            yield tree.prompt
        for tail in tree.tails:
            yield tree.prompt + tail
