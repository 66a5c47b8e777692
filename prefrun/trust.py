"""Configuration is data: text in it names no code but that of prefrun, Hydra and the plugins."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.config_repository import ConfigRepository
from hydra.core.object_type import ObjectType
from omegaconf import DictConfig, OmegaConf

from prefrun.config_files import config_folders
from prefrun.errors import ConfigError
from prefrun.file_settings import TRUSTED, check_file, check_folders, refusal
from prefrun.interpolation_size import check_interpolations
from prefrun.paths import conf_dir
from prefrun.plugins import plugin_manager
from prefrun.yaml_size import check_size

if TYPE_CHECKING:
    from hydra.core.default_element import ResultDefault
    from hydra.plugins.config_source import ConfigResult

TARGET = "_target_"
"""Under this key Hydra's instantiate looks for code."""
PICKLES = "--experimental-rerun"
COPY = "hydra.output_subdir"
MAKES_KEYS = re.compile(r"\$\{\s*oc\.(create|decode)\b|\$\{[^{}:]*\$\{[^{}]*\}[^{}:]*:")
"""Interpolations that make keys out of text, or have the name of their resolver made."""


@contextmanager
def only_trusted_code(arguments: Sequence[str]) -> Iterator[None]:
    """While it lasts, Hydra composes no configuration that names third-party code, nor one for
    which a file sets what only the command line may.

    Composing then raises ConfigError, before Hydra makes a callback, a launcher or a sweeper. Only
    the user's ARGUMENTS can lift this: a third party's file could hold the key as well.
    """
    if TRUSTED in arguments:
        yield
        return
    loader, repository = cast("Any", ConfigLoaderImpl), cast("Any", ConfigRepository)
    load, load_single = loader.load_configuration, loader._load_single_config
    read = repository.load_config
    folders: set[str] = set()
    typed = {word.partition("=")[0].lstrip("+~") for word in arguments}

    def load_configuration(self: ConfigLoaderImpl, *words: Any, **named: Any) -> DictConfig:
        folders.clear()
        config: DictConfig = load(self, *words, **named)
        check_targets(config)
        check_folders(config, folders - typed)
        return config

    def load_single_config(self: ConfigLoaderImpl, *words: Any, **named: Any) -> ConfigResult:
        result: ConfigResult = load_single(self, *words, **named)
        if is_third_party(result.provider, result.path):
            folders.update(check_file(result.config, _name(result, *words, **named)))
        return result

    def load_config(self: ConfigRepository, config_path: str) -> ConfigResult | None:
        source: Any = self._find_object_source(config_path, ObjectType.CONFIG)
        if source is None or not is_third_party(source.provider, source.path):
            result: ConfigResult | None = read(self, config_path)
            return result
        file = Path(source.path, source._normalize_file_name(config_path))
        if source.scheme() == "file":
            check_size(file)
        result = read(self, config_path)
        check_search_path(result.config if result else None, str(file))
        return result

    loader.load_configuration, loader._load_single_config = load_configuration, load_single_config
    repository.load_config = load_config
    try:
        yield
    finally:
        loader.load_configuration, loader._load_single_config = load, load_single
        repository.load_config = read


def is_third_party(provider: str, path: str) -> bool:
    """Whether the folder of configuration files at PATH is neither prefrun's nor a plugin's.

    PROVIDER is Hydra's word for how it came onto the search path.
    """
    if provider == "main":  # --config-path replaces prefrun's own
        return Path(path.removeprefix("file://")) != conf_dir("prefrun")
    return provider == "command-line" or provider.startswith("hydra.searchpath")


def _name(result: ConfigResult, default: ResultDefault, **rest: Any) -> str:
    return f"{result.path.removeprefix('file://')}/{default.config_path}.yaml"


def check_search_path(config: Any, file: str) -> None:
    """Raise ConfigError where CONFIG, the content of FILE, adds folders or packages of files.

    Hydra imports such a package as it looks for files, which is before it composes anything.
    """
    if isinstance(config, DictConfig):
        found = OmegaConf.select(config, "hydra.searchpath")
        if found is not None:
            raise refusal(file, "hydra.searchpath", found)


def check_arguments(arguments: Sequence[str]) -> None:
    """Raise ConfigError for the option with which Hydra would unpickle a file, and for the key with
    which it would write down the configuration with its secrets."""
    for word in arguments:
        key, _, value = word.partition("=")
        if key.lstrip("+") == COPY and value != "null":
            raise ConfigError(
                f"{word} is refused: Hydra's copy of the configuration would hold its secrets\n"
                "  remedy: remove it: config.yaml and manifest.json in the run's folder say it all"
            )
        if len(word) > len("--e") and PICKLES.startswith(word.partition("=")[0]):
            raise ConfigError(
                f"{word}: prefrun reads no pickled configuration, which could run any code\n"
                "  remedy: `prefrun rerun RUN_DIR` repeats a run"
            )


def check_targets(config: DictConfig) -> None:
    """Raise ConfigError where CONFIG names third-party code."""
    plain: Any = OmegaConf.to_container(config, resolve=False)
    leaves = list(_leaves(plain, ""))
    check_interpolations(dict(leaves))
    for key, value in leaves:
        name = key.rpartition(".")[2]
        if isinstance(value, str) and MAKES_KEYS.search(value):
            raise _refusal(key, value, "text that becomes keys could name code")
        if name == TARGET and not _is_trusted(str(value)):
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
