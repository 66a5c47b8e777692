"""Whole runs on a real model and real data: what is saved is what was measured."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

SMALL = (
    "trainer.max_steps=3",
    "trainer.batch_size=2",
    "trainer.logging_steps=1",
    "trainer.max_length=160",
    "data.max_records=24",
    "evaluation.max_records=4",
    "evaluation.max_new_tokens=12",
    "evaluation.bootstrap=20",
)
LORA = ("model.dtype=bfloat16", "model.lora.rank=8", "trainer.learning_rate=1e-3")
FULL = ("model.dtype=float32", "trainer.learning_rate=1e-5")


def lines_of(path: Path) -> list[dict[str, Any]]:
    """The objects of a file of JSON lines."""
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.mark.parametrize("training", [LORA, FULL], ids=["lora", "full"])
def test_pairs_train_and_what_is_saved_is_what_was_measured(
    training: tuple[str, ...], prefrun: Callable[..., str], gemma: Path, data: Path, tmp_path: Path
) -> None:
    pairs = [f"data.path={data / 'hh_helpful_pairs.jsonl.gz'}", "data.on_bad_record=skip"]
    chosen = ["model=hf", f"model.name={gemma}", *training]
    printed = prefrun("algo=dpo", "data=hh", *pairs, *chosen, *SMALL, "output_dir=run")
    assert "forward packed trees, segments" in printed
    losses = [line["loss"] for line in lines_of(tmp_path / "run" / "metrics.jsonl")]
    assert losses[0] == pytest.approx(0.6931, abs=0.02)
    assert losses[-1] != losses[0]
    samples = lines_of(tmp_path / "run" / "samples.jsonl")
    assert any(sample["response"].strip() for sample in samples)


def test_lists_train_from_the_file_that_was_downloaded(
    prefrun: Callable[..., str], gguf: Path, gemma: Path, data: Path, tmp_path: Path
) -> None:
    lists = [
        f"data.path={data / 'alpaca_eval_lists.jsonl.gz'}",
        "evaluator=[ranking_accuracy]",
        "data.on_bad_record=skip",
    ]
    chosen = ["model=hf", f"model.name={gemma}", *LORA]
    prefrun("algo=lipo", "data=ultrafeedback", *lists, *chosen, *SMALL, "output_dir=run")
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert summary["steps"] == 3
