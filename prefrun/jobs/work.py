"""One job of a sweep: claimed, done or found done, tried again, recorded where it failed."""

from __future__ import annotations

import os
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from prefrun.config_checks import check_composed
from prefrun.config_errors import config_error
from prefrun.console import console
from prefrun.errors import ConfigError, PrefrunError, RunPrunedError
from prefrun.job import Origin
from prefrun.jobs.claim import BUSY, RESUME, SKIP, Claim, claim
from prefrun.jobs.failures import (
    COMMAND_ID,
    failures,
    record_failure,
    record_refusal,
    write_refusal,
)
from prefrun.jobs.identity import identify, path_digests
from prefrun.plan import Plan, make_plan
from prefrun.run import carry_out, prepare, read_data
from prefrun.rundir.directory import RunDirectory
from prefrun.rundir.summary import read_summary
from prefrun.schema import STOP
from prefrun.sharing import sharing

if TYPE_CHECKING:
    from omegaconf import DictConfig

    from prefrun.records.split import DataSplit


def work(
    config: DictConfig, sweep: Path, number: int, origin: Origin, with_traceback: bool
) -> float | None:
    """See to job NUMBER of SWEEP, and return its value of `sweep.metric`, if it has one.

    A failure is recorded and not raised, so that Hydra goes on with the next job. Raises only
    where the job did not measure `sweep.metric`: ConfigError, which ends a search.
    """
    if config.sweep.on_failure == STOP and failures(sweep, os.environ[COMMAND_ID]):
        _say(f"job {number} is left out: another one failed, and sweep.on_failure={STOP}")
        return None
    try:
        check_composed(config, origin.overrides)
        sharing.switch(True)
        plan = make_plan(config)
        sharing.follow(path_digests(plan))
        data = read_data(plan)
        identity = identify(plan, data.fingerprint)
        with claim(sweep, identity, number, origin.overrides) as found:
            summary = _see_to(found, plan, data, number, origin)
    except JobError as failed:
        _show(failed.reason, with_traceback)
        record_failure(sweep, failed.folder, number, origin.overrides, failed.reason)
    except Exception as error:
        _show(error, with_traceback)
        record_refusal(sweep, number, origin.overrides, config_error(error))
    else:
        return None if summary is None else chosen_metric(summary, plan.sweep.metric)
    return None


class JobError(Exception):
    """A job failed in a folder of its own."""

    def __init__(self, folder: Path, reason: Exception) -> None:
        self.folder, self.reason = folder, reason


def _see_to(
    found: Claim, plan: Plan, data: DataSplit, number: int, origin: Origin
) -> Mapping[str, Any] | None:
    """Return the summary of the job; None while another process is at it, or where it was pruned.

    Raises JobError.
    """
    directory = RunDirectory(found.folder)
    if found.action == BUSY:
        _say(f"job {number}: another process is at it, in {found.folder}")
        return None
    if found.action == SKIP:
        _say(f"job {number} has finished before: {found.folder}")
        return read_summary(directory)
    if found.action == RESUME:
        _say(f"job {number} goes on in {found.folder}")
    for left in reversed(range(plan.sweep.retry + 1)):
        try:
            inputs = prepare(plan, data, origin.overrides, in_sweep=True)
            return carry_out(inputs, directory, origin)
        except RunPrunedError as pruned:
            _say(f"job {number}: {pruned}")
            return None
        except Exception as error:
            reason = config_error(error)
            if not directory.status.exists():
                write_refusal(directory, reason)
            is_bad_input = isinstance(reason, PrefrunError) and reason.exit_code == 2
            if not left or is_bad_input:
                raise JobError(found.folder, reason) from error
            _say(f"job {number} failed and is tried again, {left} time(s) at most: {reason}")
    raise AssertionError("the last try returns or raises")


def chosen_metric(summary: Mapping[str, Any], metric: str | None) -> float | None:
    """Return the value after training of METRIC in SUMMARY; None where none is asked for.

    Raises ConfigError, with the metrics there are, for another name.
    """
    if metric is None:
        return None
    values = summary["metrics"].get(metric)
    if values is None or values.get("after") is None:
        known = [name for name, value in summary["metrics"].items() if value["after"] is not None]
        raise ConfigError(f"sweep.metric={metric} was not measured. Metrics: {', '.join(known)}")
    return float(values["after"])


def _say(text: str) -> None:
    console.print(text, markup=False)


def _show(error: Exception, with_traceback: bool) -> None:
    if with_traceback:
        traceback.print_exception(error)
