"""Training records as transformers.Trainer wants them: an indexable list of examples."""

from __future__ import annotations

from collections.abc import Sequence

from torch.utils.data import Dataset

from prefrun.policy.collate import Example


class ExampleDataset(Dataset[Example]):
    """Tokenised trees with their labels and reference log-probs, all in memory."""

    def __init__(self, examples: Sequence[Example]) -> None:
        self.examples = examples

    def __len__(self) -> int:
        return len(self.examples)

    def __getitem__(self, index: int) -> Example:
        return self.examples[index]
