"""Labels, ranks and validation of the record type."""

import math

import pytest

from prefrun.errors import DataError
from prefrun.records.tree import Branch, Message, PreferenceTree, Step


def branch(text, **keys):
    return Branch((Step(text),), **keys)


def test_labels_are_scores_where_all_have_them_else_negated_ranks():
    both = (
        branch("a", scores={"overall": 3.0}, rank=2),
        branch("b", scores={"overall": 5}, rank=1),
    )
    tree = PreferenceTree("id", "p", both)
    assert tree.labels() == [3.0, 5.0]
    assert tree.labels("style") == [-2.0, -1.0]


def test_ties_share_the_smallest_rank():
    scores = {"a": 1, "b": 2, "c": 2, "d": 3}
    answers = tuple(branch(text, scores={"overall": score}) for text, score in scores.items())
    assert PreferenceTree("id", "p", answers).ranks() == [4, 2, 2, 1]


def test_a_missing_objective_names_the_known_ones():
    tree = PreferenceTree("id", "p", (branch("a", scores={"style": 1.0}), branch("b")))
    with pytest.raises(DataError, match=r"record id.*'overall'.*\n.*\['style'\]"):
        tree.labels()


def test_the_prompt_text_of_a_chat_is_its_last_user_message():
    chat = (Message("user", "one"), Message("assistant", "two"), Message("user", "three"))
    assert PreferenceTree("id", chat).prompt_text == "three"
    assert PreferenceTree("id", "text").prompt_text == "text"


def test_a_branch_is_its_steps_joined():
    assert Branch((Step("a\n"), Step("b"))).text == "a\nb"


@pytest.mark.parametrize(
    ("tree", "field"),
    [
        (PreferenceTree("id", " "), "prompt"),
        (PreferenceTree("id", (Message("system", "s"),)), "prompt"),
        (PreferenceTree("id", "p", (branch("a"),)), "branches"),
        (PreferenceTree("id", "p", (branch("a"), branch("a"))), "branches[1]"),
        (PreferenceTree("id", "p", (branch("a"), Branch(()))), "branches[1].steps"),
        (
            PreferenceTree("id", "p", (branch("a", scores={"x": math.nan}), branch("b"))),
            "branches[0].scores.x",
        ),
        (
            PreferenceTree("id", "p", (Branch((Step("a", math.inf),)), branch("b"))),
            "branches[0].steps[0].score",
        ),
        (PreferenceTree("id", "p", (branch("a", rank=0), branch("b"))), "branches[0].rank"),
        (PreferenceTree("id", "p", (branch("a", weight=-1), branch("b"))), "branches[0].weight"),
        (PreferenceTree("id", "p", (branch("a"), branch("b", votes=-1))), "branches[1].votes"),
        (PreferenceTree("id", "p", (branch("a"), branch("b", votes=True))), "branches[1].votes"),
        (PreferenceTree("id", "p", (branch("a"), branch("b")), weight=math.nan), "weight"),
        (PreferenceTree("id", "p", (branch("a"), branch("b", prompt=" "))), "branches[1].prompt"),
        (
            PreferenceTree("id", "p", (branch("a", prompt="q"), branch("a", prompt="q"))),
            "branches[1]",
        ),
    ],
)
def test_an_unusable_tree_names_its_field(tree, field):
    with pytest.raises(DataError) as caught:
        tree.validate(min_branches=2)
    assert (caught.value.record, caught.value.field) == ("id", field)


def test_one_answer_to_two_prompts_is_two_answers():
    PreferenceTree("id", "p", (branch("a"), branch("a", prompt="q"))).validate(min_branches=2)


def test_a_record_of_many_answers_is_checked_in_one_pass():
    many = 10_000  # comparing every answer with every other one would take minutes
    branches = tuple(
        Branch((Step(f"{'x' * 200} {n}"),), {"overall": n % 5}, tool_calls="[]" * (n == 1))
        for n in range(many)
    )
    tree = PreferenceTree("t", "p", branches)
    tree.validate(2)
    assert tree.ranks()[:5] == [8001, 6001, 4001, 2001, 1]
    with pytest.raises(DataError, match=r"the same answer as branches\[7\]"):
        PreferenceTree("t", "p", (*branches, branches[7])).validate(2)


def test_answers_that_call_different_tools_differ():
    answers = [Branch((Step(""),), tool_calls=f'[{{"name": "{name}"}}]') for name in "ab"]
    PreferenceTree("t", "p", tuple(answers)).validate(2)
    with pytest.raises(DataError, match="the same answer"):
        PreferenceTree("t", "p", (answers[0], answers[0])).validate(2)
