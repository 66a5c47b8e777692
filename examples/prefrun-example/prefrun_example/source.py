"""data=edited_sums: worked sums, each with copies that are wrong in one digit."""

import random

from prefrun.records.dataset import generated_split
from prefrun.records.split import DataSplit
from prefrun.records.tree import Branch, PreferenceTree, Step
from prefrun_example.config import EditedSumsConfig
from prefrun_example.sums import prompt_of, steps_of


class EditedSums:
    """Pairs with a small edit distance, on which DPO makes chosen answers less likely."""

    card = """
    Worked sums of digits, '8+3=11 11+4=15' for '8+3+4 is'; a wrong copy has one
    digit of one result changed, and goes on as if it had not. Scores: 1 right, 0 wrong. Source: a
    small stand-in for MetaMath DPO of arXiv 2402.13228, whose rejected answers have one calculation
    corrupted.
    """

    def __init__(self, config: EditedSumsConfig) -> None:
        self.config = config

    def load(self, seed: int) -> DataSplit:
        """Return new records for every SEED, the same ones for the same. No sum occurs twice."""
        draw = random.Random(seed)
        wanted = self.config.train + self.config.test
        trees: dict[str, PreferenceTree] = {}
        while len(trees) < wanted:
            tree = self._record([draw.randint(1, 9) for _ in range(self.config.terms)], draw)
            trees[tree.id] = tree
        made = list(trees.values())
        return generated_split("edited-sums", made[: self.config.train], made[self.config.train :])

    def _record(self, terms: list[int], draw: random.Random) -> PreferenceTree:
        steps = steps_of(terms)
        copies: dict[tuple[str, ...], None] = {}
        while len(copies) < self.config.edits:
            copies[tuple(edit(steps, draw))] = None
        branches = [_branch(steps, 1.0), *(_branch(copy, 0.0) for copy in copies)]
        return PreferenceTree("+".join(map(str, terms)), prompt_of(terms), tuple(branches))


def edit(steps: list[str], draw: random.Random) -> list[str]:
    """Return a copy of STEPS with another last digit in the result of one of them."""
    place = draw.randrange(len(steps))
    step = steps[place]
    digit = draw.choice([each for each in "0123456789" if each != step[-1]])
    return [*steps[:place], step[:-1] + digit, *steps[place + 1 :]]


def _branch(steps: list[str] | tuple[str, ...], score: float) -> Branch:
    return Branch(steps=tuple(map(Step, steps)), scores={"overall": score})
