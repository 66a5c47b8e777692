"""Puts Hydra's options in front of the overrides: Hydra reads none that stands between them."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from typing import NoReturn

from hydra._internal.utils import get_args_parser

from prefrun.errors import ConfigError, closest

MODES = {
    "multirun": "-m",
    "cfg": "--cfg",
    "info": "--info",
    "run": "--run",
    "shell_completion": "-sc",
}
"""Hydra does one of these at a time."""


def ordered(arguments: Sequence[str]) -> list[str]:
    """Return ARGUMENTS with the options in front, each with its value; the order stays otherwise.

    Raises ConfigError for an option that Hydra does not know, and for options that exclude each
    other.
    """
    parser = get_args_parser()
    parser.allow_abbrev = False
    parser.error = _refuse  # type: ignore[method-assign]
    found, unknown = parser.parse_known_intermixed_args(list(arguments))
    if unknown:
        raise _unknown(unknown[0], parser)
    _check(found)
    options = list(arguments)
    for override in found.overrides:
        options.remove(override)
    return [*options, *found.overrides]


def _refuse(message: str) -> NoReturn:
    raise ConfigError(f"{message}\n  remedy: `prefrun --help` lists commands, choices and keys")


def _unknown(option: str, parser: ArgumentParser) -> ConfigError:
    known = [name for action in parser._actions for name in action.option_strings]
    near = closest(option.partition("=")[0], [name for name in known if name.startswith("--")])
    return ConfigError(
        f"there is no option {option}.{near}\n"
        "  remedy: `prefrun --help` lists commands, choices and keys"
    )


def _check(found: Namespace) -> None:
    modes = [option for name, option in MODES.items() if getattr(found, name)]
    if len(modes) > 1:
        raise ConfigError(
            f"{' and '.join(modes)} exclude each other\n  remedy: give one of them"
            + ("; without -m, --cfg shows one job" if found.multirun and found.cfg else "")
        )
    if found.resolve and not found.cfg:
        raise ConfigError("--resolve is a part of --cfg\n  remedy: add --cfg job")
