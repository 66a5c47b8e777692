"""LoRA adapters in a policy: which one is trained, which one is the start, and how both are saved.

A model that starts from a stored adapter carries it frozen, beside the one that is trained (peft's
'default'). As `REFERENCE` it is a copy of what is trained on, and only the reference uses it; as
`START` it is part of policy and reference, and the trained one adds to it.
"""

from __future__ import annotations

import shutil
import warnings
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from prefrun.errors import ConfigError

if TYPE_CHECKING:
    from prefrun.builtin.config import LoraSettings

TRAINED, REFERENCE, START, COMBINED = "default", "reference", "start", "combined"
"""Names of adapters in a peft.PeftModel."""
OF_AN_ADAPTER = ("lora_", "modules_to_save", "trainable_tokens")
"""Parts of the names of parameters that belong to an adapter."""


def has_adapter(model: Any) -> bool:
    """Tell whether MODEL is a peft.PeftModel."""
    return hasattr(model, "disable_adapter") and hasattr(model, "peft_config")


def is_of_an_adapter(name: str) -> bool:
    """Tell whether the parameter called NAME belongs to an adapter."""
    return any(part in name for part in OF_AN_ADAPTER)


def adapter_disabled(model: Any) -> AbstractContextManager[None]:
    """Make MODEL its own reference for a while, the start model as it was.

    Without the adapter that is trained; with the stored one it started from, if any. Does nothing
    to a model without adapter.
    """
    if not has_adapter(model):
        return nullcontext()
    stored = _stored(model)
    if stored is not None:
        return _only(model, stored)
    disabled: AbstractContextManager[None] = model.disable_adapter()
    return disabled


@contextmanager
def _only(model: Any, name: str) -> Iterator[None]:
    model.base_model.set_adapter(name, inference_mode=True)
    try:
        yield
    finally:
        activate(model)


def activate(model: Any) -> None:
    """Let MODEL, if it has adapters, compute with those of the policy, and train its own only."""
    if not has_adapter(model):
        return
    model.set_adapter(TRAINED)
    if START in model.peft_config:
        model.base_model.set_adapter([TRAINED, START], inference_mode=True)
        model.set_requires_grad(TRAINED)


def _stored(model: Any) -> str | None:
    return next((name for name in (REFERENCE, START) if name in model.peft_config), None)


def with_lora(model: Any, lora: LoraSettings, revision: str | None = None) -> Any:
    """Return MODEL as a peft.PeftModel with a fresh adapter, which starts as the identity.

    MODEL may be one that `with_stored` made; the fresh adapter adds to the stored one. REVISION is
    that of MODEL on the hub. Raises ConfigError if the model has no such layers.
    """
    from peft import LoraConfig, TaskType, get_peft_model

    targets = list(lora.target_modules) if lora.target_modules else "all-linear"
    settings = LoraConfig(
        task_type=TaskType.CAUSAL_LM,
        r=lora.rank,
        lora_alpha=lora.alpha,
        target_modules=targets,
        revision=revision,
    )
    try:
        with known_warnings_off():
            if has_adapter(model):
                stored = model.peft_config[START]
                settings.base_model_name_or_path = stored.base_model_name_or_path
                settings.revision = stored.revision
                model.add_adapter(TRAINED, settings)
                activate(model)
                return model
            return get_peft_model(model, settings)
    except ValueError as error:
        raise ConfigError(
            f"model.lora.target_modules={targets} does not fit the model: {error}\n"
            "  remedy: name linear layers of the model, or leave it out for all of them"
        ) from error


def with_stored(model: Any, folder: Path, name: str, base: str, revision: str | None) -> Any:
    """Return MODEL as a peft.PeftModel with the adapter in FOLDER, frozen, under NAME.

    BASE and REVISION are where MODEL came from, as whoever loads the adapter finds it.
    """
    from peft import PeftModel

    with known_warnings_off():
        adapted = PeftModel.from_pretrained(model, str(folder), adapter_name=name)
    settings = adapted.peft_config[name]
    settings.base_model_name_or_path, settings.revision = base, revision
    return adapted


def trained_on(model: Any, folder: Path) -> Any:
    """Let MODEL, which has the adapter in FOLDER as REFERENCE, train a copy of it."""
    stored = model.peft_config[REFERENCE]
    with known_warnings_off():
        model.load_adapter(str(folder), TRAINED, is_trainable=True)
    settings = model.peft_config[TRAINED]
    settings.base_model_name_or_path = stored.base_model_name_or_path
    settings.revision = stored.revision
    activate(model)
    return model


def merged(model: Any, folder: Path) -> Any:
    """Add the adapter in FOLDER to MODEL's weights, all of which can be trained then."""
    from peft import PeftModel

    with known_warnings_off():
        whole = PeftModel.from_pretrained(model, str(folder)).merge_and_unload()
    return whole.requires_grad_(True)  # peft has frozen them


def save_weights(model: Any, folder: Path) -> None:
    """Write MODEL into FOLDER so that peft or transformers gives back what MODEL computes.

    A trained adapter and the START below it become one, of the sum of their ranks: stacked, their
    products B A add up exactly.
    """
    if not has_adapter(model):
        model.save_pretrained(folder)
    elif START not in model.peft_config:
        model.save_pretrained(folder, selected_adapters=[TRAINED])
    else:
        _save_combined(model, folder)


def _save_combined(model: Any, folder: Path) -> None:
    for name in (TRAINED, START):  # in one form, and exactly the layers that have it
        model.peft_config[name].target_modules = _layers_of(model, name)
    with known_warnings_off():
        # settings are the first one's: START may scale by the root of its rank
        model.add_weighted_adapter([TRAINED, START], [1.0, 1.0], COMBINED, combination_type="cat")
    try:
        model.save_pretrained(folder, selected_adapters=[COMBINED])
    finally:
        model.delete_adapter(COMBINED)
        activate(model)
    shutil.copytree(folder / COMBINED, folder, dirs_exist_ok=True)
    shutil.rmtree(folder / COMBINED)


def _layers_of(model: Any, name: str) -> set[str]:
    """Full names of the layers that the adapter called NAME changes."""
    modules = model.get_base_model().named_modules()
    return {path for path, module in modules if name in getattr(module, "lora_A", ())}


@contextmanager
def loading_adapters(model: Any) -> Iterator[None]:
    """Let transformers read a checkpoint's adapters into MODEL: it knows a single active one."""
    if has_adapter(model):
        model.set_adapter(TRAINED)
    try:
        yield
    finally:
        activate(model)


@contextmanager
def known_warnings_off() -> Iterator[None]:
    """Peft 0.21 asks transformers 5.23 by a deprecated name, and says what it does for GPT-2."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "fan_in_fan_out is set to False", UserWarning)
        warnings.filterwarnings("ignore", "`is_gradient_checkpointing`", FutureWarning)
        yield
