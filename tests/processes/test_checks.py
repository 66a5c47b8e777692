"""What of a job over many processes is refused before any is started."""

from __future__ import annotations

import pytest
from omegaconf import OmegaConf

from prefrun.errors import ConfigError
from prefrun.processes import checks
from prefrun.schema import LaunchConfig, RunConfig


def test_processes_without_a_launcher_are_refused():
    with pytest.raises(ConfigError, match="processes=2 does nothing with launch=none"):
        LaunchConfig(processes=2)


@pytest.mark.parametrize("given", [{"strategy": "fsd"}, {"processes": 0}, {"zero_stage": 3}])
def test_values_out_of_range_are_refused(given):
    with pytest.raises(ConfigError, match=f"launch.{next(iter(given))}="):
        LaunchConfig(**{"strategy": "ddp", **given})


def config(**launch):
    return OmegaConf.merge(OmegaConf.structured(RunConfig), {"launch": launch})


@pytest.fixture
def gpus(monkeypatch):
    """Return `gpus(count)`, which makes torch see COUNT of them."""
    import torch

    def see(count):
        monkeypatch.setattr(torch.cuda, "device_count", lambda: count)
        monkeypatch.setattr(torch.cuda, "is_available", lambda: count > 0)

    return see


def test_the_number_of_processes_is_that_of_gpus(gpus):
    gpus(4)
    made = config(strategy="fsdp")
    checks.count_devices(made)
    assert made.launch.processes == 4


def test_without_gpus_the_number_must_be_given(gpus):
    gpus(0)
    with pytest.raises(ConfigError, match=r"remedy: say how many, such as launch.processes=2"):
        checks.count_devices(config(strategy="ddp"))


@pytest.mark.parametrize("launch", [{}, {"strategy": "ddp", "processes": 3}])
def test_a_given_number_stays(launch):
    made = config(**launch)
    checks.count_devices(made)
    assert made.launch.processes == launch.get("processes")


class Plan:
    """Of a plan what is looked at."""

    def __init__(self, processes, device):
        self.launch = LaunchConfig("ddp", processes)
        self.settings = {"model": type("Model", (), {"device": device})}


def test_each_process_needs_a_gpu_of_its_own(gpus):
    gpus(2)
    checks._check_devices(Plan(2, "auto"))
    checks._check_devices(Plan(3, "cpu"))
    with pytest.raises(ConfigError, match=r"launch\.processes=3, but each process needs a GPU"):
        checks._check_devices(Plan(3, "auto"))
    gpus(0)
    checks._check_devices(Plan(3, "auto"))


def test_other_launchers_are_refused(monkeypatch):
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    checks.refuse_other_launchers()
    for name, value in {"WORLD_SIZE": "4", "RANK": "0", "MASTER_PORT": "1"}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError, match=r"remedy: prefrun launch=accelerate launch\.processes=4"):
        checks.refuse_other_launchers()
