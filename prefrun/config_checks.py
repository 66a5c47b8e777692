"""Finds what Hydra lets pass, though it cannot be meant."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from omegaconf import DictConfig, OmegaConf

from prefrun.commands.fields import keys_of
from prefrun.component import GROUPS
from prefrun.config_errors import MANY, no_such_choice
from prefrun.errors import ConfigError, closest
from prefrun.nesting import component_at

LEFT_OUT = "none"
FILLED_IN_BY_HYDRA = "output_dir"


def check_composed(config: DictConfig, overrides: Sequence[str]) -> None:
    """Raise ConfigError for a choice, a key or a missing value that a run could not use.

    OVERRIDES are the words of the command line that made CONFIG.
    """
    for word in overrides:
        group, _, name = word.partition("=")
        if group in GROUPS and config.get(group) is None and name != LEFT_OUT:
            raise no_such_choice(group, name)  # Hydra skips a group it was told is optional
    _check_keys(config, "")
    for key in sorted(OmegaConf.missing_keys(config) - {FILLED_IN_BY_HYDRA}):
        raise _not_given(config, key)


def _check_keys(node: DictConfig, where: str) -> None:
    """Hydra's '+key=value' gets past every schema."""
    owner: Any = OmegaConf.get_type(node)
    names = None
    if isinstance(owner, type) and dataclasses.is_dataclass(owner):
        names = [field.name for field in dataclasses.fields(owner)]
    for key in map(str, node):
        if names is not None and key not in names:
            start = f"{where} has no key {key}." if where else f"there is no key {key}."
            raise ConfigError(f"{start}{closest(key, names)} Keys: {', '.join(names)}")
        if OmegaConf.is_missing(node, key) or OmegaConf.is_interpolation(node, key):
            continue
        if isinstance(node[key], DictConfig):
            _check_keys(node[key], f"{where}.{key}" if where else key)


def _not_given(config: DictConfig, key: str) -> ConfigError:
    where, _, name = key.rpartition(".")
    while where:
        component = component_at(OmegaConf.select(config, where))
        if component is not None:
            text = next((item.text for item in keys_of(component.config) if item.name == name), "")
            at = "" if "." not in where or component.group == MANY else f" in {where}"
            what = f"{component.group}={component.name}{at} needs {key}=VALUE."
            return ConfigError(f"{what} {text}".strip())
        where, _, above = where.rpartition(".")
        name = f"{above}.{name}"
    return ConfigError(f"{key} has no value: give it as {key}=VALUE")
