"""Finds plugins by entry point, keeps broken ones apart, and lists every component."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from functools import cache

import pluggy

from prefrun import builtin, hookspecs
from prefrun.component import Component
from prefrun.discovery import installed
from prefrun.errors import PluginError
from prefrun.plugin_loading import Plugin, load, load_own

BLOCK_VARIABLE = "PREFRUN_BLOCK"
OWN_DISTRIBUTIONS = frozenset(
    (
        "prefrun",
        "prefrun-augmented",
        "prefrun-lab",
        "prefrun-launchers",
        "prefrun-lipo",
        "prefrun-listwise",
        "prefrun-optuna",
        "prefrun-orchestrator",
        "prefrun-pairs",
        "prefrun-pairwise",
        "prefrun-robust",
        "prefrun-rps",
        "prefrun-simulpl",
        "prefrun-tiny",
        "prefrun-tpo",
        "prefrun-ultrafeedback",
        "prefrun-wandb",
    )
)
"""Those of this project; a run names every other one, and nobody else can take their names."""


@dataclass(frozen=True, slots=True)
class Registered:
    """A component and the plugin it came from."""

    component: Component
    plugin: Plugin


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Every component, and what is wrong with names."""

    registered: dict[tuple[str, str], Registered] = field(default_factory=dict)
    unusable: dict[tuple[str, str], str] = field(default_factory=dict)
    """Why a name cannot be chosen, though a plugin has it."""
    contested: dict[tuple[str, str], str] = field(default_factory=dict)
    """Of names of this project that another plugin claims, too, and does not get."""


@cache
def plugin_manager() -> tuple[pluggy.PluginManager, tuple[Plugin, ...]]:
    """Load every plugin once per process. A broken one is reported in the list, never raised."""
    manager = pluggy.PluginManager("prefrun")
    manager.add_hookspecs(hookspecs)
    found = [load_own(manager, builtin, _version("prefrun"))]
    blocked = {name.strip() for name in os.environ.get(BLOCK_VARIABLE, "").split(",")}
    for each in sorted(installed(), key=lambda one: one.distribution not in OWN_DISTRIBUTIONS):
        if not blocked & {each.name, each.distribution}:
            found.append(load(manager, each, each.distribution in OWN_DISTRIBUTIONS))
    return manager, tuple(found)


def _version(distribution: str) -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(distribution)
    except PackageNotFoundError:
        return "unknown"


def print_foreign_plugins() -> None:
    """Name every plugin that comes from elsewhere, before a component or hook of it is called."""
    for plugin in plugin_manager()[1]:
        if plugin.error is None and not plugin.is_own:
            print(f"plugin {plugin.name}: {plugin.distribution} {plugin.version} ({plugin.source})")


@cache
def catalogue() -> Catalogue:
    """Sort out who owns which name. A clash costs only those who choose what is claimed twice."""
    found = Catalogue()
    for plugin in plugin_manager()[1]:
        for component in plugin.components:
            _enter(found, component, plugin)
    for key in found.unusable:
        found.registered.pop(key, None)
    ordered = sorted(found.registered.items())
    found.registered.clear()
    found.registered.update(ordered)
    return found


def _enter(found: Catalogue, component: Component, plugin: Plugin) -> None:
    key = (component.group, component.name)
    if owner := found.registered.get(key):
        reason = twice(f"{key[0]}={key[1]} is claimed twice", owner.plugin, plugin)
        if owner.plugin.is_own:
            found.contested[key] = reason
        else:
            found.unusable[key] = reason
        return
    for (group, name), other in found.registered.items():
        if other.component.config is component.config:
            found.unusable[key] = (
                f"{key[0]}={key[1]} of {plugin} has the config class of {group}={name}; a "
                "component is found by its class\n  remedy: give it a dataclass of its own, which "
                "may inherit the other"
            )
            return
    found.registered[key] = Registered(component, plugin)


def twice(problem: str, first: Plugin, second: Plugin) -> str:
    """Say that FIRST and SECOND both have something, as PROBLEM says."""
    others = [each.name for each in (first, second) if not each.is_own]
    choices = " or ".join(f"{BLOCK_VARIABLE}={name}" for name in others)
    return f"{problem}: by {first} and by {second}\n  remedy: uninstall one, or set {choices}"


def registered() -> dict[tuple[str, str], Registered]:
    """Every component by (group, name), with its plugin."""
    return catalogue().registered


def components() -> dict[tuple[str, str], Component]:
    """Every component by (group, name)."""
    return {key: entry.component for key, entry in registered().items()}


def check_usable(group: str, name: str) -> None:
    """Raise PluginError where a plugin has GROUP=NAME and something is wrong with that."""
    if reason := catalogue().unusable.get((group, name)):
        raise PluginError(reason)


def component_of(config: object) -> Component:
    """Return the component whose schema CONFIG is an instance of.

    Found by type, not by the word typed: a user's own YAML may extend a component's schema.
    Raises PluginError where no installed plugin owns that type.
    """
    for component in components().values():
        if component.config is type(config):
            return component
    raise PluginError(f"no installed plugin owns the configuration type {type(config).__name__}")


def forget() -> None:
    """Drop what was found, so that the next call looks again (after an install, in tests)."""
    plugin_manager.cache_clear()
    catalogue.cache_clear()
