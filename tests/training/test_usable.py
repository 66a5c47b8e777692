"""Records that say nothing after template and truncation are refused or skipped, and counted."""

from __future__ import annotations

import re
from types import SimpleNamespace

import pytest

from prefrun.errors import DataError
from prefrun.models.text import LanguageModel
from prefrun.policy.tokenise import Tokeniser
from prefrun.records.config import OnBadRecord
from prefrun.records.dataset import generated_split
from prefrun.records.tree import Branch, Message, PreferenceTree, Step
from prefrun.training.usable import usable_records
from tests.policy.conftest import CHATML

CONTENT = "{{ m.content }}"
STRIPS_THOUGHTS = CHATML.replace(CONTENT, "{{ m.content.split('</think>')[-1] }}")
TRIMS = CHATML.replace(CONTENT, "{{ m.content | trim }}")
NO_GENERATION_PROMPT = CHATML.split("{% if add_generation_prompt")[0]
NO_END = (
    "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}"
    "{% if add_generation_prompt %}assistant: {% endif %}"
)
THINKS = CHATML.replace(
    CONTENT, "{% if m.role == 'assistant' %}<think>\n</think>\n{% endif %}{{ m.content }}"
)
REFUSES_SYSTEM = (
    "{% if messages[0].role == 'system' %}{{ raise_exception('no system role') }}{% endif %}"
    + CHATML
)


def chat(id, *answers, role="user"):
    """A record with answers of falling quality."""
    branches = tuple(Branch((Step(text),), {"overall": -n}) for n, text in enumerate(answers))
    messages = (Message(role, "be brief"), Message("user", "blue?"))[role == "user" :]
    return PreferenceTree(id, messages, branches)


GOOD = chat("good", "red", "blue")


def read(tokenizer, *train, test=(), length=64, on_bad_record=OnBadRecord.skip):
    data = generated_split("made", train, list(test))
    kind = LanguageModel(SimpleNamespace(tokenizer=tokenizer, name="", fingerprint="", note=""))
    kind.tokeniser = Tokeniser(tokenizer, length)
    return usable_records(kind, data, on_bad_record)


LONG = "the quick brown fox jumps over the lazy dog " * 9
BAD = {
    "thoughts": (
        STRIPS_THOUGHTS,
        chat("bad", "<think>a</think>red", "<think>b</think>red"),
        "chosen and rejected are the same after the chat template",
    ),
    "white space": (
        TRIMS,
        chat("bad", "red", " red\n"),
        "chosen and rejected are the same after the chat template",
    ),
    "of a list": (
        TRIMS,
        chat("bad", "blue", "red", "red "),
        "answers 2 and 3 of 3 are the same after the chat template",
    ),
    "truncation": (
        CHATML,
        chat("bad", LONG + "red", LONG + "blue"),
        "chosen and rejected are the same after truncation to trainer.max_length=64",
    ),
    "all dropped": (
        STRIPS_THOUGHTS,
        chat("bad", "red", "<think>blue</think>"),
        "the chat template leaves nothing of the answer",
    ),
    "empty": (CHATML, chat("bad", "red", " \n"), "the answer is empty"),
    "refused": (REFUSES_SYSTEM, chat("bad", "red", "blue", role="system"), "no system role"),
}


@pytest.mark.parametrize("held_out", [False, True])
@pytest.mark.parametrize("kind", BAD)
def test_a_record_that_says_nothing_is_skipped_and_counted(make_tokenizer, kind, held_out):
    template, bad, reason = BAD[kind]
    parts = ([GOOD], [GOOD, bad]) if held_out else ([GOOD, bad], [GOOD])
    used = read(make_tokenizer(template), *parts[0], test=parts[1])
    assert [*used.split.train, *used.split.test] == [GOOD, GOOD]
    assert (used.split.counts.used, used.split.counts.skipped) == (2, 1)
    assert used.split.counts.problems == list(used.problems)
    (problem,) = used.problems
    assert "record bad" in problem
    assert reason in problem
    assert used.split.fingerprint != used.given.fingerprint
    assert list(used.encoded) == [id(GOOD)]


@pytest.mark.parametrize("kind", BAD)
@pytest.mark.parametrize("on_bad_record", [OnBadRecord.error, None])
def test_else_it_ends_the_run_and_names_the_record(make_tokenizer, kind, on_bad_record):
    template, bad, reason = BAD[kind]
    with pytest.raises(DataError, match=rf"record bad.*{reason}") as caught:
        read(make_tokenizer(template), GOOD, bad, on_bad_record=on_bad_record)
    assert ("data.on_bad_record=skip" in str(caught.value)) == (on_bad_record is not None)


def test_if_none_is_left_the_last_reason_is_told(make_tokenizer):
    template, bad, reason = BAD["white space"]
    with pytest.raises(DataError, match=rf"none of 1 held-out record.*record bad.*{reason}"):
        read(make_tokenizer(template), GOOD, test=[bad])


def test_records_without_or_with_one_answer_and_own_prompts_stay(tokenizer):
    twice = tuple(Branch((Step("red"),), prompt=prompt) for prompt in ("up:", "down:"))
    trees = [chat("none"), chat("one", "red"), PreferenceTree("own", "unused", twice)]
    used = read(tokenizer, *trees)
    assert used.split.fingerprint == used.given.fingerprint
    assert list(used.split.train) == trees


def test_own_prompts_that_are_equal_after_all_are_refused(tokenizer):
    twice = tuple(Branch((Step("red"),), prompt=f"{way} {LONG}") for way in ("up", "down"))
    with pytest.raises(DataError, match="same after truncation"):
        read(tokenizer, PreferenceTree("own", "unused", twice), on_bad_record=None)


NOTES = {
    "sound": (CHATML, [GOOD], []),
    "no generation prompt": (
        NO_GENERATION_PROMPT,
        [GOOD],
        [r"has no generation prompt, but begins answers with '<\|im_start\|>assistant\\n'"],
    ),
    "thoughts": (THINKS, [GOOD], [r"^begins answers with '<think>\\n</think>\\n'"]),
    "no end": (NO_END, [GOOD], ["ends answers without an end token"]),
    "date": ("{{ strftime_now('%Y') }}" + CHATML, [GOOD], ["26 Jul 2024 in every run"]),
    "trims": (
        TRIMS,
        [GOOD, chat("a", " red", "blue"), chat("b", "red", "blue ")],
        ["trims white space around answers in 2 of 3 records, such as a"],
    ),
    "drops": (
        STRIPS_THOUGHTS,
        [GOOD, chat("a", "<think>x</think>red", "blue")],
        ["drops or rewrites part of answers in 1 of 2 records, such as a"],
    ),
    "plain": (CHATML, [PreferenceTree("p", "go:", GOOD.branches)], ["not applied"]),
    "no template": (None, [PreferenceTree("p", "go:", GOOD.branches)], []),
}


@pytest.mark.parametrize("kind", NOTES)
def test_what_a_template_does_is_said(make_tokenizer, kind):
    template, trees, expected = NOTES[kind]
    notes = read(make_tokenizer(template), *trees).notes
    assert len(notes) == len(expected)
    for note, pattern in zip(notes, expected, strict=True):
        assert re.search(pattern, note)
