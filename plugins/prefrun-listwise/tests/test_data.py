"""The generated data sets: what they promise about their records."""

from __future__ import annotations

import pytest
import torch

from prefrun import ConfigError, DataError
from prefrun_listwise.data_config import LatentClassesConfig, RatedItemsConfig, SortDigitsConfig
from prefrun_listwise.latent_classes import LatentClasses
from prefrun_listwise.neighbours import nearest_classes
from prefrun_listwise.rated_items import RatedItems
from prefrun_listwise.sort_digits import SortDigits, judge


@pytest.mark.parametrize(
    ("response", "score"),
    [
        ("12359", 5.5),
        (" 12359\n", 5.5),
        ("12358", 4.0),
        ("123", 3.0),
        ("123599", 5.0),
        ("no", 0.0),
        ("", 0.0),
    ],
)
def test_the_judge_counts_right_places(response, score):
    assert judge("53912=", response) == score


def test_the_judge_refuses_a_prompt_it_does_not_know():
    with pytest.raises(DataError, match="1234="):
        judge("1234=", "1234")


def test_answers_to_sort_have_distinct_scores_and_one_is_right():
    split = SortDigits(SortDigitsConfig(train=40, test=10, candidates=4)).load(0)
    assert split.reward is not None
    for tree in (*split.train, *split.test):
        scores = tree.labels()
        assert len(set(scores)) == 4
        assert max(scores) == 5.5
        texts = [branch.text for branch in tree.branches]
        assert split.reward.score([tree] * 4, texts) == scores
    assert not {t.prompt for t in split.train} & {t.prompt for t in split.test}
    places = {tree.ranks().index(1) for tree in split.train}
    assert places == {0, 1, 2, 3}


def test_another_generator_seed_gives_other_records_and_the_run_seed_does_not():
    first, same, other = (
        SortDigits(SortDigitsConfig(train=5, test=5, generator_seed=generator)).load(seed)
        for generator, seed in ((0, 0), (0, 1), (1, 0))
    )
    assert first.fingerprint == same.fingerprint != other.fingerprint


@pytest.mark.parametrize(
    "source",
    [
        RatedItems(RatedItemsConfig(train=5, test=1)),
        LatentClasses(LatentClassesConfig(train=10, test=5)),
    ],
)
def test_feature_records_are_new_for_every_seed(source):
    assert source.load(0).fingerprint == source.load(0).fingerprint != source.load(1).fingerprint


def test_rated_items_have_a_vector_per_answer_and_two_held_out_domains():
    split = RatedItems(RatedItemsConfig(train=30, test=3)).load(0)
    assert [tree.metadata["group"] for tree in split.test] == ["same"] * 3 + ["shifted"] * 3
    for tree in (*split.train, *split.test):
        features = tree.metadata["features"]
        assert len(features) == len(tree.branches)
        assert {len(vector) for vector in features} == {20}
    ratings = {score for tree in split.train for score in tree.labels()}
    assert ratings <= {1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0}
    assert len(ratings) >= 5


def test_the_shifted_domain_is_stretched():
    split = RatedItems(RatedItemsConfig(train=1, test=20)).load(0)
    lengths = {
        group: torch.tensor(
            [t.metadata["features"] for t in split.test if t.metadata["group"] == group]
        )
        .square()
        .mean()
        .sqrt()
        for group in ("same", "shifted")
    }
    assert lengths["shifted"] / lengths["same"] == pytest.approx(1.1, abs=0.03)


def test_lists_of_tied_ratings_are_left_out_and_counted():
    split = RatedItems(RatedItemsConfig(train=60, list_length=2, test=1)).load(0)
    assert split.counts.skipped > 0
    assert len(split.train) + split.counts.skipped == 60
    assert all(len(set(tree.labels())) == 2 for tree in split.train)


def test_neighbours_of_the_same_class_are_near_in_latent_classes():
    split = LatentClasses(LatentClassesConfig(train=600, test=100)).load(0)
    vectors, classes = (
        torch.tensor([read(tree) for tree in (*split.train, *split.test)])
        for read in (lambda t: t.metadata["vector"], lambda t: t.ranks().index(1))
    )
    found = nearest_classes(vectors[:600], classes[:600], vectors[600:], 20, 0.07)
    accuracy = (found == classes[600:]).double().mean()
    assert 0.4 < accuracy < 0.99


@pytest.mark.parametrize(
    ("schema", "keys", "named"),
    [
        (SortDigitsConfig, {"candidates": 7}, r"data\.candidates"),
        (SortDigitsConfig, {"train": 99_999}, r"100000 different prompts"),
        (SortDigitsConfig, {"test": 0}, r"data\.test"),
        (RatedItemsConfig, {"list_length": 1}, r"data\.list_length"),
        (RatedItemsConfig, {"noise": -1.0}, r"data\.noise"),
        (LatentClassesConfig, {"train": 5}, r"data\.train"),
    ],
)
def test_settings_out_of_range_name_their_key(schema, keys, named):
    with pytest.raises(ConfigError, match=named):
        schema(**keys)
