"""Finds the path keys of a composed configuration, and makes their values absolute."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

from omegaconf import DictConfig, OmegaConf, flag_override
from omegaconf.errors import OmegaConfBaseException

from prefrun.path_keys import METADATA, PathKey, absolute


def absolute_paths(config: DictConfig) -> tuple[PathKey, ...]:
    """Make the paths in CONFIG absolute, in place, and return those that are given."""
    return tuple(_found(config, ""))


def _found(node: DictConfig, where: str) -> Iterator[PathKey]:
    holders = _declared(OmegaConf.get_type(node))
    for key in map(str, node):
        name, value = f"{where}.{key}" if where else key, _value(node, key)
        if isinstance(value, DictConfig):
            yield from _found(value, name)
        elif key in holders and isinstance(value, str):
            path = absolute(value, holders[key])
            if path != value:
                with flag_override(node, "readonly", False):
                    node[key] = path
            revision = _value(node, "revision") if "revision" in node else None
            yield PathKey(name, path, holders[key], revision)


def _value(node: DictConfig, key: str) -> Any:
    """None for a value that is missing or cannot be resolved: making the settings says so."""
    try:
        return None if OmegaConf.is_missing(node, key) else node[key]
    except OmegaConfBaseException:
        return None


def _declared(owner: Any) -> dict[str, Any]:
    """The `Holds` of each path key of the dataclass OWNER; none if it is no dataclass."""
    if not dataclasses.is_dataclass(owner):
        return {}
    return {
        field.name: field.metadata[METADATA]
        for field in dataclasses.fields(owner)
        if METADATA in field.metadata
    }
