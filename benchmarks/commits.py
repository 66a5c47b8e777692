"""Compares one training step of this checkout with that of another one, such as an older commit.

    git worktree add ../before COMMIT
    python benchmarks/commits.py ../before --shapes k2 k4_best tree_4x2 --rounds 20

Both train the same model on the same tokens, a step each in turn, in processes of their own. The
ratio is the other checkout's seconds over this one's, the median over rounds: above 1, this one is
faster. Losses must be equal bit for bit. The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
METHOD = "packed"
WARM_UP = 1
MARK = "turn: "
"""What the lines of a worker that mean something begin with."""


def main() -> int:
    """Measure what the command line says. Exit code 1: losses differ."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("other", type=Path, help="the other checkout")
    parser.add_argument("--shapes", nargs="+", default=["k2", "k4_best", "tree_4x2"])
    parser.add_argument("--rounds", type=int, default=20, help="measured steps")
    parser.add_argument("--work", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.work:
        _work(arguments.shapes[0], arguments.rounds)
        return 0
    found = {}
    for shape in arguments.shapes:
        found[shape] = compare(arguments.other, shape, arguments.rounds)
        print(f"{shape}: ratio {found[shape]['ratio']:.3f}", flush=True)
    print(json.dumps(found))
    return 0 if all(result["equal_losses"] for result in found.values()) else 1


def compare(other: Path, shape: str, rounds: int) -> dict[str, Any]:
    """Return ratio, median seconds of both, and whether their losses are equal."""
    workers = [_Worker(place, shape, rounds) for place in (other, ROOT)]
    seconds: list[list[float]] = []
    for number in range(WARM_UP + rounds):
        order = workers if number % 2 else workers[::-1]  # neither is always the second
        times = {id(worker): worker.step() for worker in order}
        seconds.append([times[id(worker)] for worker in workers])
    before, now = (worker.losses() for worker in workers)
    measured = seconds[WARM_UP:]
    return {
        "ratio": statistics.median(old / new for old, new in measured),
        "seconds_other": statistics.median(old for old, _ in measured),
        "seconds_here": statistics.median(new for _, new in measured),
        "rounds": rounds,
        "equal_losses": before == now,
    }


class _Worker:
    """Trains in a process that imports everything from one checkout."""

    def __init__(self, place: Path, shape: str, rounds: int) -> None:
        root = place.resolve()
        paths = [str(path) for path in (root, root / "benchmarks", *root.glob("plugins/*"))]
        words = [sys.executable, "-P", str(Path(__file__).resolve()), str(place), "--work"]
        self._process = subprocess.Popen(
            [*words, "--shapes", shape, "--rounds", str(rounds)],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._read()  # it is ready

    def step(self) -> float:
        """Let it take a step, and return the seconds."""
        assert self._process.stdin is not None
        self._process.stdin.write("go\n")
        self._process.stdin.flush()
        return float(self._read())

    def losses(self) -> list[float]:
        """Return the losses of all steps, at the end."""
        return list(self._read())

    def _read(self) -> Any:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line.startswith(MARK):
                return json.loads(line.removeprefix(MARK))
        raise RuntimeError("a worker ended; it has printed why")


class _Turn:
    """What `interleave` takes for a pipe: lines of standard input and output."""

    def recv(self) -> str:
        """Wait for the turn."""
        return sys.stdin.readline()

    def send(self, value: Any) -> None:
        """Hand over."""
        print(f"{MARK}{json.dumps(value)}", flush=True)


def _work(shape: str, rounds: int) -> None:
    import interleave
    import methods
    from plan import Plan
    from shapes import SHAPES, TINY

    chosen = (SHAPES | TINY)[shape]
    plan = Plan(chosen, chosen.batch, rounds, seed=0)
    with tempfile.TemporaryDirectory() as folder:
        interleave._work(_Turn(), partial(methods._make, plan, Path(folder)), METHOD)


if __name__ == "__main__":
    sys.exit(main())
