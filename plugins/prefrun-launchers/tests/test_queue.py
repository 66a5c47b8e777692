"""hydra/launcher=slurm: on a played Slurm, and as processes of this machine."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

pytest.importorskip("submitit", reason="submitit is not installed (prefrun-launchers[slurm])")

LAUNCHER = "hydra/launcher=slurm"
FAKE = Path(__file__).with_name("fake_slurm.py")


@pytest.fixture
def slurm(tmp_path):
    """Return the environment of a machine with Slurm; `tmp_path/slurm/script` is what it got."""
    folder = tmp_path / "slurm"
    folder.mkdir()
    for command in ("sbatch", "srun", "sacct", "scontrol"):
        (folder / command).symlink_to(FAKE)
    path = os.pathsep.join([str(folder), os.environ["PATH"]])
    return {"PATH": path, "FAKE_SLURM": str(folder)}


def keeps_secrets(folder: Path) -> bool:
    """Whether FOLDER holds no packed job any more, and nobody else could look into it before."""
    return not list(folder.rglob("*.pkl")) and folder.stat().st_mode & 0o77 == 0


def test_jobs_run_on_slurm_and_one_that_is_cut_is_queued_again(tmp_path, sweep, seen, slurm):
    words = [
        "+hydra.launcher.sbatch.partition=gpu",
        "hydra.launcher.mem_gb=32",
        'hydra.launcher.setup=["export PREFRUN_CACHE=of-the-cluster"]',
    ]
    sweep(LAUNCHER, "do=nothing,be cut once", *words, **slurm)
    first, second = seen(0, 1)
    assert (tmp_path / "cut").exists()
    assert first["pid"] != second["pid"]
    assert first["cache"] == second["cache"] == "of-the-cluster"
    script = (tmp_path / "slurm/script").read_text()
    wanted = "array=0-1%2 partition=gpu gpus-per-node=1 cpus-per-task=4 mem=32GB time=240 nodes=1"
    for option in wanted.split():
        assert f"#SBATCH --{option}\n" in script
    assert keeps_secrets(tmp_path / "sweep/.submitit")


def test_a_killed_job_is_reported_and_the_others_finish(tmp_path, sweep, seen, failure):
    local = ("hydra.launcher.cluster=local", "hydra.launcher.gpus_per_node=0")
    sweep(LAUNCHER, "do=nothing,die,nothing", *local)
    assert len({job["pid"] for job in seen(0, 2)}) == 2
    assert failure()["job"] == 1
    assert "ended without a result" in failure()["error"]
    assert "_log.err" in failure()["error"]
    assert keeps_secrets(tmp_path / "sweep/.submitit")


def test_a_machine_without_slurm_says_so(start):
    process = start(LAUNCHER, PATH="/nowhere", HYDRA_FULL_ERROR="1")
    _, err = process.communicate(timeout=120)
    assert "ConfigError: the cluster takes no job" in err
    assert "srun" in err
