"""algo=evaluate: measures a model on data, and trains nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prefrun.algorithm import DecodingAlgorithm

if TYPE_CHECKING:
    from prefrun.policy.policy import Policy
    from prefrun.records.split import DataSplit
    from prefrun.reward import Reward
    from prefrun.training.services import Services

CARD = """
Measures a model as it is, with the run's evaluators, on the held-out records; nothing is trained,
and no model is written. A row of every comparison: of models with each other,

  prefrun -m algo=evaluate model=hf model.name=A,B data=trl data.path=FILE

and of a start model, or of one that was trained elsewhere, with runs on the same data. All records
of a file are measured with data.test_fraction=1; of data without held-out records, the training
records are. evaluation.max_records is the limit in any case.

Pitfalls: the model is its own starting model, so what compares the two is 0.5 (win_rate,
implied_reward_accuracy) or 0 (kl), as it is before any training; models are compared with each
other by what says something of one alone: reward, ranking_accuracy, response_length, and the tests
of the comparison, prompt by prompt. Source: the project's own.
"""


class Evaluate(DecodingAlgorithm):
    """Measures the model; trains nothing."""

    card = CARD
    paper = "none: the starting point of every comparison"
    kind = "measures only"
    formula = "pi := pi_ref"
    changes_policy = False

    def check(self, data: DataSplit, reward: Reward | None) -> None:
        """Say how much of the data is measured."""
        del reward
        if data.train:
            records = f"{len(data.test)} held-out records"
            self.note = f"measures the {records}; data.test_fraction=1 would hold out all of a file"

    def wrap(self, services: Services) -> Policy:
        """Return the start model."""
        return services.policy()
