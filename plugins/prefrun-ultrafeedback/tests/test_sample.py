"""The generated sample: layout, determinism, held-out part, and one scorer."""

import hashlib
import itertools
import json

import pytest

from prefrun.errors import DataError
from prefrun_ultrafeedback.judge import ASPECTS, judge
from prefrun_ultrafeedback.sample import generate, is_held_out, train_and_test
from prefrun_ultrafeedback.tasks import STYLES, TASKS, parse


@pytest.fixture(scope="module")
def parts():
    """The default sample."""
    return train_and_test()


@pytest.fixture(scope="module")
def records(parts):
    """Both parts of it."""
    return [*parts[0], *parts[1]]


def test_sizes(parts):
    train, test = parts
    assert len(train) >= 512
    assert len(test) == 128


def test_same_seed_same_records_on_every_machine():
    assert generate(40, seed=3) == generate(40, seed=3)
    assert generate(40, seed=3) != generate(40, seed=4)
    text = json.dumps(train_and_test(), sort_keys=True).encode()
    # A change of this digest changes what `data.source=sample` means: note it in the changelog.
    assert hashlib.sha256(text).hexdigest()[:16] == "e68393c035b49340"


def test_held_out_instructions_never_occur_in_training_whatever_the_seeds():
    train = {record["instruction"] for seed in range(3) for record in generate(300, seed)}
    test = {r["instruction"] for seed in range(3) for r in generate(75, seed, held_out=True)}
    assert not train & test
    assert all(map(is_held_out, test))
    assert not any(map(is_held_out, train))


def test_instructions_differ_and_cover_every_task_and_style(parts):
    for part in parts:
        instructions = [record["instruction"] for record in part]
        assert len(set(instructions)) == len(instructions)
        exercises = [parse(instruction) for instruction in instructions]
        assert {exercise.task for exercise in exercises} == {task.name for task in TASKS}
        assert {exercise.style for exercise in exercises} == set(STYLES)


def test_layout_of_ultrafeedback(records):
    for record in records:
        assert set(record) == {
            "source",
            "instruction",
            "models",
            "completions",
            "correct_answers",
            "incorrect_answers",
        }
        assert [completion["model"] for completion in record["completions"]] == record["models"]
        assert len(record["completions"]) == 4
        for completion in record["completions"]:
            assert set(completion) == {
                "model",
                "response",
                "annotations",
                "fine-grained_score",
                "overall_score",
                "critique",
            }
            ratings = []
            for aspect in ASPECTS:
                annotation = completion["annotations"][aspect]
                assert set(annotation) == {"Rating", "Rationale"}
                assert annotation["Rating"] in {"1", "2", "3", "4", "5"}
                assert annotation["Rationale"].endswith(".")
                ratings.append(int(annotation["Rating"]))
            assert completion["fine-grained_score"] == sum(ratings) / 4
            assert isinstance(completion["overall_score"], float)
            assert 1 <= completion["overall_score"] <= 10
            assert completion["critique"]
    assert json.loads(json.dumps(records)) == records


def test_ratings_are_those_of_the_judge(records):
    for record in records:
        for completion in record["completions"]:
            verdict = judge(record["instruction"], completion["response"])
            assert completion["overall_score"] == verdict.overall
            for aspect, annotation in completion["annotations"].items():
                assert annotation["Rating"] == str(verdict.rating(aspect))


def test_four_answers_differ_and_have_something_to_rank(records):
    for record in records:
        texts = [completion["response"] for completion in record["completions"]]
        assert len(set(texts)) == 4
        assert all(text.strip() for text in texts)
        assert len({completion["overall_score"] for completion in record["completions"]}) > 1


def test_order_of_answers_is_shuffled(records):
    for place in range(4):
        models = {record["models"][place] for record in records}
        assert models == {"sample/best", "sample/good", "sample/fair", "sample/poor"}


def test_length_does_not_predict_quality(records):
    longer_wins = []
    for record in records:
        for one, two in itertools.combinations(record["completions"], 2):
            gain = one["overall_score"] - two["overall_score"]
            length = len(one["response"]) - len(two["response"])
            if gain and length:
                longer_wins.append((gain > 0) == (length > 0))
    assert 0.35 < sum(longer_wins) / len(longer_wins) < 0.65


def test_aspects_are_different_numbers(records):
    completions = [completion for record in records for completion in record["completions"]]
    for one, two in itertools.combinations(ASPECTS, 2):
        differing = sum(
            completion["annotations"][one]["Rating"] != completion["annotations"][two]["Rating"]
            for completion in completions
        )
        assert differing > len(completions) / 4, (one, two)


def test_prompts_and_answers_are_short(records):
    for record in records:
        assert len(record["instruction"].split()) <= 20
        assert all(len(c["response"].split()) <= 30 for c in record["completions"])


def test_more_records_than_there_are_is_an_error(monkeypatch):
    monkeypatch.setattr(
        "prefrun_ultrafeedback.sample.draw_instruction",
        lambda rng: f"What is {rng.randrange(3)} + 1? Give a short reason.",
    )
    with pytest.raises(DataError, match="fewer than 10 instructions"):
        generate(10, seed=0)
