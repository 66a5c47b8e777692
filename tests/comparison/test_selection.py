"""The configuration a validation half of the prompts chooses."""

from __future__ import annotations

from prefrun.comparison.compare import compare
from prefrun.comparison.files import to_markdown
from prefrun.comparison.selection import Selection, select


def run(result, values, seed=1, **options):
    mean = sum(values) / len(values)
    return result({"win_rate": mean}, per_record={"win_rate": values}, seed=seed, **options)


def test_the_even_places_choose_and_the_odd_ones_report(result):
    groups = {
        "lucky": [run(result, [1.0, 0.0, 1.0, 0.0])],
        "steady": [run(result, [0.9, 0.9, 0.9, 0.9])],
    }
    assert select(groups, "win_rate", "max") == Selection("lucky", 1.0, 0.0)
    assert select(groups, "win_rate", "min").label == "steady"


def test_seeds_are_averaged(result):
    groups = {
        "one": [run(result, [1.0, 0.0], 1), run(result, [0.0, 1.0], 2)],
        "two": [run(result, [0.6, 0.2], 1), run(result, [0.6, 0.4], 2)],
    }
    found = select(groups, "win_rate", "max")
    assert (found.label, found.validation) == ("two", 0.6)
    assert abs(found.test - 0.3) < 1e-9


def test_nothing_is_chosen_without_values_by_prompt_a_direction_or_a_rival(result):
    one, bare = [run(result, [1.0, 0.0])], [result({"win_rate": 0.5})]
    assert select({"one": one, "bare": bare}, "win_rate", "max") is None
    assert select({"one": one, "two": one}, "win_rate", "none") is None
    assert select({"one": one}, "win_rate", "max") is None


def test_a_comparison_over_different_data_chooses_nothing(result, tmp_path):
    runs = [
        run(result, [1.0, 0.0], algo=a, fingerprint=f) for a, f in [("lipo", "a"), ("dpo", "b")]
    ]
    assert compare(runs).selected == {}
    runs = [run(result, [1.0, 0.0], algo=algo) for algo in ("lipo", "dpo")]
    comparison = compare(runs)
    assert comparison.selected["win_rate"].label == "algo=lipo"
    text = to_markdown(comparison, tmp_path)
    assert "| algo=lipo | 1 | **0.500** † |" in text
    assert "† is what a validation half" in text
    assert "| win_rate ↑ | algo=lipo | 1.000 | 0.000 |" in text
