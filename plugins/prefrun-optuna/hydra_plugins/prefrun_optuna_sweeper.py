"""hydra/sweeper=optuna. Hydra imports this in every application."""

# No `from __future__ import annotations`: Hydra's scan runs this file where dataclasses could not
# resolve them.

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from hydra.core.config_store import ConfigStore
from hydra.core.plugins import Plugins
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig


@dataclass
class OptunaConfig:
    """A search for the best value of `sweep.metric`."""

    _target_: str = "hydra_plugins.prefrun_optuna_sweeper.OptunaSweeper"
    _recursive_: bool = False
    direction: str | None = None
    """maximize or minimize; required."""
    n_trials: int = 20
    """Trials in all, those of earlier commands in the same folder included."""
    n_jobs: int = 1
    """Trials that are chosen and launched together."""
    sampler: Any = None
    """An Optuna sampler; hydra/sweeper/sampler chooses one."""
    pruner: Any = None
    """An Optuna pruner; hydra/sweeper/pruner chooses one."""
    prune_on: str | None = None
    """The metric of metrics.jsonl that the pruner looks at, such as loss."""
    prune_direction: str = "minimize"
    """maximize or minimize: which way that metric is better."""
    storage: str | None = None
    """URL of a database that Optuna knows; null: study.db in the sweep's folder."""
    params: dict[str, Any] = field(default_factory=dict)
    """The search space and fixed values by key, as on the command line, for experiment files."""


class OptunaSweeper(Sweeper):
    """See OptunaConfig."""

    def __init__(self, **settings: Any) -> None:
        self.settings = settings

    def setup(
        self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig
    ) -> None:
        """Keep what a search is made of, and make the launcher of its jobs."""
        self.config, self.loader = config, hydra_context.config_loader
        self.launcher = Plugins.instance().instantiate_launcher(
            hydra_context=hydra_context, task_function=task_function, config=config
        )

    def sweep(self, arguments: Sequence[str]) -> None:
        """Search the space that ARGUMENTS, words of the command line, describe."""
        from prefrun_optuna.search import search
        from prefrun_optuna.settings import read_settings

        params = [f"{key}={value}" for key, value in self.settings.pop("params").items()]
        settings = read_settings(self.config)
        search(settings, [*params, *arguments], self.loader, self.launcher)


# The schema only: the choice is a YAML file that no other application in this environment sees.
ConfigStore.instance().store("optuna", OptunaConfig, "schema/sweeper", provider="prefrun-optuna")
