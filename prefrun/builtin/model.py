"""model=hf: a causal language model from a local folder or the Hugging Face hub."""

from __future__ import annotations

import os
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING

from prefrun.builtin.config import ModelDevice
from prefrun.builtin.hub import is_reachable
from prefrun.builtin.loading import chosen_device, no_progress_bar
from prefrun.errors import ConfigError, first_sentence
from prefrun.policy.adapter import adapter_base, adapter_digest, merged, with_lora
from prefrun.policy.attention.kernel import Kernel
from prefrun.policy.chat_template import set_template_arguments
from prefrun.policy.dropout import disable_dropout
from prefrun.policy.fingerprint import fingerprint, folder_digest, weights_version
from prefrun.policy.policy import LoadedModel
from prefrun.sharing import sharing

if TYPE_CHECKING:
    from prefrun.builtin.config import HFModelConfig, LoraSettings


CONFIG_FILES = ("config.json", "adapter_config.json")


@dataclass(frozen=True, slots=True)
class Source:
    """Where a model comes from and how it is to be loaded."""

    path: str
    """Folder, or name on the hub."""
    name: str
    """Readable; part of the run's name."""
    revision: str | None = None
    dtype: str = "auto"
    attention: str | None = None
    device: ModelDevice = ModelDevice.auto
    template: Mapping[str, Any] = field(default_factory=dict)
    """Arguments of the chat template."""

    @property
    def own_attention(self) -> str | None:
        """What transformers is asked for; packed trees switch it only while they are scored."""
        packed = {kernel.value for kernel in Kernel}
        return None if self.attention in packed else self.attention

    @property
    def folder(self) -> Path | None:
        """The local folder; None on the hub."""
        folder = Path(self.path).expanduser()
        return folder if folder.is_dir() else None

    @property
    def place(self) -> str:
        """What transformers is given."""
        return str(self.folder or self.path)

    def options(self) -> dict[str, Any]:
        """What every from_pretrained gets. Code from the hub is never run."""
        cached = self.folder is None and not is_reachable()
        return {
            "revision": self.revision or "main",
            "trust_remote_code": False,
            "local_files_only": cached,
        }


class HFModel:
    """The component behind `model=hf`."""

    def __init__(self, config: HFModelConfig) -> None:
        """Raises ConfigError where `model.name` is no name, or a folder that holds no model."""
        self.config = config
        self.source = Source(
            path=config.name,
            name=Path(config.name).name,
            revision=config.revision,
            dtype=config.dtype.value,
            attention=config.attention,
            device=config.device,
            template=config.template,
        )
        _check_name(config.name, self.source.folder)

    def load(self) -> LoadedModel:
        """Load model and tokenizer. Raises ConfigError naming the key to change."""
        return _load(self.source, self.config.lora)


def _check_name(name: str, folder: Path | None) -> None:
    """What can be said of a model without reading it. A LoRA adapter has a config of its own."""
    looks_local = name.startswith((".", "~", os.sep)) or name.count("/") > 1
    problem = ""
    if not name.strip():
        problem = "a name is missing"
    elif folder is None and Path(name).expanduser().is_file():
        problem = "is a file, not a folder"
    elif folder is None and looks_local:
        problem = "there is no such folder"
    elif folder and not any((folder / file).is_file() for file in CONFIG_FILES):
        problem = f"cannot be loaded: the folder holds no {CONFIG_FILES[0]}"
    if problem:
        raise ConfigError(
            f"model.name={name}: {problem}\n"
            "  remedy: give a folder that save_pretrained wrote, or a name on the hub"
        )


def load_folder(
    folder: Path,
    *,
    name: str,
    dtype: str = "auto",
    attention: str | None = None,
    device: ModelDevice = ModelDevice.auto,
    lora: LoraSettings | None = None,
) -> LoadedModel:
    """Load the causal language model in FOLDER, ready for preference training.

    Dropout is off. A tokenizer without padding token pads with its end-of-sequence token, which
    the attention mask hides. With LORA of rank > 0 the model is a peft.PeftModel. Raises
    ConfigError where the folder holds no such model.
    """
    source = Source(str(folder), name, dtype=dtype, attention=attention, device=device)
    return _load(source, lora)


