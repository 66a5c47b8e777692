"""Every known layout is told by its columns, and its answers come in the right order."""

import pytest

from prefrun.errors import ConfigError, DataError
from prefrun.records.columns import Columns
from prefrun.records.config import MappedDataConfig, OnBadRecord
from prefrun.records.dataset import number_rows
from prefrun.records.known_layouts import LAYOUTS
from prefrun.records.layouts import layout_of
from prefrun.records.mapped import mapped_split
from prefrun.records.tree import Message


def user(text):
    return {"role": "user", "content": text}


def said(text):
    return {"role": "assistant", "content": text}


def parts(role, text):
    return {"role": role, "content": [{"type": "text", "text": text, "image": None}]}


def rated(text, score):
    annotations = {"honesty": {"Rating": str(score), "Rationale": "it is so"}}
    return {"response": text, "overall_score": score, "annotations": annotations, "critique": "a b"}


DIALOGUES = {"chosen": [user("q"), said("good")], "rejected": [user("q"), said("bad")]}
PAIR = {"chosen": "good", "rejected": "bad"}
HELPSTEER = dict.fromkeys(("correctness", "coherence", "complexity", "verbosity"), 1)
ROWS = {
    "orca_dpo_pairs": PAIR | {"system": "s", "question": "q"},
    "distilabel_orca": PAIR | {"system": "s", "input": "q", "generations": ["good", "bad"]},
    "ultrainteract_pair": PAIR
    | {"trajectory": [{"from": "user", "value": "q"}], "task": "Coding it"},
    "alpaca_pairs": PAIR | {"instruction": "q", "input": ""},
    "alpaca": {"instruction": "q", "input": "", "output": "good"},
    "alpaca_kto": {"instruction": "q", "input": "", "output": "good", "kto_tag": True},
    "sharegpt_pairs": {
        "conversations": [{"from": "human", "value": "q"}],
        "chosen": {"from": "gpt", "value": "good"},
        "rejected": {"from": "gpt", "value": "bad"},
    },
    "sharegpt": {
        "conversations": [{"from": "human", "value": "q"}, {"from": "gpt", "value": "good"}]
    },
    "sharegpt_kto": {
        "conversations": [{"from": "human", "value": "q"}, {"from": "gpt", "value": "good"}],
        "kto_tag": 1,
    },
    "step_dpo": PAIR | {"prompt": "q", "initial_reason_steps": "Step 1", "full_chosen": "x y"},
    "distilabel_capybara": DIALOGUES
    | {"prompt": "q", "conversation": [], "original_response": "o k", "new_generations": ["a b"]},
    "on_policy_pairs": DIALOGUES | {"prompt": "q", "all_generated_responses": ["good", "bad"]},
    "magpie_pairs": DIALOGUES | {"instruction": "q", "responses": ["good", "bad"]},
    "nectar": {
        "prompt": "\n\nHuman: q\n\nAssistant: ",
        "answers": [
            {"answer": "bad", "rank": 2.0},
            {"answer": "good", "rank": 1.0, "model": "a b"},
        ],
        "num_responses": 2,
        "good_natured": True,
    },
    "helpsteer2": [
        {"prompt": "q", "response": text, "helpfulness": score} | HELPSTEER
        for text, score in [("bad", 0), ("good", 4)]
    ],
    "helpsteer2_preference": {
        "prompt": "q",
        "response_1": "bad",
        "response_2": "good",
        "preference_strength": 2,
        "preference_statement": "the second",
    },
    "helpsteer3": {
        "context": [user("q")],
        "response1": "good",
        "response2": "bad",
        "overall_preference": -3,
        "individual_preference": [{"reasoning": "a b", "score": -3}],
    },
    "saferlhf": {
        "prompt": "q",
        "response_0": "bad",
        "response_1": "good",
        "better_response_id": 1,
        "safer_response_id": 0,
        "is_response_0_safe": True,
        "is_response_1_safe": False,
    },
    "beavertails": {"prompt": "q", "response": "good", "is_safe": True},
    "shp": {"history": "q", "human_ref_A": "bad", "human_ref_B": "good", "labels": 0},
    "arena": {
        "conversation_a": DIALOGUES["rejected"],
        "conversation_b": DIALOGUES["chosen"],
        "winner": "model_b",
    },
    "arena_140k": {
        "conversation_a": [parts("user", "q"), parts("assistant", "good")],
        "conversation_b": [parts("user", "q"), parts("assistant", "bad")],
        "full_conversation": [{"user": parts("user", "q")}],
        "winner": "model_a",
    },
    "summarize_from_feedback": {
        "info": {"post": "q", "title": None, "subreddit": "a b"},
        "summaries": [{"text": "bad", "note": "a b"}, {"text": "good"}],
        "choice": 1,
    },
    "webgpt_comparisons": {
        "question": {"full_text": "q"},
        "quotes_0": {"title": ["a b"]},
        "answer_0": "bad",
        "answer_1": "good",
        "score_0": -1.0,
        "score_1": 1.0,
    },
    "openai_preference": {
        "input": {"messages": [user("q")], "tools": []},
        "preferred_output": [said("good")],
        "non_preferred_output": [said("bad")],
    },
    "swift_pairs": {"messages": DIALOGUES["chosen"], "rejected_response": "bad"},
    "distilabel_pairs": {"instruction": "q", "chosen_response": "good", "rejected_response": "bad"},
    "ultrafeedback": {
        "instruction": "q",
        "models": ["a b"],
        "completions": [rated("bad", 1), rated("good", 5)],
    },
}
SINGLES = ("alpaca", "alpaca_kto", "sharegpt", "sharegpt_kto", "beavertails")


