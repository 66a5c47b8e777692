"""Hands Hydra the plugins' config folders and the schemas of every component."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hydra.core.config_search_path import ConfigSearchPath
from hydra.core.config_store import ConfigStore
from hydra.core.plugins import Plugins
from hydra.plugins.search_path_plugin import SearchPathPlugin
from omegaconf import DictConfig, OmegaConf

from prefrun.errors import PluginError
from prefrun.loss_file.registering import is_file
from prefrun.paths import conf_dir
from prefrun.plugins import BLOCK_VARIABLE, components, plugin_manager
from prefrun.schema import RunConfig


class PluginConfigs(SearchPathPlugin):
    """Puts every plugin's conf/ folder on Hydra's search path, under that plugin's name."""

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        """Append one entry per plugin."""
        for plugin, folder in config_folders().items():
            search_path.append(provider=f"plugin {plugin}", path=f"file://{folder}")


def config_folders() -> dict[str, Path]:
    """Return the conf/ folder of every plugin, by plugin name, in search order."""
    manager, _ = plugin_manager()
    return {
        implementation.plugin_name: Path(str(implementation.function()))
        for implementation in manager.hook.prefrun_config_dir.get_hookimpls()
    }


def check_config_files() -> None:
    """Raise PluginError where two plugins ship the same config file: Hydra would take the first."""
    owners: dict[Path, str] = {}
    for owner, folder in {"prefrun": conf_dir("prefrun"), **config_folders()}.items():
        for file in sorted(folder.rglob("*.yaml")):
            name = file.relative_to(folder)
            if name in owners:
                raise PluginError(
                    f"{name} is shipped twice: by plugin {owners[name]} and by plugin {owner}\n"
                    f"  remedy: uninstall one, or set {BLOCK_VARIABLE}={owner}"
                )
            owners[name] = owner


def register_configs() -> None:
    """Register the search path and the schemas. Call before Hydra composes anything.

    Raises PluginError where two plugins claim the same component or the same config file.
    """
    known = components()
    check_config_files()
    Plugins.instance().register(PluginConfigs)
    store = ConfigStore.instance()
    store.store(group="schema", name="run", node=RunConfig, provider="prefrun")
    for (group, name), component in known.items():
        schema = open_schema(component.config)
        store.store(group=f"schema/{group}", name=name, node=schema, provider="prefrun")
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
