"""What can be said of a job over many processes before any of them is started."""

from __future__ import annotations

import os
from importlib.util import find_spec
from typing import TYPE_CHECKING

from prefrun.algorithm import Algorithm, LossAlgorithm
from prefrun.errors import ConfigError
from prefrun.schema import ALONE, DDP, DEEPSPEED

if TYPE_CHECKING:
    from omegaconf import DictConfig

    from prefrun.plan import Plan


def refuse_other_launchers() -> None:
    """Raise ConfigError where torchrun or `accelerate launch` started this process among others."""
    processes = os.environ.get("WORLD_SIZE", "1")
    if processes != "1" and "RANK" in os.environ and "MASTER_PORT" in os.environ:
        raise ConfigError(
            "prefrun was started several times, by torchrun or `accelerate launch`; it starts its "
            "processes itself\n"
            f"  remedy: prefrun launch=accelerate launch.processes={processes} ..."
        )


def count_devices(config: DictConfig) -> None:
    """Fill in `launch.processes` where the user leaves it to the number of GPUs.

    The number is part of the run's identity. Raises ConfigError where there is no GPU.
    """
    if config.launch.strategy == ALONE or config.launch.processes is not None:
        return
    import torch

    config.launch.processes = torch.cuda.device_count()
    if not config.launch.processes:
        raise ConfigError(
            "launch.processes has no value, and there is no GPU to count\n"
            "  remedy: say how many, such as launch.processes=2"
        )


def check_launch(plan: Plan, algorithm: Algorithm) -> None:
    """Raise ConfigError for what a job over many processes cannot do."""
    launch = plan.launch
    if launch.strategy == ALONE:
        return
    if not isinstance(algorithm, LossAlgorithm):
        name = plan.chosen["algo"].name
        raise ConfigError(
            f"launch.strategy={launch.strategy}, but algo={name} is no loss: it owns its run, and "
            "one process carries that out\n  remedy: launch=none"
        )
    if launch.strategy != DDP and hasattr(plan.build("model"), "gives"):  # of a kind of its own
        raise ConfigError(
            f"launch.strategy={launch.strategy} shards language models only, and model="
            f"{plan.chosen['model'].name} is none\n  remedy: launch.strategy=ddp"
        )
    if launch.strategy == DEEPSPEED and find_spec("deepspeed") is None:
        raise ConfigError(
            "launch.strategy=deepspeed needs DeepSpeed, which is not installed\n"
            "  remedy: pip install deepspeed, or launch.strategy=fsdp"
        )
    if launch.strategy != DDP and plan.trainer.compile:
        raise ConfigError(
            f"trainer.compile=true does not work with launch.strategy={launch.strategy}\n"
            "  remedy: launch.strategy=ddp, or leave it out"
        )
    _check_devices(plan)


def _check_devices(plan: Plan) -> None:
    import torch

    wanted, there = plan.launch.processes or 1, torch.cuda.device_count()
    if uses_gpus(plan) and wanted > there:
        raise ConfigError(
            f"launch.processes={wanted}, but each process needs a GPU, and there are {there}\n"
            f"  remedy: launch.processes={there}, or model.device=cpu"
        )


def uses_gpus(plan: Plan) -> bool:
    """Whether the model is to be on a GPU. Imports torch."""
    import torch

    device = getattr(plan.settings["model"], "device", None)
    return torch.cuda.is_available() and getattr(device, "value", device) != "cpu"
