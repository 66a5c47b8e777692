"""Which runs share a row, and the row's name."""

from __future__ import annotations

import pytest

from prefrun.comparison.configurations import group_runs, label_settings


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


@pytest.mark.parametrize(
    ("one", "two", "words"),
    [
        (0.01000001, 0.01000002, ["0.01000001", "0.01000002"]),
        (0.12345671, 0.12345674, ["0.12345671", "0.12345674"]),
        (0.1, 0.10000000000000002, ["0.1", "0.10000000000000002"]),
        ([0.12345671, 1], [0.12345674, 1], ["[0.12345671,1]", "[0.12345674,1]"]),
        (None, "null", ["null", '"null"']),
        (True, "true", ["true", '"true"']),
        (True, 1, ["true", "1"]),
        (1, 1.0, ["1", "1.0"]),
        (1, "1", ["1", '"1"']),
        ([1, 2], "[1,2]", ["[1, 2]", '"[1,2]"']),
        ("/a/model", "model", ['"/a/model"', '"model"']),
    ],
)
def test_values_that_print_alike_are_two_rows(result, one, two, words):
    runs = [result({"kl": 1.0}, model__x=value) for value in (one, two)]
    assert list(groups(*runs)) == [f"model.x={word}" for word in words]


def test_all_runs_are_in_the_rows_whatever_the_labels(result):
    values = [None, "null", 1, 1.0, True, "true", "1", [1], "[1]", 0.1, 0.1000000001, "0.1"]
    runs = [result({"kl": 1.0}, seed=n, model__x=value) for n, value in enumerate(values)]
    found = groups(*runs)
    assert sorted(seed for seeds in found.values() for seed in seeds) == list(range(len(values)))
    assert len(found) == len(values)


def test_settings_that_are_the_same_are_numbered():
    assert label_settings([{"algo": "dpo"}, {"algo": "dpo"}]) == ["algo=dpo (1)", "algo=dpo (2)"]


def test_paths_are_shown_as_far_as_they_differ(result):
    paths = ["/home/me/one/model", "/home/me/two/model", "/home/me/other"]
    runs = [result({"kl": 1.0}, model__name=path) for path in paths]
    assert list(groups(*runs)) == [
        "model.name=one/model",
        "model.name=two/model",
        "model.name=other",
    ]
