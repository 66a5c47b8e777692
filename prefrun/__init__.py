"""prefrun: an experiment runner for preference learning. Plugins need only what is named here."""

from pluggy import HookimplMarker

from prefrun.component import Component
from prefrun.errors import ConfigError, DataError, PluginError, PrefrunError
from prefrun.nested_keys import nested
from prefrun.path_keys import Holds, path_key
from prefrun.paths import conf_dir

hookimpl = HookimplMarker("prefrun")
"""Decorates a function of a plugin's module that implements the hook of its name."""

__all__ = [
    "Component",
    "ConfigError",
    "DataError",
    "Holds",
    "PluginError",
    "PrefrunError",
    "conf_dir",
    "hookimpl",
    "nested",
    "path_key",
]
