"""The table in the terminal."""

from __future__ import annotations

import io

from rich.console import Console

from prefrun.comparison.compare import compare
from prefrun.comparison.terminal import print_comparison

METRICS = ("ranking_accuracy", "win_rate", "kl", "reward", "response_length", "pairwise_accuracy")


def shown(runs, width=200):
    console = Console(file=io.StringIO(), width=width)
    print_comparison(compare(runs), console)
    return console.file.getvalue()


def two_algorithms(result, metrics=("win_rate",)):
    return [
        result(dict.fromkeys(metrics, value), algo=algo, seed=seed, before={"win_rate": 0.5})
        for algo, values in [("lipo", (0.7, 0.8)), ("dpo", (0.6, 0.65))]
        for seed, value in enumerate(values)
    ]


def test_the_table_shows_values_best_and_test(result):
    text = shown(two_algorithms(result))
    assert "0.750 ± 0.050 *" in text
    assert "0.625 ± 0.025" in text
    assert "p = 0.500" in text
    assert "(before training)" in text
    assert "paired over 2 seeds" in text


def test_every_metric_is_shown_whole_on_a_narrow_terminal(result):
    text = shown(two_algorithms(result, METRICS), width=60)
    assert max(len(line) for line in text.splitlines() if line.startswith("│")) <= 60
    assert text.count("│ algo=dpo ") > 1
    assert text.count("0.625 ± 0.025") == len(METRICS)
    assert "response_length" in text


def test_brackets_in_a_value_are_not_markup(result):
    text = shown([result({"kl": 1.0}, model__x=[1, 2]), result({"kl": 1.0}, model__x=[3])])
    assert "model.x=[1,2]" in text


def test_unfinished_runs_and_warnings_are_shown(result):
    text = shown(
        [
            result({"kl": 1.0}, fingerprint="a"),
            result({"kl": 1.0}, algo="dpo", fingerprint="b"),
            result(None, error="boom"),
        ]
    )
    assert "warning: the runs used different data" in text
    assert "not finished: " in text
    assert "RuntimeError: boom" in text


def test_nothing_finished_is_said_plainly(result):
    assert "no finished run to compare" in shown([result(None)])
