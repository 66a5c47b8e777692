"""LoRA adapters on a policy: adding one, merging a stored one, and the reference beneath it."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from prefrun.errors import ConfigError
from prefrun.policy.fingerprint import folder_digest

if TYPE_CHECKING:
    from prefrun.builtin.config import LoraSettings

SETTINGS = "adapter_config.json"


def has_adapter(model: Any) -> bool:
    """Tell whether MODEL is a peft.PeftModel."""
    return hasattr(model, "disable_adapter") and hasattr(model, "peft_config")


def adapter_disabled(model: Any) -> AbstractContextManager[None]:
    """Make MODEL its own reference for a while; does nothing to a model without adapter."""
    if not has_adapter(model):
        return nullcontext()
    disabled: AbstractContextManager[None] = model.disable_adapter()
    return disabled


def with_lora(model: Any, lora: LoraSettings) -> Any:
    """Return MODEL as a peft.PeftModel with a fresh adapter, which starts as the identity.

    Raises ConfigError where the model has no such layers.
    """
    from peft import LoraConfig, TaskType, get_peft_model

    targets = list(lora.target_modules) if lora.target_modules else "all-linear"
    settings = LoraConfig(
        task_type=TaskType.CAUSAL_LM,
        r=lora.rank,
        lora_alpha=lora.alpha,
        lora_dropout=lora.dropout,
        target_modules=targets,
    )
    try:
        with _known_warnings_off():
            return get_peft_model(model, settings)
    except ValueError as error:
        raise ConfigError(
            f"model.lora.target_modules={targets} does not fit the model: {error}\n"
            "  remedy: name linear layers of the model, or leave it out for all of them"
        ) from error


def adapter_base(folder: Path) -> str | None:
    """Return the base model of a folder that holds an adapter only; None for any other folder."""
    file = folder / SETTINGS
    if (folder / "config.json").exists() or not file.exists():
        return None
    base: str | None = json.loads(file.read_text(encoding="utf-8")).get("base_model_name_or_path")
    return base


def merged(model: Any, folder: Path) -> Any:
    """Add the adapter in FOLDER to MODEL's weights: a start model has no adapter of its own."""
    from peft import PeftModel

    with _known_warnings_off():
        return PeftModel.from_pretrained(model, str(folder)).merge_and_unload()


def adapter_digest(folder: Path) -> str:
    """Hash a stored adapter: weights and settings."""
    return f"{folder_digest(folder)} {(folder / SETTINGS).read_text(encoding='utf-8')}"


@contextmanager
def _known_warnings_off() -> Iterator[None]:
    """Peft 0.21 asks transformers 5.23 by a name that is deprecated there."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "`is_gradient_checkpointing`", FutureWarning)
        yield
