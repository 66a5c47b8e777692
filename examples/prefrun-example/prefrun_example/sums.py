"""Worked sums, '20+31=51 51+14=65' for the prompt '20+31+14 is': written and read."""

import re
from itertools import accumulate, pairwise

STEP = re.compile(r"(\d+)\+(\d+)=(\d+)")
PROMPT = re.compile(r"\d+(?:\+\d+)+")


def prompt_of(terms: list[int]) -> str:
    """Return what asks for the sum of TERMS."""
    return f"{'+'.join(map(str, terms))} is "


def steps_of(terms: list[int]) -> list[str]:
    """Return one text per addition; joined, they are the worked sum of TERMS."""
    totals = list(accumulate(terms))
    steps = [
        f"{before}+{term}={after}"
        for (before, after), term in zip(pairwise(totals), terms[1:], strict=True)
    ]
    return [steps[0], *(f" {step}" for step in steps[1:])]


def read_terms(prompt: str) -> list[int] | None:
    """Return the numbers that PROMPT adds up; None where it holds no sum."""
    found = PROMPT.search(prompt)
    return [int(number) for number in found.group().split("+")] if found else None


def is_right(terms: list[int], answer: str, *, steps: bool) -> bool:
    """Whether ANSWER ends with the sum of TERMS; with STEPS, by the right additions, in order."""
    found = [tuple(map(int, each)) for each in STEP.findall(answer)]
    totals = list(accumulate(terms))
    wanted = [(a, term, b) for (a, b), term in zip(pairwise(totals), terms[1:], strict=True)]
    if steps:
        return found == wanted
    return bool(found) and found[-1][-1] == totals[-1]
