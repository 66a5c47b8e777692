"""From generated records to a data source's split."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence

from prefrun.records.converters.step_trees import to_step_tree
from prefrun.records.split import DataSplit, ReadCounts
from prefrun.records.tree import PreferenceTree
from prefrun.reward import Reward


def generated_split(
    name: str, train: Sequence[PreferenceTree], test: Sequence[PreferenceTree], reward: Reward
) -> DataSplit:
    """Return the split of generated records, all of which are used."""
    rows = [[to_step_tree(tree) for tree in part] for part in (train, test)]
    count = len(train) + len(test)
    return DataSplit(
        name=name,
        train=train,
        test=test,
        fingerprint=hashlib.sha256(json.dumps(rows, sort_keys=True).encode()).hexdigest(),
        counts=ReadCounts(read=count, used=count),
        reward=reward,
        note=f"Generated data: {len(train)} training and {len(test)} held-out records.",
    )
