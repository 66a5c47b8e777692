"""Compiles a model's decoder layers with torch.compile, one by one and in place.

The whole model cannot be compiled: `prefrun.policy.head` changes its head for each call.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from transformers import AttentionInterface

from prefrun.errors import ConfigError, first_sentence
from prefrun.policy.attention.switch import NAME, attend
from prefrun.policy.head import unwrap


def check_compiler(device: str) -> None:
    """Compile one line for DEVICE. Raises ConfigError where this machine cannot."""
    number = random.SystemRandom().random()  # a line never seen before is in no cache of compiles

    def line(tensor: Tensor) -> Tensor:
        return tensor.sin() * number

    try:
        torch.compile(line)(torch.ones(8, device=device))
    except Exception as error:  # the failures of compilers have no common class
        raise ConfigError(
            f"trainer.compile=true, but PyTorch cannot compile here: {first_sentence(error)}\n"
            "  remedy: install a C++ compiler (g++, or the one that CXX names), or leave it out"
        ) from error


@contextmanager
def compiled_layers(model: Any) -> Iterator[None]:
    """Run MODEL's decoder layers compiled, for rows of any length; afterwards as before.

    Raises ConfigError for a model in which no decoder layers are found.
    """
    layers = decoder_layers(model)
    if not layers:
        raise ConfigError(
            f"trainer.compile=true, but {type(unwrap(model)).__name__} has no decoder layers that "
            "can be told\n  remedy: leave it out"
        )
    # its loops over chains and blocks would be compiled anew for every row
    untraced: Any = torch.compiler.disable(attend)  # type: ignore[no-untyped-call]
    AttentionInterface.register(NAME, untraced)
    for layer in layers:
        layer.compile(dynamic=True)
    try:
        yield
    finally:
        for layer in layers:
            layer._compiled_call_impl = None
        AttentionInterface.register(NAME, attend)


def decoder_layers(model: Any) -> list[nn.Module]:
    """Return the modules that transformers calls indivisible, else the longest list of modules."""
    causal_lm = unwrap(model)
    names = set(getattr(causal_lm, "_no_split_modules", None) or ())
    layers = [module for module in causal_lm.modules() if type(module).__name__ in names]
    lists = [list(module) for module in causal_lm.modules() if isinstance(module, nn.ModuleList)]
    return layers or max(lists, key=len, default=[])
