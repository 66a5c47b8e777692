"""Hands Hydra the plugins' config folders and the schemas of every component."""

from __future__ import annotations

from typing import Any

from hydra.core.config_search_path import ConfigSearchPath
from hydra.core.config_store import ConfigStore
from hydra.core.plugins import Plugins
from hydra.plugins.search_path_plugin import SearchPathPlugin
from omegaconf import DictConfig, OmegaConf

from prefrun.blame import told
from prefrun.component import Component
from prefrun.config_files import config_folders
from prefrun.loss_file.registering import is_file
from prefrun.plugins import catalogue, components
from prefrun.schema import RunConfig


class PluginConfigs(SearchPathPlugin):
    """Puts every plugin's conf/ folder on Hydra's search path, under that plugin's name."""

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        """Append one entry per plugin."""
        for plugin, folder in config_folders().items():
            search_path.append(provider=f"plugin {plugin}", path=f"file://{folder}")


def _flaw(component: Component, error: Exception) -> str:
    config = component.config
    return (
        f"{component.group}={component.name}: its config {config.__module__}.{config.__qualname__} "
        f"is no schema for Hydra: {told(error, config.__module__)}"
    )


def register_configs() -> None:
    """Register the search path and the schemas. Call before Hydra composes anything.

    A schema that is none is left out: who chooses it is told.
    """
    Plugins.instance().register(PluginConfigs)
    store = ConfigStore.instance()
    store.store(group="schema", name="run", node=RunConfig, provider="prefrun")
    for (group, name), component in components().items():
        try:
            schema = open_schema(component.config)
            store.store(group=f"schema/{group}", name=name, node=schema, provider="prefrun")
        except Exception as error:  # of its own code, or since OmegaConf knows no such type
            catalogue().unusable[group, name] = _flaw(component, error)
            continue
        if is_file(name):  # it has no YAML file that would name its schema
            store.store(group=group, name=name, node=schema, provider="prefrun")


def open_schema(config: type) -> DictConfig:
    """Return the schema of a config dataclass, whose dict fields take new keys without a '+'."""
    schema: DictConfig = OmegaConf.structured(config)
    for key in map(str, schema):
        node: Any = schema._get_node(key)
        if isinstance(node, DictConfig) and OmegaConf.get_type(node) is dict:
            node._set_flag("struct", False)
    return schema
