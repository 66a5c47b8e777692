"""The resolved configuration of a run as a YAML file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from prefrun.errors import PrefrunError
from prefrun.rundir.files import read_text


def read_config(path: Path) -> dict[str, Any]:
    """Return the configuration at PATH. Raises PrefrunError, naming it, if it is damaged."""
    text = read_text(path)
    try:
        config = parse(text)
    except Exception as error:  # those of PyYAML and of OmegaConf have no common base
        raise PrefrunError(f"{path}: is not valid YAML: {str(error).splitlines()[0]}") from error
    if not isinstance(config, dict):
        raise PrefrunError(f"{path}: holds no configuration")
    return {str(key): value for key, value in config.items()}


def to_text(config: Mapping[str, Any]) -> str:
    """Return plain CONFIG as YAML."""
    from omegaconf import OmegaConf

    return OmegaConf.to_yaml(OmegaConf.create(dict(config)))


def parse(text: str) -> Any:
    """Return what `to_text` made TEXT of."""
    from omegaconf import OmegaConf

    return OmegaConf.to_container(OmegaConf.create(text))


def flatten(config: Mapping[Any, Any], prefix: str = "") -> dict[str, Any]:
    """Return nested CONFIG with dotted keys, such as 'trainer.learning_rate'. Lists stay values."""
    flat: dict[str, Any] = {}
    for key, value in config.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping) and value:
            flat.update(flatten(value, f"{name}."))
        else:
            flat[name] = value
    return flat
