"""Hex digest of a loaded model: of all that changes a log-prob, and of nothing else."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from hashlib import blake2b
from pathlib import Path
from typing import Any

import torch

from prefrun.digest import file_digest
from prefrun.policy.adapter import is_of_an_adapter

WEIGHT_FILES = ("*.safetensors", "pytorch_model*.bin", "adapter_model.bin")
VOLATILE = {
    "_name_or_path",
    "_attn_implementation",
    "_attn_implementation_internal",
    "architectures",
    "base_model_name_or_path",
    "dtype",
    "torch_dtype",
    "transformers_version",
    "use_cache",
    "bos_token_id",
    "eos_token_id",
    "pad_token_id",
}
"""Configuration keys that change no log-prob, or that are hashed as the model has them."""


def fingerprint(model: Any, weights: str | None = None) -> str:
    """Return the digest of MODEL: weights, configuration, dtype, attention, adapter.

    WEIGHTS stands for the weights where it is cheaper to know: `folder_digest` of a local folder,
    or a hub repository's resolved commit. Without it, and always of an adapter, the tensors
    themselves are hashed.
    """
    adapters = getattr(model, "peft_config", None)
    base = model.get_base_model() if adapters else model
    parts = {
        "weights": weights or tensors_digest(base.state_dict()),
        "config": _configuration(base.config.to_dict()),
        "dtype": str(base.dtype),
        "attention": str(base.config._attn_implementation),
    }
    if adapters:
        state = model.state_dict()
        tensors = {name: value for name, value in state.items() if is_of_an_adapter(name)}
        settings = {name: config.to_dict() for name, config in adapters.items()}
        parts["adapter"] = _configuration(settings)
        parts["adapter_weights"] = tensors_digest(tensors)
    return _digest([json.dumps(parts, sort_keys=True).encode()])


def folder_digest(folder: Path) -> str:
    """Hash the weight files of FOLDER by name and content; '' where it has none.

    A file is read once per process, see `file_digest`.
    """
    files = sorted({file for pattern in WEIGHT_FILES for file in folder.glob(pattern)})
    parts = [f"{file.name} {file_digest(file)}".encode() for file in files]
    return _digest(parts) if parts else ""


def tensors_digest(tensors: Mapping[str, torch.Tensor]) -> str:
    """Hash tensors by name, dtype, shape and content."""
    hasher = blake2b(digest_size=32)
    for name in sorted(tensors):
        tensor = tensors[name].detach().cpu().contiguous()
        hasher.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        hasher.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return hasher.hexdigest()


def weights_version(model: Any) -> int:
    """Count the in-place writes to the weights below any adapter: each optimizer step adds some."""
    return sum(
        value._version for name, value in model.named_parameters() if not is_of_an_adapter(name)
    )


def _configuration(config: Mapping[str, Any]) -> str:
    return json.dumps(_stable(config), sort_keys=True, default=_plain)


def _stable(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {
            str(key): _stable(item)
            for key, item in value.items()
            if key not in VOLATILE and "drop" not in str(key)  # dropout is off
        }
    return value


def _plain(value: Any) -> Any:
    return sorted(map(str, value)) if isinstance(value, set) else str(value)


def _digest(parts: Iterable[bytes]) -> str:
    hasher = blake2b(digest_size=20)
    for part in parts:
        hasher.update(len(part).to_bytes(8, "little") + part)
    return hasher.hexdigest()
