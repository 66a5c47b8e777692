"""A row that a format does not allow is a DataError that names the field."""

import pytest

from prefrun.errors import DataError
from prefrun.records.converters.hh import from_hh, to_hh
from prefrun.records.converters.lists import from_list, to_list
from prefrun.records.converters.step_trees import from_step_tree
from prefrun.records.converters.trl import detect_format
from prefrun.records.converters.trl_preference import from_implicit, from_preference, to_preference
from prefrun.records.converters.trl_prompt_only import from_prompt_only
from prefrun.records.converters.trl_stepwise import from_stepwise, to_stepwise
from prefrun.records.converters.trl_unpaired import from_unpaired, to_unpaired
from prefrun.records.converters.ultrafeedback import from_ultrafeedback, to_ultrafeedback
from prefrun.records.tree import Branch, Message, PreferenceTree, Step

USER = {"role": "user", "content": "hi"}
ANSWER = {"role": "assistant", "content": "yes"}
HUMAN, GOOD, BAD = "\n\nHuman: hi", "\n\nAssistant: yes", "\n\nAssistant: no"


def completion(**keys):
    return {"instruction": "i", "completions": [{"response": "a", **keys}]}


def rated(rating):
    return completion(annotations={"honesty": {"Rating": rating}})


PAIR = {"prompt": "p", "chosen": "a", "rejected": "b"}
LIST = {"prompt": "p", "responses": ["a", "b"], "scores": [1, 2]}
FAULTS = [
    (from_preference, {**PAIR, "votes": [1, 2, 2]}, "votes", "3 votes for 2 answers"),
    (from_preference, {**PAIR, "votes": [2, -1]}, "votes[1]", "below 0"),
    (from_list, {**LIST, "votes": [2, "two"]}, "votes[1]", "text 'two', not a number"),
    (from_list, {**LIST, "votes": [2]}, "votes", "1 votes for 2 answers"),
    (from_ultrafeedback, {"completions": []}, "instruction", "missing"),
    (from_ultrafeedback, {"instruction": "i", "completion": []}, "completions", "'completion'?"),
    (from_ultrafeedback, {"instruction": ["i"]}, "instruction", "a list, not text"),
    (from_ultrafeedback, {"instruction": "\ud800"}, "instruction", "surrogate"),
    (from_ultrafeedback, {"instruction": "i", "completions": {}}, "completions", "not a list"),
    (from_ultrafeedback, {"instruction": "i", "completions": ["a"]}, "completions[0]", "text"),
    (from_ultrafeedback, completion(response=None), "completions[0].response", "missing"),
    (from_ultrafeedback, completion(response=3), "completions[0].response", "a number, not text"),
    (from_ultrafeedback, completion(model=3), "completions[0].model", "not text"),
    (from_ultrafeedback, completion(overall_score="high"), "completions[0].overall_score", "high"),
    (from_ultrafeedback, completion(overall_score="7.5"), "completions[0].overall_score", "7.5"),
    (from_ultrafeedback, completion(overall_score=True), "completions[0].overall_score", "true"),
    (
        from_ultrafeedback,
        completion(overall_score=10**400),
        "completions[0].overall_score",
        "large",
    ),
    (
        from_ultrafeedback,
        completion(**{"fine-grained_score": float("inf")}),
        "completions[0].fine-grained_score",
        "inf",
    ),
    (from_ultrafeedback, completion(annotations=[]), "completions[0].annotations", "a list"),
    (from_ultrafeedback, rated("good"), "completions[0].annotations.honesty.Rating", "'good'"),
    (from_ultrafeedback, rated("nan"), "completions[0].annotations.honesty.Rating", "nan"),
    (from_hh, {"chosen": HUMAN + GOOD}, "rejected", "missing"),
    (from_hh, {"chosen": "hi", "rejected": HUMAN + BAD}, "chosen", "begin with a turn"),
    (from_hh, {"chosen": HUMAN + GOOD, "rejected": HUMAN}, "rejected", "end with an assistant"),
    (
        from_hh,
        {"chosen": HUMAN + GOOD, "rejected": HUMAN + BAD + HUMAN + GOOD},
        "rejected",
        "differs from 'chosen' at turn 2 of 4 ('chosen' has 2)",
    ),
    (
        from_hh,
        {"chosen": HUMAN + GOOD, "rejected": HUMAN + GOOD + BAD},
        "rejected",
        "differs from 'chosen' at turn 3 of 3",
    ),
    (from_preference, {"prompt": "p", "chosen": "a"}, "rejected", "missing"),
    (from_preference, {"prompt": "p", "chosen": "a", "rejected": 1}, "rejected", "not text"),
    (from_preference, {"chosen": 1, "rejected": "a"}, "chosen", "not text"),
    (from_preference, {"chosen": "a b", "rejected": "a c"}, "prompt", "what the answers reply to"),
    (from_implicit, {"chosen": "a", "rejected": "b"}, "chosen, rejected", "no text in common"),
    (
        from_preference,
        {"prompt": [USER], "chosen": [ANSWER], "rejected": [USER, ANSWER, USER, ANSWER]},
        "rejected",
        "assistant, user, assistant; one assistant message",
    ),
    (
        from_preference,
        {"prompt": [USER], "chosen": [], "rejected": [ANSWER]},
        "chosen",
        "no message",
    ),
    (
        from_preference,
        {"prompt": [USER], "chosen": [{"role": "robot", "content": "a"}], "rejected": [ANSWER]},
        "chosen[0].role",
        "'robot' is not supported",
    ),
    (
        from_preference,
        {"prompt": [USER], "chosen": [ANSWER | {"tool_calls": [1]}], "rejected": [ANSWER]},
        "chosen[0].tool_calls[0]",
        "not an object",
    ),
    (
        from_preference,
        {"prompt": [USER], "chosen": [ANSWER | {"thinking": "x"}], "rejected": [ANSWER]},
        "chosen[0].thinking",
        "not supported",
    ),
    (
        from_preference,
        {
            "prompt": [USER | {"content": [{"type": "image"}, {"type": "text", "text": "a"}]}],
            "chosen": [ANSWER],
            "rejected": "b",
        },
        "prompt[0].content[0]",
        "type 'image', and only text",
    ),
    (
        from_preference,
        {"system": "s", "prompt": [USER | {"role": "system"}], "chosen": "a", "rejected": "b"},
        "system",
        "differs from the system message",
    ),
    (
        from_preference,
        {"prompt": "title", "chosen": [USER, ANSWER], "rejected": [USER, ANSWER]},
        "prompt",
        "stands in no message",
    ),
    (
        from_preference,
        {"prompt": "p", "tools": "[", "chosen": "a", "rejected": "b"},
        "tools",
        "no JSON",
    ),
    (
        from_preference,
        {"prompt": [USER], "chosen": [{"role": "assistant"}], "rejected": [ANSWER]},
        "chosen[0].content",
        "missing",
    ),
    (from_unpaired, {"prompt": "p", "completion": "a", "label": 2}, "label", "2, not true or"),
    (from_unpaired, {"prompt": "p", "completion": "a", "label": "1"}, "label", "text, not true"),
    (from_unpaired, {"messages": [USER], "label": True}, "messages", "no answer of the assistant"),
    (from_prompt_only, {"prompt": 5}, "prompt", "not text"),
    (from_prompt_only, {"prompt": [USER, "x"]}, "prompt[1]", "not an object"),
    (from_stepwise, {"prompt": "p", "completions": ["a"], "labels": []}, "labels", "0 labels"),
    (from_stepwise, {"prompt": "p", "completions": [], "labels": []}, "labels", "0 steps"),
    (from_stepwise, {"prompt": "p", "completions": ["a"], "labels": [2]}, "labels[0]", "true or"),
    (from_list, {"prompt": "p", "responses": ["a"]}, "scores", "neither scores nor ranks"),
    (from_list, {"prompt": "p", "responses": ["a"], "scores": [1, 2]}, "scores", "2 scores for 1"),
    (from_list, {"prompt": "p", "responses": ["a"], "ranks": [0]}, "ranks[0]", "0, not a rank"),
    (from_list, {"prompt": "p", "responses": ["a"], "ranks": [1.5]}, "ranks[0]", "1.5"),
    (from_step_tree, {"prompt": "p", "branches": [], "wieght": 1}, "wieght", "'weight'?"),
    (
        from_step_tree,
        {"prompt": "p", "branches": [{"steps": [], "score": {}}]},
        "branches[0].score",
        "'scores'?",
    ),
    (
        from_step_tree,
        {"prompt": "p", "branches": [{"steps": [{"text": "a", "score": "b"}]}]},
        "branches[0].steps[0].score",
        "not a number",
    ),
]


