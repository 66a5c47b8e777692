"""Hydra composes every job of a sweep twice, to check it and to run it. Here the first one serves.

Composing takes a tenth of a second, most of the time that a job of seconds would wait.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from hydra._internal.config_loader_impl import ConfigLoaderImpl
from omegaconf import DictConfig


@contextmanager
def composing_once() -> Iterator[None]:
    """Keep each job's checked configuration until it is run."""
    kept: dict[tuple[str, ...], DictConfig] = {}
    compose = ConfigLoaderImpl.load_sweep_config

    def load_sweep_config(
        self: ConfigLoaderImpl, master_config: DictConfig, sweep_overrides: list[str]
    ) -> DictConfig:
        key = tuple(sweep_overrides)
        if key in kept:
            return kept.pop(key)  # the launcher is about to change it
        config = kept[key] = compose(self, master_config, sweep_overrides)
        return config

    ConfigLoaderImpl.load_sweep_config = load_sweep_config  # type: ignore[method-assign]
    try:
        yield
    finally:
        ConfigLoaderImpl.load_sweep_config = compose  # type: ignore[method-assign]
