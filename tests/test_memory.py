"""Whoever runs out of memory learns in which phase, and what to lower."""

from __future__ import annotations

import errno
import os

import pytest
import torch

from prefrun.errors import ConfigError, PrefrunError
from prefrun.memory import EVALUATING, LOADING, REMEDIES, TRAINING, naming_out_of_memory

CPU = (
    "[enforce fail at alloc_cpu.cpp:124] err == 0. DefaultCPUAllocator: can't allocate memory: you "
    "tried to allocate 4000000000000 bytes. Error code 12 (Cannot allocate memory)"
)


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB."),
        MemoryError(),
        RuntimeError(CPU),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling cublasCreate"),
        RuntimeError("MPS backend out of memory"),
        RuntimeError("std::bad_alloc"),
        OSError(errno.ENOMEM, os.strerror(errno.ENOMEM)),
    ],
)
def test_each_way_to_run_out_of_memory_names_phase_and_keys(error):
    with pytest.raises(PrefrunError) as caught, naming_out_of_memory(TRAINING):
        raise error
    text = str(caught.value)
    assert text.startswith("out of memory in training: ")
    for key in ("trainer.micro_batch_tokens", "gradient_checkpointing", "model.lora.rank", "dtype"):
        assert key in text
    assert caught.value.exit_code == 1


def test_what_torch_raises_on_the_cpu_is_known():
    keys = r"evaluation\.batch_size.*evaluation\.batch_tokens"
    with pytest.raises(PrefrunError, match=keys), naming_out_of_memory(EVALUATING):
        torch.empty(1 << 60, dtype=torch.int8)


def test_who_takes_it_for_a_damaged_file_is_corrected():
    error = ConfigError("the weights cannot be read")
    error.__cause__ = RuntimeError(CPU)
    said = "out of memory in loading the model"
    with pytest.raises(PrefrunError, match=said), naming_out_of_memory(LOADING):
        raise error


def test_the_innermost_phase_speaks():
    @naming_out_of_memory(TRAINING)
    @naming_out_of_memory(EVALUATING)
    def fill() -> None:
        raise MemoryError

    with pytest.raises(PrefrunError, match="in evaluation: MemoryError"):
        fill()


@pytest.mark.parametrize(
    "error", [ConfigError("out of memory"), RuntimeError("shape"), KeyError(1)]
)
def test_other_errors_pass(error):
    with pytest.raises(type(error)) as caught, naming_out_of_memory(TRAINING):
        raise error
    assert caught.value is error


def test_the_keys_that_are_named_exist():
    from prefrun.builtin.config import HFModelConfig
    from prefrun.commands.fields import all_keys_of
    from prefrun.records.config import FileDataConfig
    from prefrun.schema import RunConfig

    known = {key.name for key in all_keys_of(RunConfig)}
    known |= {f"model.{key.name}" for key in all_keys_of(HFModelConfig)}
    known |= {f"data.{key.name}" for key in all_keys_of(FileDataConfig)}
    words = (
        " ".join(REMEDIES.values()).replace("=", " ").replace(",", " ").replace(";", " ").split()
    )
    assert {word for word in words if "." in word.strip(".")} <= known
