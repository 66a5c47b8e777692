#!/usr/bin/env python3
"""Plays Slurm on this machine: sbatch runs the jobs of an array one after the other.

A job that asks to be queued again (scontrol requeue) is run again at once.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

HERE = Path(os.environ["FAKE_SLURM"])
STATES, AGAIN, SCRIPT, LOG = (HERE / name for name in ("states", "again", "script", "log"))


def sbatch(script: str) -> None:
    """Keep SCRIPT and have its jobs run."""
    SCRIPT.write_text(Path(script).read_text())
    with LOG.open("w") as log:
        command = [sys.executable, str(Path(__file__).resolve())]
        subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    print("Submitted batch job 77")


def run() -> None:
    """Run the jobs of the kept script."""
    last = re.search(r"--array=0-(\d+)", SCRIPT.read_text())
    assert last is not None
    for task in range(int(last[1]) + 1):
        array = {"SLURM_ARRAY_JOB_ID": "77", "SLURM_ARRAY_TASK_ID": str(task)}
        while True:
            code = subprocess.call(["sh", str(SCRIPT)], env=os.environ | array | fixed(task))
            if not AGAIN.exists():
                break
            AGAIN.unlink()
        with STATES.open("a") as file:
            file.write(f"77_{task}|{'FAILED' if code else 'COMPLETED'}|node0\n")


def fixed(task: int) -> dict[str, str]:
    """What Slurm tells a job of one node and one task."""
    zero = ("SLURM_NODEID", "SLURM_PROCID", "SLURM_LOCALID")
    one = ("SLURM_NTASKS", "SLURM_JOB_NUM_NODES")
    return {"SLURM_JOB_ID": str(77 + task), "SLURM_JOB_NODELIST": "node0"} | {
        **dict.fromkeys(zero, "0"),
        **dict.fromkeys(one, "1"),
    }


def srun(*words: str) -> None:
    """Run the command that follows the options in WORDS."""
    command = words[words.index("--error") + 2 :]
    os.execv(command[0], command)


if __name__ == "__main__":
    command, words = Path(sys.argv[0]).name, sys.argv[1:]
    if command == "sbatch":
        sbatch(words[0])
    elif command == "srun":
        srun(*words)
    elif command == "sacct":
        print("JobID|State|NodeList\n" + (STATES.read_text() if STATES.exists() else ""), end="")
    elif command == "scontrol":
        AGAIN.touch()
    else:
        run()
