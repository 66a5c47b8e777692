"""Tells whether two sides drew from one distribution."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from operator import methodcaller
from typing import Any

import torch
from sampling_sides import Completions, Task
from torch import Tensor

TOKENS = 25
"""The most frequent ones, whose counts are compared."""
SEEN = 50
"""How often a token must have come on both sides together: means of fewer are no normal numbers."""


def compare(
    task: Task, ours: Sequence[Completions], theirs: Sequence[Completions], scored: int
) -> dict[str, Any]:
    """Return means of both sides, and the largest difference of two means in standard errors.

    Compared are length, summed log-prob (of the first SCORED prompts) and how often each of the
    most frequent tokens comes in a completion. OURS and THEIRS have the completions of each round.
    """
    lengths = [_per_prompt(side, len) for side in (ours, theirs)]
    logps = [_logps(task, side[0], scored) for side in (ours, theirs)]
    seen = Counter(token for side in (ours, theirs) for ids in _flat(side) for token in ids)
    z = {
        "length": _z(*lengths),
        "log_prob": _z(*logps),
        **{
            f"token {token}": _z(
                *(_per_prompt(side, methodcaller("count", token)) for side in (ours, theirs))
            )
            for token, count in seen.most_common(TOKENS)
            if count >= SEEN
        },
    }
    return {
        "mean_length": [round(float(each.mean()), 3) for each in lengths],
        "mean_log_prob": [round(float(each.mean()), 3) for each in logps],
        "z": {name: round(value, 2) for name, value in z.items()},
        "largest_z": round(max(map(abs, z.values())), 2),
    }


def _flat(side: Sequence[Completions]) -> list[tuple[int, ...]]:
    return [ids for drawn in side for group in drawn for ids in group]


def _per_prompt(side: Sequence[Completions], value: Any) -> Tensor:
    """[prompts, rounds * completions] float64."""
    rows = [[value(ids) for drawn in side for ids in drawn[place]] for place in range(len(side[0]))]
    return torch.tensor(rows, dtype=torch.float64)


def _z(one: Tensor, two: Tensor) -> float:
    """The difference of two means [P, n] in standard errors; draws of one prompt are independent.

    0 if both never vary, as a token that every completion has once.
    """
    variance = sum(each.var(1).mean() / each.numel() for each in (one, two))
    difference = one.mean() - two.mean()
    return float(difference / variance**0.5) if variance else float(difference * 1e9)


def _logps(task: Task, drawn: Completions, scored: int) -> Tensor:
    """[prompts, completions] log-prob of each completion, from whole rows."""
    return torch.stack(
        [
            _of_prompt(task, prompt, group)
            for prompt, group in list(zip(task.prompts, drawn, strict=True))[:scored]
        ]
    )


def _of_prompt(task: Task, prompt: tuple[int, ...], group: list[tuple[int, ...]]) -> Tensor:
    width = max(map(len, group))
    rows = [[*prompt, *ids, *[task.pad] * (width - len(ids))] for ids in group]
    ids = torch.tensor(rows)
    with torch.no_grad():
        logits = task.model(input_ids=ids, use_cache=False).logits[:, len(prompt) - 1 : -1]
    logps = logits.log_softmax(-1).gather(2, ids[:, len(prompt) :, None])[..., 0]
    kept = torch.arange(width) < torch.tensor([len(each) for each in group])[:, None]
    return (logps * kept).sum(1).double()
