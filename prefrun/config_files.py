"""The config files of all plugins, and what is done where two of them ship the same one."""

from __future__ import annotations

import sys
from functools import cache
from pathlib import Path

from prefrun.errors import PluginError
from prefrun.paths import conf_dir
from prefrun.plugin_loading import Plugin
from prefrun.plugins import catalogue, check_usable, plugin_manager, twice

SCHEMA = "schema/"
"""Begins the names of schemas among config files."""


def config_folders() -> dict[str, Path]:
    """Return the conf/ folder of every plugin, by plugin name, in search order."""
    return {plugin.name: plugin.folder for plugin in plugin_manager()[1] if plugin.folder}


def shipped_twice() -> dict[str, tuple[Plugin, str]]:
    """Return, by the name of a config file without its ending, who has it first, and who else."""
    return _shipped_twice(plugin_manager()[1])


@cache
def _shipped_twice(plugins: tuple[Plugin, ...]) -> dict[str, tuple[Plugin, str]]:
    owners = {_name(file): plugins[0] for file in _files(conf_dir("prefrun"))}
    clashes: dict[str, tuple[Plugin, str]] = {}
    for plugin in plugins:
        for file in _files(plugin.folder) if plugin.folder else ():
            owner = owners.setdefault(_name(file), plugin)
            if owner is not plugin:
                clashes[_name(file)] = owner, twice(f"{file} is shipped twice", owner, plugin)
    return clashes


def _files(folder: Path) -> list[Path]:
    return [file.relative_to(folder) for file in sorted(folder.rglob("*.yaml"))]


def _name(file: Path) -> str:
    return file.with_suffix("").as_posix()


def check_config_file(name: str) -> None:
    """Look at the config file NAME, such as algo/lipo, as Hydra reads it.

    Raises PluginError where nobody can tell which of two is meant, or its schema is unusable. What
    another plugin claims of this project's own is said on stderr, and not used.
    """
    name = name.removesuffix(".yaml")
    group, _, choice = name.removeprefix(SCHEMA).partition("/")
    check_usable(group, choice)
    if name.startswith(SCHEMA):
        if reason := catalogue().contested.get((group, choice)):
            print(f"prefrun: {reason}", file=sys.stderr)
    elif name in shipped_twice():
        owner, reason = shipped_twice()[name]
        if not owner.is_own:
            raise PluginError(reason)
        print(f"prefrun: {reason}", file=sys.stderr)
