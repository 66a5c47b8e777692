"""What a user must know of what a chat template does to the records."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from prefrun.errors import DataError
from prefrun.policy.chat_template import DATE, asks_for_date
from prefrun.policy.rendering import Change, generation_prompt, render
from prefrun.policy.tokenise import Tokeniser
from prefrun.records.tree import Branch, PreferenceTree, Step

PROBE = "yes"
SHOWN = 60
CHANGES = {
    Change.trimmed: "trims white space around answers",
    Change.rewritten: "drops or rewrites part of answers",
}


def template_notes(
    tokeniser: Tokeniser, trees: Sequence[PreferenceTree], changes: Sequence[Change]
) -> list[str]:
    """Return a line for each thing that the template leaves out, adds or changes.

    CHANGES is what it did to the answers of each of TREES; its form is tried on the first chat.
    """
    if not trees or not tokeniser.tokenizer.chat_template:
        return []
    chats = [tree for tree in trees if not isinstance(tree.prompt, str)]
    if not chats:
        return ["is not applied: the prompts are plain text"]
    try:
        notes = _of_form(tokeniser, chats[0])
    except DataError:  # no conversation with such an answer; each record was tried with its own
        notes = []
    for change, words in CHANGES.items():
        found = [tree.id for tree, its in zip(trees, changes, strict=True) if its is change]
        if found:
            notes.append(f"{words} in {len(found)} of {len(trees)} records, such as {found[0]}")
    return notes


def _of_form(tokeniser: Tokeniser, tree: PreferenceTree) -> list[str]:
    """Return what the template does to every conversation, tried on that of TREE."""
    tokenizer = tokeniser.tokenizer
    rendered = render(tokenizer, replace(tree, branches=(Branch((Step(PROBE),)),)))
    lead, _, end = rendered.tails[0].partition(PROBE)
    notes = []
    if lead.strip():
        begins = (
            "begins"
            if generation_prompt(tokenizer, tree)
            else "has no generation prompt, but begins"
        )
        notes.append(
            f"{begins} answers with {lead[-SHOWN:]!r}: that is scored as part of them, and sampled "
            "answers must write it themselves"
        )
    if not tokeniser.marks_in(end):
        notes.append("ends answers without an end token: the policy is not trained to stop")
    if asks_for_date(tokenizer, rendered.prompt):
        notes.append(f"asks for the date: it is {DATE:%d %b %Y} in every run")
    return notes
