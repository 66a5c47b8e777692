"""The benchmark's trees and pairs: what TRL is given has the loss that prefrun computes."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import torch

from prefrun.policy.collate import Example, branch_batch, collate

FOLDER = Path(__file__).parents[2] / "benchmarks"
PAIRS = {"k2": 1, "k4_best": 3, "k4_all": 6, "k8_best": 7, "tree_4x2": 15, "tree_3x3": 26}


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Iterator[SimpleNamespace]:
    """The benchmark's modules, which are scripts beside each other."""
    monkeypatch.syspath_prepend(FOLDER)
    names = ("shapes", "data", "algorithms")
    modules: dict[str, ModuleType] = {name: __import__(name) for name in names}
    yield SimpleNamespace(**modules)
    for name in names:
        sys.modules.pop(name)


def with_logps(example: Example, seed: int) -> Example:
    """Attach made-up reference log-probs that branches share where they share tokens."""
    generator = torch.Generator().manual_seed(seed)
    table = torch.randn(50_000, generator=generator)
    branches = example.tokens.branches
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
