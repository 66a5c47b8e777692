"""What a job of a search does as it trains: it reports to the study, and ends where it is told."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode

from prefrun.errors import RunPrunedError
from prefrun_optuna.settings import PRUNED_AT, TARGET, Pruning, read_pruning

if TYPE_CHECKING:
    from optuna.storages import RDBStorage


def watch(step: int, metrics: Mapping[str, float]) -> None:
    """Report the watched one of METRICS at STEP.

    Does nothing in a run that is no job of a search with a pruner. Raises RunPrunedError where the
    pruner ends the run.
    """
    config: Any = HydraConfig.instance().cfg
    if config is None or config.hydra.mode != RunMode.MULTIRUN:
        return
    if config.hydra.sweeper._target_ != TARGET:
        return
    pruning = read_pruning(config.hydra)
    value = metrics.get(pruning.metric or "", math.nan)
    if math.isfinite(value) and _is_hopeless(pruning, config.hydra.job.num, step, value):
        raise RunPrunedError(f"{PRUNED_AT} {step}: {pruning.metric} is {value:.4g}")


def _is_hopeless(pruning: Pruning, number: int, step: int, value: float) -> bool:
    """Tell the study of VALUE at STEP of trial NUMBER, and ask the pruner."""
    import optuna
    from hydra.utils import instantiate

    storage = _opened(pruning.storage)
    study_id = storage.get_study_id_from_name(pruning.study)
    trial = storage.get_trial_id_from_study_id_trial_number(study_id, number)
    storage.set_trial_intermediate_value(trial, step, pruning.sign * value)
    study = optuna.load_study(study_name=pruning.study, storage=storage)
    hopeless = bool(instantiate(pruning.pruner).prune(study, storage.get_trial(trial)))
    if hopeless:
        storage.set_trial_user_attr(trial, PRUNED_AT, step)
    return hopeless


@lru_cache(maxsize=1)  # opening takes a third of a second
def _opened(url: str) -> RDBStorage:
    from prefrun_optuna.study import open_storage

    return open_storage(url)
