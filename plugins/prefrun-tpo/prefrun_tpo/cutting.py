"""Where a gold solution is cut, so that another solution branches off there."""

from __future__ import annotations

from random import Random


def cut_points(steps: int, branches: int, rng: Random) -> list[int]:
    """Return, in ascending order, how many of STEPS gold steps each of BRANCHES keeps: 0..STEPS-1.

    Drawn without replacement as long as there are points left, then from all of them again (the
    official recipe draws again where the solution has fewer steps than branches).
    """
    found: list[int] = []
    while len(found) < branches:
        found += rng.sample(range(steps), min(steps, branches - len(found)))
    return sorted(found)
