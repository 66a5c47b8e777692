"""The algorithms and data sets against the conformance kit."""

from __future__ import annotations

import pytest

from prefrun.testing import algorithm_checks, check_algorithm, check_data

CHECKS = [
    *algorithm_checks("pro_ranking"),
    *algorithm_checks("ranklist"),
    *algorithm_checks("groco"),
    *algorithm_checks("groco_views"),
]


@pytest.mark.parametrize("check", CHECKS)
def test_conformance(check):
    check()


@pytest.mark.parametrize(
    ("name", "overrides"),
    [
        ("pro_ranking", ["use_temperature=false"]),
        ("pro_ranking", ["length_normalise=false"]),
        ("pro_ranking", ["ranking=false"]),
        ("pro_ranking", ["eps=1e-10"]),
        ("ranklist", ["mode=exact", "reduction=mean_pairs"]),
        ("ranklist", ["score=mean_logp", "max_skip=1"]),
        ("ranklist", ["start_skip=2", "steps_per_skip=5", "skip_decay=0.5"]),
        ("groco", ["threshold=0.5", "steepness=5.0"]),
        ("groco", ["topk_neg=1"]),
        ("groco", ["topk_neg=null"]),
    ],
)
def test_other_settings_conform(name, overrides):
    check_algorithm(name, overrides=overrides)


@pytest.mark.parametrize(
    ("name", "overrides"),
    [
        ("sort_digits", ["train=30", "test=10"]),
        ("rated_items", ["train=10", "test=2"]),
        ("latent_classes", ["train=30", "test=10"]),
    ],
)
def test_data_conform(name, overrides):
    check_data(name, overrides=overrides)
