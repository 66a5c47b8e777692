"""Builds the trainer of any method, by name, and runs what a measurement needs."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from interleave import interleave
from memory import train_for_peak
from plan import Plan
from shapes import TRL_METHODS

import prefrun_side


def run_interleaved(
    plan: Plan, methods: Sequence[str]
) -> tuple[Mapping[str, list[float]], Mapping[str, list[float]]]:
    """Train METHODS step by step in turn; return seconds and losses of each step, by method."""
    with tempfile.TemporaryDirectory() as folder:
        return interleave(partial(_make, plan, Path(folder)), methods, plan.steps)


def peak_of(plan: Plan, method: str) -> float:
    """Train METHOD in this process and return its peak above the loaded model, in MiB."""
    with tempfile.TemporaryDirectory() as folder:
        return train_for_peak(_make(plan, Path(folder), method))


def peaks(words: Sequence[str], methods: Sequence[str]) -> dict[str, float]:
    """Return the peak of each method, each measured in a fresh process that is given WORDS."""
    script = str(Path(__file__).with_name("step.py"))
    found = {}
    for method in methods:
        command = [sys.executable, script, *words, "--memory", method]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        found[method] = float(json.loads(done.stdout.splitlines()[-1])["peak_mib"])
    return found


def _make(plan: Plan, folder: Path, method: str) -> Any:
    if method in TRL_METHODS:
        from trl_side import make_trl  # imports TRL, so only where needed

        return make_trl(plan, method, folder / method)
    examples = prefrun_side.examples_with_reference(plan)
    return prefrun_side.make_prefrun(plan, method, examples, folder / method)
