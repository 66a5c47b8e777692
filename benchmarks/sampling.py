"""Compares sampling several completions per prompt with transformers' own `generate`.

    python benchmarks/sampling.py --output benchmarks/results/sampling.json
    python benchmarks/sampling.py --model large --prompts 16 --rounds 2

Both draw from the same model at temperature 1, the same number of rows at a time, in turn, one run
each a round. One JSON object comes last. README.md beside this file says what is measured.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import time
from pathlib import Path
from typing import Any


def main() -> int:
    """Measure, print the result. Exit code 1: the distributions differ."""
    arguments = _parse()
    if arguments.threads:
        os.environ["OMP_NUM_THREADS"] = str(arguments.threads)  # before torch is imported
    result = _measure(arguments)
    if arguments.output:
        known = json.loads(arguments.output.read_text()) if arguments.output.exists() else {}
        known[arguments.model] = result
        arguments.output.write_text(json.dumps(known, indent=1) + "\n")
    print(json.dumps(result))
    if result["largest_z"] > LARGEST_Z:
        print("the two sides draw from different distributions", file=sys.stderr)
        return 1
    return 0


LARGEST_Z = 4.5
"""Standard errors by which a mean may differ, of about 30 that are compared."""


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", choices=["tiny", "small", "large"], default="tiny")
    parser.add_argument("--prompts", type=int, default=128)
    parser.add_argument("--completions", type=int, default=8, help="of each prompt")
    parser.add_argument("--rows", type=int, default=32, help="completions drawn together")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--max-new-tokens", type=int, help="default: 64 of tiny, else 128")
    parser.add_argument("--scored", type=int, default=128, help="prompts whose samples are scored")
    parser.add_argument("--threads", type=int, help="of torch; default: its own choice")
    parser.add_argument("--output", type=Path, help="JSON file that gets the result, by model")
    arguments = parser.parse_args()
    if arguments.rows % arguments.completions:
        parser.error("--rows must be a multiple of --completions")
    return arguments


def _measure(arguments: argparse.Namespace) -> dict[str, Any]:
    from machine import machine
    from sampling_sides import NAMES, make_sides, make_task
    from sampling_statistics import compare

    task = make_task(arguments.model, arguments.prompts, arguments.max_new_tokens)
    sides = make_sides(task, arguments.completions, arguments.rows)
    wall: dict[str, list[float]] = {name: [] for name in NAMES}
    processor: dict[str, list[float]] = {name: [] for name in NAMES}
    drawn: dict[str, list[Any]] = {name: [] for name in NAMES}
    for side in sides.values():
        side(task.prompts[-1:], 0)  # warm-up
    for number in range(1, arguments.rounds + 1):
        for name, side in sides.items():
            start = time.perf_counter(), time.process_time()
            drawn[name].append(side(task.prompts, number))
            wall[name].append(round(time.perf_counter() - start[0], 3))
            processor[name].append(round(time.process_time() - start[1], 3))
    count = arguments.prompts * arguments.completions
    return {
        "model": arguments.model,
        "parameters": sum(each.numel() for each in task.model.parameters()),
        "prompts": arguments.prompts,
        "completions": arguments.completions,
        "rows": arguments.rows,
        "prompt_tokens": [len(task.prompts[-1]), len(task.prompts[0])],
        "max_new_tokens": task.max_new_tokens,
        "ratio": _ratio(*(wall[name] for name in NAMES)),
        "processor_ratio": _ratio(*(processor[name] for name in NAMES)),
        "completions_per_second": {
            name: round(count / statistics.median(values), 2) for name, values in wall.items()
        },
        "seconds_of_rounds": wall,
        "processor_seconds_of_rounds": processor,
        **compare(task, *(drawn[name] for name in NAMES), scored=arguments.scored),
        "machine": machine(),
    }


def _ratio(ours: list[float], theirs: list[float]) -> float:
    """Return the median over rounds of how many times as long the other side took."""
    return round(statistics.median(b / a for a, b in zip(ours, theirs, strict=True)), 3)


if __name__ == "__main__":
    sys.exit(main())
