"""A sweep's comparison goes to W&B with the real client, offline."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import wandb

from prefrun.comparison.announce import announce
from prefrun.comparison.compare import Cell, Comparison, Row
from prefrun.comparison.runs import RunResult
from prefrun.comparison.statistics import PairedTest
from prefrun.rundir.files import write_json
from prefrun_wandb.comparison import HIDDEN, to_table

TEST = PairedTest(
    difference=0.1, low=0.0, high=0.2, p=0.02, p_holm=0.04, effect=None, unit="seeds", n=3
)


def cell(mean: float, tests: dict[str, PairedTest]) -> Cell:
    return Cell(mean=mean, error=0.01, n=3, interval=None, before=None, best=False, tests=tests)


@pytest.fixture
def sweep(tmp_path: Path) -> Path:
    """The folder of a sweep whose second run used tracker=wandb."""
    for number, tracker in enumerate(("none", "wandb")):
        folder = tmp_path / "my-sweep" / str(number)
        folder.mkdir(parents=True)
        write_json(
            folder / "manifest.json", {"components": {"tracker": tracker}, "group": "some/sweep"}
        )
        (folder / "config.yaml").write_text("tracker:\n  project: mine\n  mode: offline\n")
    return tmp_path / "my-sweep"


def compared(sweep: Path, *numbers: int) -> Comparison:
    """One configuration per run of NUMBERS."""
    rows = tuple(
        Row(
            f"algo=a{number}",
            (RunResult(sweep / str(number)),),
            {"reward": cell(0.5 + number, {"seeds": TEST} if number else {})},
            {"seconds": 12.5},
            (),
        )
        for number in numbers
    )
    return Comparison(rows, ("reward",), {"reward": "max"}, {}, (), (), rows[0].label, {})


def test_the_table_has_a_row_per_configuration(sweep: Path) -> None:
    table = to_table(compared(sweep, 0, 1))
    values = ["reward", "reward_se", "reward_n", "reward_p", "reward_p_holm"]
    assert table.columns == ["configuration", "seeds", *values, "seconds"]
    assert table.data == [
        ["algo=a0", 1, 0.5, 0.01, 3, None, None, 12.5],
        ["algo=a1", 1, 1.5, 0.01, 3, 0.02, 0.04, 12.5],
    ]


def test_the_summary_run_is_named_after_the_sweep(sweep: Path, stored: Any) -> None:
    announce(compared(sweep, 0, 1), sweep)
    (found,) = stored(sweep / HIDDEN)
    assert (found.name, found.project) == ("my-sweep", "mine")
    assert (found.group, found.job_type) == ("some/sweep", "comparison")
    assert found.summary["algo=a0/reward"] == 0.5
    assert found.summary["algo=a1/reward"] == 1.5
    assert found.exit_code == 0
    (file,) = (sweep / HIDDEN).glob("wandb/offline-run-*/files/media/table/*.json")
    assert json.loads(file.read_text())["data"][1][0] == "algo=a1"
    assert wandb.run is None


def test_written_again_it_is_the_same_run(sweep: Path, stored: Any) -> None:
    announce(compared(sweep, 0, 1), sweep)
    announce(compared(sweep, 1), sweep)
    assert len({found.id for found in stored(sweep / HIDDEN)}) == 1


def test_its_files_are_no_run_of_the_sweep(sweep: Path) -> None:
    from prefrun.comparison.runs import load_runs

    announce(compared(sweep, 0, 1), sweep)
    assert [run.path.name for run in load_runs([sweep])] == ["0", "1"]


def test_runs_that_are_not_on_w_and_b_send_nothing(sweep: Path) -> None:
    announce(compared(sweep, 0), sweep)
    assert not (sweep / HIDDEN).exists()


def test_disabled_writes_nothing(sweep: Path) -> None:
    (sweep / "1" / "config.yaml").write_text("tracker:\n  project: mine\n  mode: disabled\n")
    announce(compared(sweep, 1), sweep)
    assert sorted(path.name for path in sweep.iterdir()) == ["0", "1"]


def test_a_refusal_costs_the_sweep_nothing(sweep: Path, caplog: pytest.LogCaptureFixture) -> None:
    (sweep / "1" / "config.yaml").write_text("tracker:\n  project: a/b\n  mode: offline\n")
    announce(compared(sweep, 1), sweep)
    assert "plugin wandb could not take the comparison: W&B did not accept the run" in caplog.text
    assert "Traceback" not in caplog.text
