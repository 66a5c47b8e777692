"""Hydra composes every job of a sweep twice, from files it reads anew each time. Here once, from
files read once: a quarter of a second less for each job, of which some take only seconds."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from typing import Any

from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.config_repository import ConfigRepository
from omegaconf import DictConfig

from prefrun.config_files import check_config_file


@contextmanager
def quick_composing() -> Iterator[None]:
    """While it lasts, config files are read once and a checked configuration is kept for its run.

    The files of one command do not change, nor does what Hydra makes of them.
    """
    loader: Any = ConfigLoaderImpl
    repository: Any = ConfigRepository
    compose, read = loader.load_sweep_config, repository.load_config
    kept: dict[tuple[str, ...], DictConfig] = {}
    files: dict[str, Any] = {}

    def load_sweep_config(
        self: ConfigLoaderImpl, master_config: DictConfig, sweep_overrides: list[str]
    ) -> DictConfig:
        key = tuple(sweep_overrides)
        if key in kept:
            return kept.pop(key)  # the launcher is about to change it
        config: DictConfig = compose(self, master_config, sweep_overrides)
        kept[key] = config
        return config

    def load_config(self: ConfigRepository, config_path: str) -> Any:
        if config_path not in files:
            check_config_file(config_path)
            files[config_path] = read(self, config_path)
        return deepcopy(files[config_path])  # Hydra writes into what it is given

    loader.load_sweep_config, repository.load_config = load_sweep_config, load_config
    try:
        yield
    finally:
        loader.load_sweep_config, repository.load_config = compose, read
