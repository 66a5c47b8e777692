"""What a training spread over processes needs beyond transformers' own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from accelerate.utils import DistributedType, FullyShardedDataParallelPlugin
from torch import Tensor, distributed
from torch.distributed.tensor import DTensor


def any_process(flag: bool) -> bool:
    """Whether FLAG is set in any process: all of them must take the same way."""
    return any(_of_all(flag))


def means(values: Mapping[str, Sequence[float]]) -> dict[str, float]:
    """Return the mean of each name's VALUES, those of all processes; a name may be one's own."""
    sums: dict[str, float] = {}
    counts: dict[str, int] = {}
    for each in _of_all({name: (sum(numbers), len(numbers)) for name, numbers in values.items()}):
        for name, (total, count) in each.items():
            sums[name] = sums.get(name, 0.0) + total
            counts[name] = counts.get(name, 0) + count
    return {name: total / counts[name] for name, total in sums.items()}


def _of_all(value: Any) -> list[Any]:
    """VALUE of every process, in the order of ranks."""
    if not distributed.is_initialized():
        return [value]
    values = [None] * distributed.get_world_size()
    distributed.all_gather_object(values, value)
    return values


def shard(trainer: Any, wrap: str = "transformer_based_wrap") -> None:
    """Let TRAINER shard weights, gradients and optimizer by FSDP2, as accelerate does it.

    accelerate takes the wish at its start on GPUs only, and on CPUs silently trains without.
    """
    state = trainer.accelerator.state
    state.distributed_type = DistributedType.FSDP
    state.fsdp_plugin = FullyShardedDataParallelPlugin(
        fsdp_version=2, auto_wrap_policy=wrap, cpu_ram_efficient_loading=False
    )
    trainer.is_fsdp_enabled = True


def gather(sharded: Any, whole: Any | None) -> None:
    """Copy the weights of the SHARDED model into a WHOLE one; None: another process does.

    Every process must call it. One tensor at a time is put together.
    """
    targets = dict(whole.named_parameters()) if whole is not None else {}
    for name, value in sharded.named_parameters():
        complete = full(value)
        if whole is not None:
            with torch.no_grad():
                targets[name].copy_(complete)


def full(value: Tensor) -> Tensor:
    """Return VALUE, put together where it is sharded; every process must call it."""
    value = value.detach()
    return value.full_tensor() if isinstance(value, DTensor) else value


def part() -> None:
    """Leave the other processes, once all are here; what is left to do needs one process only."""
    if distributed.is_initialized():
        distributed.barrier()
        distributed.destroy_process_group()
