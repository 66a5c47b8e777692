"""Configuration is data: text in it names no code but that of prefrun, Hydra and the plugins."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from hydra._internal.config_loader_impl import ConfigLoaderImpl
from omegaconf import OmegaConf

from prefrun.config_files import config_folders
from prefrun.errors import ConfigError
from prefrun.paths import conf_dir
from prefrun.plugins import plugin_manager

if TYPE_CHECKING:
    from pathlib import Path

    from omegaconf import DictConfig

TRUSTED = "trust_code=true"
TARGET, FACTORY, CLASS = "_target_", "()", "class"
"""Under these keys Hydra's instantiate and Python's logging configuration look for code."""
PICKLES = "--experimental-rerun"
MAKES_KEYS = re.compile(r"\$\{\s*oc\.(create|decode)\b|\$\{[^{}:]*\$\{[^{}]*\}[^{}:]*:")
"""Interpolations that make keys out of text, or have the name of their resolver made."""
LOGGING = ("hydra.job_logging.", "hydra.hydra_logging.")


@contextmanager
def only_trusted_code(arguments: Sequence[str]) -> Iterator[None]:
    """While it lasts, Hydra composes no configuration that names a stranger's code.

    Composing then raises ConfigError, before Hydra makes a callback, a launcher or a sweeper. Only
    the words ARGUMENTS of the user can lift this: a stranger's file could hold the key as well.
    """
    if TRUSTED in arguments:
        yield
        return
    loader: Any = ConfigLoaderImpl
    load = loader.load_configuration

    def load_configuration(self: ConfigLoaderImpl, *words: Any, **named: Any) -> DictConfig:
        config: DictConfig = load(self, *words, **named)
        check_targets(config)
        return config

    loader.load_configuration = load_configuration
    try:
        yield
    finally:
        loader.load_configuration = load


def check_arguments(arguments: Sequence[str]) -> None:
    """Raise ConfigError for the option with which Hydra would unpickle a file."""
    for word in arguments:
        if len(word) > len("--e") and PICKLES.startswith(word.partition("=")[0]):
            raise ConfigError(
                f"{word}: prefrun reads no pickled configuration, which could run any code\n"
                "  remedy: `prefrun rerun RUN_DIR` repeats a run"
            )


def check_targets(config: DictConfig) -> None:
    """Raise ConfigError where CONFIG names code of a stranger."""
    plain: Any = OmegaConf.to_container(config, resolve=False)
    for key, value in _leaves(plain, ""):
        name = key.rpartition(".")[2]
        if isinstance(value, str) and MAKES_KEYS.search(value):
            raise _refusal(key, value, "text that becomes keys could name code")
        names_code = name in (TARGET, FACTORY)
        if key.startswith(LOGGING) and name == CLASS:
            names_code = not str(value).startswith("logging.")
        if names_code and not (name == TARGET and _is_trusted(str(value))):
            raise _refusal(key, str(value), "that is no class of prefrun or an installed plugin")


def _refusal(key: str, value: str, why: str) -> ConfigError:
    return ConfigError(
        f"{key}={value} is refused: {why}\n"
        f"  remedy: remove it; if you wrote it, or trust who did, add {TRUSTED} to the command"
    )


def _leaves(value: Any, where: str) -> Iterator[tuple[str, Any]]:
    """Every key of nested VALUE that holds no mapping or list, dotted, with what it holds."""
    if isinstance(value, dict | list):
        items = value.items() if isinstance(value, dict) else enumerate(value)
        for key, item in items:
            yield from _leaves(item, f"{where}.{key}" if where else str(key))
    else:
        yield where, value


def _is_trusted(target: str) -> bool:
    roots = _roots()
    if target.partition(".")[0] not in roots:
        return target in _shipped_targets()
    return _is_class_of(target, roots)


def _roots() -> set[str]:
    """Packages whose code runs here in any case."""
    plugins = {plugin.source.partition(":")[0] for plugin in plugin_manager()[1]}
    return {"hydra", "hydra_plugins", *(source.partition(".")[0] for source in plugins)}


def _is_class_of(target: str, roots: set[str]) -> bool:
    """Whether TARGET is a class made there: `prefrun.sweep.os.system` is none."""
    from importlib import import_module

    module, _, name = target.rpartition(".")
    try:
        found = getattr(import_module(module), name)
    except (ImportError, AttributeError, ValueError):
        return False
    return isinstance(found, type) and found.__module__.partition(".")[0] in roots


def _shipped_targets() -> set[str]:
    """Those that the configuration files of prefrun and of the plugins name."""
    folders: list[Path] = [conf_dir("prefrun"), *config_folders().values()]
    files = [file for folder in folders for file in folder.rglob("*.yaml")]
    texts = (file.read_text(encoding="utf-8") for file in files)
    return {found for text in texts for found in re.findall(r"_target_:\s*([\w.]+)", text)}
