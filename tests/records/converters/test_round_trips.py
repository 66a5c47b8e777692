"""What a format can hold comes back: row -> tree -> row, and tree -> row -> tree."""

import json
from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from prefrun.records.converters.hh import from_hh, to_hh
from prefrun.records.converters.lists import from_list, to_list
from prefrun.records.converters.step_trees import from_step_tree, to_step_tree
from prefrun.records.converters.trl_preference import from_implicit, from_preference, to_preference
from prefrun.records.converters.trl_prompt_only import from_prompt_only, to_prompt_only
from prefrun.records.converters.trl_stepwise import from_stepwise, to_stepwise
from prefrun.records.converters.trl_unpaired import from_unpaired, to_unpaired
from prefrun.records.converters.ultrafeedback import (
    ASPECTS,
    from_ultrafeedback,
    to_ultrafeedback,
)
from prefrun.records.tree import Branch, Message, PreferenceTree, Step

quick = settings(max_examples=60, deadline=None, derandomize=True)

texts = st.text(max_size=12)
numbers = st.integers(-(10**6), 10**6) | st.floats(allow_nan=False, allow_infinity=False)
plain = st.none() | st.booleans() | st.integers() | texts
# Keys that no format uses, so that they belong to the metadata.
metadata = st.dictionaries(texts.map("extra {}".format), plain | st.lists(plain), max_size=2)
chats = st.lists(
    st.builds(Message, st.sampled_from(["system", "user", "assistant"]), texts), max_size=4
).map(tuple)
prompts = texts | chats
distinct = st.lists(texts, min_size=2, max_size=2, unique=True)


def pair(answers):
    return Branch((Step(answers[0]),), rank=1), Branch((Step(answers[1]),), rank=2)


pairs = st.builds(PreferenceTree, st.just("id"), prompts, distinct.map(pair), metadata=metadata)


def voted(tree, votes):
    branches = [replace(one, votes=count) for one, count in zip(tree.branches, votes, strict=True)]
    return replace(tree, branches=tuple(branches))


voted_pairs = st.builds(voted, pairs, st.tuples(*[st.integers(0, 9) | st.floats(0, 9)] * 2))


def through_json(row):
    """Return ROW as a file would give it back; so a converter may write plain JSON only."""
    return json.loads(json.dumps(row))


def check_tree(tree, write, read):
    """Assert tree -> row -> tree, and that the row comes back as well."""
    row = through_json(write(tree))
    again = read(row, tree.id)
    assert again == tree
    assert through_json(write(again)) == row


@quick
@given(pairs | voted_pairs)
def test_preference_with_a_prompt(tree):
    check_tree(tree, to_preference, from_preference)


@quick
@given(pairs, texts.filter(len))
def test_an_implicit_prompt_keeps_every_character(tree, prompt):
    tree = replace(tree, prompt=prompt + "x")
    row = through_json(to_preference(tree, implicit=True))
    again = from_implicit(row, tree.id)
    assert through_json(to_preference(again, implicit=True)) == row


@quick
@given(chats.filter(len), distinct)
def test_an_implicit_chat_prompt_is_the_shared_messages(prompt, answers):
    tree = PreferenceTree("id", prompt, pair(answers))
    assert from_preference(through_json(to_preference(tree, implicit=True)), "id") == tree


@quick
@given(prompts, texts, st.booleans(), metadata)
def test_unpaired(prompt, text, good, extra):
    branch = Branch((Step(text),), {"overall": float(good)})
    check_tree(PreferenceTree("id", prompt, (branch,), metadata=extra), to_unpaired, from_unpaired)


@quick
@given(prompts, metadata)
def test_prompt_only(prompt, extra):
    check_tree(PreferenceTree("id", prompt, metadata=extra), to_prompt_only, from_prompt_only)


@quick
@given(prompts, st.lists(st.tuples(texts, st.booleans()), min_size=1, max_size=4), metadata)
def test_stepwise(prompt, steps, extra):
    row = {
        **extra,
        "prompt": prompt if isinstance(prompt, str) else to_prompt_only_prompt(prompt),
        "completions": [text for text, _ in steps],
        "labels": [label for _, label in steps],
    }
    tree = from_stepwise(row, "id")
    assert tree.branches[0].text == "\n".join(row["completions"])
    assert to_stepwise(tree) == row
    check_tree(tree, to_stepwise, from_stepwise)


