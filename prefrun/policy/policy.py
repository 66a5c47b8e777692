"""What evaluators and algorithms may ask of a policy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from prefrun.records.tree import Branch, Step

if TYPE_CHECKING:
    from torch import Tensor

    from prefrun.records.tree import PreferenceTree

SAMPLED_LOGPS = "sampled_logps"
"""Token extra of a branch that was a sample: log-probs when it was drawn."""


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A causal language model and its tokenizer, ready for training."""

    model: Any
    """transformers.PreTrainedModel, or a peft.PeftModel around one."""
    tokenizer: Any
    """transformers.PreTrainedTokenizerBase with a pad token."""
    name: str
    """Readable, such as 'tiny'; part of the run's name."""
    fingerprint: str
    """Hex digest of the base weights and of everything else that changes a log-prob."""
    weights_version: int | None = None
    """`weights_version(model)` when `fingerprint` was taken; None = the weights are not watched."""
    attention: str | None = None
    """How its trees are to be packed, see `choose_packing`; None = the fastest way that works."""
    note: str = ""
    """What the user must see of how it was loaded; also in manifest.json."""


@dataclass(frozen=True, slots=True)
class BranchLogps:
    """Log-probs of one tree's branches."""

    token_logps: tuple[Tensor, ...]
    """Per branch, [T_k] float32 (float64 of a float64 model) on the CPU: the answer's tokens,
    end-of-turn included."""
    has_equal: bool = False
    """Whether two branches are known to be equal token by token, so that no policy can tell them
    apart."""

    @property
    def sums(self) -> list[float]:
        """Per branch, log pi(y|x)."""
        return [float(logps.double().sum()) for logps in self.token_logps]

    @property
    def lengths(self) -> list[int]:
        """Per branch, number of tokens."""
        return [len(logps) for logps in self.token_logps]


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """One completion that a policy drew."""

    text: str
    """Without end token. With a stop string, it ends right behind it."""
    ids: tuple[int, ...]
    """All drawn tokens: the end token too, if one ended it; the whole token that completed a stop
    string."""
    logps: Tensor
    """[T] float32 on the CPU: log-probs of `ids` under the policy itself, at temperature 1 and of
    all tokens, however they were drawn."""
    ended: bool
    """Whether an end token or a stop string ended it; False if `max_new_tokens` cut it."""

    def branch(self, scores: Mapping[str, float], **extras: float) -> Branch:
        """Return it as a branch with SCORES, whose loss is taken of the very tokens in `ids`.

        EXTRAS are numbers for the loss; `logps` become the token extra 'sampled_logps'.
        """
        return Branch(
            (Step(self.text),),
            scores=scores,
            ids=self.ids,
            extras=extras,
            token_extras={SAMPLED_LOGPS: tuple(self.logps.tolist())},
        )


class Policy(Protocol):
    """Answers prompts and scores given answers."""

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
        """Return N independent completions of each tree's prompt; the trees' branches are not read.

        Temperature 0 takes the likeliest token. TOP_P < 1 leaves only the likeliest tokens that
        reach this mass together. A completion ends after a token with which its text has one of the
        strings STOP. Its random numbers follow SEED, the tree's id and its number: it depends
        neither on the other trees nor on N, and two policies asked with one seed share their luck.
        Raises ValueError for numbers that make no sense.
        """
        ...

    def generate(
        self, trees: Sequence[PreferenceTree], max_new_tokens: int, temperature: float, seed: int
    ) -> list[str]:
        """Return one answer per tree's prompt: the text of the first of its samples."""
        ...

    def logps(self, trees: Sequence[PreferenceTree]) -> list[BranchLogps]:
        """Return the log-probs of every branch of every tree, without gradient."""
        ...

    def kl(
        self, trees: Sequence[PreferenceTree], responses: Sequence[str], other: Policy
    ) -> list[float]:
        """Per prompt, the KL divergence from OTHER in nats, summed over the response's positions.

        At each position of this policy's own sample the exact KL of the two next-token
        distributions is taken, which is unbiased for the sequence KL and has less variance than
        log-ratios (Amini et al. 2025, Rao-Blackwellised estimator).
        """
        ...

    def count_tokens(self, responses: Sequence[str]) -> list[int]:
        """Return the number of tokens of each response, special tokens not counted."""
        ...
