"""Hands Hydra the plugins' config folders and the schemas of every component."""

from __future__ import annotations

from hydra.core.config_search_path import ConfigSearchPath
from hydra.core.config_store import ConfigStore
from hydra.core.plugins import Plugins
from hydra.plugins.search_path_plugin import SearchPathPlugin

from prefrun.plugins import components, plugin_manager
from prefrun.schema import RunConfig


class PluginConfigs(SearchPathPlugin):
    """Puts every plugin's conf/ folder on Hydra's search path, under that plugin's name."""

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        """Append one entry per plugin."""
        manager, _ = plugin_manager()
        for implementation in manager.hook.prefrun_config_dir.get_hookimpls():
            search_path.append(
                provider=f"plugin {implementation.plugin_name}",
                path=f"file://{implementation.function()}",
            )


def register_configs() -> None:
    """Register the search path and the schemas. Call before Hydra composes anything."""
    Plugins.instance().register(PluginConfigs)
    store = ConfigStore.instance()
    store.store(group="schema", name="run", node=RunConfig, provider="prefrun")
    for (group, name), component in components().items():
        store.store(group=f"schema/{group}", name=name, node=component.config, provider="prefrun")
