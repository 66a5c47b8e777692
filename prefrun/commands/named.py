"""Finds components by the name a user typed, in whatever group."""

from __future__ import annotations

from pathlib import Path

from prefrun.component import GROUPS
from prefrun.errors import ConfigError, closest
from prefrun.loss_file.registering import is_file, register_file
from prefrun.plugins import Registered, check_usable, plugin_manager, registered


def components_called(name: str) -> list[Registered]:
    """Return every component called NAME, or that of the loss in the file NAME.

    Raises ConfigError, with the closest name or why a plugin of that name is broken, where none is;
    what `register_file` raises for a file.
    """
    if is_file(name):
        name = register_file(Path(name)).name
    found = [entry for (_, other), entry in registered().items() if other == name]
    if not found:
        for group in GROUPS:
            check_usable(group, name)
        for plugin in plugin_manager()[1]:
            if plugin.error and plugin.name == name:
                raise ConfigError(f"the plugin '{name}' failed to load: {plugin.error}")
        names = sorted({other for _, other in registered()})
        raise ConfigError(
            f"no component is called '{name}'.{closest(name, names)} Known: {', '.join(names)}"
        )
    return found
