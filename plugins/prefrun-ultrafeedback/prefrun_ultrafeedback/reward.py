"""The sample's judge as a reward."""

from __future__ import annotations

from collections.abc import Sequence

from prefrun.records.tree import PreferenceTree
from prefrun_ultrafeedback.judge import judge


class SampleJudge:
    """Scores any answer to any instruction of the sample: the judge's overall score, 1..10."""

    name = "sample judge"

    def score(self, trees: Sequence[PreferenceTree], responses: Sequence[str]) -> list[float]:
        """Return one score per answer. Raises DataError for an instruction it does not know."""
        pairs = zip(trees, responses, strict=True)
        return [judge(tree.prompt_text, response).overall for tree, response in pairs]
