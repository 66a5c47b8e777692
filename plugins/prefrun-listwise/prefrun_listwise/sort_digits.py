"""data=sort_digits: five digits to sort, answers of every quality, and their exact judge."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from random import Random
from typing import Any

from prefrun.errors import DataError
from prefrun.records.config import FileDataConfig
from prefrun.records.converters.step_trees import STEP_TREES
from prefrun.records.dataset import build_split, number_rows
from prefrun.records.split import DataSplit
from prefrun.records.tree import PreferenceTree
from prefrun_listwise.data_config import EXERCISES, SortDigitsConfig

DIGITS = 5
BONUS = 0.5
"""For an answer without a mistake."""
PROMPT = re.compile(rf"(\d{{{DIGITS}}})=")
NOTE = "Generated sample data (sort five digits): {train} training and {test} held-out prompts"


class DigitsJudge:
    """Scores any answer: digits in their right place, 0 to 5, and half a point for all of them."""

    name = "sorted digits"

    def score(self, trees: Sequence[PreferenceTree], responses: Sequence[str]) -> list[float]:
        """Return one score per answer. Raises DataError for a prompt that is no exercise."""
        pairs = zip(trees, responses, strict=True)
        return [judge(tree.prompt_text, response) for tree, response in pairs]


class SortDigits:
    """Makes the same records for the same configuration on every machine."""

    uses_seed = False

    card = """
    Sort five digits: the prompt '53912=' has the answer '12359'. A record holds the right answer
    (score 5.5) and others with one to five wrong places, all different (score 5 less the wrong
    places), in random order. The judge is exact for any text. Source: the project's own.
    """

    def __init__(self, config: SortDigitsConfig) -> None:
        self.config = config

    def load(self, seed: int) -> DataSplit:
        """Generate everything; the same at every SEED."""
        train, test = self.config.train, self.config.test
        rows = list(_rows(self.config))
        return build_split(
            "sort_digits",
            number_rows("sort_digits", rows[:train]),
            STEP_TREES,
            FileDataConfig(),
            held_out=number_rows("sort_digits-test", rows[train:]),
            reward=DigitsJudge(),
            note=NOTE.format(train=train, test=test),
        )


def judge(prompt: str, response: str) -> float:
    """Score RESPONSE, which may be any text; white space around it does not count.

    Raises DataError where PROMPT is no exercise.
    """
    found = PROMPT.fullmatch(prompt.strip())
    if not found:
        raise DataError(
            f"the judge of sorted digits does not know the prompt {prompt!r:.60}",
            field="prompt",
            remedy="judge only prompts such as '53912=', or choose another reward",
        )
    wanted, given = "".join(sorted(found[1])), response.strip()
    right = sum(own == other for own, other in zip(wanted, given, strict=False))
    return right + BONUS * (given == wanted)


def _rows(config: SortDigitsConfig) -> Iterator[dict[str, Any]]:
    """Yield training and then held-out records, with different prompts."""
    rng = Random(f"prefrun/sort_digits {config.generator_seed}")
    for number in rng.sample(range(EXERCISES), config.train + config.test):
        digits = f"{number:0{DIGITS}}"
        wrong_places = [0, *rng.sample(range(1, DIGITS + 1), config.candidates - 1)]
        rng.shuffle(wrong_places)
        prompt = f"{digits}="
        answers = [_corrupted("".join(sorted(digits)), count, rng) for count in wrong_places]
        yield {
            "prompt": prompt,
            "branches": [
                {"steps": [{"text": text}], "scores": {"overall": judge(prompt, text)}}
                for text in answers
            ],
        }


def _corrupted(answer: str, count: int, rng: Random) -> str:
    """Return ANSWER with another digit in COUNT places."""
    digits = list(answer)
    for place in rng.sample(range(DIGITS), count):
        digits[place] = rng.choice([digit for digit in "0123456789" if digit != answer[place]])
    return "".join(digits)
