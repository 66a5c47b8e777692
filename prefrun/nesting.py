"""Components inside another component's settings, such as a second data source. No torch here."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from prefrun.component import Component
from prefrun.errors import ConfigError
from prefrun.nested_keys import declared_groups
from prefrun.plugins import component_of, components

PARTS = "reward.parts"
"""The only place of nested components in the manifests of older runs."""


@dataclass(frozen=True, slots=True)
class Nested:
    """A component inside the settings of another one."""

    path: str
    """Dotted key of its settings, such as 'algo.prompts'."""
    component: Component


def build(settings: object) -> Any:
    """Make the component whose config SETTINGS is: call its class with them.

    A data source's `load(seed)` returns its DataSplit, a model's `load()` its LoadedModel, a reward
    source's `of(data)` its reward. Raises PluginError if no installed component has such a config,
    and what `Component.make` raises.
    """
    return component_of(settings).make(settings)


def nested_in(config: DictConfig, path: str) -> Iterator[Nested]:
    """Yield the components inside the settings CONFIG, found at PATH; the outer before the inner.

    Raises ConfigError if a key that takes a component of some group holds something else.
    """
    owner: Any = OmegaConf.get_type(config)
    groups = declared_groups(owner) if dataclasses.is_dataclass(owner) else {}
    for key in map(str, config):
        value, where = _value(config, key), f"{path}.{key}"
        if key in groups:
            _check(value, groups[key], where)
        if isinstance(value, DictConfig):
            component = component_at(value)
            if component is not None:
                yield Nested(where, component)
            yield from nested_in(value, where)


def component_at(node: DictConfig) -> Component | None:
    """Return the component whose schema NODE has; None if it has that of no component."""
    owner = OmegaConf.get_type(node)
    return next((each for each in components().values() if each.config is owner), None)


def stored_nested(names: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """Return path, group and name of each nested component, as a manifest's NAMES tell them."""
    parts = names.get("reward_parts", {})  # of runs from before there were others
    old = [(f"{PARTS}.{part}", "reward", str(name)) for part, name in parts.items()]
    return [*old, *((path, group, name) for path, group, name in names.get("nested", []))]


def _check(value: Any, group: str, where: str) -> None:
    """Raise ConfigError unless VALUE, at WHERE, is a component of GROUP, several of them, or none.

    An empty mapping is several of them, too.
    """
    if value is None:
        return
    is_several = isinstance(value, DictConfig) and OmegaConf.get_type(value) is dict
    parts = {f"{where}.{key}": _value(value, str(key)) for key in value} if is_several else {}
    for place, part in parts.items() if is_several else [(where, value)]:
        found = component_at(part) if isinstance(part, DictConfig) else None
        if found is None or found.group != group:
            held = f"{found.group}={found.name}" if found else repr(part)
            name = part if isinstance(part, str) and part.isidentifier() else "NAME"
            raise ConfigError(
                f"{place} takes a component of the group {group}, not {held:.60}\n"
                f"  remedy: choose one with '+{group}@{place}={name}'"
            )


def _value(node: DictConfig, key: str) -> Any:
    """None for a value that is missing or cannot be resolved: making the settings says so."""
    try:
        return None if OmegaConf.is_missing(node, key) else node[key]
    except OmegaConfBaseException:
        return None
