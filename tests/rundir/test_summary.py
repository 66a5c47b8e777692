"""summary.json, as scripts read it."""

from __future__ import annotations

import pytest

from prefrun.errors import PrefrunError
from prefrun.rundir.directory import RunDirectory
from prefrun.rundir.files import write_json
from prefrun.rundir.run import Run
from prefrun.rundir.summary import build_summary, read_summary


def evaluation(directions=None, not_measured=None, **values):
    metrics = {
        name: dict(zip(("value", "low", "high"), value, strict=True))
        for name, value in values.items()
    }
    directions = directions or {}
    return {"metrics": metrics, "not_measured": not_measured or {}, "directions": directions}


@pytest.fixture
def summary(tmp_path):
    run = Run("0123456789ab", "lipo-x-seed2", tmp_path, 2, "lipo", "x", None, {})
    return build_summary(
        run=run,
        model="tiny",
        steps=60,
        before=evaluation(
            {"win_rate": "max"},
            {"kl": "no policy"},
            win_rate=(0.5, 0.5, 0.5),
            old=(1.0, None, None),
        ),
        after=evaluation(
            {"win_rate": "max", "kl": "none"},
            {"reward": "no reward"},
            win_rate=(0.7, 0.6, 0.8),
            kl=(2.5, None, None),
        ),
        timing={"training": 3.5},
        cost={"seconds": 4.5},
        records={"read": 4, "used": 3, "skipped": 1, "truncated": 0},
    )


def test_metrics_hold_before_after_and_the_interval_of_after(summary):
    assert summary["metrics"] == {
        "win_rate": {"before": 0.5, "after": 0.7, "low": 0.6, "high": 0.8},
        "kl": {"before": None, "after": 2.5},
        "old": {"before": 1.0, "after": None},
    }
    assert summary["directions"] == {"win_rate": "max", "kl": "none", "old": "none"}
    assert summary["not_measured"] == {"reward": "no reward"}


def test_the_run_is_identified(summary):
    identity = {key: summary[key] for key in ("status", "run_id", "algo", "data", "model", "seed")}
    assert identity == {
        "status": "finished",
        "run_id": "0123456789ab",
        "algo": "lipo",
        "data": "x",
        "model": "tiny",
        "seed": 2,
    }
    assert summary["steps"] == 60
    assert summary["cost"] == {"seconds": 4.5}
    assert summary["records"] == {"read": 4, "used": 3, "skipped": 1, "truncated": 0}


def test_it_is_read_back(summary, tmp_path):
    directory = RunDirectory(tmp_path)
    write_json(directory.summary, summary)
    assert read_summary(directory) == summary


def test_a_summary_without_metrics_is_named(tmp_path):
    directory = RunDirectory(tmp_path)
    write_json(directory.summary, {"status": "finished"})
    with pytest.raises(PrefrunError, match=r"summary\.json"):
        read_summary(directory)
