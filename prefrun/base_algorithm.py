"""Builds one loss algorithm inside another, by its name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from prefrun.algorithm import LossAlgorithm
from prefrun.errors import ConfigError, closest
from prefrun.plugins import components


def build_loss(name: str, keys: Mapping[str, Any], key: str = "algo.base") -> LossAlgorithm:
    """Return the installed loss algorithm NAME with its defaults and KEYS.

    KEY is where the user wrote the name; its values stand in KEY_keys. Raises ConfigError where
    NAME is not installed or is no loss, and for a key or value it does not know.
    """
    names = [other for group, other in components() if group == "algo"]
    if name not in names:
        raise ConfigError(
            f"{key}={name} is not installed.{closest(name, names)} Installed: {', '.join(names)}"
        )
    component = components()["algo", name]
    try:
        settings = OmegaConf.merge(OmegaConf.structured(component.config), dict(keys))
        algorithm = component.make(OmegaConf.to_object(settings))
    except OmegaConfBaseException as error:
        first = str(error).splitlines()[0]
        raise ConfigError(f"{key}_keys: {first}\n  remedy: `prefrun explain {name}`") from error
    if not isinstance(algorithm, LossAlgorithm):
        raise ConfigError(f"{key}={name} is no loss; it cannot be the base of another algorithm")
    return algorithm