def to_prompt_only_prompt(prompt):
    return to_prompt_only(PreferenceTree("id", prompt))["prompt"]


@quick
@given(
    prompts,
    st.lists(st.tuples(texts, numbers, st.integers(1, 9)), min_size=1, max_size=4),
    st.sampled_from(["scores", "ranks", "both"]),
    metadata,
)
def test_lists(prompt, answers, kind, extra):
    branches = tuple(
        Branch(
            (Step(text),),
            {} if kind == "ranks" else {"overall": score},
            None if kind == "scores" else rank,
            votes=None if kind == "both" else rank,
        )
        for text, score, rank in answers
    )
    check_tree(PreferenceTree("id", prompt, branches, metadata=extra), to_list, from_list)


branches = st.builds(
    Branch,
    st.lists(st.builds(Step, texts, st.none() | numbers), min_size=1, max_size=3).map(tuple),
    st.dictionaries(texts, numbers, max_size=3),
    st.none() | st.integers(1, 9),
    weight=st.floats(0, 100),
    source=st.none() | texts,
    prompt=st.none() | prompts,
    score_prompt=st.booleans(),
    votes=st.none() | st.floats(0, 9),
    role=texts,
)


@quick
@given(
    st.builds(
        PreferenceTree,
        st.just("id"),
        prompts,
        st.lists(branches, max_size=3).map(tuple),
        st.floats(0, 100),
        st.none() | texts,
        metadata,
    )
)
def test_step_trees_hold_everything_but_the_id(tree):
    check_tree(tree, to_step_tree, from_step_tree)


def test_a_step_tree_writes_arrays_as_lists():
    tree = PreferenceTree("id", "p", metadata={"features": np.eye(2), "more": [np.ones(1)]})
    row = through_json(to_step_tree(tree))
    assert row["metadata"] == {"features": [[1.0, 0.0], [0.0, 1.0]], "more": [[1.0]]}


def turns(role):
    said = texts.filter(lambda text: "\n\nHuman:" not in text and "\n\nAssistant:" not in text)
    return st.builds(Message, st.just(role), said)


@quick
@given(
    st.lists(st.tuples(turns("user"), turns("assistant")), max_size=2),
    turns("user"),
    st.lists(turns("assistant"), min_size=2, max_size=2, unique_by=lambda turn: turn.content),
    metadata,
)
def test_hh(earlier, question, answers, extra):
    prompt = (*(turn for both in earlier for turn in both), question)
    branches = pair([answer.content for answer in answers])
    check_tree(PreferenceTree("id", prompt, branches, metadata=extra), to_hh, from_hh)


ratings = st.integers(1, 5).map(str) | st.sampled_from(["N/A", "4.5"])
annotations = st.fixed_dictionaries({"Rating": ratings, "Rationale": texts}) | st.none()
completions = st.fixed_dictionaries(
    {"response": texts},
    optional={
        "model": texts | st.none(),
        "principle": texts,
        "critique": texts,
        "overall_score": numbers | st.none(),
        "fine-grained_score": numbers,
        "annotations": st.none()
        | st.fixed_dictionaries({}, optional=dict.fromkeys(ASPECTS, annotations)),
    },
)


@quick
@given(texts, st.lists(completions, max_size=4), metadata)
def test_ultrafeedback(instruction, answers, extra):
    row = {"source": "x", **extra, "instruction": instruction, "completions": answers}
    tree = from_ultrafeedback(row, "id")
    assert to_ultrafeedback(tree) == row
    check_tree(tree, to_ultrafeedback, from_ultrafeedback)


@quick
@given(texts, st.lists(st.tuples(texts, numbers, st.integers(1, 5)), min_size=1, max_size=4))
def test_a_tree_from_elsewhere_keeps_its_scores_in_ultrafeedback(instruction, answers):
    branches = tuple(
        Branch((Step(text),), {"overall": score, "honesty": float(rating)}, source="m")
        for text, score, rating in answers
    )
    tree = PreferenceTree("id", (Message("user", instruction),), branches)
    again = from_ultrafeedback(through_json(to_ultrafeedback(tree)), "id")
    assert again.branches == tree.branches
