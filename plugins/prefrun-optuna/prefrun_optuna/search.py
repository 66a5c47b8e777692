"""The search: asks the study for trials, launches them as jobs, tells it what came out."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from filelock import FileLock, Timeout
from hydra.core.config_loader import ConfigLoader
from hydra.core.utils import JobReturn
from hydra.plugins.launcher import Launcher
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from prefrun.console import console
from prefrun.errors import ConfigError
from prefrun.rundir.directory import RunDirectory
from prefrun.rundir.metrics import read_metrics
from prefrun_optuna.grid import Grid, combinations
from prefrun_optuna.record import best_trial, folder_of, write_record
from prefrun_optuna.settings import PRUNED_AT, Settings
from prefrun_optuna.space import Space, read_space
from prefrun_optuna.study import make_sampler, open_study

LOCK_FILE = ".search.lock"


def search(
    settings: Settings, words: Sequence[str], loader: ConfigLoader, launcher: Launcher
) -> None:
    """Run trials until there are `n_trials`, or all there can be.

    Trials that were cut come first. With `sweep.on_failure=stop` a failed one is the last. Raises
    ConfigError where another process is at this search, where the folder holds another one, or
    where no job measures the metric.
    """
    space = read_space(words, loader)
    settings.folder.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(settings.folder / LOCK_FILE, timeout=0):
            study = open_study(settings, words)
            for batch in _batches(study, space, settings):
                failed = _carry_out(batch, study, space, settings, launcher)
                write_record(settings, study, space)
                if failed and settings.stop_at_failure:
                    return
    except Timeout as error:
        raise ConfigError(
            f"{settings.folder}: another process is at this search\n  remedy: wait for it"
        ) from error


def _batches(study: Study, space: Space, settings: Settings) -> Iterator[list[FrozenTrial]]:
    """Yield trials with numbers that follow one another, as launchers want them."""
    cut: list[FrozenTrial] = []
    for trial in study.get_trials(states=(TrialState.RUNNING,)):
        if cut and (trial.number != cut[-1].number + 1 or len(cut) == settings.n_jobs):
            yield cut
            cut = []
        cut.append(trial)
    if cut:
        yield cut
    limit = settings.n_trials
    if isinstance(make_sampler(settings, 0), Grid):
        wanted = combinations(space.distributions)
        limit = len(wanted)
        for values in wanted:
            study.enqueue_trial(values, skip_if_exists=True)
    while (left := limit - (begun := _begun(study))) > 0:
        study.sampler = make_sampler(settings, begun)
        numbers = [_ask(study, space) for _ in range(min(left, settings.n_jobs))]
        yield study.get_trials()[numbers[0] : numbers[-1] + 1]


def _begun(study: Study) -> int:
    return sum(trial.state != TrialState.WAITING for trial in study.get_trials(deepcopy=False))


def _ask(study: Study, space: Space) -> int:
    return study.ask(dict(space.distributions)).number


def _carry_out(
    batch: Sequence[FrozenTrial],
    study: Study,
    space: Space,
    settings: Settings,
    launcher: Launcher,
) -> bool:
    """Run the trials of BATCH and tell the study. Returns whether one failed."""
    words = [space.words(trial.params) for trial in batch]
    results = launcher.launch(words, initial_job_idx=batch[0].number)
    for trial, result in zip(batch, results, strict=True):
        value = _value(study, result)
        pruned = PRUNED_AT in study.get_trials()[trial.number].user_attrs
        unfinished = TrialState.PRUNED if pruned else TrialState.FAIL
        folder = folder_of(space.words(trial.params), settings.folder)
        if value is None and folder is None and settings.stop_at_failure:
            continue  # left out: it comes first when the same command is run again
        study.tell(trial.number, value, None if value is not None else unfinished)
        told = study.get_trials()[trial.number]
        console.print(_line(told, settings, best_trial(study)), markup=False)
        if settings.pruning.metric and value is not None and not told.intermediate_values:
            raise _never_logged(settings, folder)
    states = [study.get_trials()[trial.number].state for trial in batch]
    return TrialState.FAIL in states


def _value(study: Study, result: JobReturn) -> float | None:
    """Return the job's value; None where it failed or was pruned.

    A job raises only where it lacks the metric. Raises that where no job before had it.
    """
    returned = result._return_value  # the property would print words of Hydra's own
    if isinstance(returned, Exception):
        if best_trial(study) is None:
            raise returned
        return None
    return float(returned) if returned is not None and math.isfinite(returned) else None


def _line(trial: FrozenTrial, settings: Settings, best: FrozenTrial | None) -> str:
    outcome = trial.state.name.lower()
    if trial.state == TrialState.COMPLETE:
        outcome = f"{settings.metric} {trial.value:.4g}"
    values = " ".join(f"{key}={value}" for key, value in trial.params.items())
    known = f"; best so far {best.value:.4g} in trial {best.number}" if best else ""
    return f"trial {trial.number}: {outcome}  {values}{known}"


def _never_logged(settings: Settings, folder: str | None) -> ConfigError:
    lines = read_metrics(RunDirectory(settings.folder / (folder or "")).metrics)
    names = ", ".join(sorted({name for line in lines for name in line} - {"step"}))
    return ConfigError(
        f"hydra.sweeper.prune_on={settings.pruning.metric} was never logged. Metrics: {names}"
    )
