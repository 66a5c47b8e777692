"""model=linear and model=mlp as the host sees them. No torch here."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from prefrun.errors import ConfigError
from prefrun.needs import LAST_HIDDEN, REFERENCE, STEP_EMBEDDINGS
from prefrun.records.tree import Branch, PreferenceTree, Step
from prefrun_lab.config import LinearConfig, MlpConfig
from prefrun_lab.stored_scorer import Shape, shape_in

if TYPE_CHECKING:
    from prefrun_lab.feature_scorer import FeatureScorer

GIVES = frozenset({REFERENCE, STEP_EMBEDDINGS, LAST_HIDDEN})
CARD = """
A score per answer of what is known of it as numbers, in seconds; no language model.

  s(x, y) = {formula}
  log pi(y|x) := s(x, y), one number per answer;   log pi_ref(y|x) := 0

f are the numbers in a record's metadata['features']: a list per answer, or an array [K, D]. Any
loss trains it that takes numbers and no distribution over tokens, and that adds no text of its own.
The hidden states are {states}.

Pitfalls: scores are not normalised, so they may be above 0: a loss with a likelihood term (CPO,
PRO, ORPO) is refused. Losses that compare lengths see 1 everywhere. A loss with a small beta has
small gradients: Adam does not mind, trainer.optimizer=sgd does. Source: the project's own.
"""


class _OfFeatures:
    """What both components are."""

    gives: ClassVar[frozenset[str]] = GIVES

    def examples(self) -> list[PreferenceTree]:
        """Return records that such a model can read, for the conformance suite."""
        return [
            PreferenceTree(
                f"example {number}",
                "Which is best?",
                tuple(Branch((Step(f"answer {place}"),)) for place in range(2 + number)),
                metadata={
                    "features": [
                        [float((place + 1) * (at + number)) for at in range(3)]
                        for place in range(2 + number)
                    ]
                },
            )
            for number in range(3)
        ]


class Linear(_OfFeatures):
    """The component behind `model=linear`."""

    card: ClassVar[str] = CARD.format(
        formula="w . f(x, y), at first 0", states="the features themselves"
    )

    def __init__(self, config: LinearConfig) -> None:
        """Raises ConfigError if no such model is at model.path."""
        self.start = _start(config.path, 0)

    def load(self) -> FeatureScorer:
        """Return the model, whose weights wait for the first record."""
        from prefrun_lab.feature_scorer import FeatureScorer

        return FeatureScorer("linear", 0, self.start)


class Mlp(_OfFeatures):
    """The component behind `model=mlp`."""

    card: ClassVar[str] = CARD.format(
        formula="w . relu(V f(x, y) + b); w is at first 0, V and b are drawn by the run's seed",
        states="the hidden layer's",
    )

    def __init__(self, config: MlpConfig) -> None:
        """Raises ConfigError if no such model is at model.path."""
        self.hidden = config.hidden
        self.start = _start(config.path, config.hidden)

    def load(self) -> FeatureScorer:
        """Return the model, whose weights wait for the first record."""
        from prefrun_lab.feature_scorer import FeatureScorer

        return FeatureScorer("mlp", self.hidden, self.start)


def _start(path: str | None, hidden: int) -> Path | None:
    """Return the folder of the stored model, which has HIDDEN units."""
    if path is None:
        return None
    found = shape_in(Path(path))
    if found.hidden != hidden:
        raise ConfigError(
            f"model.path={path} holds {found}, not {Shape(found.features, hidden)}\n"
            f"  remedy: {found.chosen_by}"
        )
    return Path(path)
