"""Measures every shape and writes the table: Markdown, and the numbers beside it as JSON."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from machine import in_words
from shapes import LIST_TARGET, MEMORY_TARGET, METHODS, SHAPES, SWEEP_TARGET

Result = Mapping[str, Any]


def write_table(arguments: argparse.Namespace) -> int:
    """Measure the shapes that ARGUMENTS name and write `arguments.output`, after each shape anew.

    Shapes that are in the JSON file and are not measured now stay. Returns the last exit code that
    was not 0.
    """
    output: Path = arguments.output
    numbers = output.with_suffix(".json")
    results: dict[str, Any] = json.loads(numbers.read_text()) if numbers.exists() else {}
    worst = 0
    output.parent.mkdir(parents=True, exist_ok=True)
    for name in arguments.shapes or SHAPES:
        print(f"{name} ...", flush=True)
        code, result = _measure(name, arguments)
        worst = code or worst
        if result:
            results[name] = result
        ordered = {name: results[name] for name in SHAPES if name in results}
        numbers.write_text(json.dumps(ordered, indent=1) + "\n")
        output.write_text(render(ordered, _sweep(output.parent)))
    print(f"wrote {output} and {numbers}")
    return worst


def _measure(name: str, arguments: argparse.Namespace) -> tuple[int, Any]:
    """Measure shape NAME in a fresh process, so that no shape sees another one's memory."""
    script = str(Path(__file__).with_name("step.py"))
    words = ["--shape", name, "--rounds", str(arguments.rounds), "--seed", str(arguments.seed)]
    words += ["--json", "--methods", *arguments.methods]
    words += ["--no-memory"] if arguments.no_memory else []
    words += ["--threads", str(arguments.threads)] if arguments.threads else []
    done = subprocess.run([sys.executable, script, *words], stdout=subprocess.PIPE, text=True)
    if done.returncode:
        return done.returncode, None
    return 0, json.loads(done.stdout.splitlines()[-1])


def _sweep(folder: Path) -> Any:
    path = folder / "sweep.json"
    return json.loads(path.read_text()) if path.exists() else None


def render(results: Mapping[str, Result], sweep: Result | None) -> str:
    """Return the Markdown page of RESULTS, by shape, and of the SWEEP."""
    machines = {in_words(result["machine"]) for result in results.values()}
    parts = [
        "# One optimizer step, against TRL",
        "Written by `benchmarks/step.py --all`; `benchmarks/README.md` says how it is measured.",
        *sorted(machines),
        "## How many times faster than TRL in its fastest configuration",
        "Medians of ratios round by round. Cold: both compute the reference in the step. Cached: "
        "prefrun reads it, TRL computes it. Target in parentheses; **bold**: missed. Memory: peak "
        "above the loaded model, prefrun's share of TRL's.",
        _rows(results, RATIOS),
        "## The same against TRL with all pairs in one forward pass",
        _rows(results, ONE_BATCH),
        "## Where it comes from",
        "In each round TRL / prefrun cached is the product of four measured factors; shown are "
        "medians. Reference: TRL without its reference's forward pass. Head: the same rows, the "
        "head at scored positions only (and prefrun's trainer). Answers: one row an answer instead "
        "of one per pair member; beside it, what tokens alone would give. Sharing: each shared "
        "token once; beside it, the ideal.",
        _rows(results, FACTORS),
        "## Seconds a step (median)",
        "Load: running processes over the last 15 minutes, these included.",
        _rows(results, SECONDS),
        *(f"- `{method}`: {meaning}" for method, meaning in METHODS.items()),
        "## Peak memory above the loaded model, MiB",
        _rows(results, MEMORY),
    ]
    if sweep:
        parts += ["## A sweep from process start to its end", _sweep_lines(sweep)]
    return "\n\n".join(parts).replace("\n\n- ", "\n- ") + "\n"


Column = tuple[str, Callable[[Result], str]]


def _rows(results: Mapping[str, Result], columns: Sequence[Column]) -> str:
    head = ["shape", *(title for title, _ in columns)]
    lines = [head, ["---"] * len(head)]
    lines += [[name, *(show(result) for _, show in columns)] for name, result in results.items()]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def _against(key: str, goal: Callable[[Result], float | None], least: bool = True) -> Any:
    """Show the number under KEY with its target; bold where it is missed."""

    def show(result: Result) -> str:
        value, target = result[key], goal(result)
        if value is None or target is None:
            return _number(value)
        met = value >= target if least else value <= target
        return f"{_number(value)} ({_number(target)})" if met else _missed(value, target)

    return show


def _missed(value: float, target: float) -> str:
    return f"**{_number(value)}** ({_number(target)})"


def _target(kind: str) -> Callable[[Result], float | None]:
    return lambda result: result["target"] and result["target"][kind]


def _of(group: str, key: str) -> Callable[[Result], str]:
    return lambda result: _number(result[group].get(key))


def _sharing_goal(result: Result) -> float:
    return LIST_TARGET * result["ideal_ratio"]


def _memory_goal(result: Result) -> float:
    return MEMORY_TARGET


RATIOS: list[Column] = [
    ("cold", _against("ratio_vs_trl", _target("cold"))),
    ("cached", _against("ratio_vs_trl_cached", _target("cached"))),
    ("TRL precomputed / cached", lambda result: _number(result["ratio_vs_trl_precomputed"])),
    ("list / packed", _against("ratio_vs_list", _sharing_goal)),
    ("ideal", lambda result: _number(result["ideal_ratio"])),
    ("memory", _against("memory_ratio_vs_trl", _memory_goal, least=False)),
    ("TRL as", lambda result: f"`{result['trl_configuration']}`"),
]
ONE_BATCH: list[Column] = [
    ("cold", _against("ratio_vs_trl_one_batch", _target("cold"))),
    ("cached", _against("ratio_vs_trl_one_batch_cached", _target("cached"))),
    ("memory", _against("memory_ratio_vs_trl_one_batch", _memory_goal, least=False)),
]
FACTORS: list[Column] = [
    ("reference", _of("factors", "reference")),
    ("head", _of("factors", "head")),
    ("answers", _of("factors", "answers")),
    ("(in tokens)", _of("factors", "answers_in_tokens")),
    ("sharing", _of("factors", "sharing")),
    ("(ideal)", lambda result: _number(result["ideal_ratio"])),
    ("TRL / cached", lambda result: _number(result["ratio_vs_trl_cached"])),
]
SECONDS: list[Column] = [(f"`{name}`", _of("seconds", name)) for name in METHODS]
SECONDS.append(("load", lambda result: _number(result["machine"].get("load"))))
MEMORY: list[Column] = [(f"`{name}`", _of("peak_mib", name)) for name in METHODS]


def _sweep_lines(sweep: Result) -> str:
    ratio, target = sweep["ratio"], SWEEP_TARGET
    shown = f"{_number(ratio)} ({_number(target)})" if ratio >= target else _missed(ratio, target)
    seconds = {name: _number(sweep[f"{name}_seconds"]) for name in ("prefrun", "trl")}
    return (
        f"{sweep['cells']} cells of {sweep['steps']} steps: prefrun {seconds['prefrun']} s, "
        f"TRL {seconds['trl']} s, ratio {shown}. {in_words(sweep['machine'])}"
    )
