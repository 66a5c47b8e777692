"""What goes wrong in a run is said clearly, and nothing already written is lost."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.together.conftest import MAIN, SMALL, Workplace


def test_a_loss_that_is_not_finite_names_step_records_and_checkpoint(workplace):
    done = workplace.run(*MAIN, *SMALL, "output_dir=nan", "trainer.learning_rate=1e30")
    assert done.returncode == 1
    assert "is not finite at step" in done.stderr
    assert "records: " in done.stderr
    assert "checkpoint" in done.stderr
    status = json.loads((workplace.folder / "nan" / "status.json").read_text())
    assert status["status"] == "failed"
    assert "not finite" in status["reason"]
    assert "Traceback" in (workplace.folder / "nan" / "prefrun.log").read_text()
    assert not (workplace.folder / "nan" / "summary.json").exists()


def test_a_full_disk_keeps_the_earlier_checkpoints_and_can_be_resumed(finished, workplace):
    size = (finished.folder / "whole" / "model" / "model.safetensors").stat().st_size
    disk = workplace.folder / "disk"
    disk.mkdir()
    limit = f"size={int(size * 4.5)}"  # weights and two moments of one checkpoint, and half more
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", limit, "tmpfs", str(disk)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("no right to mount a small file system")
    try:
        done = workplace.run(*MAIN, *SMALL, "output_dir=disk/run", "trainer.keep_checkpoints=9")
        assert done.returncode == 1
        assert "the disk is full" in done.stderr
        assert "prefrun resume" in done.stderr
        left = sorted(path.name for path in (disk / "run" / "checkpoints").iterdir())
        assert left == ["checkpoint-2"]
        subprocess.run(
            ["mount", "-o", "remount,size=1g", str(disk)], capture_output=True, check=True
        )
        assert workplace.run("resume", "disk/run").returncode == 0
        whole, full = finished.summary("whole"), workplace.summary("disk/run")
        for name, values in whole["metrics"].items():
            assert full["metrics"][name]["after"] == pytest.approx(values["after"], abs=1e-6), name
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_a_corrupt_cache_is_computed_again(finished, workplace: Workplace):
    first = workplace.train("first")
    shards = [path for path in (workplace.folder / "cache").rglob("*.logps")]
    assert shards
    for shard in shards:
        content = bytearray(shard.read_bytes())
        for place in range(10, len(content), 40):  # so that no entry stays whole
            content[place] ^= 0xFF
        shard.write_bytes(bytes(content[: -len(content) // 3]))
    again = workplace.train("again")
    for name, values in first["metrics"].items():
        assert again["metrics"][name]["after"] == pytest.approx(values["after"], abs=1e-6), name


def test_a_stale_reference_is_stopped_by_the_step_0_gate(workplace: Workplace):
    """A cache that lies with a right checksum cannot be told apart, but the gate sees it."""
    workplace.train("first")
    lie = (
        "import sys; from pathlib import Path; import torch\n"
        "from prefrun.policy import cache\n"
        "read = cache.ReferenceCache.read\n"
        "def wrong(self, f, keys):\n"
        "    return {k: v - 1 for k, v in read(self, f, keys).items()}\n"
        "cache.ReferenceCache.read = wrong\n"
        "from prefrun.cli import main\n"
        "sys.exit(main(sys.argv[1:]))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", lie, *MAIN, *SMALL, "output_dir=gate"],
        cwd=workplace.folder,
        env=workplace.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "step-0 gate" in done.stderr
