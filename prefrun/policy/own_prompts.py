"""Trees whose branches reply to prompts of their own."""

from __future__ import annotations

from dataclasses import replace

from prefrun.records.tree import PreferenceTree


def has_own_prompts(tree: PreferenceTree) -> bool:
    """Tell whether some branch has a prompt of its own, or one that is scored."""
    return any(branch.score_prompt or branch.prompt is not None for branch in tree.branches)


def by_prompt(tree: PreferenceTree) -> list[PreferenceTree]:
    """Return TREE, or a tree for each branch if some have prompts of their own."""
    if not has_own_prompts(tree):
        return [tree]
    return [
        replace(tree, prompt=branch.prompt or tree.prompt, branches=(replace(branch, prompt=None),))
        for branch in tree.branches
    ]
