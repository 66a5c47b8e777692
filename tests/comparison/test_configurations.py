"""Which runs share a row, and the row's name."""

from __future__ import annotations

from prefrun.comparison.configurations import group_runs


def groups(*runs):
    return {label: [run.seed for run in members] for label, members in group_runs(runs).items()}


def test_seeds_share_a_row_and_algorithms_name_it(result):
    runs = [
        result({"kl": 1.0}, algo=algo, seed=seed) for seed in (1, 2) for algo in ("lipo", "dpo")
    ]
    assert groups(*runs) == {"algo=lipo": [1, 2], "algo=dpo": [1, 2]}


def test_cosmetic_keys_make_no_row(result):
    runs = [
        result({"kl": 1.0}, seed=1),
        result({"kl": 1.0}, seed=2, tracker={"mode": "offline"}),
        result({"kl": 1.0}, seed=3, cache__dir="/elsewhere"),
        result({"kl": 1.0}, seed=4, output_dir="/elsewhere"),
    ]
    assert groups(*runs) == {"algo=lipo": [1, 2, 3, 4]}


def test_only_keys_that_differ_are_named(result):
    runs = [
        result({"kl": 1.0}, trainer__learning_rate=1e-3),
        result({"kl": 1.0}, trainer__learning_rate=3e-5),
    ]
    assert list(groups(*runs)) == ["trainer.learning_rate=0.001", "trainer.learning_rate=3e-05"]


def test_several_keys_are_named_together(result):
    runs = [
        result({"kl": 1.0}),
        result({"kl": 1.0}, trainer__learning_rate=0.01),
        result({"kl": 1.0}, algo="dpo"),
    ]
    assert list(groups(*runs)) == [
        "algo=lipo trainer.learning_rate=0.001",
        "algo=lipo trainer.learning_rate=0.01",
        "algo=dpo trainer.learning_rate=0.001",
    ]


def test_keys_of_one_algorithm_are_named_only_in_its_rows(result):
    runs = [
        result({"kl": 1.0}, algo__loss="lambda"),
        result({"kl": 1.0}, algo__loss="list_mle"),
        result({"kl": 1.0}, algo="dpo"),
    ]
    assert list(groups(*runs)) == [
        "algo=lipo algo.loss=lambda",
        "algo=lipo algo.loss=list_mle",
        "algo=dpo",
    ]


def test_values_are_written_as_one_types_them(result):
    values = [None, True, [0.1, 2], "text"]
    runs = [result({"kl": 1.0}, model__x=value) for value in values]
    assert list(groups(*runs)) == [
        "model.x=null",
        "model.x=true",
        "model.x=[0.1,2]",
        "model.x=text",
    ]


def test_a_key_that_only_some_runs_have_tells_them_apart(result):
    runs = [result({"kl": 1.0}), result({"kl": 1.0}, trainer__packing=True)]
    assert list(groups(*runs)) == ["algo=lipo", "trainer.packing=true"]
