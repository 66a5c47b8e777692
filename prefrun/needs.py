"""What a loss may need of a model beside its numbers, by name. No torch here."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import Enum

from prefrun.errors import ConfigError

REFERENCE = "reference"
NORMALISED = "normalised"
TEXT = "text"
LOG_COLLISION = "log_collision"
STEP_EMBEDDINGS = "step_embeddings"
LAST_HIDDEN = "last_hidden"
PROMPT_HIDDEN = "prompt_hidden"
HIDDEN = "hidden"


class Per(Enum):
    """What there is one value of."""

    token = "a branch's token: [B, K, T], or [B, K, T, H]"
    branch = "a branch: [B, K, H]"
    step = "a branch's step: [B, K, S, H]"
    tree = "a tree: [B, H]"


@dataclass(frozen=True, slots=True)
class Need:
    """One thing that a model may give beside its numbers."""

    summary: str
    per: Per = Per.token
    has_gradient: bool = False
    is_hidden: bool = False
    """Whether a value is a hidden state of width H, not one number."""


MARKS: Mapping[str, str] = {
    REFERENCE: "the same numbers of the frozen start model",
    NORMALISED: "numbers that are log-probabilities: at most 0, the exponentials summing to 1",
    TEXT: "numbers of any text: prompts and answers that the method writes, prompts it scores",
}
"""Needs that add no tensor of the model being trained."""

KNOWN: Mapping[str, Need] = {
    LOG_COLLISION: Need("per token, log sum_v p(v)^2 of the policy"),
    STEP_EMBEDDINGS: Need("per step, the mean of the last hidden states", Per.step, True, True),
    LAST_HIDDEN: Need("per branch, the hidden state at its last token", Per.branch, True, True),
    PROMPT_HIDDEN: Need(
        "per tree, the hidden state at its prompt's last token", Per.tree, True, True
    ),
    HIDDEN: Need("per token, the hidden state that predicts it", Per.token, True, True),
}


def need_called(name: str) -> Need:
    """Return what NAME is; one that only a plugin's model kind gives is a number per token."""
    return KNOWN.get(name, Need(name))


def tensors_of(needs: Collection[str]) -> list[str]:
    """Return those of NEEDS that a model answers with a tensor, sorted."""
    return sorted(set(needs) - MARKS.keys())


def given_by(source: object) -> frozenset[str]:
    """Return what the model of SOURCE, a component of the group `model`, gives.

    That is what its `gives` says, else what a language model does.
    """
    given: frozenset[str] = getattr(source, "gives", frozenset({*MARKS, *KNOWN}))
    return given


def check_given(needs: Collection[str], gives: Collection[str], algo: str, model: str) -> None:
    """Raise ConfigError, naming both, if a model that GIVES so much cannot meet a loss's NEEDS."""
    missing = sorted(set(needs) - set(gives))
    if not missing:
        return
    said = {**MARKS, **{name: need.summary for name, need in KNOWN.items()}}
    what = "; ".join(f"{name} ({said[name]})" if name in said else name for name in missing)
    raise ConfigError(
        f"algo={algo} needs what model={model} does not give: {what}\n"
        "  remedy: choose a language model (model=hf, tiny, scratch), or another algorithm"
    )
