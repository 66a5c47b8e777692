"""Loads one plugin, and says what of it cannot be used, so that the others work all the same."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pluggy

from prefrun.api_version import check_api
from prefrun.blame import definition_of, told
from prefrun.component import Component, flaw_of
from prefrun.discovery import Found, observing
from prefrun.errors import PluginError, closest

OURS = "PluginError: "
Offers = tuple[tuple[Component, ...], Path | None, tuple[str, ...], tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Plugin:
    """One plugin as found: loaded, in part or whole, or broken."""

    name: str
    distribution: str
    version: str
    source: str
    """The module named by its entry point."""
    error: str | None = None
    """Why it could not be loaded, in one line."""
    is_own: bool = False
    """Whether it is of this project."""
    components: tuple[Component, ...] = ()
    """Those without a flaw."""
    folder: Path | None = None
    """Its conf/ folder."""
    left_out: tuple[str, ...] = ()
    """What of it cannot be used, and why."""
    warnings: tuple[str, ...] = ()
    """What it does that costs or disturbs others."""

    def __str__(self) -> str:
        return f"{self.distribution} {self.version} ({self.source})"


def load_own(manager: pluggy.PluginManager, module: ModuleType, version: str) -> Plugin:
    """Register what comes with prefrun itself, and return it."""
    manager.register(module, name="builtin")
    components, folder, *_ = _offers(module)
    source = module.__name__
    return Plugin("builtin", "prefrun", version, source, None, True, components, folder)


def load(manager: pluggy.PluginManager, found: Found, is_own: bool) -> Plugin:
    """Register the plugin FOUND, and return it, or what of it is broken. Raises nothing."""
    taken = manager.has_plugin(found.name)
    name = f"{found.name}@{found.distribution}" if taken else found.name
    source = found.point.value if found.point else "?"
    plugin = Plugin(name, found.distribution, found.version, source, found.error, is_own)
    if found.point is None:
        return plugin
    with observing(name, found.point.module) as seen:
        try:
            check_api(found.point.module)
            module = found.point.load()
            _check_new(manager, module)
            manager.register(module, name=name)
            _check_hooks(manager, module)
            components, folder, left_out, warnings = _offers(module)
        except KeyboardInterrupt:
            raise
        except BaseException as problem:  # SystemExit, too
            if manager.has_plugin(name):
                manager.unregister(name=name)
            return replace(plugin, error=told(problem, found.point.module).removeprefix(OURS))
    return replace(
        plugin,
        components=components,
        folder=folder,
        left_out=left_out,
        warnings=(*warnings, *seen.warnings),
    )


def _check_new(manager: pluggy.PluginManager, module: ModuleType) -> None:
    if earlier := manager.get_name(module):
        raise PluginError(f"{module.__name__} is loaded already, as plugin {earlier}")


def _check_hooks(manager: pluggy.PluginManager, module: ModuleType) -> None:
    hooks = vars(manager.hook)  # pluggy adds those that a plugin made up, without a specification
    known = sorted(n for n in hooks if n.startswith("prefrun_") and hooks[n].spec)
    for name, function in vars(module).items():
        options = getattr(function, "prefrun_impl", None)
        if not name.startswith("prefrun_") or not isinstance(options, dict):
            continue
        place = definition_of(function)
        if name not in known:
            raise PluginError(f"unknown hook '{name}'.{closest(name, known)} ({place})")
        if options.get("hookwrapper") or options.get("wrapper"):
            raise PluginError(f"hook '{name}' must be no wrapper ({place})")


def _offers(module: ModuleType) -> Offers:
    """Return the components without a flaw, the conf/ folder, what is left out, and warnings.

    Raises whatever the plugin does as it lists its components.
    """
    listed, place = _called(module, "prefrun_components", [])
    if not isinstance(listed, list | tuple):
        kind = type(listed).__name__
        raise PluginError(f"prefrun_components must return a list of Component, not {kind}{place}")
    flaws = [(each, flaw_of(each)) for each in listed]
    left_out = [f"{flaw}{place}" for _, flaw in flaws if flaw]
    folder, why = _folder(module)
    return tuple(each for each, flaw in flaws if not flaw), folder, tuple(left_out), why


def _folder(module: ModuleType) -> tuple[Path | None, tuple[str, ...]]:
    """Return the conf/ folder; without one, a warning where the plugin names one."""
    try:
        named, place = _called(module, "prefrun_config_dir", None)
        if named is None and not place:
            return None, ()
        folder = Path(named)
        if not folder.is_dir():
            raise PluginError(f"prefrun_config_dir names {folder}, which is no folder{place}")
        return folder.absolute(), ()
    except Exception as problem:
        error = told(problem, module.__name__).removeprefix(OURS)
        return None, (f"has no configuration files: {error}",)


def _called(module: ModuleType, hook: str, default: Any) -> tuple[Any, str]:
    """Return what HOOK of MODULE returns, DEFAULT without it, and where it stands."""
    function: Callable[[], Any] | None = getattr(module, hook, None)
    if function is None or not hasattr(function, "prefrun_impl"):
        return default, ""
    return function(), f" ({definition_of(function)})"
