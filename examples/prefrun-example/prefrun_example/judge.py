"""reward=exact_sum: a program that knows the right answer."""

from collections.abc import Sequence

from prefrun.records.split import DataSplit
from prefrun.records.tree import PreferenceTree
from prefrun_example.config import ExactSumConfig
from prefrun_example.sums import is_right, read_terms


class ExactSum:
    """Scores worked sums by what the prompt asks."""

    card = """
    1 where every step and the result of a worked sum are right (steps=false: the result), else 0.
    It reads the sum from the prompt. Pitfall: every answer to a prompt without a sum scores 0.
    """
    name = "exact sum"

    def __init__(self, config: ExactSumConfig) -> None:
        self.config = config

    def of(self, data: DataSplit) -> "ExactSum":
        """Return the judge, which needs nothing of DATA."""
        del data
        return self

    def score(self, trees: Sequence[PreferenceTree], responses: Sequence[str]) -> list[float]:
        """Return 0 or 1 per response to the prompt of the tree at its place."""
        return [
            self._score(tree, response) for tree, response in zip(trees, responses, strict=True)
        ]

    def _score(self, tree: PreferenceTree, response: str) -> float:
        terms = read_terms(tree.prompt_text)
        return float(terms is not None and is_right(terms, response, steps=self.config.steps))
