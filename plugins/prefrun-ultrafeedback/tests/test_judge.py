"""The judge: right over wrong, style kept over not, and no reward for degenerate text."""

import random
from itertools import pairwise

import pytest

from prefrun.errors import DataError
from prefrun_ultrafeedback.grades import Manner, write
from prefrun_ultrafeedback.judge import ASPECTS, judge
from prefrun_ultrafeedback.sample import generate
from prefrun_ultrafeedback.tasks import draw_instruction, parse
from prefrun_ultrafeedback.words import FRAME, WORDS

ONLY = "Which number is larger, 17 or 71? Give only the answer."
SENTENCE = "What is the first letter of stone? Answer in a full sentence."
REASON = "What is 3 + 4? Give a short reason."
LABEL = "Sort these numbers: 9, 2, 14. Begin with 'Answer:'."
WRONG_AT_MOST = 5.0
"""The best a wrong answer can get: modest, and in the style asked for."""


def instructions(count, seed=0):
    """Random instructions of all tasks and styles."""
    rng = random.Random(seed)
    return [draw_instruction(rng) for _ in range(count)]


@pytest.mark.parametrize(
    ("instruction", "response"),
    [
        (ONLY, "71"),
        (ONLY, "71."),
        (SENTENCE, "The first letter of stone is s."),
        (SENTENCE, "It is the letter s."),
        (SENTENCE, 'The answer is "S".'),
        (REASON, "The sum is 7 because 3 plus 4 makes 7."),
        (REASON, "Seven, because 3 and 4 make 7."),
        (LABEL, "Answer: 2, 9, 14"),
        (LABEL, "Answer: 2, 9 and 14."),
        ("Repeat the word fox. Give only the answer.", "fox"),
        ("Write the word fox in capital letters. Give only the answer.", "FOX"),
        ("How many words are in this list: fox, cup? Give only the answer.", "two"),
        ("What is the opposite of hot? Answer in a full sentence.", "Cold is the opposite of hot."),
        ("Which word is last in this list: fox, cup? Give only the answer.", "cup"),
    ],
)
def test_right_answers_in_style_score_high(instruction, response):
    verdict = judge(instruction, response)
    assert verdict.correct
    assert verdict.instruction_following == 5
    assert verdict.overall >= 9.5


@pytest.mark.parametrize(
    ("instruction", "response"),
    [
        (ONLY, "17"),
        (ONLY, "17 or 71"),
        (ONLY, "71, 17"),
        (ONLY, "17. 71."),
        (ONLY, "The answer is not 71."),
        (ONLY, "It is false that the answer is 71."),
        (ONLY, "Is it 71?"),
        (ONLY, "The smaller number is 71."),
        (ONLY, "-71"),
        (ONLY, "71 71"),
        (ONLY, "The answer is 71. The answer is 17."),
        (ONLY, "I do not know. 71"),
        (SENTENCE, "The first letter of stone is t."),
        (SENTENCE, "The last letter of stone is s."),
        (SENTENCE, "The first letter of snow is s."),
        (SENTENCE, "The letters are s, t, o, n, e."),
        (REASON, "3 + 5 is 7 because 3 plus 4 makes 7."),
        (LABEL, "Answer: 14, 9, 2"),
        (LABEL, "Answer: 2, 9, 14, 15"),
        ("Write the word fox in capital letters. Give only the answer.", "fox"),
        ("Write the word fox in capital letters. Give only the answer.", "FOX fox"),
    ],
)
def test_wrong_contradictory_and_evasive_answers_are_not_correct(instruction, response):
    verdict = judge(instruction, response)
    assert not verdict.correct
    assert verdict.overall <= WRONG_AT_MOST


GARBAGE = [
    "",
    " \n ",
    "...",
    "7" * 200,
    "stone" * 40,
    "the the the the the",
    "Answer: " * 20,
    "is " * 30,
    "71 " * 5,
    "The larger number is 71. " * 9,
    "71 " + "because " * 12,
    "xq zzv blorp",
    "☃ ☃ ☃ 71",
    "71 = = = = =",
    "\x00\x01\x02",
    "<|end|><|user|>71",
    "71" + " and so on the list of words" * 10,
]


@pytest.mark.parametrize("response", GARBAGE)
@pytest.mark.parametrize("instruction", [ONLY, SENTENCE, REASON, LABEL])
def test_garbage_gets_the_lowest_ratings(instruction, response):
    verdict = judge(instruction, response)
    assert [verdict.rating(aspect) for aspect in ASPECTS] == [1, 1, 1, 1]
    assert verdict.overall == 1.0
    assert not verdict.correct


def better(instruction, good, bad):
    """Whether the judge puts GOOD above BAD."""
    return judge(instruction, good).overall > judge(instruction, bad).overall


def answers_in(instruction, *manners):
    """One answer per manner, with the same random choices where they are the same choices."""
    exercise = parse(instruction)
    return [write(exercise, manner, random.Random(1)) for manner in manners]


