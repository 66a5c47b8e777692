"""Opens a run directory for a command that needs to know how the run began."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from prefrun.errors import ConfigError

if TYPE_CHECKING:
    from omegaconf import DictConfig

    from prefrun.rundir.directory import RunDirectory


def open_run(path: Path) -> RunDirectory:
    """Return the run directory PATH. Raises ConfigError where it holds no run, or none that began.

    A job that a sweep refused has a status, and nothing to report, compare or go on with.
    """
    from prefrun.rundir.directory import RunDirectory
    from prefrun.rundir.status import read_status

    directory = RunDirectory(path).open()
    if not directory.manifest.exists():
        reason = read_status(directory).unfinished() if directory.status.exists() else "killed"
        raise ConfigError(
            f"{path}: the run never began ({reason})\n  remedy: delete the folder and run it anew"
        )
    return directory


def stored_config(directory: RunDirectory, tracker: str | None = None) -> DictConfig:
    """Return the configuration a run began with, its types given back; TRACKER replaces its own.

    Raises ConfigError where secrets of it were not stored, and as `typed_config` does.
    """
    from prefrun.rundir.configuration import flatten, read_config
    from prefrun.rundir.masking import holds_mask

    plain = read_config(directory.config)
    needed = plain if tracker is None else plain | {"tracker": {}}
    if masked := [key for key, value in flatten(needed).items() if holds_mask(value)]:
        raise ConfigError(
            f"{directory.config} holds no secrets, and so no {', '.join(masked)}\n"
            "  remedy: begin a new run with the words that manifest.json lists"
        )
    return typed_config(directory, plain, tracker)


def typed_config(
    directory: RunDirectory, plain: Mapping[str, Any], tracker: str | None = None
) -> DictConfig:
    """Return PLAIN, the configuration of the run in DIRECTORY, with its types given back.

    TRACKER replaces its own. Raises ConfigError where one of its components is not installed, or
    has other keys by now.
    """
    from omegaconf.errors import OmegaConfBaseException

    from prefrun.loss_file.registering import is_file, register_file
    from prefrun.plan import retyped
    from prefrun.rundir.files import read_json

    names = read_json(directory.manifest)["components"]
    if tracker is not None:
        plain, names = {**plain, "tracker": {}}, names | {"tracker": tracker}
    if is_file(names["algo"]):
        register_file(directory.code / names["algo"])
    try:
        return retyped(plain, names)
    except OmegaConfBaseException as error:
        reason = str(error).splitlines()[0]
        raise ConfigError(
            f"{directory.config} does not fit what is installed: {reason}\n"
            "  remedy: install the versions that manifest.json names"
        ) from error
