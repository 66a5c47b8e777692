"""Composes one component's configuration the way `prefrun GROUP=NAME` does."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from prefrun.component import Component
from prefrun.config_checks import check_composed
from prefrun.config_errors import config_error
from prefrun.errors import PluginError, closest
from prefrun.paths import conf_dir
from prefrun.plugins import components


def find_component(group: str, component: str | Component) -> Component:
    """Return the installed component called COMPONENT, or COMPONENT itself.

    Raises PluginError, with the closest name, where none is installed; ValueError where a given
    component is of another group.
    """
    if isinstance(component, Component):
        if component.group != group:
            raise ValueError(f"{component.name} is of the group '{component.group}', not '{group}'")
        return component
    if (group, component) not in components():
        names = [name for owner, name in components() if owner == group]
        raise PluginError(
            f"{group}={component} is not installed.{closest(component, names)} "
            f"Installed: {', '.join(names) or 'none'}"
        )
    return components()[group, component]


def compose_node(component: Component, overrides: Sequence[str] = ()) -> DictConfig:
    """Return COMPONENT's typed configuration node with its shipped defaults and OVERRIDES.

    OVERRIDES are 'key=value', without the group; '+key=value' and '+GROUP@key=NAME' are as on the
    command line. A component that no plugin registers has no YAML
    file: its schema's own defaults stand in. Raises ConfigError as the command line would, also for
    a key that has no default.
    """
    from hydra import compose, initialize_config_dir
    from hydra.errors import HydraException

    from prefrun.compose import register_configs

    group, name = component.group, component.name
    prefix = f"{group}.{name}" if group == "evaluator" else group
    choice = f"[{name}]" if group == "evaluator" else name
    words = [f"{group}={choice}", *(_word(prefix, item) for item in overrides)]
    register_configs()
    if components().get((group, name)) is not component:
        _store(component, prefix)
    with _no_other_hydra(), initialize_config_dir(str(conf_dir("prefrun")), version_base="1.3"):
        try:
            config = compose("config", overrides=words)
        except (HydraException, OmegaConfBaseException) as error:
            raise config_error(error) from error
    check_composed(config, words)
    node = OmegaConf.select(config, prefix)
    if not isinstance(node, DictConfig):
        raise PluginError(f"{group}/{name}.yaml puts nothing under '{prefix}'")
    return node


def _word(prefix: str, item: str) -> str:
    """Return ITEM with PREFIX before its key."""
    found = re.fullmatch(r"(\+*(?:[\w/]+@)?)(.*)", item, re.DOTALL)
    assert found is not None
    return f"{found[1]}{prefix}.{found[2].removeprefix(f'{prefix}.')}"


def compose_settings(component: Component, overrides: Sequence[str] = ()) -> Any:
    """Return the instance of COMPONENT's dataclass for its shipped defaults and OVERRIDES."""
    return OmegaConf.to_object(compose_node(component, overrides))


def _store(component: Component, package: str) -> None:
    from hydra.core.config_store import ConfigStore

    ConfigStore.instance().store(
        group=component.group,
        name=component.name,
        node=component.config,
        package=package,
        provider="prefrun.testing",
    )


@contextmanager
def _no_other_hydra() -> Iterator[None]:
    """Set a Hydra that the calling test may hold aside; two cannot be open at once."""
    from hydra.core.global_hydra import GlobalHydra

    holder = GlobalHydra.instance()
    held, holder.hydra = holder.hydra, None
    try:
        yield
    finally:
        holder.hydra = held
