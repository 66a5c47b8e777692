"""Finds plugins by entry point, keeps broken ones apart, and lists every component."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cache
from importlib.metadata import EntryPoint, entry_points

import pluggy

from prefrun import builtin, hookspecs
from prefrun.api_version import check_api
from prefrun.component import GROUPS, Component
from prefrun.errors import PluginError, closest

ENTRY_POINT_GROUP = "prefrun"
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
"""Those of this project; a run names every other one."""


@dataclass(frozen=True, slots=True)
class Plugin:
    """One plugin as found: loaded, blocked by the user, or broken."""

    name: str
    distribution: str
    version: str
    source: str
    """The module named by its entry point."""
    error: str | None = None
    """Why it could not be loaded, in one line."""


@dataclass(frozen=True, slots=True)
class Registered:
    """A component and the plugin it came from."""

    component: Component
    plugin: Plugin


@cache
def plugin_manager() -> tuple[pluggy.PluginManager, tuple[Plugin, ...]]:
    """Load every plugin once per process. A broken one is reported in the list, never raised."""
    manager = pluggy.PluginManager("prefrun")
    manager.add_hookspecs(hookspecs)
    manager.register(builtin, name="builtin")
    found = [Plugin("builtin", "prefrun", _version("prefrun"), "prefrun.builtin")]
    blocked = {name.strip() for name in os.environ.get(BLOCK_VARIABLE, "").split(",")}
    for point in sorted(entry_points(group=ENTRY_POINT_GROUP), key=lambda point: point.name):
        if point.name not in blocked:
            found.append(_register(manager, point))
    return manager, tuple(found)


def _register(manager: pluggy.PluginManager, point: EntryPoint) -> Plugin:
    name = point.dist.name if point.dist else "unknown"
    version = point.dist.version if point.dist else "unknown"
    error = None
    try:
        check_api(point.module)
        module = point.load()
        manager.register(module, name=point.name)
        _check_hooks(module)
        _check_components(manager, point.name)
    except Exception as problem:  # whatever a stranger's module raises must not break the others
        kind = "" if isinstance(problem, PluginError) else f"{type(problem).__name__}: "
        error = " ".join(f"{kind}{problem}".split())
        if manager.has_plugin(point.name):
            manager.unregister(name=point.name)
    return Plugin(point.name, name, version, point.value, error)


def _check_hooks(module: object) -> None:
    known = {name for name in vars(hookspecs) if name.startswith("prefrun_")}
    for name in vars(module):
        if (
            name.startswith("prefrun_")
            and name not in known
            and hasattr(getattr(module, name), "prefrun_impl")
        ):
            raise PluginError(f"unknown hook '{name}'.{closest(name, sorted(known))}")


def _version(distribution: str) -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(distribution)
    except PackageNotFoundError:
        return "unknown"


def print_foreign_plugins() -> None:
    """Name every plugin that comes from elsewhere, before a component or hook of it is called."""
    for plugin in plugin_manager()[1]:
        if plugin.error is None and plugin.distribution not in OWN_DISTRIBUTIONS:
            print(f"plugin {plugin.name}: {plugin.distribution} {plugin.version} ({plugin.source})")


@cache
def registered() -> dict[tuple[str, str], Registered]:
    """Every component by (group, name), with its plugin.

    Raises PluginError, naming both distributions, where two plugins claim the same name.
    """
    manager, plugins = plugin_manager()
    by_name = {plugin.name: plugin for plugin in plugins}
    found: dict[tuple[str, str], Registered] = {}
    for implementation in manager.hook.prefrun_components.get_hookimpls():
        plugin = by_name[implementation.plugin_name]
        for component in _components_of(implementation):
            key = (component.group, component.name)
            if key in found:
                raise PluginError(_clash(key, found[key].plugin, plugin))
            found[key] = Registered(component, plugin)
    return dict(sorted(found.items()))


def _components_of(implementation: pluggy.HookImpl) -> list[Component]:
    found: list[Component] = list(implementation.function())  # type: ignore[call-overload]
    return found


def _check_components(manager: pluggy.PluginManager, plugin: str) -> None:
    for implementation in manager.hook.prefrun_components.get_hookimpls():
        if implementation.plugin_name != plugin:
            continue
        for component in _components_of(implementation):
            if component.group not in GROUPS:
                raise PluginError(
                    f"'{component.name}' is registered in the unknown group '{component.group}'; "
                    f"groups are {', '.join(GROUPS)}"
                )


def _clash(key: tuple[str, str], first: Plugin, second: Plugin) -> str:
    return (
        f"{key[0]}={key[1]} is claimed twice: by {first.distribution} {first.version} "
        f"({first.source}) and by {second.distribution} {second.version} ({second.source}).\n"
        f"  remedy: uninstall one, or set {BLOCK_VARIABLE}={first.name} or "
        f"{BLOCK_VARIABLE}={second.name}"
    )


def components() -> dict[tuple[str, str], Component]:
    """Every component by (group, name)."""
    return {key: entry.component for key, entry in registered().items()}


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
    registered.cache_clear()
