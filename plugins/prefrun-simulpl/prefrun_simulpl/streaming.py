"""Translates while the source arrives: reads a word, or writes a token, one after the other."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch

from prefrun_simulpl.memory import Memory
from prefrun_simulpl.model import SimtForCausalLM
from prefrun_simulpl.rules import Rule
from prefrun_simulpl.schedule import actions
from prefrun_simulpl.vocabulary import END_ID, START_ID, Vocabulary


@dataclass(slots=True)
class Translation:
    """What was written of one sentence, and when."""

    source: int
    """Words of the source."""
    tokens: list[int] = field(default_factory=list)
    """Without the end of the sentence."""
    token_delays: list[int] = field(default_factory=list)
    """Per token, the source words read when it was written."""
    token_seconds: list[float] = field(default_factory=list)
    """Per token, computing time since the first word was there. Meant for batches of one."""
    words: list[str] = field(default_factory=list)
    delays: list[int] = field(default_factory=list)
    """Per word, that of its last token."""
    seconds: list[float] = field(default_factory=list)
    """Per word, that of its last token."""

    @property
    def text(self) -> str:
        """The words, joined."""
        return " ".join(self.words)

    @property
    def actions(self) -> list[str]:
        """The READ and WRITE actions, one WRITE per word."""
        return actions(self.delays, self.source)


@dataclass(slots=True)
class _Stream:
    """The state of one sentence. Only what was read of `source` goes into the model."""

    source: Sequence[Sequence[int]]
    forced: Sequence[int] | None
    result: Translation
    read: int = 0
    position: int = 0
    """Subwords read."""
    begun: int = 0
    """Target words begun."""
    pending: int = START_ID
    wanted: int = 0
    """Words to be read before the model is asked again."""
    done: bool = False

    def take(self, words: int) -> list[tuple[int, int]]:
        """READ up to WORDS words; return (token, position) of the new subwords."""
        new = [token for word in self.source[self.read : words] for token in word]
        self.read = max(self.read, words)
        places = [(token, self.position + number) for number, token in enumerate(new)]
        self.position += len(new)
        return places


class Translator:
    """Streaming greedy search with a cache: a READ adds the new word's keys and values.

    What is computed is never computed again, but for the place of the pending target token: each
    READ asks it anew, as its prefix has grown. Several sentences go side by side; their results do
    not depend on it.
    """

    def __init__(self, model: SimtForCausalLM, vocabulary: Vocabulary, max_tokens: int) -> None:
        self.model, self.vocabulary, self.max_tokens = model, vocabulary, max_tokens

    @torch.no_grad()
    def translate(
        self,
        sources: Sequence[Sequence[Sequence[int]]],
        rule: Rule,
        forced: Sequence[Sequence[int]] | None = None,
    ) -> list[Translation]:
        """Translate SOURCES, subword ids by word, side by side.

        With FORCED, token ids per sentence, these are written, at the times RULE chooses.
        """
        targets = forced if forced is not None else [None] * len(sources)
        streams = [
            _Stream(source, target, Translation(len(source)))
            for source, target in zip(sources, targets, strict=True)
        ]
        memory, began = Memory(self.model, len(streams)), time.perf_counter()
        going = streams
        while going:
            confidence, tokens = memory.ask([self._chunk(stream, rule) for stream in going])
            elapsed = time.perf_counter() - began
            decided = zip(going, confidence, tokens, strict=True)
            memory.keep([self._decide(*each, rule, elapsed) for each in decided])
            if any(stream.done for stream in going):
                memory.select([n for n, stream in enumerate(going) if not stream.done])
                going = [stream for stream in going if not stream.done]
        for stream in streams:
            self._finish(stream.result)
        return [stream.result for stream in streams]

    def _chunk(self, stream: _Stream, rule: Rule) -> list[tuple[int, int, bool]]:
        """READ what RULE needs; return (token, position, is target) of the new places."""
        least = max(rule.least(stream.begun, len(stream.source)), stream.wanted)
        heard = [(token, position, False) for token, position in stream.take(least)]
        return [*heard, (stream.pending, len(stream.result.tokens), True)]

    def _decide(
        self, stream: _Stream, confidence: float, token: int, rule: Rule, elapsed: float
    ) -> bool:
        """READ or WRITE; return whether the place of the pending token lasts."""
        result, source = stream.result, len(stream.source)
        if stream.forced is not None:
            place = len(result.tokens)
            token = stream.forced[place] if place < len(stream.forced) else END_ID
        ends = token == END_ID
        begins = ends or self.vocabulary.begins_word[token]
        wait = rule.reads_on(confidence, begins, stream.read, stream.begun, source)
        if wait or (ends and stream.read < source):  # a sentence does not end before its source
            stream.wanted = stream.read + 1
            return False
        is_cut = stream.forced is None and len(result.tokens) == self.max_tokens
        if ends or is_cut:
            stream.done = True
            return False
        result.tokens.append(token)
        result.token_delays.append(stream.read)
        result.token_seconds.append(elapsed)
        stream.begun += begins
        stream.pending = token
        return True

    def _finish(self, result: Translation) -> None:
        result.words, result.delays = self.vocabulary.join(result.tokens, result.token_delays)
        _, order = self.vocabulary.join(result.tokens, range(len(result.tokens)))
        result.seconds = [result.token_seconds[place] for place in order]
