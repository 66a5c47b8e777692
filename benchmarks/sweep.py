"""Times a sweep from process start to its end: one `prefrun -m`, against a TRL process a cell.

    python benchmarks/sweep.py --cells 2 --steps 2 --batch 1

Five losses by two learning rates on the same lists of answers; both sides save the trained model.
One JSON object comes last: seconds of each side, their ratio, the machine.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from itertools import product
from pathlib import Path
from typing import Any

from machine import machine
from sweep_data import make_model_folder, write_lists, write_pairs

LOSSES = ("sigmoid", "ipo", "hinge", "nca_pair", "apo_zero")
"""Of those that both know, some that need no option of their own."""
LEARNING_RATES = ("1e-5", "5e-5")
TEST_FRACTION = 0.02


def main() -> int:
    """Run both sweeps in a folder of their own and print the result."""
    arguments = _parse()
    with tempfile.TemporaryDirectory() as folder:
        result = _measure(arguments, Path(folder))
    if arguments.output:
        arguments.output.parent.mkdir(parents=True, exist_ok=True)
        arguments.output.write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result))
    return 0


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cells", type=int, default=10, choices=range(2, 11, 2))
    parser.add_argument("--steps", type=int, default=10, help="optimizer steps of a cell")
    parser.add_argument("--batch", type=int, default=2, help="prompts a step")
    parser.add_argument("--answers", type=int, default=4, help="answers to a prompt")
    parser.add_argument("--pairs", choices=("all", "best_vs_rest"), default="all")
    parser.add_argument("--side", choices=("prefrun", "trl"), help="only this one")
    parser.add_argument("--output", type=Path, help="file for the JSON object")
    return parser.parse_args()


def _measure(arguments: argparse.Namespace, folder: Path) -> dict[str, Any]:
    make_model_folder(folder / "model")
    prompts = round(arguments.steps * arguments.batch / (1 - TEST_FRACTION)) + 2
    lists = write_lists(folder / "lists.jsonl", prompts, arguments.answers)
    write_pairs(folder / "pairs.jsonl", lists, arguments.pairs)
    losses = LOSSES[: arguments.cells // len(LEARNING_RATES)]
    seconds: dict[str, float] = {}
    if arguments.side != "trl":
        seconds["prefrun"] = _timed(_prefrun(arguments, losses), folder)
    if arguments.side != "prefrun":
        cells = product(losses, LEARNING_RATES)
        commands = [_trl(arguments, loss, rate) for loss, rate in cells]
        seconds["trl"] = sum(_timed(command, folder) for command in commands)
    return {
        "cells": arguments.cells,
        "steps": arguments.steps,
        "batch": arguments.batch,
        "answers": arguments.answers,
        "pairs": arguments.pairs,
        "prefrun_seconds": round(seconds.get("prefrun", 0), 2),
        "trl_seconds": round(seconds.get("trl", 0), 2),
        "ratio": round(seconds["trl"] / seconds["prefrun"], 2) if len(seconds) == 2 else None,
        "machine": machine(),
    }


def _prefrun(arguments: argparse.Namespace, losses: tuple[str, ...]) -> list[str]:
    """Return the command, evaluation being as little as a run may have."""
    return [
        *(sys.executable, "-m", "prefrun", "-m", "algo=dpo", f"algo.loss={','.join(losses)}"),
        f"trainer.learning_rate={','.join(LEARNING_RATES)}",
        f"algo.pairs={arguments.pairs}",
        *("data=ultrafeedback", "data.path=lists.jsonl", f"data.test_fraction={TEST_FRACTION}"),
        *("model=hf", "model.name=model"),
        *("evaluator=[ranking_accuracy]", "evaluation.max_records=1", "evaluation.bootstrap=1"),
        *(f"trainer.max_steps={arguments.steps}", f"trainer.batch_size={arguments.batch}"),
        *("trainer.optimizer=adamw_torch_fused", "trainer.checkpoint_steps=0"),
        "output_dir=sweep",
    ]


def _trl(arguments: argparse.Namespace, loss: str, rate: str) -> list[str]:
    answers = arguments.answers
    pairs = answers * (answers - 1) // 2 if arguments.pairs == "all" else answers - 1
    return [
        *(sys.executable, str(Path(__file__).with_name("sweep_trl.py"))),
        *("--model", "model", "--data", "pairs.jsonl", "--output", f"trl-{loss}-{rate}"),
        *("--loss", loss, "--learning-rate", rate),
        *("--steps", str(arguments.steps), "--pairs-per-step", str(pairs * arguments.batch)),
    ]


def _timed(command: list[str], folder: Path) -> float:
    """Run COMMAND in FOLDER, with caches of its own, and return seconds. Its failure is ours."""
    environment = os.environ | {
        "HF_HUB_OFFLINE": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_DATASETS_CACHE": str(folder / "datasets"),
        "PREFRUN_CACHE": str(folder / "cache"),
    }
    since = time.perf_counter()
    with (folder / "log.txt").open("a+") as log:
        done = subprocess.run(command, cwd=folder, env=environment, stdout=log, stderr=log)
        if done.returncode:
            log.seek(0)
            print(log.read()[-4000:], file=sys.stderr)
            raise SystemExit(f"exit code {done.returncode}: {' '.join(command)}")
    return time.perf_counter() - since


if __name__ == "__main__":
    sys.exit(main())
