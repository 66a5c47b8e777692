"""The real wandb client, offline; what it wrote is read back."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import wandb

from prefrun.errors import PrefrunError
from prefrun.rundir.run import Run
from prefrun_wandb.config import Mode, WandbConfig
from prefrun_wandb.tracker import WandbTracker

MakeRun = Callable[..., Run]
SUMMARY = {
    "status": "finished",
    "run_id": "0123456789ab",
    "steps": 10,
    "metrics": {"win_rate": {"before": 0.5, "after": 0.75, "low": 0.6}, "kl": {"after": 1.5}},
}


def track(run: Run, config: WandbConfig | None = None, failed: bool = False) -> None:
    """A run's life as the host tells of it."""
    tracker = WandbTracker(config or WandbConfig(mode=Mode.offline))
    tracker.start(run)
    tracker.log(5, {"loss": 1.0})
    if not failed:
        tracker.log(10, {"loss": 0.5, "accuracy": 0.9})
        tracker.finish(SUMMARY)
    tracker.close(failed)


def test_config_history_and_result_are_in_the_run_file(make_run: MakeRun, stored: Any) -> None:
    run = make_run(group="sweep-1")
    track(run, WandbConfig(project="mine", mode=Mode.offline))
    (found,) = stored(run)
    assert (found.project, found.group, found.name) == ("mine", "sweep-1", run.name)
    assert {key: found.config[key] for key in run.config} == run.config
    rows = [(row["_step"], row["loss"], row.get("accuracy")) for row in found.history]
    assert rows == [(5, 1.0, None), (10, 0.5, 0.9)]
    expected = {"before/win_rate": 0.5, "after/win_rate": 0.75, "after/kl": 1.5, "steps": 10}
    assert {key: found.summary.get(key) for key in expected} == expected
    assert found.summary["status"] == "finished"
    assert found.exit_code == 0


def test_everything_stays_in_the_run_directory(
    make_run: MakeRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    track(make_run())
    assert not list(elsewhere.iterdir())


def test_jobs_of_one_process_do_not_mix_even_after_a_failure(
    make_run: MakeRun, stored: Any
) -> None:
    first = make_run("first", config={"seed": 1}, group="sweep")
    second = make_run("second", config={"seed": 2}, group="sweep")
    crashed = WandbTracker(WandbConfig(mode=Mode.offline))
    crashed.start(first)
    crashed.log(5, {"loss": 9.0})  # and never closed
    track(second)
    (one,), (two,) = stored(first), stored(second)
    assert one.id != two.id
    assert one.group == two.group == "sweep"
    assert (one.config["seed"], two.config["seed"]) == (1, 2)
    assert [row["loss"] for row in one.history] == [9.0]
    assert [row["loss"] for row in two.history] == [1.0, 0.5]
    assert wandb.run is None


def test_a_failed_job_is_marked(make_run: MakeRun, stored: Any) -> None:
    run = make_run()
    track(run, failed=True)
    (found,) = stored(run)
    assert found.exit_code == 1
    assert "status" not in found.summary
    assert wandb.run is None


def test_a_resumed_run_keeps_its_id(make_run: MakeRun, stored: Any) -> None:
    run = make_run()
    track(run, failed=True)
    kept = (run.output_dir / "wandb_id").read_text().strip()
    track(run)
    assert {found.id for found in stored(run)} == {kept}
    assert (run.output_dir / "wandb_id").read_text().strip() == kept


def test_equal_runs_in_two_directories_have_different_ids(make_run: MakeRun) -> None:
    runs = [make_run("first"), make_run("second")]
    for run in runs:
        track(run)
    ids = {(run.output_dir / "wandb_id").read_text() for run in runs}
    assert len(ids) == 2


def test_without_a_key_the_run_is_offline_and_says_so(
    make_run: MakeRun, stored: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    run = make_run()
    track(run, WandbConfig())
    assert len(stored(run)) == 1
    printed = capsys.readouterr().out
    assert "offline" in printed
    assert "wandb sync" in printed


@pytest.mark.parametrize("key", ["key", None])
def test_with_a_key_the_run_is_online(
    make_run: MakeRun, monkeypatch: pytest.MonkeyPatch, key: str | None
) -> None:
    wanted: dict[str, Any] = {}

    def init(**arguments: Any) -> Any:
        wanted.update(arguments)
        raise wandb.Error("stop here")

    monkeypatch.setattr(wandb, "init", init)
    if key:
        monkeypatch.setenv("WANDB_API_KEY", key)
    with pytest.raises(PrefrunError, match="stop here"):
        WandbTracker(WandbConfig()).start(make_run())
    assert wanted["mode"] == ("online" if key else "offline")
    assert wanted["resume"] == "allow"


def test_disabled_writes_nothing(make_run: MakeRun) -> None:
    run = make_run()
    track(run, WandbConfig(mode=Mode.disabled))
    assert not list(run.output_dir.iterdir())
    assert wandb.run is None


def test_secrets_reach_no_file(make_run: MakeRun, monkeypatch: pytest.MonkeyPatch) -> None:
    key, token = "k" * 40, "hf_very_secret"
    monkeypatch.setenv("WANDB_API_KEY", key)
    monkeypatch.setattr("sys.argv", ["prefrun", f"data.token={token}"])
    run = make_run(config={"data": {"token": token, "path": "file"}, "seed": 1})
    track(run)
    written = b"".join(path.read_bytes() for path in run.output_dir.rglob("*") if path.is_file())
    assert b"lipo-demo" in written
    assert key.encode() not in written
    assert token.encode() not in written


def test_a_refusal_of_w_and_b_is_one_clear_error(make_run: MakeRun) -> None:
    tracker = WandbTracker(WandbConfig(project="a/b", mode=Mode.offline))
    with pytest.raises(PrefrunError, match=r"W&B did not accept the run[\s\S]*remedy"):
        tracker.start(make_run())
    tracker.close(failed=True)