def replaced(value):
    """Return VALUE with the prompt 'r' in place of 'q'."""
    if isinstance(value, dict):
        return {key: replaced(item) for key, item in value.items()}
    if isinstance(value, list):
        return [replaced(item) for item in value]
    return value.replace("q", "r") if value in ("q", "\n\nHuman: q\n\nAssistant: ") else value


def load(rows, held_out=None, **keys):
    """Read ROWS, and the same with another prompt."""
    rows = rows if isinstance(rows, list) else [rows]
    both = [*rows, *replaced(rows)]
    columns = Columns(**keys.pop("columns", {}))
    config = MappedDataConfig(columns=columns, **keys)
    return mapped_split("test", lambda: number_rows("made", both), config, held_out=held_out)


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_layout_is_told_by_its_columns_and_read_right(name):
    rows = ROWS[name] if isinstance(ROWS[name], list) else [ROWS[name]]
    assert layout_of(rows[0], LAYOUTS.values()) is LAYOUTS[name]
    split = load(ROWS[name])
    assert split.note.startswith(f"layout {name} ")
    (tree,) = (tree for tree in (*split.train, *split.test) if tree.id == "made:1")
    assert tree.prompt_text.removesuffix("\nStep 1") == "q"
    texts = [branch.text for branch in tree.branches]
    if name in SINGLES:
        assert texts == ["good"]
        return
    labels = tree.labels()
    assert sorted(texts) == ["bad", "good"]
    assert texts[labels.index(max(labels))] == "good"
    assert labels[0] != labels[1]


def test_no_two_layouts_have_the_same_marks():
    assert len({frozenset(layout.marks) for layout in LAYOUTS.values()}) == len(LAYOUTS)


def test_columns_go_before_those_of_a_named_layout():
    row = ROWS["shp"] | {"score_A": 1, "score_B": 9}
    columns = {"prompt": "history", "scores": ["score_A", "score_B"]}
    tree = load(row, layout="shp", columns=columns).train[0]
    assert [branch.scores["overall"] for branch in tree.branches] == [1, 9]


def test_an_unknown_layout_names_the_closest():
    with pytest.raises(ConfigError, match=r"data\.layout=nektar is none of .* 'nectar'\?"):
        MappedDataConfig(layout="nektar")


def test_a_tie_is_a_bad_record():
    rows = [ROWS["arena"], ROWS["arena"] | {"winner": "tie (bothbad)"}]
    with pytest.raises(DataError, match="field 'winner': all 2 answers have the same rank"):
        load(rows)
    assert load(rows, on_bad_record=OnBadRecord.skip).counts.skipped == 2


def test_a_system_column_beside_text_is_a_chat():
    tree = load(ROWS["orca_dpo_pairs"]).train[0]
    assert tree.prompt[0] == Message("system", "s")
