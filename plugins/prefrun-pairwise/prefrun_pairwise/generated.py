"""From generated records to a data source's split."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence

from prefrun.records.split import DataSplit, ReadCounts
from prefrun.records.tree import PreferenceTree
from prefrun.reward import Reward


def generated_split(
    name: str,
    train: Sequence[PreferenceTree],
    test: Sequence[PreferenceTree],
    reward: Reward | None = None,
) -> DataSplit:
    """Return the split of generated records, all of which are used."""
    digest = hashlib.sha256()
    for tree in (*train, *test):
        answers = [[branch.text, dict(branch.scores)] for branch in tree.branches]
        row = [tree.id, tree.prompt_text, answers, dict(tree.metadata)]
        digest.update(json.dumps(row, sort_keys=True).encode())
    count = len(train) + len(test)
    return DataSplit(
        name=name,
        train=list(train),
        test=list(test),
        fingerprint=digest.hexdigest(),
        counts=ReadCounts(read=count, used=count),
        reward=reward,
        note=f"Generated data: {len(train)} training and {len(test)} held-out records",
    )
