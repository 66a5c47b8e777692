"""Chain arithmetic: a digit, and digits to add to it one after the other, modulo 10.

The prompt 'Start 4: +3 +5' has the one right solution 'Step 1: +3 = 7', 'Step 2: +5 = 2'. Whether
any other text solves it can be told exactly.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from random import Random

from prefrun.errors import DataError
from prefrun_tpo.steps import split_at_markers

PROMPT = re.compile(r"Start (\d):((?: \+[1-9])+)\s*")
STEP = re.compile(r"\s*Step (\d{1,2}): \+(\d) = (\d)\s*")
BASE = 10
TREE_SHARE = 5
"""One prompt in so many is for trees; the embedded model has learned from the others."""


@dataclass(frozen=True, slots=True)
class Chain:
    """One exercise."""

    start: int
    """0 to 9."""
    added: tuple[int, ...]
    """1 to 9 each; the number of steps of the solution."""

    @property
    def prompt(self) -> str:
        """What the exercise looks like."""
        return f"Start {self.start}: {' '.join(f'+{digit}' for digit in self.added)}\n"

    @property
    def results(self) -> tuple[int, ...]:
        """The right result of each step."""
        state, found = self.start, []
        for digit in self.added:
            state = (state + digit) % BASE
            found.append(state)
        return tuple(found)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is right in a solution."""

    answer: bool
    """Whether its last step is the exercise's last one, with the right result."""
    right_steps: int
    """Steps before the first wrong one."""
    steps: int
    """Steps it has or should have, whichever is more."""


def parse(prompt: str) -> Chain:
    """Return the exercise of a prompt. Raises DataError where it is none."""
    found = PROMPT.fullmatch(prompt)
    if not found:
        raise DataError(
            f"the verifier of chain arithmetic does not know the prompt {prompt!r:.60}",
            field="prompt",
            remedy="judge only prompts such as 'Start 4: +3 +5', or choose another reward",
        )
    return Chain(int(found[1]), tuple(int(part) for part in found[2].split()))


def verify(chain: Chain, text: str) -> Verdict:
    """Compare a solution with the right one, step by step. A step must be written exactly."""
    steps = [STEP.fullmatch(step) for step in split_at_markers(text)]
    wanted = [
        (number, digit, result)
        for number, (digit, result) in enumerate(zip(chain.added, chain.results, strict=True), 1)
    ]
    right = 0
    for step, expected in zip(steps, wanted, strict=False):
        if step is None or tuple(map(int, step.groups())) != expected:
            break
        right += 1
    last = steps[-1] if steps else None
    answer = last is not None and (int(last[1]), int(last[3])) == (len(wanted), wanted[-1][2])
    return Verdict(answer, right, max(len(steps), len(wanted)))


def solve(chain: Chain, kept: int, error_rate: float, rng: Random) -> tuple[str, ...]:
    """Return the steps of a solution: KEPT right ones, then each wrong with ERROR_RATE.

    A wrong step has another result than it should, and the next one goes on from there.
    """
    results = list(chain.results[:kept])
    for digit in chain.added[kept:]:
        result = ((results[-1] if results else chain.start) + digit) % BASE
        if rng.random() < error_rate:
            result = (result + rng.randrange(1, BASE)) % BASE
        results.append(result)
    return write(chain, results)


def corrupt(chain: Chain, rng: Random) -> tuple[str, ...]:
    """Return the steps of a solution with exactly one wrong step; so its answer is wrong."""
    place = rng.randrange(len(chain.added))
    shift = rng.randrange(1, BASE)
    return write(
        chain,
        [(r + shift) % BASE if at >= place else r for at, r in enumerate(chain.results)],
    )


def write(chain: Chain, results: list[int] | tuple[int, ...]) -> tuple[str, ...]:
    """Return the steps that claim RESULTS, each but the last with its line end."""
    lines = [
        f"Step {number}: +{digit} = {result}"
        for number, (digit, result) in enumerate(zip(chain.added, results, strict=True), 1)
    ]
    return (*(f"{line}\n" for line in lines[:-1]), lines[-1])


def draw(steps: int, rng: Random, *, for_trees: bool) -> Chain:
    """Return a random exercise of STEPS steps: one for trees, or one the model may learn from."""
    while True:
        chain = Chain(rng.randrange(BASE), tuple(rng.randrange(1, BASE) for _ in range(steps)))
        if is_for_trees(chain) == for_trees:
            return chain


def is_for_trees(chain: Chain) -> bool:
    """Whether the embedded model has never seen the exercise."""
    return hashlib.sha256(chain.prompt.encode()).digest()[0] % TREE_SHARE == 0
