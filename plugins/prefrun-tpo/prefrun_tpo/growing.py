"""From one record to the branches that a policy is to finish, and back to a tree."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING, Any

from prefrun.errors import DataError, PrefrunError
from prefrun.records.tree import OVERALL, Branch, PreferenceTree, Step
from prefrun_tpo.cutting import cut_points
from prefrun_tpo.steps import split_like

if TYPE_CHECKING:
    from prefrun.reward import Reward

GOLD, WORST = "gold", "known wrong"


@dataclass(frozen=True, slots=True)
class Stub:
    """The beginning of a branch: the gold solution up to a cut."""

    tree: int
    """Index of its record among those given."""
    draw: int
    """Number of the branch in its tree, from 0."""
    cut: int
    """Gold steps that are kept."""
    prefix: str


def gold_steps(tree: PreferenceTree, objective: str) -> list[str]:
    """Return the steps of the best branch, the first of equals.

    Raises DataError where no branch is scored, or the best one has no two steps.
    """
    labels = tree.labels(objective)
    if not labels:
        raise DataError("no branch: nothing to cut", record=tree.id, field="branches")
    number = labels.index(max(labels))
    steps = [step.text for step in tree.branches[number].steps]
    if len(steps) < 2:
        raise DataError(
            f"the best branch has {len(steps)} step: nothing to cut",
            record=tree.id,
            field=f"branches[{number}].steps",
            remedy="give solutions as steps, such as data=step_trees or data=gsm8k_trees reads",
        )
    return steps


def stubs(trees: Sequence[PreferenceTree], objective: str, branches: int, seed: int) -> list[Stub]:
    """Return BRANCHES stubs per tree; the cuts follow SEED and the tree's prompt."""
    found = []
    for index, tree in enumerate(trees):
        gold = gold_steps(tree, objective)
        cuts = cut_points(len(gold), branches, Random(f"{seed} {tree.prompt_text}"))
        found += [Stub(index, n, cut, "".join(gold[:cut])) for n, cut in enumerate(cuts)]
    return found


def grown_tree(
    tree: PreferenceTree,
    objective: str,
    own: Sequence[tuple[Stub, str]],
    *,
    keep_worst: bool,
    source: str,
) -> PreferenceTree:
    """Return the tree of the gold solution, what was grown of it, and the known wrong one last.

    OWN: the stubs with their continuations. A branch that equals an earlier one is left out; so a
    continuation that equals the known wrong one is. Without scores; see `scored`.
    """
    gold = gold_steps(tree, objective)
    found: dict[str, Branch] = {"".join(gold): _branch(gold, GOLD)}
    for stub, continuation in own:
        steps = [*gold[: stub.cut], *_continued(stub, continuation, gold)]
        if steps:
            text = "".join(steps)
            found.setdefault(text, _branch(steps, f"{source}, from step {stub.cut + 1}"))
    labels = tree.labels(objective)
    worst = tree.branches[labels.index(min(labels))]
    if keep_worst and min(labels) < max(labels):
        found.pop(worst.text, None)
        found[worst.text] = _branch([step.text for step in worst.steps], WORST)
    return PreferenceTree(tree.id, tree.prompt, tuple(found.values()))


def scored(
    trees: Sequence[PreferenceTree], records: Sequence[PreferenceTree], reward: Reward
) -> list[PreferenceTree]:
    """Return TREES with REWARD's score of each branch.

    RECORDS: what they were grown from; a reward may look at their own scores. Raises PrefrunError,
    naming record and branch, where a score is not finite.
    """
    pairs = zip(trees, records, strict=True)
    owners = [record for tree, record in pairs for _ in tree.branches]
    texts = [branch.text for tree in trees for branch in tree.branches]
    scores = iter(reward.score(owners, texts))
    result = []
    for tree in trees:
        branches = []
        for number, branch in enumerate(tree.branches):
            score = float(next(scores))
            if not math.isfinite(score):
                raise PrefrunError(
                    f"reward {reward.name} gave {score} for record {tree.id}, branches[{number}]: "
                    f"{branch.text[:60]!r}\n  remedy: choose another verifier with reward=NAME"
                )
            branches.append(Branch(branch.steps, {OVERALL: score}, source=branch.source))
        result.append(PreferenceTree(tree.id, tree.prompt, tuple(branches)))
    return result


def has_preference(tree: PreferenceTree) -> bool:
    """Whether some branch is better than another."""
    return len(set(tree.labels())) > 1


def prompt_and_prefix(tokenizer: Any, tree: PreferenceTree, prefix: str) -> str:
    """Return what the policy is to go on from, as plain text; a chat through its template."""
    from dataclasses import replace

    from prefrun.policy.rendering import render

    return render(tokenizer, replace(tree, branches=())).prompt + prefix


def _continued(stub: Stub, continuation: str, gold: Sequence[str]) -> list[str]:
    """The steps of a continuation; white space alone is none."""
    return split_like(continuation, gold) if continuation.strip() else []


def _branch(steps: Sequence[str], source: str) -> Branch:
    return Branch(tuple(Step(step) for step in steps), source=source)
