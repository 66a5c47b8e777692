"""The generated data of the experiments."""

from __future__ import annotations

import pytest
import torch
from safetensors.torch import save_file

from prefrun import ConfigError
from prefrun.testing import check_data
from prefrun_pairwise import shortcut_report
from prefrun_pairwise.rated_letters import LetterJudge, RatedLetters
from prefrun_pairwise.shortcut_pairs import ShortcutPairs
from prefrun_pairwise.world_configs import RatedLettersConfig, ShortcutPairsConfig


@pytest.mark.parametrize("name", ["shortcut_pairs", "rated_letters"])
def test_conformance(name):
    check_data(name, overrides=["records=20", "test_records=8"])


def test_the_shortcut_points_to_the_chosen_answer_of_easy_pairs_only():
    train = ShortcutPairs(ShortcutPairsConfig(records=200, test_records=5)).load(1).train
    for tree in train:
        chosen, rejected = tree.metadata["features"]
        easy = tree.branches[0].scores["overall"] > 0.5
        assert chosen[-1] - rejected[-1] == (3.0 if easy else 0.0)
    shares = [tree.branches[0].scores["overall"] > 0.5 for tree in train]
    assert 0.7 < sum(shares) / len(shares) < 0.9


def test_held_out_shortcuts_are_absent_or_point_the_wrong_way():
    test = ShortcutPairs(ShortcutPairsConfig(records=5, test_records=5)).load(1).test
    shortcuts = {(t.metadata["group"], t.metadata["features"][0][-1]) for t in test}
    assert shortcuts == {("plain", 0.0), ("misleading", -0.5)}


def test_letters_are_judged_by_their_mean_worth():
    trees = RatedLetters(RatedLettersConfig(records=4, test_records=4)).load(0).test
    assert LetterJudge().score(trees[:3], ["hhhhhhhh", "aaaaaaah tail", "hhaa"]) == [7, 7 / 8, 3.5]
    for tree in trees:
        texts = [branch.text for branch in tree.branches]
        assert tree.labels() == pytest.approx(LetterJudge().score([tree] * 4, texts), abs=1e-3)


def test_training_ratings_are_noisy():
    split = RatedLetters(RatedLettersConfig(records=100, test_records=4)).load(0)
    wrong = sum(
        (one - other) * (truth[0] - truth[1]) < 0
        for tree in split.train
        for (one, other), truth in [
            (
                tree.labels()[:2],
                LetterJudge().score([tree] * 2, [b.text for b in tree.branches[:2]]),
            )
        ]
    )
    assert 5 < wrong < 40


def test_the_shortcut_s_weight_is_read_from_a_linear_scorer_only(tmp_path):
    config = {"data": {"shortcut": 3.0}}
    assert shortcut_report._shortcut_weight(tmp_path, config) is None
    file = tmp_path / shortcut_report.SCORER
    file.parent.mkdir()
    weights = {"head.weight": torch.tensor([[1.0, 2.0, 4.5]])}
    save_file(weights, file)
    assert shortcut_report._shortcut_weight(tmp_path, config) == 4.5
    assert shortcut_report._shortcut_weight(tmp_path, {"data": {}}) is None
    save_file({**weights, "body.0.weight": torch.zeros(2, 2)}, file)
    assert shortcut_report._shortcut_weight(tmp_path, config) is None


def test_settings_without_meaning_are_refused():
    for keys in ({"records": 0}, {"norm": 0.0}, {"easy": 1.5}, {"noise": -1.0}):
        with pytest.raises(ConfigError, match=rf"data\.{next(iter(keys))}"):
            ShortcutPairsConfig(**keys)
    with pytest.raises(ConfigError, match=r"data\.noise"):
        RatedLettersConfig(noise=-1.0)