@pytest.mark.parametrize(("read", "row", "field", "problem"), FAULTS)
def test_a_bad_row_names_its_field(read, row, field, problem):
    with pytest.raises(DataError) as caught:
        read(row, "id")
    assert caught.value.field == field
    assert problem in caught.value.problem


def tree(*answers, prompt="p", ranks=(1, 2, 3), steps=False):
    branches = tuple(
        Branch(tuple(map(Step, answer)) if steps else (Step(answer),), rank=rank)
        for answer, rank in zip(answers, ranks, strict=False)
    )
    return PreferenceTree("id", prompt, branches)


UNHOLDABLE = [
    (to_preference, tree("a", "b", "c"), "a pair holds two"),
    (to_preference, tree("a", "b", ranks=(1, 1)), "equally good"),
    (to_hh, tree("a", "b", prompt=(Message("system", "s"),)), "no system message"),
    (to_hh, tree("a", f"b{HUMAN}"), "begins a turn"),
    (to_unpaired, tree("a"), "overall score 0 or 1"),
    (to_stepwise, tree("ab", steps=True), "parted by line ends"),
    (to_list, tree("a", "b", ranks=(1, None)), "nor a rank for every answer"),
    (to_ultrafeedback, tree("a", prompt=(Message("user", "x"),) * 2), "one user message"),
]


