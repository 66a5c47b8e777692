"""What a search and its jobs know of it, read from the configuration and checked."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from prefrun.errors import ConfigError
from prefrun.schema import STOP

TARGET = "hydra_plugins.prefrun_optuna_sweeper.OptunaSweeper"
NO_PRUNER = "optuna.pruners.NopPruner"
DIRECTIONS = ("maximize", "minimize")
STUDY_FILE = "study.db"
PRUNED_AT = "pruned at step"
"""Attribute of a trial in the study: why it has no value."""


@dataclass(frozen=True, slots=True)
class Pruning:
    """Where a job reports to, and what."""

    storage: str
    """URL of the database."""
    study: str
    """The study's name there."""
    pruner: Any
    """Configuration of Optuna's object."""
    metric: str | None
    """The logged metric that decides; None: no run is ended early."""
    sign: int
    """-1 where that metric is better the other way than the search's own."""


@dataclass(frozen=True, slots=True)
class Settings:
    """One search."""

    folder: Path
    """Of the sweep."""
    metric: str
    direction: str
    n_trials: int
    n_jobs: int
    stop_at_failure: bool
    sampler: Any
    """Configuration of Optuna's object."""
    pruning: Pruning


def read_settings(config: DictConfig) -> Settings:
    """Return the settings in CONFIG, a sweep's. Raises ConfigError."""
    keys, metric = config.hydra.sweeper, config.sweep.metric
    if metric is None:
        raise ConfigError(
            "hydra/sweeper=optuna needs sweep.metric=NAME, a metric of the run's summary, such as "
            "reward"
        )
    for key in ("direction", "prune_direction"):
        if keys[key] not in DIRECTIONS:
            raise ConfigError(f"hydra.sweeper.{key}={keys[key]} must be {' or '.join(DIRECTIONS)}")
    for key in ("n_trials", "n_jobs"):
        if keys[key] < 1:
            raise ConfigError(f"hydra.sweeper.{key}={keys[key]} must be at least 1")
    if keys.pruner._target_ != NO_PRUNER and keys.prune_on is None:
        raise ConfigError(
            "a pruner needs hydra.sweeper.prune_on=NAME, a metric that a run logs as it trains, "
            "such as loss"
        )
    return Settings(
        folder=Path(config.hydra.sweep.dir),
        metric=metric,
        direction=keys.direction,
        n_trials=keys.n_trials,
        n_jobs=keys.n_jobs,
        stop_at_failure=config.sweep.on_failure == STOP,
        sampler=OmegaConf.to_container(keys.sampler),
        pruning=read_pruning(config.hydra),
    )


def read_pruning(hydra: DictConfig) -> Pruning:
    """Return what the HYDRA node of a sweep's or a job's configuration says of pruning."""
    keys, folder = hydra.sweeper, Path(hydra.sweep.dir).absolute()
    return Pruning(
        storage=keys.storage or f"sqlite:///{folder / STUDY_FILE}",
        study=folder.name,
        pruner=OmegaConf.to_container(keys.pruner),
        metric=keys.prune_on if keys.pruner._target_ != NO_PRUNER else None,
        sign=1 if keys.prune_direction == keys.direction else -1,
    )
