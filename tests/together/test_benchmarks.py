"""The benchmark's trees and pairs have one loss for TRL and prefrun, and every script runs."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import torch

from prefrun.plugins import components
from prefrun.policy.collate import Example, branch_batch, collate
from tests.comparison.page.browser import why_not

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "benchmarks"
PATIENCE = 400
"""Seconds after which a script is stopped: a loaded machine may take long, none takes for ever."""
PAIRS = {"k2": 1, "k4_best": 3, "k4_all": 6, "k8_best": 7, "tree_4x2": 15, "tree_3x3": 26}


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Iterator[SimpleNamespace]:
    """The benchmark's modules, which are scripts beside each other."""
    monkeypatch.syspath_prepend(FOLDER)
    names = ("shapes", "data", "algorithms", "machine", "table", "frozen_cases")
    modules: dict[str, ModuleType] = {name: __import__(name) for name in names}
    yield SimpleNamespace(**modules)
    for name in names:
        sys.modules.pop(name)


def ended(script: str, *words: str, cache: Path) -> subprocess.CompletedProcess[str]:
    """Run a script of the benchmark, as its docstring says."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PREFRUN_CACHE": str(cache)}
    return subprocess.run(
        [sys.executable, *script.split(), *words],
        cwd=ROOT,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


def result_of(script: str, *words: str, cache: Path) -> dict[str, Any]:
    """Run a script of the benchmark and return the JSON it prints last."""
    done = ended(script, *words, cache=cache)
    assert done.returncode == 0, done.stderr[-3000:]
    return dict(json.loads(done.stdout.splitlines()[-1]))


needs_trl = pytest.mark.skipif(find_spec("trl") is None, reason="TRL is not installed")
SMOKE = ("--rounds", "1", "--no-memory", "--json")


@needs_trl
@pytest.mark.slow
def test_every_method_takes_the_same_step(bench: SimpleNamespace, tmp_path: Path) -> None:
    result = result_of("benchmarks/step.py", "--shape", "tiny", *SMOKE, cache=tmp_path)
    assert list(result["seconds"]) == list(bench.shapes.METHODS)
    assert result["loss_gap"] < 1e-4


def test_pairs_and_trees_take_the_same_step(tmp_path: Path) -> None:
    words = ("--shape", "tiny_tree", *SMOKE, "--methods", "pairs", "packed")
    assert result_of("benchmarks/step.py", *words, cache=tmp_path)["loss_gap"] < 1e-4


def test_memory_of_a_method_is_measured(tmp_path: Path) -> None:
    words = ("--shape", "tiny", "--rounds", "1", "--memory", "packed_cold")
    assert result_of("benchmarks/step.py", *words, cache=tmp_path)["peak_mib"] > 0


@needs_trl
@pytest.mark.slow
def test_both_sides_of_the_sweep_run(tmp_path: Path) -> None:
    words = ("--cells", "2", "--steps", "1", "--batch", "1", "--answers", "2")
    assert result_of("benchmarks/sweep.py", *words, cache=tmp_path)["ratio"] > 0


def test_the_cost_of_jobs_is_measured(tmp_path: Path) -> None:
    assert result_of("benchmarks/jobs.py", "--seeds", "1", cache=tmp_path)["jobs"] == 2


@pytest.mark.parametrize("model", ["tiny", "small"])
def test_both_sides_of_sampling_draw_from_one_distribution(tmp_path: Path, model: str) -> None:
    words = ("--model", model, "--prompts", "4", "--completions", "8", "--rows", "16")
    words += ("--rounds", "1", "--max-new-tokens", "3")
    result = result_of("benchmarks/sampling.py", *words, cache=tmp_path)
    assert result["ratio"] > 0
    assert result["largest_z"] < 4.5


@pytest.mark.skipif(bool(why_not()), reason=why_not() or "chromium can be driven")
def test_the_opening_of_the_page_is_measured(tmp_path: Path) -> None:
    words = ("--runs", "3", "--metrics", "2", "--opened", "1")
    result = result_of("-m benchmarks.report_page", *words, cache=tmp_path)
    assert result["painted_s"]["median"] > 0


def test_the_results_of_every_algorithm_are_frozen(bench: SimpleNamespace) -> None:
    installed = {f"algo={name}" for group, name in components() if group == "algo"}
    frozen = {word for words in bench.frozen_cases.CASES.values() for word in words}
    assert not installed - frozen - {"algo=none"}


def test_a_result_that_is_not_the_frozen_one_is_named(tmp_path: Path) -> None:
    before, after = tmp_path / "before.json", tmp_path / "after.json"
    words = ("--only", "apo_tabular", "--only", "rps_simulation")
    result_of("benchmarks/frozen.py", str(before), *words, cache=tmp_path)
    frozen = json.loads(before.read_text())
    values = frozen["apo_tabular"]["values"]
    values["metrics.jsonl/4/regret/hat"] = math.nextafter(values["metrics.jsonl/4/regret/hat"], 1)
    before.write_text(json.dumps({"apo_tabular": frozen["apo_tabular"], "sold": {}}))
    done = ended("benchmarks/frozen.py", str(after), *words, f"--against={before}", cache=tmp_path)
    assert done.returncode == 1
    *lines, last = done.stdout.splitlines()
    assert [line.split(": ")[0] for line in lines] == [
        "apo_tabular  metrics.jsonl/4/regret/hat",
        "rps_simulation",
    ]
    assert lines[1] == "rps_simulation: new"
    assert json.loads(last) == {"cases": 2, "failed": 0, "different": 1}


def test_the_table_is_rendered_from_the_stored_numbers(bench: SimpleNamespace) -> None:
    numbers = json.loads((FOLDER / "results" / "cpu.json").read_text())
    sweep = json.loads((FOLDER / "results" / "sweep.json").read_text())
    written = (FOLDER / "results" / "cpu.md").read_text()
    assert bench.table.render(numbers, sweep) == written


def with_logps(example: Example, seed: int) -> Example:
    """Attach made-up reference log-probs that branches share where they share tokens."""
    generator = torch.Generator().manual_seed(seed)
    table = torch.randn(50_000, generator=generator)
    branches = example.encoded.branches
    return replace(example, reference=tuple(table[torch.tensor(ids)] for ids in branches))


def loss_of(algorithm: Any, examples: list[Example]) -> float:
    batch = collate(examples, 0)
    policy = -batch["reference_token_logps"]
    return float(algorithm.loss(branch_batch(batch, policy, {})).loss)


@pytest.mark.parametrize("name", PAIRS)
def test_pairs_have_the_loss_of_the_whole_examples(bench: SimpleNamespace, name: str) -> None:
    shape = replace(bench.shapes.SHAPES[name], prompt=5, length=(2, 6))
    examples = [with_logps(item, 1) for item in bench.data.make_examples(shape, 3, seed=0)]
    pairs = bench.data.pair_examples(shape, examples)
    assert len(pairs) == 3 * PAIRS[name]
    whole = loss_of(bench.algorithms.algorithm_of(shape), examples)
    apart = loss_of(bench.algorithms.pair_algorithm(), pairs)
    assert whole == pytest.approx(apart, abs=1e-6)
    assert abs(whole - 0.693147) > 1e-3


def test_tokens_of_a_tree_are_counted_once_in_the_trie(bench: SimpleNamespace) -> None:
    shape = replace(bench.shapes.SHAPES["tree_4x2"], prompt=5, length=(3, 3))
    count = bench.data.count_tokens(shape, bench.data.make_examples(shape, 2, seed=0))
    assert count.trie == 2 * (5 + 30 * 3)
    assert count.branches == 2 * 16 * (5 + 4 * 3)
    rows = [5 + 3 * level for level in (1, 2, 2, *[3] * 4, *[4] * 8)]
    assert count.pairs == 2 * 2 * sum(rows)


def test_a_checkout_is_compared_with_itself(tmp_path: Path) -> None:
    words = (".", "--shapes", "tiny", "--rounds", "1")
    result = result_of("benchmarks/commits.py", *words, cache=tmp_path)
    assert result["tiny"]["equal_losses"]
    assert result["tiny"]["ratio"] > 0
