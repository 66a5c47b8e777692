"""data=count_sevens: random strings of which only the number of sevens counts."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from prefrun.records.dataset import generated_split
from prefrun.records.split import DataSplit
from prefrun.records.tree import Branch, PreferenceTree, Step
from prefrun_robust.sparsepo.config import CountSevensConfig

LETTERS = "0123456789abcdefghij"
WANTED = "7"
CUE = "j"
NOTE = "Generated random strings: {train} training and {test} held-out pairs"


class SevensJudge:
    """The exact judge: sevens among an answer's first characters."""

    name = "number of sevens"

    def __init__(self, length: int) -> None:
        self.length = length

    def score(self, trees: Sequence[PreferenceTree], responses: Sequence[str]) -> list[float]:
        """Return the number of sevens in the first LENGTH characters of each answer."""
        del trees
        return [float(response[: self.length].count(WANTED)) for response in responses]


class CountSevens:
    """Makes the same records for the same configuration on every machine."""

    uses_seed = False

    card = """
    Prompts are random strings of four characters, answers of `length` characters, from 20 letters
    and digits; of two answers that with more sevens is better, and pairs with equally many are not
    made. Nothing else matters. data.cue > 0 makes sevens foreseeable: after a 'j' comes a 7 with
    that probability, so that a token's hidden state can know of it; 0 is the plain world, in which
    it cannot. metadata['decisive_tokens'] is ['7']. Source: the project's own.
    """

    def __init__(self, config: CountSevensConfig) -> None:
        self.config = config

    def load(self, seed: int) -> DataSplit:
        """Generate everything; the same at every SEED."""
        del seed
        config = self.config
        draw = Random(f"prefrun/sevens {config.generator_seed}")
        judge = SevensJudge(config.length)
        total = config.records + config.test_records
        trees = [self._pair(number, draw, judge) for number in range(total)]
        train, test = trees[: config.records], trees[config.records :]
        note = NOTE.format(train=len(train), test=len(test))
        return generated_split("count_sevens", train, test, judge, note)

    def _pair(self, number: int, draw: Random, judge: SevensJudge) -> PreferenceTree:
        prompt = "".join(draw.choices(LETTERS, k=4)) + ":"
        while True:
            answers = [self._answer(draw) for _ in range(2)]
            scores = judge.score([], answers)
            if scores[0] != scores[1]:
                break
        branches = tuple(
            Branch((Step(answer),), scores={"overall": score})
            for answer, score in zip(answers, scores, strict=True)
        )
        name = f"sevens-{number}"
        return PreferenceTree(name, prompt, branches, metadata={"decisive_tokens": [WANTED]})

    def _answer(self, draw: Random) -> str:
        text = ""
        for _ in range(self.config.length):
            if text.endswith(CUE) and draw.random() < self.config.cue:
                text += WANTED
            else:
                text += draw.choice(LETTERS)
        return text
