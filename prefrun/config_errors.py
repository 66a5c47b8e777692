"""Turns Hydra's and OmegaConf's complaints into one message with the closest valid name."""

from __future__ import annotations

import dataclasses

from hydra.errors import HydraException, MissingConfigException
from omegaconf.errors import ConfigAttributeError, ConfigKeyError, OmegaConfBaseException

from prefrun.errors import ConfigError, PrefrunError, closest


def config_error(error: Exception) -> Exception:
    """Return the PrefrunError for a bad command line or config file; ERROR itself otherwise."""
    if isinstance(error, PrefrunError):
        return error
    if isinstance(error, MissingConfigException):
        return ConfigError(_missing_choice(error))
    if isinstance(error, HydraException | OmegaConfBaseException):
        return ConfigError(_wrong_key(error))
    return error


def _missing_choice(error: MissingConfigException) -> str:
    wanted = error.missing_cfg_file or ""
    group, _, name = str(wanted).rpartition("/")
    options = [str(option) for option in error.options or []]
    if group and options:
        return (
            f"there is no {group}={name}.{closest(name, options)} "
            f"Choices: {', '.join(sorted(options))}"
        )
    return str(error)


def _wrong_key(error: Exception) -> str:
    message = str(error)
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, OmegaConfBaseException):
        cause = cause.__cause__
    if cause is None:
        return message
    first_lines = str(cause).splitlines()
    if first_lines and first_lines[0] not in message:
        message = f"{message}\n{first_lines[0]}"
    if isinstance(cause, ConfigKeyError | ConfigAttributeError) and cause.key is not None:
        owner = cause.object_type
        if owner is not None and dataclasses.is_dataclass(owner):
            names = [field.name for field in dataclasses.fields(owner)]
            return f"{message}{closest(str(cause.key), names)} Keys: {', '.join(names)}"
    return message