@pytest.mark.parametrize(("write", "held", "problem"), UNHOLDABLE)
def test_what_a_format_cannot_hold_is_refused(write, held, problem):
    with pytest.raises(DataError, match=problem) as caught:
        write(held)
    assert caught.value.record == "id"


def test_the_better_answer_is_chosen_wherever_it_stands():
    row = to_preference(tree("worse", "better", ranks=(2, 1)))
    assert (row["chosen"], row["rejected"]) == ("better", "worse")


def test_an_implicit_prompt_ends_before_the_space():
    found = from_implicit({"chosen": "The sky is blue.", "rejected": "The sky is green."}, "id")
    assert found.prompt == "The sky is"
    assert [branch.text for branch in found.branches] == [" blue.", " green."]


def test_a_text_title_beside_dialogues_is_no_prompt():
    row = {
        "prompt": " hi",
        "chosen": [USER, ANSWER],
        "rejected": [USER, ANSWER | {"content": ""}],
    }
    found = from_preference(row, "id")
    assert found.prompt == (Message("user", "hi"),)
    assert found.metadata == {"prompt": " hi"}


def test_hh_turns_become_messages():
    row = {"chosen": HUMAN + GOOD + HUMAN + GOOD, "rejected": HUMAN + GOOD + HUMAN + BAD}
    found = from_hh(row, "id")
    assert [message.role for message in found.prompt] == ["user", "assistant", "user"]
    assert [(branch.text, branch.rank) for branch in found.branches] == [("yes", 1), ("no", 2)]


def test_ultrafeedback_scores_by_objective():
    row = completion(model="m", overall_score=7, **{"fine-grained_score": 4.25}) | {}
    row["completions"][0]["annotations"] = {
        "honesty": {"Rating": "5", "Rationale": "r"},
        "helpfulness": {"Rating": "N/A"},
        "truthfulness": None,
    }
    branch = from_ultrafeedback(row, "id").branches[0]
    assert branch.scores == {"overall": 7, "fine_grained": 4.25, "honesty": 5.0}
    assert branch.source == "m"


@pytest.mark.parametrize(
    ("keys", "name"),
    [
        ("prompt chosen rejected", "preference"),
        ("chosen rejected score_chosen", "preference"),
        ("prompt completion label", "unpaired"),
        ("prompt completions labels", "stepwise"),
        ("prompt solution", "prompt_only"),
        ("prompt rejected", None),
        ("prompt completion", "demonstration"),
        ("messages", "demonstration"),
        ("messages label", "unpaired"),
        ("prompt responses scores", "list"),
        ("prompt label", None),
        ("text", None),
    ],
)
def test_a_format_is_told_by_its_keys(keys, name):
    found = detect_format(dict.fromkeys(keys.split(), "x") | {"absent": None})
    assert (found and found.name) == name
