"""data=rated_letters: strings of letters of different worth, with noisy ratings."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from statistics import fmean

from prefrun.records.dataset import generated_split
from prefrun.records.split import DataSplit
from prefrun.records.tree import Branch, PreferenceTree, Step
from prefrun_pairwise.world_configs import RatedLettersConfig

LETTERS = "abcdefgh"
"""Worth 0 to 7."""
LENGTH = 8
ANSWERS = 4


class LetterJudge:
    """The exact judge."""

    name = "worth of letters"

    def score(self, trees: Sequence[PreferenceTree], responses: Sequence[str]) -> list[float]:
        """Return the mean worth of the letters among each answer's first characters."""
        del trees
        return [quality(response) for response in responses]


class RatedLetters:
    """Makes the same held-out records at every seed, new training records for each."""

    card = """
    Prompts are four random letters of eight, answers eight random letters, four answers to a
    prompt. A letter is worth 0 to 7, an answer the mean worth of its letters. Training ratings are
    that with Gaussian noise, so that the labels of close pairs are the least reliable; held-out
    ones are exact, and so is the judge. Source: the project's own.
    """

    def __init__(self, config: RatedLettersConfig) -> None:
        self.config = config

    def load(self, seed: int) -> DataSplit:
        """Generate the records of SEED."""
        config = self.config
        draw, fixed = Random(f"rated_letters {seed}"), Random("rated_letters test")
        train = [_list(f"train-{n}", draw, config.noise) for n in range(config.records)]
        test = [_list(f"test-{n}", fixed, 0.0) for n in range(config.test_records)]
        return generated_split("rated_letters", train, test, LetterJudge())


def quality(answer: str) -> float:
    """The mean worth of the letters among the first LENGTH characters of ANSWER; 0 without any."""
    worths = [LETTERS.index(letter) for letter in answer[:LENGTH] if letter in LETTERS]
    return fmean(worths) if worths else 0.0


def _list(name: str, draw: Random, noise: float) -> PreferenceTree:
    prompt = "".join(draw.choices(LETTERS, k=4)) + ":"
    answers: set[str] = set()
    while len(answers) < ANSWERS:
        answers.add("".join(draw.choices(LETTERS, k=LENGTH)))
    branches = [
        Branch((Step(text),), scores={"overall": round(quality(text) + draw.gauss(0.0, noise), 3)})
        for text in sorted(answers)
    ]
    return PreferenceTree(name, prompt, tuple(branches))
