"""Compares one optimizer step of prefrun with TRL's.

    python benchmarks/step.py --shape k4_best --rounds 3 --json
    python benchmarks/step.py --all --rounds 5 --output benchmarks/results/cpu.md

The first prints one JSON object last; the second measures every shape, each in a fresh process, and
writes the table. README.md beside this file says what is measured.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import warnings
from pathlib import Path
from typing import Any

from shapes import MEMORY_METHODS, METHODS, SHAPES, TINY, TRL_METHODS


def main() -> int:
    """Measure what the command line says. Exit code 1: losses differed; 2: TRL is missing."""
    arguments = _parse()
    if arguments.threads:
        os.environ["OMP_NUM_THREADS"] = str(arguments.threads)  # before torch is imported
    warnings.filterwarnings("ignore", category=FutureWarning)
    if arguments.all:
        from table import write_table

        return write_table(arguments)
    from methods import peak_of
    from plan import Plan
    from results import DifferentLossesError

    shape = (SHAPES | TINY)[arguments.shape]
    plan = Plan(shape, arguments.batch or shape.batch, arguments.rounds, seed=arguments.seed)
    wanted = {arguments.memory} if arguments.memory else {*arguments.methods}
    if wanted & set(TRL_METHODS) and not _has_trl():
        return 2
    if arguments.memory:
        print(json.dumps({"method": arguments.memory, "peak_mib": peak_of(plan, arguments.memory)}))
        return 0
    try:
        result = _measure(plan, arguments)
    except DifferentLossesError as error:
        print(f"{arguments.shape}: {error}", file=sys.stderr)
        return 1
    print(json.dumps(result) if arguments.json else _lines(result))
    return 0


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--shape", choices=[*SHAPES, *TINY], default="k4_best")
    parser.add_argument("--rounds", type=int, default=3, help="measured steps of each method")
    parser.add_argument("--batch", type=int, help="prompts a step; default: the shape's own")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, help="of torch; default: its own choice")
    parser.add_argument("--json", action="store_true", help="print one JSON object last")
    parser.add_argument("--methods", nargs="+", choices=list(METHODS), default=list(METHODS))
    parser.add_argument("--no-memory", action="store_true", help="measure time only")
    parser.add_argument("--memory", choices=list(METHODS), help="only the peak of METHOD, in MiB")
    parser.add_argument("--all", action="store_true", help="every shape, and write the table")
    parser.add_argument("--shapes", nargs="+", choices=list(SHAPES), help="with --all: only these")
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results/cpu.md")
    arguments = parser.parse_args()
    if arguments.rounds < 1:
        parser.error("--rounds must be at least 1")
    return arguments


def _has_trl() -> bool:
    try:
        import trl  # noqa: F401
    except ImportError:
        print(
            "TRL is not installed: pip install -c constraints.txt trl, or nox -s bench",
            file=sys.stderr,
        )
        return False
    return True


def _measure(plan: Any, arguments: argparse.Namespace) -> dict[str, Any]:
    from machine import machine
    from methods import peaks, run_interleaved
    from results import check_losses, summarise

    seconds, losses = run_interleaved(plan, arguments.methods)
    check_losses(losses)  # before the time for memory is spent
    words = ["--shape", arguments.shape, "--rounds", "1", "--batch", str(plan.batch)]
    words += ["--seed", str(plan.seed)]
    methods = [name for name in MEMORY_METHODS if name in arguments.methods]
    found = {} if arguments.no_memory else peaks(words, methods)
    return summarise(plan, arguments.shape, seconds, losses, found) | {"machine": machine()}


def _lines(result: dict[str, Any]) -> str:
    hidden = ("seconds_of_rounds", "machine")
    return "\n".join(f"{key}: {value}" for key, value in result.items() if key not in hidden)


if __name__ == "__main__":
    sys.exit(main())
