"""The candidates of each prompt, and the file they stream to."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from prefrun.errors import PrefrunError
from prefrun.rundir.files import plain, write_error
from prefrun_rps.directions import Vector


@dataclass(frozen=True, slots=True)
class PoolKey:
    """What a pool belongs to."""

    method: str
    seed: int
    record: str


@dataclass(frozen=True, slots=True)
class Pool:
    """The k candidates of one prompt."""

    key: PoolKey
    preference: tuple[float, ...]
    """[d] the user's direction v."""
    directions: tuple[tuple[float, ...], ...]
    """[k, d] what each candidate was steered by."""
    responses: tuple[str, ...]
    """[k]"""
    rewards: tuple[tuple[float, ...], ...]
    """[k, d] one number per objective; NaN where the reward gave none."""
    selected: int
    """Index of the candidate that was chosen."""

    @property
    def response(self) -> str:
        """The chosen candidate."""
        return self.responses[self.selected]

    @property
    def reward(self) -> Vector:
        """[d] the chosen candidate's."""
        return np.asarray(self.rewards[self.selected], dtype=np.float64)


class PoolFile:
    """Pools as JSON lines, one written as soon as it is complete."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> dict[PoolKey, Pool]:
        """Return what is there. A torn last line is cut off.

        Raises PrefrunError, naming file and line, where another one is damaged.
        """
        if not self.path.exists():
            return {}
        content = self.path.read_bytes()
        whole = content[: content.rfind(b"\n") + 1]
        if len(whole) < len(content):
            os.truncate(self.path, len(whole))
        pools = {}
        for number, line in enumerate(whole.splitlines(), 1):
            try:
                pool = _from_json(json.loads(line))
            except (ValueError, KeyError, TypeError) as error:
                raise PrefrunError(
                    f"{self.path}, line {number}: is no pool of candidates: {error}\n"
                    "  remedy: remove the file; the candidates are then sampled again"
                ) from error
            pools[pool.key] = pool
        return pools

    def append(self, pools: Sequence[Pool]) -> None:
        """Add POOLS. Raises PrefrunError, saying why, where they cannot be written."""
        rows = [json.dumps(plain(asdict(pool)), ensure_ascii=False) for pool in pools]
        text = "".join(f"{row}\n" for row in rows).encode()
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with open(self.path, "ab") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise write_error(self.path, len(text), error) from error


def _from_json(row: dict[str, Any]) -> Pool:
    rewards = tuple(
        tuple(float("nan") if number is None else number for number in rewards)
        for rewards in row["rewards"]
    )
    return Pool(
        key=PoolKey(**row["key"]),
        preference=tuple(row["preference"]),
        directions=tuple(map(tuple, row["directions"])),
        responses=tuple(row["responses"]),
        rewards=rewards,
        selected=row["selected"],
    )
