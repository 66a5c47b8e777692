"""How many jobs run at a time, and what each finds in its environment."""

from __future__ import annotations

import pytest

from prefrun import ConfigError
from prefrun_launchers.slots import environments, usable_cores, visible_devices


@pytest.fixture
def bare(monkeypatch, tmp_path):
    """A machine without GPUs, on which nobody set a number of threads."""
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path


@pytest.fixture
def three_gpus(bare):
    """A machine whose nvidia-smi lists three GPUs."""
    tool = bare / "nvidia-smi"
    tool.write_text("#!/bin/sh\necho 0\necho 1\necho 2\n")
    tool.chmod(0o755)


@pytest.mark.usefixtures("three_gpus")
def test_a_job_per_gpu_of_the_machine_unless_fewer_are_wanted():
    assert [each["CUDA_VISIBLE_DEVICES"] for each in environments(None, None)] == ["0", "1", "2"]
    assert [each["CUDA_VISIBLE_DEVICES"] for each in environments(2, None)] == ["0", "1"]
    assert [each["CUDA_VISIBLE_DEVICES"] for each in environments(None, [1, 1])] == ["1", "1"]
    assert [each["CUDA_VISIBLE_DEVICES"] for each in environments(None, [])] == [""]


@pytest.mark.usefixtures("three_gpus")
def test_only_visible_gpus_count(monkeypatch):
    for value, expected in {"2, 0": ["2", "0"], "": [], "-1": [], "GPU-a": ["GPU-a"]}.items():
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", value)
        assert visible_devices() == expected


@pytest.mark.usefixtures("three_gpus")
def test_more_jobs_than_devices_are_refused():
    with pytest.raises(ConfigError, match=r"n_jobs=4, but there are devices for 3: 0, 1, 2"):
        environments(4, None)
    with pytest.raises(ConfigError, match=r"n_jobs=0 must be at least 1"):
        environments(0, None)


@pytest.mark.usefixtures("bare")
def test_without_gpus_the_cores_are_shared_out(monkeypatch):
    assert environments(None, None) == [{"OMP_NUM_THREADS": str(usable_cores())}]
    many = environments(usable_cores() * 3, None)
    assert len(many) == usable_cores() * 3
    assert {each["OMP_NUM_THREADS"] for each in many} == {"1"}
    assert not any("CUDA_VISIBLE_DEVICES" in each for each in many)
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    assert environments(None, None) == [{}]
