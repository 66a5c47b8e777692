"""Writes a direction into the prompt: DPA's sentence, or any other steering text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from prefrun.records.tree import Message, PreferenceTree, Prompt
from prefrun_rps.config import DPA_SENTENCE, Placement
from prefrun_rps.directions import Vector, integer_weights


def weights_text(direction: Vector, objectives: Sequence[str]) -> str:
    """Return such as 'helpfulness*87 + verbosity*50' (DPA's form; weights are 100 v, rounded)."""
    weights = zip(objectives, integer_weights(direction), strict=True)
    return " + ".join(f"{name}*{weight}" for name, weight in weights)


def steered(
    tree: PreferenceTree,
    direction: Vector,
    objectives: Sequence[str],
    template: str | None = None,
    placement: Placement = Placement.system,
) -> PreferenceTree:
    """Return TREE's prompt, without its answers, steered towards DIRECTION by TEMPLATE, or DPA's.

    The sentence becomes the system message, before what a system message of the prompt says; or it
    stands before the first user message. A plain text prompt gets it as a paragraph before it.
    """
    sentence = (template or DPA_SENTENCE).replace("{weights}", weights_text(direction, objectives))
    return replace(tree, prompt=_with(sentence, tree.prompt, placement), branches=())


def _with(sentence: str, prompt: Prompt, placement: Placement) -> Prompt:
    if isinstance(prompt, str):
        return f"{sentence}\n\n{prompt}"
    first = prompt[0]
    if placement is Placement.system and first.role != "system":
        return (Message("system", sentence), *prompt)
    place = 0
    if placement is Placement.user:
        place = next((i for i, message in enumerate(prompt) if message.role == "user"), 0)
    old = prompt[place]
    new = Message(old.role, f"{sentence}\n\n{old.content}")
    return (*prompt[:place], new, *prompt[place + 1 :])
