"""model=hf: a causal language model from a local folder or the Hugging Face hub."""

from __future__ import annotations

import os
import struct
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING

from prefrun.builtin.adapters import (
    StoredAdapter,
    adapted,
    base_problem,
    chosen_use,
    default_use,
)
from prefrun.builtin.config import AdapterUse, ModelDevice
from prefrun.builtin.gguf_file import check_gguf, gguf_file, weight_options
from prefrun.builtin.hub import is_reachable
from prefrun.builtin.loading import chosen_device, fit_tokenizer, no_progress_bar, savable
from prefrun.builtin.source import Source
from prefrun.digest import file_digest
from prefrun.errors import ConfigError, first_sentence
from prefrun.policy.adapter import trained_on, with_lora
from prefrun.policy.chat_template import set_template_arguments
from prefrun.policy.dropout import disable_dropout
from prefrun.policy.fingerprint import fingerprint, folder_digest, weights_version
from prefrun.policy.policy import LoadedModel
from prefrun.sharing import sharing

if TYPE_CHECKING:
    from prefrun.builtin.config import HFModelConfig, LoraSettings


DEQUANTISED = "weights dequantised from a GGUF file"
CONFIG_FILES = ("config.json", "adapter_config.json")


class HFModel:
    """The component behind `model=hf`."""

    def __init__(self, config: HFModelConfig) -> None:
        """Raises ConfigError where `model.name` is no name, or a folder that holds no model."""
        self.config = config
        source = Source(
            path=config.name,
            name=Path(config.name).name,
            revision=config.revision,
            dtype=config.dtype.value,
            attention=config.attention,
            device=config.device,
            template=config.template,
        )
        _check_name(config.name, source.folder)
        if source.file:
            check_gguf(source.file, config.lora.rank)
        self.source = replace(source, adapter=chosen_use(config, StoredAdapter.at(source.folder)))

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
        problem = "" if gguf_file(name) else "is a file, neither a folder nor GGUF"
    elif folder is None and looks_local:
        problem = "there is no such folder"
    elif folder and not any((folder / file).is_file() for file in CONFIG_FILES):
        problem = f"cannot be loaded: the folder holds no {CONFIG_FILES[0]}"
    if problem:
        raise ConfigError(
            f"model.name={name}: {problem}\n"
            "  remedy: give a folder that save_pretrained wrote, a .gguf file, or a name on the hub"
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
    the attention mask hides. With LORA of rank > 0 the model is a peft.PeftModel, and so it is if
    FOLDER holds an adapter, which is trained on, or is below that of LORA. Raises
    ConfigError where the folder holds no such model.
    """
    use = default_use(StoredAdapter.at(folder), lora.rank if lora else 0)
    source = Source(str(folder), name, dtype=dtype, attention=attention, device=device, adapter=use)
    return _load(source, lora)


def _load(source: Source, lora: LoraSettings | None) -> LoadedModel:
    start = sharing.get("model", source, lambda: _load_start(source))
    model, tokenizer = start.model, start.tokenizer
    if sharing.enabled:
        model, tokenizer = deepcopy((model, tokenizer))
    model.to(chosen_device(source.device, "model.device"))
    if source.adapter is AdapterUse.train and source.folder:
        model = trained_on(model, source.folder)
    elif lora is not None and lora.rank > 0:
        model = with_lora(model, lora, _revision(source, model))
    disable_dropout(model)
    return replace(start, model=model, tokenizer=tokenizer, weights_version=weights_version(model))


def _load_start(source: Source) -> LoadedModel:
    """Load the model as training finds it, but for what is trained of adapters.

    In a sweep, which keeps it, on CPU.
    """
    device = chosen_device(source.device, "model.device")
    adapter = StoredAdapter.at(source.folder) if source.adapter is not AdapterUse.auto else None
    base = source if adapter is None else _base(source, adapter)
    config = _read(base, AutoConfig)
    _check_causal(source, config)
    tokenizer = _read(base if adapter and not adapter.has_tokenizer else source, AutoTokenizer)
    set_template_arguments(tokenizer, source.template)
    model = _read_model(base, device)
    fit_tokenizer(tokenizer, model, f"model.name={source.path}")
    digest = _weights(base, model)
    if adapter is not None:
        model = adapted(model, adapter, source.adapter)
        digest = f"{digest} {adapter.digest}" if digest else None
    disable_dropout(model)
    model.eval()
    digest = fingerprint(model, digest)
    return LoadedModel(
        model,
        tokenizer,
        source.name,
        digest,
        attention=source.attention,
        note=DEQUANTISED if source.file else "",
    )


def _base(source: Source, adapter: StoredAdapter) -> Source:
    return replace(
        source,
        path=adapter.base,
        revision=adapter.revision,
        adapter=AdapterUse.auto,
        base_of=adapter.folder,
    )


def _read(source: Source, loader: Any) -> Any:
    try:
        return loader.from_pretrained(source.place, **source.options())
    except (OSError, ValueError, KeyError, ImportError, struct.error) as error:
        raise _not_loaded(source, error) from error


def _not_loaded(source: Source, error: Exception) -> ConfigError:
    reason = first_sentence(error)
    remedy = "give a folder that save_pretrained wrote (model and tokenizer)"
    if not source.is_local:
        remedy = "check the name and model.revision, or give a local folder"
        if not is_reachable():
            reason = (
                "there is no such folder, the Hugging Face hub cannot be reached, and its files "
                "are not in the cache"
            )
            remedy = "go online, or give a local folder: model.name=FOLDER"
    if source.base_of is not None:
        return ConfigError(base_problem(source.base_of, source.path, reason))
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
                **(weight_options() if source.file else {}),
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
    return savable(model)


def _weights(source: Source, model: Any) -> str | None:
    if source.file:
        return file_digest(source.file)
    commit: str | None = getattr(model.config, "_commit_hash", None)
    return folder_digest(source.folder) if source.folder else commit


def _revision(source: Source, model: Any) -> str | None:
    """What finds the same model on the hub again; None for a local folder."""
    return None if source.folder else _weights(source, model) or source.revision
