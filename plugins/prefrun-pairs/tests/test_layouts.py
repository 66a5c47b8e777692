"""Public layouts, recreated with their exact columns: each is read right, or refused by name."""

import json
from pathlib import Path

import pytest

from prefrun.errors import DataError
from prefrun.records.config import OnBadRecord
from prefrun_pairs.config import TrlConfig
from prefrun_pairs.data import TrlRecords

FOLDER = Path(__file__).with_name("layouts")
PLAIN = [
    json.loads(line)
    for line in (FOLDER / "llamafactory_alpaca_pref.jsonl").read_text().splitlines()
]
ANSWERS = {row["instruction"]: (row["chosen"], row["rejected"]) for row in PLAIN}
"""The better and the worse answer to each question that the files ask."""

CHATS = [
    "Anthropic_hh_rlhf",
    "H4_ultrafeedback_binarized",
    "Intel_orca_dpo_pairs",
    "Intel_orca_dpo_pairs_same_prefix",
    "Skywork_80K",
    "argilla_dpo_mix_7k",
    "argilla_uf_cleaned",
    "berkeley_Nectar",
    "capybara_multi_turn",
    "llamafactory_sharegpt",
    "lmarena_human_preference_140k",
    "openai_preference",
    "plain_question_answers_tools_column",
    "princeton_llama3_ultrafeedback",
    "prompt_messages_answers_text",
    "prompt_messages_answers_text_same_prefix",
    "prompt_text_answers_messages",
    "system_column_and_prompt",
    "trl_hh_helpful_base",
    "trl_kto_mix_14k",
    "trl_ultrafeedback_binarized",
    "tulu3_8b_preference_mixture",
]
LISTS = {"berkeley_Nectar": 3, "openbmb_UltraFeedback": 4}
SINGLES = ("kto_int_label", "trl_kto_mix_14k")
OTHERS = ("lmarena_human_preference_140k", "Math_Step_DPO_10K", "trl_math_shepherd", "trl_rlaif_v")
"""Those with questions or faults of their own."""
PAIRS = sorted(
    path.stem
    for path in FOLDER.glob("*.jsonl")
    if path.stem not in (*OTHERS, *SINGLES) and "same_prefix" not in path.stem
)


def load(stem, **keys):
    path = FOLDER / f"{stem}.jsonl"
    return TrlRecords(TrlConfig(path=str(path), **keys)).load(0)


def trees_of(stem, **keys):
    split = load(stem, on_bad_record=OnBadRecord.skip, **keys)
    return [*split.train, *split.test]


def question_of(tree):
    return next(question for question in ANSWERS if question in tree.prompt_text)


@pytest.mark.parametrize("stem", PAIRS)
def test_the_prompt_is_the_question_and_the_better_answer_is_preferred(stem):
    trees = trees_of(stem)
    if stem == "Anthropic_hh_rlhf":  # its rows 6 to 8 ask something else in their last turn
        trees = [tree for tree in trees if tree.prompt_text in ANSWERS]
    assert len(trees) >= 5
    for tree in trees:
        good, bad = ANSWERS[question_of(tree)]
        labels = tree.labels()
        texts = [branch.text.strip() for branch in tree.branches]
        assert len(texts) == LISTS.get(stem, 2)
        assert texts[labels.index(max(labels))] == good
        assert texts[labels.index(min(labels))] == bad
        assert isinstance(tree.prompt, str) == (stem not in CHATS)


@pytest.mark.parametrize("stem", SINGLES)
def test_single_answers_are_good_or_bad(stem):
    for tree in trees_of(stem):
        (branch,) = tree.branches
        good = ANSWERS[question_of(tree)][0]
        assert branch.scores == {"overall": float(branch.text == good)}


def test_answers_that_begin_alike_keep_their_beginning():
    for stem, text in [
        ("Intel_orca_dpo_pairs_same_prefix", "The answer is"),
        ("prompt_messages_answers_text_same_prefix", "The answer is"),
    ]:
        for tree in trees_of(stem):
            assert text not in str(tree.prompt)
            assert all(branch.text.startswith(text) for branch in tree.branches)


def test_system_columns_become_system_messages():
    roles = {tree.prompt[0].role for tree in trees_of("system_column_and_prompt")}
    assert roles == {"system"}
    orca = {tree.prompt[0].role for tree in trees_of("Intel_orca_dpo_pairs")}
    assert orca == {"system", "user"}  # some rows have an empty one


def test_tools_are_kept_for_the_chat_template():
    for tree in trees_of("plain_question_answers_tools_column"):
        assert json.loads(tree.tools)[0]["function"]["name"] == "f"


def test_earlier_turns_are_part_of_the_prompt():
    roles = [message.role for message in trees_of("capybara_multi_turn")[0].prompt]
    assert roles == ["user", "assistant", "user"]


def test_the_first_steps_stand_behind_the_question_and_are_not_scored():
    tree = trees_of("Math_Step_DPO_10K")[0]
    start = "What is 1 + 1 + 1?\nLet's think step by step.\nStep 1: 1 + 1 = 2.\nStep 2:"
    assert tree.prompt == start
    assert [branch.text for branch in tree.branches] == [" 2 + 1 = 3.", " 2 + 1 = 4."]
    chat = trees_of("Math_Step_DPO_10K", chat=True)[0].prompt
    assert [message.role for message in chat] == ["user", "assistant"]


def test_the_winner_of_an_arena_is_preferred_and_ties_are_left_out():
    trees = trees_of("lmarena_human_preference_140k")
    assert [tree.ranks() for tree in trees if tree.id[-2:] in (":1", ":5")] == [[1, 2]] * 2
    assert [tree.ranks() for tree in trees if tree.id[-2:] in (":2", ":6")] == [[2, 1]] * 2
    assert len(trees) == 4
    assert [branch.text for branch in trees[0].branches] == list(ANSWERS["Name a colour."])


def test_rows_of_one_prompt_are_one_record():
    split = load("nvidia_HelpSteer2")
    assert split.counts.used == 8
    tree = split.train[0]
    assert [branch.scores["overall"] for branch in tree.branches] == [4, 0]
    assert tree.labels("correctness") == [4.0, 0.0]


def test_ratings_are_objectives():
    tree = trees_of("openbmb_UltraFeedback", objective="honesty")[0]
    assert tree.labels("honesty") == [5.0, 1.0, 3.0, 2.0]
    safe = trees_of("PKU_SafeRLHF")[0]
    assert safe.labels("safety") == [1.0, 0.0]


@pytest.mark.parametrize(
    ("stem", "problem"),
    [
        ("trl_rlaif_v", "field 'images': holds pictures or sound"),
        ("lmarena_human_preference_140k", "field 'winner': all 2 answers have the same rank"),
        ("Anthropic_hh_rlhf", "field 'rejected': the answer is empty"),
    ],
)
def test_what_cannot_be_read_is_refused_by_name(stem, problem):
    with pytest.raises(DataError, match=problem):
        load(stem)


def test_pictures_inside_messages_are_refused_as_well():
    with pytest.raises(DataError, match=r"type 'image', and only text can be read"):
        load("trl_rlaif_v", ignore_columns=["images"])


def test_the_layout_is_named():
    assert load("stanfordnlp_SHP").note.startswith("layout shp (stanfordnlp/SHP): prompt=history")
    assert "as data=hh reads them" in load("Anthropic_hh_rlhf", on_bad_record=OnBadRecord.skip).note
