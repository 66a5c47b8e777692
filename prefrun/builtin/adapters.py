"""What a folder says that holds a LoRA adapter, and whether a run can start from it as asked."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from prefrun.builtin.config import AdapterUse
from prefrun.errors import ConfigError, first_sentence
from prefrun.path_keys import adapter_base
from prefrun.policy.adapter import REFERENCE, START, merged, with_stored
from prefrun.policy.fingerprint import folder_digest

if TYPE_CHECKING:
    from prefrun.builtin.config import HFModelConfig

SETTINGS = "adapter_config.json"
WHOLE = ("model*.safetensors", "pytorch_model*.bin")
"""Weight files of a whole model."""
ADDS_UP = {
    "bias": "none",
    "use_dora": False,
    "modules_to_save": None,
    "trainable_token_indices": None,
    "lora_bias": False,
    "target_parameters": None,
    "layer_replication": None,
    "alora_invocation_tokens": None,
}
"""Settings under which adapters add up, and what each must be."""
SHARES_NOTHING = {"bias": "none", "layer_replication": None}
"""Settings under which a copy of an adapter changes nothing that the other has."""


@dataclass(frozen=True, slots=True)
class StoredAdapter:
    """An adapter's folder, its settings and its base model."""

    folder: Path
    settings: dict[str, Any]
    base: str
    """A folder's absolute path, or a name on the hub."""

    @classmethod
    def at(cls, folder: Path | None) -> StoredAdapter | None:
        """Read FOLDER; None if it holds no adapter. Raises ConfigError, naming it, if it cannot."""
        if folder is None:
            return None
        _check_whole(folder)
        if not (folder / SETTINGS).is_file():
            return None
        try:
            settings = dict(json.loads((folder / SETTINGS).read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError) as error:
            raise ConfigError(
                f"model.name={folder}: {SETTINGS} cannot be read: {error}\n"
                "  remedy: give a folder that peft's save_pretrained wrote"
            ) from error
        if any(file for pattern in WHOLE for file in folder.glob(pattern)):
            raise ConfigError(
                f"model.name={folder} holds a whole model and an adapter ({SETTINGS}), and only "
                "one of them can be meant\n  remedy: move the files of one into another folder"
            )
        return cls(folder, settings, _base_of(folder, settings))

    @property
    def digest(self) -> str:
        """Hash of all in it that changes a log-prob."""
        settings = {k: v for k, v in self.settings.items() if k != "base_model_name_or_path"}
        return f"{folder_digest(self.folder)} {json.dumps(settings, sort_keys=True)}"

    @property
    def has_tokenizer(self) -> bool:
        """Whether a tokenizer is stored beside it."""
        return (self.folder / "tokenizer_config.json").is_file()

    @property
    def revision(self) -> str | None:
        """The base model's revision on the hub."""
        revision: str | None = self.settings.get("revision")
        return revision

    def check(self, use: AdapterUse) -> None:
        """Raise ConfigError, naming a setting, if it cannot be used so without losing meaning."""
        if use is AdapterUse.merge:
            return
        kind = self.settings.get("peft_type", "LORA")
        needed = ADDS_UP if use is AdapterUse.stack else SHARES_NOTHING
        wrong = [] if kind == "LORA" else [f"peft_type={kind}"]
        wrong += [
            f"{name}={self.settings[name]}"
            for name, value in needed.items()
            if self.settings.get(name) not in (value, None, False, [])
        ]
        # the others change the base model's weights as they are loaded
        plain = (True, False, None, "gaussian", "orthogonal")
        if self.settings.get("init_lora_weights") not in plain:
            wrong.append(f"init_lora_weights={self.settings['init_lora_weights']}")
        if wrong:
            raise ConfigError(
                f"model.adapter={use.name} does not work with the adapter {self.folder}, which has "
                f"{', '.join(wrong)}\n  remedy: "
                + ("model.adapter=train, without model.lora; or " if kind == "LORA" else "")
                + "model.adapter=merge, which trains all weights"
            )


def default_use(adapter: StoredAdapter | None, rank: int) -> AdapterUse:
    """Return what is done with ADAPTER if nothing is said; RANK is that of a new one, or 0."""
    if adapter is None:
        return AdapterUse.auto
    use = AdapterUse.stack if rank else AdapterUse.train
    adapter.check(use)
    return use


def chosen_use(config: HFModelConfig, adapter: StoredAdapter | None) -> AdapterUse:
    """Return what is to be done with ADAPTER. Raises ConfigError for keys that do not fit it."""
    rank, use = config.lora.rank, config.adapter
    if adapter is None:
        if use is not AdapterUse.auto:
            raise ConfigError(
                f"model.adapter={use.name} needs an adapter to start from, and "
                f"model.name={config.name} is a whole model\n  remedy: leave it out"
            )
        return use
    if config.revision is not None:
        raise ConfigError(
            f"model.revision={config.revision} does nothing with the local adapter {config.name}\n"
            f"  remedy: write the base model's revision into {adapter.folder / SETTINGS}"
        )
    if use is AdapterUse.auto:
        return default_use(adapter, rank)
    if rank and use is not AdapterUse.stack:
        raise ConfigError(
            f"model.lora.rank={rank} does nothing with model.adapter={use.name}\n"
            "  remedy: leave one of them out, or model.adapter=stack for a new adapter on top"
        )
    if not rank and use is AdapterUse.stack:
        raise ConfigError(
            "model.adapter=stack adds a new adapter, and model.lora.rank is 0\n"
            "  remedy: model.lora.rank=8, or model.adapter=train"
        )
    adapter.check(use)
    return use


def adapted(model: Any, adapter: StoredAdapter, use: AdapterUse) -> Any:
    """Give MODEL the ADAPTER. Raises ConfigError if it is not one of MODEL."""
    try:
        if use is AdapterUse.merge:
            return merged(model, adapter.folder)
        name = REFERENCE if use is AdapterUse.train else START
        return with_stored(model, adapter.folder, name, adapter.base, adapter.revision)
    except Exception as error:  # peft, torch and safetensors have exceptions of their own
        raise ConfigError(
            f"model.name={adapter.folder}: the adapter does not fit its base model {adapter.base}: "
            f"{first_sentence(error)}\n  remedy: give the base model it was trained on in "
            "base_model_name_or_path of its adapter_config.json"
        ) from error


def base_problem(folder: Path, base: str, reason: str) -> str:
    """Return the message that the adapter in FOLDER lacks its BASE model, for a REASON."""
    return (
        f"model.name={folder} is an adapter, and its base model {base} cannot be loaded: {reason}\n"
        "  remedy: put the base model there, or write where it is into base_model_name_or_path of "
        f"{folder / SETTINGS}"
    )


def _base_of(folder: Path, settings: dict[str, Any]) -> str:
    """Return the base model of the adapter in FOLDER. Raises ConfigError if there is none."""
    stored = str(settings.get("base_model_name_or_path") or "")
    found = adapter_base(folder, stored)
    if found is None:
        if not stored or stored[0] in "./~" or stored.count("/") > 1:
            reason = "there is no such folder" if stored else "it names none"
            raise ConfigError(base_problem(folder, stored, reason))
        return stored
    if (found / SETTINGS).is_file():
        raise ConfigError(
            f"model.name={folder} is an adapter, and its base model {found} is one, too\n"
            "  remedy: merge that one into its own base with peft's merge_and_unload(), save the "
            f"result, and name it as base_model_name_or_path in {folder / SETTINGS}"
        )
    return str(found.absolute())


def _check_whole(folder: Path) -> None:
    """Raise ConfigError for the checkpoint of a run whose adapter adds to another one."""
    if (folder / START / SETTINGS).is_file():
        raise ConfigError(
            f"model.name={folder} is a checkpoint of a run with model.adapter=stack: its adapter "
            f"adds to the one in {folder / START}\n  remedy: give the run's model/ folder, which "
            "has both as one; `prefrun resume` finishes a run"
        )
