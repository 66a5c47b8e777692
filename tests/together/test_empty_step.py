"""Whole runs on data that their algorithm cannot learn from, and losses that are none."""

from __future__ import annotations

import json

import pytest

from tests.together.conftest import SMALL, Workplace

pytestmark = pytest.mark.slow

QUICK = ("data=ultrafeedback", *SMALL, "trainer.max_steps=2", "evaluator=[kl]", "model=tiny")
UNWEIGHED = """\
from prefrun.algorithm import LossOutput, Term

def unweighed(batch):
    values = batch.log_ratios.sum(-1)
    return LossOutput({"nothing": Term(values, 0 * batch.weights)})
"""
FLAT = """\
def flat(batch):
    return 0 * batch.log_ratios.sum(-1)
"""
SQUARE = """\
from prefrun.algorithm import LossOutput, Term


def square(batch):
    return LossOutput({"gaps": Term(batch.log_ratios.square(), batch.weights)})
"""


def write_unpaired(place: Workplace) -> str:
    rows = [
        {"prompt": f"Question {n}?", "completion": f"answer {n}", "label": n % 2 == 0}
        for n in range(12)
    ]
    path = place.folder / "unpaired.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return f"data.path={path}"


def test_kto_learns_from_labels_of_single_answers(workplace: Workplace) -> None:
    words = ("algo=kto", "data=trl", write_unpaired(workplace), *QUICK[1:], "output_dir=run")
    done = workplace.run(*words, "trainer.logging_steps=1")
    assert done.returncode == 0, done.stderr
    assert "answers that score above 0.5 are desirable" in done.stdout
    first, second = workplace.metrics("run")
    assert first["loss"] == pytest.approx(0.5)
    assert first["grad_norm"] > 0
    assert second["loss"] != first["loss"]


def test_too_few_answers_are_refused_before_a_model_is_loaded(workplace: Workplace) -> None:
    words = ("algo=dpo", "data=trl", write_unpaired(workplace), *QUICK[1:], "output_dir=run")
    done = workplace.run(*words)
    assert done.returncode == 2
    assert "1 answer(s), but algo=dpo needs 2" in done.stderr
    assert not (workplace.folder / "run").exists()


def test_a_step_that_teaches_nothing_ends_the_run_unless_told_otherwise(
    workplace: Workplace,
) -> None:
    (workplace.folder / "unweighed.py").write_text(UNWEIGHED)
    done = workplace.run("algo=./unweighed.py", *QUICK, "output_dir=error")
    assert done.returncode == 2
    assert "step 1 teaches nothing: every term of the loss weighs 0" in done.stderr
    assert "trainer.on_empty_step=warn" in done.stderr
    words = ("trainer.on_empty_step=warn", "output_dir=warn")
    done = workplace.run("algo=./unweighed.py", *QUICK, *words)
    assert done.returncode == 0, done.stderr
    assert "2 of 2 steps taught nothing" in done.stdout


def test_values_of_another_shape_than_weights_name_the_line(workplace: Workplace) -> None:
    path = workplace.folder / "square.py"
    path.write_text(SQUARE)
    done = workplace.run("algo=./square.py", *QUICK, "output_dir=run")
    assert done.returncode == 2
    assert f"{path}:4: square returned term 'gaps' with values of shape [4, 4]" in done.stderr
    assert "def square(batch):" in done.stderr


def test_two_processes_agree_that_a_step_teaches_nothing(workplace: Workplace) -> None:
    (workplace.folder / "flat.py").write_text(FLAT)
    words = (*QUICK, "trainer.batch_size=2", "launch=accelerate", "launch.processes=2")
    done = workplace.run("algo=./flat.py", *words, "output_dir=run")
    assert done.returncode == 2, done.stderr
    assert "step 1 teaches nothing: the gradient is 0 whatever the policy does" in done.stderr