@pytest.mark.parametrize("instruction", instructions(60))
def test_each_fault_costs_something(instruction):
    style = "sentence" if instruction.endswith("answer.") else "only"
    plain, unstyled, doubt, greeting, closing, echo, wrong = answers_in(
        instruction,
        Manner(),
        Manner(style=style),
        Manner(confidence="doubt"),
        Manner(padding="greeting"),
        Manner(padding="closing"),
        Manner(padding="echo"),
        Manner(right=False),
    )
    for worse in (unstyled, doubt, greeting, closing, echo, wrong):
        assert better(instruction, plain, worse), worse
    assert better(instruction, echo, f"{echo} {echo}")


@pytest.mark.parametrize("instruction", instructions(60, seed=1))
def test_right_beats_wrong_in_every_manner(instruction):
    for confidence in ("plain", "doubt", "certain"):
        for padding in ("none", "greeting", "closing", "echo"):
            for reason in (False, True):
                manner = {"confidence": confidence, "padding": padding, "reason": reason}
                right, wrong = answers_in(instruction, Manner(**manner), Manner(False, **manner))
                assert judge(instruction, right).correct, right
                assert not judge(instruction, wrong).correct, wrong
                assert better(instruction, right, wrong)
                assert judge(instruction, wrong).overall <= WRONG_AT_MOST


def test_aspects_see_different_things():
    right = judge(REASON, "The sum is 7 because 3 plus 4 makes 7.")
    unreasoned = judge(REASON, "The sum is 7.")
    assert unreasoned.instruction_following < right.instruction_following
    assert unreasoned.helpfulness < right.helpfulness
    assert unreasoned.truthfulness == right.truthfulness
    false_reason = judge(REASON, "The sum is 7 because 3 plus 5 makes 7.")
    assert false_reason.truthfulness < right.truthfulness
    assert false_reason.instruction_following < right.instruction_following
    modest, sure = judge(ONLY, "Maybe 17"), judge(ONLY, "Certainly, 17")
    assert modest.honesty > judge(ONLY, "17").honesty > sure.honesty
    assert judge(ONLY, "71").honesty > judge(ONLY, "Maybe 71").honesty


def test_a_refusal_is_honest_but_below_any_right_answer_and_a_serious_try():
    refusal = judge(SENTENCE, "I do not know.")
    assert refusal.honesty == 4
    assert refusal.overall < judge(SENTENCE, "The first letter of stone is t.").overall
    assert refusal.overall < judge(SENTENCE, "s").overall


def test_naming_every_candidate_does_not_pay():
    for instruction in instructions(80, seed=2):
        facts = parse(instruction).facts
        options = [facts.answer, *facts.wrong]
        for joiner in (", ", ". ", " or ", " and ", "; "):
            assert not judge(instruction, joiner.join(options)).correct
            assert judge(instruction, joiner.join(options)).overall <= WRONG_AT_MOST


def test_noise_around_a_right_answer_is_not_rewarded():
    rng = random.Random(0)
    vocabulary = sorted(FRAME)
    for instruction in instructions(150, seed=3):
        exercise = parse(instruction)
        clean = write(exercise, Manner(), rng)
        best = judge(instruction, clean).overall
        noise = " ".join(rng.choices(vocabulary, k=rng.randint(4, 25)))
        for text in (f"{noise}. {clean}", f"{clean} {noise}", f"{clean}. {noise}."):
            assert judge(instruction, text).overall < best, text


def test_any_text_gets_ratings_in_range_and_wrong_never_scores_high():
    rng = random.Random(1)
    pieces = [
        *sorted(FRAME),
        *WORDS[:30],
        *["1", "2", "7", "12", ".", ",", ":", "=", "?", "!", "'", '"', "(", "é", "中", "\n"],
    ]
    for instruction in instructions(300, seed=4):
        pool = [*pieces, *instruction.split(), *parse(instruction).facts.wrong]
        text = " ".join(rng.choices(pool, k=rng.randint(0, 30)))
        verdict = judge(instruction, text)
        assert all(1 <= verdict.rating(aspect) <= 5 for aspect in ASPECTS)
        assert 1 <= verdict.overall <= 10
        assert verdict.correct or verdict.overall <= WRONG_AT_MOST
        assert verdict == judge(instruction, text)


def test_grades_are_ordered_on_average():
    means = {}
    for record in generate(300, seed=9):
        for completion in record["completions"]:
            means.setdefault(completion["model"], []).append(completion["overall_score"])
    order = [sum(means[f"sample/{g}"]) / 300 for g in ("best", "good", "fair", "poor")]
    assert all(one > two + 1 for one, two in pairwise(order))


@pytest.mark.parametrize(
    "instruction",
    [
        "",
        "What is love?",
        "What is 3 + 4?",
        "What is 3 + 4? Give only the answer. Please.",
        "What is the opposite of stone? Give only the answer.",
        "Sort these numbers: . Give only the answer.",
    ],
)
def test_unknown_instruction_is_an_error_that_names_it(instruction):
    with pytest.raises(DataError) as caught:
        judge(instruction, "7")
    assert repr(instruction) in str(caught.value)
    assert "remedy" in str(caught.value)
