"""A sweep that is killed again and again, at any write, ends as if nothing had happened."""

from __future__ import annotations

import random
import signal
import subprocess

import pytest

from tests.together.conftest import MAIN, SMALL
from tests.together.test_sweeps import results

KILLS = 20
JOBS = ("algo=lipo,dpo", "seed=1,2,3,4,5,6,7,8,9,10,11,12")
FEW = ("trainer.max_steps=4", "evaluation.max_records=4", "evaluation.max_new_tokens=4")
WORDS = ("-m", *MAIN[1:], *JOBS, *SMALL, *FEW)
PARTS = (
    "checkpoint",  # training
    "metrics.jsonl",
    "evaluation_before",
    "evaluation_after",
    "samples",
    "model",
    "summary",
    "report.md",
    "status",
    "manifest",
    "sweep.json",
)
"""Of a path that is written: the part of a run it stands for."""
WHEN = ("before", "after")
IN_THE_CACHE = ".logps:1:after"
"""Only the first job writes there: the others find all they need."""
TORN = ".logps:1:half"


@pytest.mark.slow
def test_twenty_kills_change_no_result(killed):
    """Killed at writes of every part and started again each time, against a sweep left alone."""
    chance = random.Random(0)
    parts = [*PARTS, *chance.choices(PARTS, k=KILLS - len(PARTS) - 1)]
    chance.shuffle(parts)
    points = [f"{part}:{chance.randint(1, 2)}:{chance.choice(WHEN)}" for part in parts]
    for point in [IN_THE_CACHE, *points]:
        killed.environment["KILL_AT"] = point
        done = killed.run(*WORDS, "output_dir=sweep")
        assert done.returncode == -signal.SIGKILL, (point, done.stdout, done.stderr)
    killed.environment["KILL_AT"] = "nothing:1:before"
    done = killed.run(*WORDS, "output_dir=sweep")
    assert done.returncode == 0, done.stderr
    whole = killed.run(*WORDS, "output_dir=whole", "cache.dir=cache-of-its-own")
    assert whole.returncode == 0, whole.stderr
    assert results(killed, "sweep") == results(killed, "whole")
    assert len(results(killed, "sweep")) == 24
    assert len(list((killed.folder / "sweep").glob("[0-9]*"))) == 24


def test_half_a_write_to_the_cache_changes_no_result(killed):
    """What is lacking is computed in other batches, which differ in the last bits."""
    words = ("-m", *MAIN, *SMALL, "seed=1,2")
    killed.environment["KILL_AT"] = TORN
    assert killed.run(*words, "output_dir=sweep").returncode == -signal.SIGKILL
    killed.environment["KILL_AT"] = "nothing:1:before"
    assert killed.run(*words, "output_dir=sweep").returncode == 0
    assert killed.run(*words, "output_dir=whole", "cache.dir=cache-of-its-own").returncode == 0
    for job in ("0", "1"):
        cut, whole = (killed.summary(f"{name}/{job}")["metrics"] for name in ("sweep", "whole"))
        for name, values in whole.items():
            assert cut[name]["after"] == pytest.approx(values["after"], abs=1e-6), name


def test_a_sweep_on_a_full_disk_goes_on_once_there_is_room(workplace):
    disk = workplace.folder / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=22m", "tmpfs", str(disk)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("no right to mount a small file system")
    words = ("-m", *MAIN, *SMALL, "trainer.max_steps=2", "seed=1,2,3")
    try:
        done = workplace.run(*words, "output_dir=disk/sweep")
        assert done.returncode == 1, done.stdout + done.stderr
        assert "disk is full" in done.stderr or "no space left" in done.stderr
        assert 0 < len(list((disk / "sweep").glob("*/summary.json"))) < 3
        subprocess.run(["mount", "-o", "remount,size=1g", str(disk)], check=True)
        again = workplace.run(*words, "output_dir=disk/sweep")
        assert again.returncode == 0, again.stderr
        whole = workplace.run(*words, "output_dir=whole")
        assert whole.returncode == 0
        assert results(workplace, "disk/sweep") == results(workplace, "whole")
    finally:
        subprocess.run(["umount", str(disk)], check=True)
