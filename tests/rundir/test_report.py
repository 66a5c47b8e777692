"""report.md and its pictures."""

from __future__ import annotations

import re

import pytest

from prefrun.errors import PrefrunError
from prefrun.rundir.directory import RunDirectory
from prefrun.rundir.files import read_json, write_json
from prefrun.rundir.report import SHOWN_PROBLEMS, write_report
from tests.rundir.fake_run import write_run

LINES = [
    {
        "step": step,
        "loss": 0.7 - step / 200,
        "learning_rate": 1e-3,
        "rewards/margins": step / 10,
        "logps/chosen": -40.0,
        "logps/rejected": -40.0 - step,
    }
    for step in (5, 10, 15)
]
PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture
def directory(tmp_path):
    path = write_run(
        tmp_path / "one",
        {"win_rate": 0.75, "kl": 2.0},
        before={"win_rate": 0.5, "kl": 0.0},
        intervals={"win_rate": (0.7, 0.8)},
        lines=LINES,
    )
    return RunDirectory(path)


def change(path, **values):
    write_json(path, read_json(path) | values)


def test_the_table_shows_before_after_and_change(directory):
    text = write_report(directory).read_text()
    assert "| win_rate | 0.500 | 0.750 | +0.250 | 0.700 to 0.800 | higher |" in text
    assert "| kl | 0.000 | 2.000 | +2.000 |  |  |" in text


def test_the_share_of_weights_that_moved_is_told(directory):
    assert "weights moved" not in write_report(directory).read_text()
    change(directory.summary, weights_moved=0.0213)
    assert "2.13 % of the model's weights moved" in write_report(directory).read_text()


def test_every_picture_is_there_and_linked(directory):
    text = write_report(directory).read_text()
    linked = re.findall(r"\((plots/.*?\.png)\)", text)
    assert linked == [
        "plots/loss.png",
        "plots/rewards.png",
        "plots/logps.png",
        "plots/optimizer.png",
    ]
    assert sorted(linked) == sorted(f"plots/{path.name}" for path in directory.plots.iterdir())
    assert all((directory.path / link).read_bytes().startswith(PNG) for link in linked)


def test_it_can_be_written_elsewhere(directory, tmp_path):
    text = write_report(directory, tmp_path / "paper").read_text()
    assert "plots/loss.png" in text
    assert (tmp_path / "paper" / "plots" / "loss.png").is_file()
    assert not directory.report.exists()


def test_a_run_that_logged_nothing_has_no_curves(directory):
    directory.metrics.unlink()
    text = write_report(directory).read_text()
    assert "Learning curves" not in text
    assert "win_rate" in text


def test_values_that_were_not_finite_leave_gaps(directory):
    with directory.metrics.open("a") as file:
        file.write('{"step": 20, "loss": null, "new": null}\n')
    text = write_report(directory).read_text()
    assert "plots/training.png" not in text
    assert "plots/loss.png" in text


def test_skipped_records_are_listed_up_to_a_limit(directory):
    problems = [f"data.jsonl, line {line}: empty prompt" for line in range(SHOWN_PROBLEMS + 5)]
    change(directory.manifest, data={"name": "x", "fingerprint": "f", "problems": problems})
    text = write_report(directory).read_text()
    assert text.count("empty prompt") == SHOWN_PROBLEMS
    assert "- and 5 more" in text
    change(directory.manifest, data={"name": "x", "fingerprint": "f", "problems": problems[:2]})
    text = write_report(directory).read_text()
    assert text.count("empty prompt") == 2
    assert "more\n" not in text


def test_the_data_note_and_what_was_not_measured_are_shown(directory):
    change(directory.manifest, data={"name": "x", "note": "generated sample data"})
    change(directory.summary, not_measured={"reward": "the run has no reward"})
    text = write_report(directory).read_text()
    assert "> generated sample data" in text
    assert "- `reward`: the run has no reward" in text


def test_answers_are_shown_as_they_are(directory):
    sample = {
        "id": "r7",
        "prompt": "Say `x` in ``` marks",
        "baseline_response": "```\nx",
        "baseline_reward": 1.0,
        "response": "y" * 5000,
        "reward": 4.5,
    }
    directory.write_samples([sample] * 9)
    text = write_report(directory).read_text()
    assert text.count("### Record r7") == 3
    assert "````text\n```\nx\n````" in text
    assert "before, reward 1" in text
    assert "after, reward 4.5" in text
    assert "[... 4400 more characters]" in text


def test_the_command_repeats_the_run_in_another_folder(directory):
    text = write_report(directory).read_text()
    assert "```bash\nprefrun algo=lipo data=ultrafeedback\n```" in text


def test_a_failed_run_gets_a_report_of_what_is_there(tmp_path):
    path = write_run(tmp_path / "bad", None, lines=LINES, error="boom")
    text = write_report(RunDirectory(path)).read_text()
    assert "No result: failed at step 40 of 100: RuntimeError: boom" in text
    assert "plots/loss.png" in text
    assert "## Result" not in text


def test_a_damaged_file_is_named(directory):
    directory.summary.write_text("{")
    with pytest.raises(PrefrunError, match=r"summary\.json"):
        write_report(directory)


def test_a_pipe_in_a_cell_does_not_break_the_table(directory):
    metrics = read_json(directory.summary)["metrics"]
    change(directory.summary, metrics={"a|b": metrics["kl"]})
    row = next(line for line in write_report(directory).read_text().splitlines() if "a\\|b" in line)
    assert len(re.findall(r"(?<!\\)\|", row)) == 7
