"""data=control_codes: descriptions whose training prompts cover a narrow band of directions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from random import Random
from typing import TYPE_CHECKING

from prefrun.records.dataset import generated_split
from prefrun.records.split import DataSplit
from prefrun.records.tree import Branch, Message, PreferenceTree, Prompt, Step
from prefrun_rps.config import DPA_SENTENCE, Codes
from prefrun_rps.descriptions import HELD_OUT, OBJECTIVES, TRAINED, judge, on_direction, request

if TYPE_CHECKING:
    from prefrun_rps.config import ControlCodesConfig

SOURCE = "prefrun/control-codes"
WORST_QUALITY, OFF_DIRECTION = 0.4, 45.0
"""Of the answers that are not on a record's direction: lowest quality, widest angle."""


class DescriptionJudge:
    """Implements `ObjectivesReward`: length bucket and rate of positive words, exactly."""

    name = "description judge"
    objectives = OBJECTIVES

    def score(self, trees: Sequence[PreferenceTree], responses: Sequence[str]) -> list[float]:
        """Return v . r per answer, with the direction v of its record."""
        rows = self.score_objectives(trees, responses)
        return [
            sum(weight * value for weight, value in zip(_direction(tree), row, strict=True))
            for tree, row in zip(trees, rows, strict=True)
        ]

    def score_objectives(
        self, trees: Sequence[PreferenceTree], responses: Sequence[str]
    ) -> list[tuple[float, ...]]:
        """Return length and positivity per answer."""
        return [judge(response) for _, response in zip(trees, responses, strict=True)]


class ControlCodes:
    """Makes the records; the same at every seed."""

    def __init__(self, config: ControlCodesConfig) -> None:
        self.config = config

    def load(self, seed: int) -> DataSplit:
        """Return training records between 0 and `train_max_angle`, held-out ones beyond, too."""
        del seed
        train = self._training_records()
        test = self._held_out_records()
        config = self.config
        return generated_split(
            "control-codes",
            train,
            test,
            DescriptionJudge(),
            f"Generated data: {len(train)} training records with directions of 0 to "
            f"{config.train_max_angle:g} degrees, {len(test)} held-out prompts with "
            f"{len(config.test_angles)} directions",
        )

    def _training_records(self) -> list[PreferenceTree]:
        random = Random(f"{SOURCE} train")
        records = []
        for number in range(self.config.train_records):
            degrees = random.uniform(0.0, self.config.train_max_angle)
            prompt = self._prompt(random.choice(TRAINED), degrees, coded=True)
            records.append(self._record(f"train-{number}", prompt, degrees, random))
        return records

    def _held_out_records(self) -> list[PreferenceTree]:
        random = Random(f"{SOURCE} test")
        coded = self.config.codes is Codes.all
        return [
            self._record(
                f"test-{degrees:g}-{thing}",
                self._prompt(thing, degrees, coded=coded),
                degrees,
                random,
            )
            for degrees in self.config.test_angles
            for thing in HELD_OUT[: self.config.test_prompts]
        ]

    def _record(self, id: str, prompt: Prompt, degrees: float, random: Random) -> PreferenceTree:
        """One record: different answers, the first on its direction and the best of all."""
        direction = _vector(degrees)
        texts = [on_direction(degrees, 1.0, random)]
        best = _score(direction, texts[0])
        while len(texts) < self.config.answers:
            away = degrees + random.uniform(-OFF_DIRECTION, OFF_DIRECTION)
            text = on_direction(away, random.uniform(WORST_QUALITY, 1.0), random)
            if text not in texts and _score(direction, text) < best:
                texts.append(text)
        branches = tuple(_branch(text, direction) for text in texts)
        return PreferenceTree(id, prompt, branches, metadata=_metadata(degrees))

    def _prompt(self, thing: str, degrees: float, *, coded: bool) -> Prompt:
        user = Message("user", request(thing))
        if not coded:
            return (user,)
        weights = " + ".join(
            f"{name}*{round(100 * weight)}"
            for name, weight in zip(OBJECTIVES, _vector(degrees), strict=True)
        )
        sentence = (self.config.template or DPA_SENTENCE).replace("{weights}", weights)
        return (Message("system", sentence), user)


def _vector(degrees: float) -> tuple[float, float]:
    return math.cos(math.radians(degrees)), math.sin(math.radians(degrees))


def _metadata(degrees: float) -> dict[str, dict[str, float]]:
    return {"preference": dict(zip(OBJECTIVES, _vector(degrees), strict=True))}


def _direction(tree: PreferenceTree) -> tuple[float, ...]:
    return tuple(tree.metadata["preference"][name] for name in OBJECTIVES)


def _score(direction: tuple[float, ...], text: str) -> float:
    return sum(weight * value for weight, value in zip(direction, judge(text), strict=True))


def _branch(text: str, direction: tuple[float, ...]) -> Branch:
    scores = dict(zip(OBJECTIVES, judge(text), strict=True))
    return Branch((Step(text),), scores={"overall": _score(direction, text), **scores})
