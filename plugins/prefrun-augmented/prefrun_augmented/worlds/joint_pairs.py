"""data=joint_pairs: which of two answers is better, to one instruction or to two."""

from __future__ import annotations

import math
from collections.abc import Sequence
from random import Random

from prefrun.records.config import FileDataConfig
from prefrun.records.dataset import build_split, generated_split
from prefrun.records.reading import read_rows, stem
from prefrun.records.split import DataSplit
from prefrun.records.tree import Branch, PreferenceTree, Step
from prefrun_augmented.joint_format import joint_pairs
from prefrun_augmented.worlds.config import JointPairsConfig

PLACES = ("lake", "hill", "mill", "shore", "bridge", "tower", "cave", "field", "dock", "well")
TIMES = ("dawn", "noon", "dusk", "night", "winter")
THINGS = ("lamp", "rope", "coat", "map")
MANNERS = ("old", "new")
ANSWERS = tuple(f"{manner} {thing}" for thing in THINGS for manner in MANNERS)
"""The eight answers to each of the 50 instructions."""


class TakeJudge:
    """Scores an answer by the world's hidden quality; text that is no answer scores -2."""

    name = "hidden quality"

    def score(self, trees: Sequence[PreferenceTree], responses: Sequence[str]) -> list[float]:
        """Return one score per answer."""
        pairs = zip(trees, responses, strict=True)
        return [quality(tree.prompt_text, text.strip()) for tree, text in pairs]


class JointPairs:
    """Reads DOVE's files, or makes the pairs of a world of 50 instructions."""

    def __init__(self, config: JointPairsConfig) -> None:
        self.config = config

    def load(self, seed: int) -> DataSplit:
        """Read or generate. Raises DataError for a bad record of a file."""
        config = self.config
        if config.path is not None:
            settings = FileDataConfig(
                path=config.path,
                test_fraction=config.test_fraction,
                ignore_columns=config.ignore_columns,
            )
            rows = read_rows(config.path)
            name = f"joint-{stem(config.path)}"
            return build_split(name, rows, joint_pairs(config.template), settings)
        draw = Random(f"joint_pairs {seed}")
        places = [f"{place} {time} :" for place in PLACES for time in TIMES]
        held_out = Random("joint_pairs test").sample(places, min(config.test, len(places)))
        asked = [place for place in places if place not in held_out] or places
        train = [
            _pair(f"conditional-{n}", draw, asked, same=True) for n in range(config.conditional)
        ]
        train += [_pair(f"joint-{n}", draw, places, same=False) for n in range(config.joint)]
        test = [_all_answers(f"test-{n}", prompt) for n, prompt in enumerate(held_out)]
        return generated_split("joint-pairs", train, test, TakeJudge())


def quality(instruction: str, answer: str) -> float:
    """Hidden quality: of the instruction, of the thing and manner, and of how they fit."""
    if answer not in ANSWERS:
        return -2.0
    place, time = instruction.split()[:2]
    manner, thing = answer.split()
    of_instruction = math.sin(3.0 * PLACES.index(place)) + math.cos(2.0 * TIMES.index(time))
    of_answer = THINGS.index(thing) / 2 + (0.5 if manner == "new" else 0.0)
    fits = (PLACES.index(place) + THINGS.index(thing)) % 2
    return of_instruction + of_answer + fits


def _pair(id: str, draw: Random, prompts: Sequence[str], same: bool) -> PreferenceTree:
    """A pair with a Bradley-Terry label: one prompt on both sides, or two."""
    prompt = draw.choice(prompts)
    other = prompt if same else draw.choice([each for each in prompts if each != prompt])
    answers = draw.sample(ANSWERS, 2) if same else draw.choices(ANSWERS, k=2)
    gap = quality(prompt, answers[0]) - quality(other, answers[1])
    first_wins = draw.random() < 1 / (1 + math.exp(-2 * gap))
    branches = (
        Branch((Step(f" {answers[0]}"),), rank=1 if first_wins else 2),
        Branch(
            (Step(f" {answers[1]}"),),
            rank=2 if first_wins else 1,
            prompt=None if same else other,
        ),
    )
    return PreferenceTree(id, prompt, branches)


def _all_answers(id: str, prompt: str) -> PreferenceTree:
    branches = [
        Branch((Step(f" {answer}"),), {"overall": quality(prompt, answer)}) for answer in ANSWERS
    ]
    return PreferenceTree(id, prompt, tuple(branches))