def _load(source: Source, lora: LoraSettings | None) -> LoadedModel:
    start = sharing.get("model", source, lambda: _load_start(source))
    model, tokenizer = start.model, start.tokenizer
    if sharing.enabled:
        model, tokenizer = deepcopy((model, tokenizer))
    model.to(chosen_device(source.device, "model.device"))
    if lora is not None and lora.rank > 0:
        model = with_lora(model, lora)
    return replace(start, model=model, tokenizer=tokenizer, weights_version=weights_version(model))


def _load_start(source: Source) -> LoadedModel:
    """Load the model as training finds it, but for adapters; in a sweep, which keeps it, on CPU."""
    device = chosen_device(source.device, "model.device")
    stored = source.folder and adapter_base(source.folder)
    base = replace(source, path=stored) if stored else source
    config = _read(base, AutoConfig)
    _check_causal(source, config)
    tokenizer = _padded(source, _read(source, AutoTokenizer))
    set_template_arguments(tokenizer, source.template)
    model = _read_model(base, device)
    weights = _weights(base, model)
    if stored and source.folder:
        model, weights = merged(model, source.folder), f"{weights} {adapter_digest(source.folder)}"
    disable_dropout(model)
    model.eval()
    digest = fingerprint(model, weights)
    return LoadedModel(model, tokenizer, source.name, digest, attention=source.attention)


def _read(source: Source, loader: Any) -> Any:
    try:
        return loader.from_pretrained(source.place, **source.options())
    except (OSError, ValueError, KeyError, ImportError) as error:
        raise _not_loaded(source, error) from error


def _not_loaded(source: Source, error: Exception) -> ConfigError:
    reason = first_sentence(error)
    remedy = "give a folder that save_pretrained wrote (model and tokenizer)"
    if source.folder is None:
        remedy = "check the name and model.revision, or give a local folder"
        if not is_reachable():
            reason = (
                "there is no such folder, the Hugging Face hub cannot be reached, and its files "
                "are not in the cache"
            )
            remedy = "go online, or give a local folder: model.name=FOLDER"
    return ConfigError(f"model.name={source.path} cannot be loaded: {reason}\n  remedy: {remedy}")


def _check_causal(source: Source, config: Any) -> None:
    known = MODEL_FOR_CAUSAL_LM_MAPPING.get(type(config), None)
    names = {item.__name__ for item in (known if isinstance(known, tuple) else (known,)) if item}
    stated = set(config.architectures or names)
    if not names & stated or getattr(config, "is_encoder_decoder", False):
        raise ConfigError(
            f"model.name={source.path} is a {', '.join(sorted(stated)) or config.model_type}, "
            "not a causal language model\n  remedy: choose a model whose config.json names "
            f"{', '.join(sorted(names)) or 'a ...ForCausalLM'} under 'architectures'"
        )


def _padded(source: Source, tokenizer: Any) -> Any:
    if tokenizer.pad_token_id is None:
        if tokenizer.eos_token_id is None:
            raise ConfigError(
                f"model.name={source.path}: the tokenizer has neither pad_token nor eos_token\n"
                "  remedy: set one in its tokenizer_config.json"
            )
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


def _read_model(source: Source, device: torch.device) -> Any:
    dtype = source.dtype
    if dtype == "auto" and device.type == "cpu":
        dtype = "float32"  # most CPUs are slow at anything else
    try:
        with no_progress_bar():
            loader: Any = AutoModelForCausalLM
            model, report = loader.from_pretrained(
                source.place,
                dtype=dtype,
                attn_implementation=source.own_attention,
                output_loading_info=True,
                **source.options(),
            )
    except (ValueError, ImportError) as error:
        if source.own_attention is None or "attention" not in str(error).lower():
            raise _not_loaded(source, error) from error
        raise ConfigError(
            f"model.attention={source.attention} does not work here: {error}\n"
            "  remedy: choose segments, flex, dense, sdpa or eager, or leave it out"
        ) from error
    except Exception as error:  # safetensors and torch have exceptions of their own
        raise _not_loaded(source, error) from error
    if report["missing_keys"]:
        some = ", ".join(sorted(report["missing_keys"])[:3])
        raise ConfigError(
            f"model.name={source.path}: the weights lack {len(report['missing_keys'])} tensors, "
            f"such as {some}\n  remedy: give a checkpoint of the whole causal language model"
        )
    return model


def _weights(source: Source, model: Any) -> str | None:
    commit: str | None = getattr(model.config, "_commit_hash", None)
    return folder_digest(source.folder) if source.folder else commit
