"""What a training spread over processes needs beyond transformers' own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from accelerate import PartialState
from accelerate.utils import DistributedType, FullyShardedDataParallelPlugin
from torch import Tensor, distributed
from torch.distributed.tensor import DTensor

from prefrun.errors import ConfigError

Passes = list[dict[str, Any]]


def any_process(flag: bool) -> bool:
    """Whether FLAG is set in any process: all of them must take the same way."""
    return any(_of_all(flag))


def total(value: int) -> int:
    """Return the sum of VALUE over all processes."""
    return sum(_of_all(value))


def means(values: Mapping[str, Sequence[float]]) -> dict[str, float]:
    """Return the mean of each name's VALUES, those of all processes; a name may be one's own."""
    sums: dict[str, float] = {}
    counts: dict[str, int] = {}
    for each in _of_all({name: (sum(numbers), len(numbers)) for name, numbers in values.items()}):
        for name, (total, count) in each.items():
            sums[name] = sums.get(name, 0.0) + total
            counts[name] = counts.get(name, 0) + count
    return {name: total / counts[name] for name, total in sums.items()}


def in_step_with_others(is_joint: bool, passes: Passes) -> tuple[Passes, Passes]:
    """Return rehearsals and PASSES, as many as the process with the most has.

    Sharded models exchange weights in every pass, so idle ones repeat their first pass.
    """
    joint, lengths = zip(*_of_all((is_joint, len(passes))), strict=True)
    passes = [*passes, *passes[:1] * (max(lengths) - len(passes))]
    return (passes if any(joint) else []), passes


def _of_all(value: Any) -> list[Any]:
    """VALUE of every process, in the order of ranks."""
    if not distributed.is_initialized():
        return [value]
    values = [None] * distributed.get_world_size()
    distributed.all_gather_object(values, value)
    return values


def shard(trainer: Any, wrap: str = "transformer_based_wrap") -> None:
    """Let TRAINER shard weights, gradients and optimizer by FSDP2, as accelerate does it.

    accelerate takes the wish as it starts, but on CPUs silently trains without.
    """
    state = _declared(trainer, DistributedType.FSDP)
    state.fsdp_plugin = FullyShardedDataParallelPlugin(
        fsdp_version=2, auto_wrap_policy=wrap, cpu_ram_efficient_loading=False
    )
    trainer.is_fsdp_enabled = True


def partition(trainer: Any, zero_stage: int) -> None:
    """Let TRAINER share out optimizer and, from ZERO_STAGE 2, gradients by DeepSpeed."""
    from accelerate.utils import DeepSpeedPlugin
    from transformers.integrations.deepspeed import HfTrainerDeepSpeedConfig

    auto = ("train_batch_size", "train_micro_batch_size_per_gpu", "gradient_accumulation_steps")
    settings = dict.fromkeys((*auto, "gradient_clipping"), "auto") | {
        "zero_optimization": {"stage": zero_stage},
        "zero_allow_untested_optimizer": True,
        "bf16": {"enabled": trainer.model.dtype == torch.bfloat16},
        "fp16": {"enabled": trainer.model.dtype == torch.float16},
    }
    config: Any = HfTrainerDeepSpeedConfig(settings)  # type: ignore[no-untyped-call]
    config.trainer_config_process(trainer.args)
    config._dtype = torch.float32  # of a batch's scores and reference, which stay as they are
    state = _declared(trainer, DistributedType.DEEPSPEED)
    plugin = DeepSpeedPlugin(hf_ds_config=config)
    state.deepspeed_plugins = {"default": plugin}
    plugin.select(_from_accelerator_state=True)
    trainer.accelerator.deepspeed_engine_wrapped = None
    trainer.args.hf_deepspeed_config = config
    trainer.is_deepspeed_enabled = True


def _declared(trainer: Any, kind: DistributedType) -> Any:
    """Tell all of accelerate how TRAINER is spread, and return its state.

    Raises ConfigError where the algorithm has parameters of its own, which are not spread.
    """
    if trainer.companion.parameters:
        raise ConfigError(
            f"launch.strategy={kind.lower()} cannot train the parameters that this algorithm has "
            "beside the model's\n  remedy: launch.strategy=ddp"
        )
    PartialState().distributed_type = kind
    trainer.accelerator.state.distributed_type = kind
    return trainer.accelerator.state


def backward(trainer: Any, loss: Tensor, is_last: bool) -> None:
    """Add the gradients of one pass; the last of a step shares them."""
    if trainer.is_deepspeed_enabled:  # which would take every pass for a step
        engine = trainer.accelerator.deepspeed_engine_wrapped
        engine.backward(loss, sync_gradients=is_last, scale_wrt_gas=False)
    else:
        trainer.accelerator.backward(loss)


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
