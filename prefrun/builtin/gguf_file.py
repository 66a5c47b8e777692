"""A causal language model in one GGUF file. Its weights are dequantised as they are loaded."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

from transformers.utils.quantization_config import GgufConfig

from prefrun.errors import ConfigError

SUFFIX = ".gguf"


def gguf_file(path: str) -> Path | None:
    """Return PATH as an absolute one if it is a GGUF file, else None."""
    file = Path(path).expanduser()
    return file.absolute() if file.suffix == SUFFIX and file.is_file() else None


def check_gguf(file: Path, lora_rank: int) -> None:
    """Raise ConfigError if FILE cannot be read here, or what is trained on it could not be loaded.

    peft loads an adapter's base from a folder or the hub, and knows no GGUF.
    """
    if find_spec("gguf") is None:
        raise ConfigError(
            f"model.name={file} needs the package gguf\n  remedy: pip install 'prefrun[gguf]'"
        )
    if lora_rank > 0:
        raise ConfigError(
            f"model.lora.rank={lora_rank} does not go with a GGUF file: peft could not load the "
            f"saved adapter's base, {file}\n  remedy: make a folder of it first, as the guide "
            "'On a GPU' shows, or train all weights"
        )


def weight_options() -> dict[str, Any]:
    """Return what loading of weights gets besides: they become plain tensors."""
    return {"quantization_config": GgufConfig(dequantize=True)}
