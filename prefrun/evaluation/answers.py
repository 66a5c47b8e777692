"""What two policies say of the records' own answers, for reading beside the sampled ones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from prefrun.errors import DataError

if TYPE_CHECKING:
    from prefrun.policy.policy import BranchLogps
    from prefrun.records.tree import PreferenceTree

MOST_ANSWERS = 16
MOST_CHARACTERS = 2000
"""Of one answer's text: samples.jsonl is for reading, the data set holds the whole."""


def judged_answers(
    tree: PreferenceTree, objective: str, own: BranchLogps, start: BranchLogps
) -> list[Mapping[str, Any]]:
    """Return the first answers of TREE, in its order, each with `text`, `score` and `log_ratio`.

    `score` is that of OBJECTIVE, or the negated rank; None where the data have neither.
    `log_ratio` is log pi(y|x) - log pi_ref(y|x) in nats: the implied reward of DPO (Rafailov et al.
    2023, equation 5) without its factor beta, so that it means the same in every method.
    """
    try:
        labels: list[float | None] = [*tree.labels(objective)]
    except DataError:
        labels = [None] * len(tree.branches)
    columns = zip(tree.branches, labels, own.sums, start.sums, strict=True)
    return [
        {"text": shortened(branch.text), "score": label, "log_ratio": after - before}
        for branch, label, after, before in list(columns)[:MOST_ANSWERS]
    ]


def shortened(text: str) -> str:
    """Return TEXT, cut with an ellipsis where it is longer than `MOST_CHARACTERS`."""
    return text if len(text) <= MOST_CHARACTERS else text[: MOST_CHARACTERS - 1] + "…"
