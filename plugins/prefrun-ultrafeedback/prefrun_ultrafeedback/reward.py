"""The sample's judge as a reward."""

from __future__ import annotations

from collections.abc import Sequence

from prefrun.records.tree import PreferenceTree
from prefrun_ultrafeedback.judge import ASPECTS, judge


class SampleJudge:
    """Scores any answer to any instruction of the sample, overall (1..10) and by aspect (1..5)."""

    name = "sample judge"
    objectives = tuple(ASPECTS)

    def score(self, trees: Sequence[PreferenceTree], responses: Sequence[str]) -> list[float]:
        """Return one score per answer. Raises DataError for an instruction it does not know."""
        pairs = zip(trees, responses, strict=True)
        return [judge(tree.prompt_text, response).overall for tree, response in pairs]

    def score_objectives(
        self, trees: Sequence[PreferenceTree], responses: Sequence[str]
    ) -> list[tuple[float, ...]]:
        """Return UltraFeedback's four ratings per answer. Raises DataError as `score` does."""
        verdicts = (
            judge(tree.prompt_text, response)
            for tree, response in zip(trees, responses, strict=True)
        )
        return [tuple(float(verdict.rating(aspect)) for aspect in ASPECTS) for verdict in verdicts]
