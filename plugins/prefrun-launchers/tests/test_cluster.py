"""hydra/launcher=ray: a process per job, deaths that hurt nobody, errors in words."""

from __future__ import annotations

import pytest

pytest.importorskip("ray", reason="ray is not installed (prefrun-launchers[ray])")

LAUNCHER = "hydra/launcher=ray"


def test_every_job_has_a_process_and_a_killed_one_is_reported(sweep, seen, failure):
    sweep(LAUNCHER, "do=nothing,die,nothing,nothing", PREFRUN_CACHE="here")
    jobs = seen(0, 2, 3)
    assert len({job["pid"] for job in jobs}) == 3
    assert {job["cache"] for job in jobs} == {"here"}
    assert failure()["job"] == 1
    assert "Ray process died" in failure()["error"]


def test_a_cluster_that_is_not_there_is_named(start):
    process = start(LAUNCHER, "hydra.launcher.address=auto", HYDRA_FULL_ERROR="1")
    _, err = process.communicate(timeout=120)
    assert "ConfigError: hydra.launcher.address=auto: " in err
