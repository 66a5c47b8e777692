"""When to read and when to write, while the source arrives word by word."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from prefrun_simulpl.component_config import Decoding, SimtEvaluatorConfig


class Rule(Protocol):
    """A read/write policy."""

    @property
    def name(self) -> str:
        """Such as 'wait-3'."""
        ...

    def least(self, written: int, source: int) -> int:
        """Source words, out of SOURCE, to be read before the model is asked at all.

        WRITTEN: target words begun so far.
        """
        ...

    def reads_on(
        self, confidence: float, begins_word: bool, read: int, written: int, source: int
    ) -> bool:
        """Whether to READ rather than WRITE the model's next token, which may begin a word."""
        ...


@dataclass(frozen=True, slots=True)
class ConfidenceRule:
    """WRITE once the confidence reaches THRESHOLD (SM2, Yu et al. 2024)."""

    threshold: float
    min_source: int = 1

    @property
    def name(self) -> str:
        """Such as 'confidence 0.5'."""
        return f"confidence {self.threshold:g}"

    def least(self, written: int, source: int) -> int:
        """At first MIN_SOURCE words; the whole source where no confidence would do."""
        del written
        return source if self.threshold > 1 else min(self.min_source, source)

    def reads_on(
        self, confidence: float, begins_word: bool, read: int, written: int, source: int
    ) -> bool:
        """See `Rule`."""
        del begins_word, written
        return read < source and confidence < self.threshold


@dataclass(frozen=True, slots=True)
class WaitKRule:
    """Target word t once min(k + t - 1, |x|) source words are read (Ma et al. 2019).

    The further subwords of a word wait for no more source than its first one.
    """

    k: int

    @property
    def name(self) -> str:
        """Such as 'wait-3'."""
        return f"wait-{self.k}"

    def least(self, written: int, source: int) -> int:
        """What the word that was begun last needed."""
        return min(self.k + max(written - 1, 0), source)

    def reads_on(
        self, confidence: float, begins_word: bool, read: int, written: int, source: int
    ) -> bool:
        """See `Rule`."""
        del confidence
        return begins_word and read < min(self.k + written, source)


FULL_SENTENCE = "full sentence"


@dataclass(frozen=True, slots=True)
class FullSentenceRule:
    """Nothing is written before the whole source is read."""

    name: str = FULL_SENTENCE

    def least(self, written: int, source: int) -> int:
        """The whole source."""
        del written
        return source

    def reads_on(
        self, confidence: float, begins_word: bool, read: int, written: int, source: int
    ) -> bool:
        """See `Rule`."""
        del confidence, begins_word, written
        return read < source


def rule_of(keys: SimtEvaluatorConfig, trained_for: Mapping[str, Any]) -> Rule:
    """Return the rule that the evaluator's keys choose.

    TRAINED_FOR: policy, threshold, k and min_source of the training, as kept with the model.
    """
    policy = keys.policy
    threshold, k = keys.threshold, keys.k
    if policy is Decoding.trained:
        policy = Decoding[trained_for.get("policy", "confidence")]
        threshold, k = trained_for.get("threshold", threshold), trained_for.get("k", k)
    if policy is Decoding.wait_k:
        return WaitKRule(k)
    if policy is Decoding.full_sentence:
        return FullSentenceRule()
    return ConfidenceRule(threshold, trained_for.get("min_source", 1))
