"""Times what a sweep costs beside its jobs' own work, and what it costs when all is done already.

    python benchmarks/jobs.py --output benchmarks/results/jobs.json

24 small jobs in one process. `per_job` is the time from the second job's begin (the first one
imports the libraries) to the end of the sweep, its comparison included, less what these jobs count
as training and evaluation. `again` is the same command once more. One JSON object comes last.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from machine import machine

ALGORITHMS = ("lipo", "dpo")
WORDS = (
    "-m",
    f"algo={','.join(ALGORITHMS)}",
    "data=ultrafeedback",
    "data.max_records=48",
    "evaluation.max_records=8",
    "evaluation.max_new_tokens=16",
    "trainer.batch_size=4",
    "trainer.max_steps=2",
    "output_dir=sweep",
)


def main() -> int:
    """Run the sweep twice in a folder of its own and print the result."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--output", type=Path, help="file for the JSON object")
    parser.add_argument("--seeds", type=int, default=12, help="of each of two algorithms")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        result = _measure(Path(folder), arguments.seeds)
    if arguments.output:
        arguments.output.write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result))
    return 0


def _measure(folder: Path, seeds: int) -> dict[str, Any]:
    whole = _timed(folder, seeds)
    ended = datetime.now(UTC).timestamp()
    runs = [folder / "sweep" / str(number) for number in range(len(ALGORITHMS) * seeds)]
    begun = datetime.fromisoformat(_read(runs[1] / "status.json")["started"]).timestamp()
    work = sum(sum(_read(run / "summary.json")["timing"].values()) for run in runs[1:])
    return {
        "jobs": len(runs),
        "seconds": round(whole, 2),
        "work_seconds": round(work, 2),
        "per_job": round((ended - begun - work) / len(runs[1:]), 3),
        "again": round(_timed(folder, seeds), 2),
        "machine": machine(),
    }


def _timed(folder: Path, seeds: int) -> float:
    start = time.perf_counter()
    words = [*WORDS, f"seed=range(1,{seeds + 1})", "cache.dir=cache"]
    command = [sys.executable, "-m", "prefrun", *words]
    subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def _read(file: Path) -> Any:
    return json.loads(file.read_text(encoding="utf-8"))


if __name__ == "__main__":
    sys.exit(main())
