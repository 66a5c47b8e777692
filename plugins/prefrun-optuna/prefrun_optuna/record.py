"""search.yaml in the sweep's folder: the best trial and all others; and its part of the report."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from prefrun.jobs.index import read_index
from prefrun.rundir.files import write_atomically
from prefrun_optuna.settings import PRUNED_AT, Settings
from prefrun_optuna.space import Space

RECORD = "search.yaml"


def write_record(settings: Settings, study: Study, space: Space) -> None:
    """Write what the search knows by now."""
    trials = [trial for trial in study.get_trials() if trial.state != TrialState.WAITING]
    best = best_trial(study)
    record = {
        "metric": settings.metric,
        "direction": settings.direction,
        "best": None if best is None else _entry(best, settings.folder, space),
        "trials": [_entry(trial, settings.folder, space) for trial in trials],
    }
    write_atomically(settings.folder / RECORD, OmegaConf.to_yaml(OmegaConf.create(record)))


def best_trial(study: Study) -> FrozenTrial | None:
    """Return the finished trial with the best value; None where none has finished."""
    return study.best_trial if study.get_trials(states=(TrialState.COMPLETE,)) else None


def folder_of(words: Sequence[str], sweep: Path) -> str | None:
    """Return the name of the run directory in SWEEP that the job with these WORDS has."""
    entries = read_index(sweep).with_words(words)
    return entries[-1].folder if entries else None


def _entry(trial: FrozenTrial, sweep: Path, space: Space) -> dict[str, Any]:
    entry = {
        "trial": trial.number,
        "state": trial.state.name.lower(),
        "value": trial.value if trial.state == TrialState.COMPLETE else None,
        "folder": folder_of(space.words(trial.params), sweep),
        "params": dict(trial.params),
    }
    if trial.state == TrialState.PRUNED:
        entry["pruned_at_step"] = trial.user_attrs[PRUNED_AT]
    return entry


def section(folder: Path) -> str | None:
    """Return the Markdown of the search whose record FOLDER holds."""
    file = folder / RECORD
    if not file.exists():
        return None
    record: Any = OmegaConf.to_container(OmegaConf.load(file))
    best, keys = (record["best"] or {}).get("trial"), list(record["trials"][0]["params"])
    heading = f"{record['metric']} ({record['direction']})"
    lines = ["## Search", "", _summary(record), ""]
    lines += [f"| trial | {heading} | {' | '.join(keys)} | run |", "|---" * (len(keys) + 3) + "|"]
    for trial in record["trials"]:
        values = [_text(trial["params"][key]) for key in keys]
        number = f"**{trial['trial']}**" if trial["trial"] == best else trial["trial"]
        lines.append(
            f"| {number} | {_outcome(trial)} | {' | '.join(values)} | {trial['folder'] or '-'} |"
        )
    return "\n".join(lines) + "\n"


def _summary(record: Any) -> str:
    best, count = record["best"], len(record["trials"])
    if best is None:
        return f"None of {count} trials has finished."
    values = ", ".join(f"{key}={_text(value)}" for key, value in best["params"].items())
    return f"The best of {count} trials is number {best['trial']}: {values}."


def _outcome(trial: Any) -> str:
    if trial["state"] == "complete":
        return _text(trial["value"])
    if trial["state"] == "pruned":
        return f"pruned at step {trial['pruned_at_step']}"
    return "failed" if trial["state"] == "fail" else str(trial["state"])


def _text(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
