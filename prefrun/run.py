"""One run from configuration to summary. `run` reads as a table of contents."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig, OmegaConf

from prefrun.console import console
from prefrun.plan import Plan, make_plan
from prefrun.plugins import plugin_manager
from prefrun.run_header import print_header, print_result
from prefrun.rundir.directory import RunDirectory
from prefrun.rundir.files import write_atomically, write_json
from prefrun.rundir.manifest import collect_manifest
from prefrun.rundir.run import Run
from prefrun.rundir.status import fail, finish, interrupt, start

if TYPE_CHECKING:
    from prefrun.records.split import DataSplit
    from prefrun.tracker import Tracker

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a run came from."""

    argv: tuple[str, ...]
    overrides: tuple[str, ...] = ()
    """The key=value words of this job."""
    group: str | None = None
    """The sweep it is part of."""


@dataclass(slots=True)
class Stopwatch:
    """Seconds spent by phase."""

    seconds: dict[str, float] = field(default_factory=dict)
    _since: float = field(default_factory=time.perf_counter)

    def lap(self, phase: str) -> None:
        """Add the time since the last lap to PHASE."""
        now = time.perf_counter()
        self.seconds[phase] = round(self.seconds.get(phase, 0.0) + now - self._since, 3)
        self._since = now


def run(config: DictConfig, output_dir: Path, origin: Origin) -> dict[str, Any]:
    """Run one experiment into OUTPUT_DIR and return the content of its summary.json.

    Raises ConfigError and DataError before a model is loaded and before anything is written;
    PrefrunError for a failure in the run; both leave the reason in status.json once it exists.
    """
    plan = make_plan(config)
    data = plan.build("data").load(plan.seed)
    directory = RunDirectory(output_dir).create()
    return _carry_out(plan, data, directory, origin, checkpoint=None)


def resume(directory: RunDirectory, config: DictConfig, origin: Origin) -> dict[str, Any]:
    """Go on with the run in DIRECTORY from its last whole checkpoint.

    Raises DataError where the data are no longer those the run began with.
    """
    from prefrun.rundir.manifest import check_same_data

    plan = make_plan(config)
    data = plan.build("data").load(plan.seed)
    check_same_data(directory, data.fingerprint)
    return _carry_out(plan, data, directory, origin, checkpoint=directory.last_checkpoint())


def _carry_out(
    plan: Plan, data: DataSplit, directory: RunDirectory, origin: Origin, checkpoint: Path | None
) -> dict[str, Any]:
    with log_to(directory.log):
        return _logged(plan, data, directory, origin, checkpoint)


def _logged(
    plan: Plan, data: DataSplit, directory: RunDirectory, origin: Origin, checkpoint: Path | None
) -> dict[str, Any]:
    this = _identify(plan, data, directory, origin)
    tracker: Tracker = plan.build("tracker")
    hook: Any = plugin_manager()[0].hook
    hook.prefrun_run_configured(run=this)
    print_header(this, plan, data)
    if not directory.manifest.exists():
        write_atomically(directory.config, OmegaConf.to_yaml(OmegaConf.create(dict(plan.plain))))
        write_json(directory.manifest, _manifest(this, plan, data, origin))
    start(directory)
    failed = True
    try:
        tracker.start(this)
        hook.prefrun_run_started(run=this)
        from prefrun.training.execute import execute  # torch comes in here and not before

        summary = execute(this, plan, data, directory, tracker, checkpoint, Stopwatch())
        finish(directory, summary["steps"])
        tracker.finish(summary)
        hook.prefrun_run_finished(run=this, summary=summary)
        failed = False
    except KeyboardInterrupt as error:
        interrupt(directory)
        hook.prefrun_run_failed(run=this, error=error)
        console.print(f"interrupted. Go on with: prefrun resume {directory.path}")
        raise
    except BaseException as error:
        log.exception("the run failed")
        fail(directory, error)
        hook.prefrun_run_failed(run=this, error=error)
        raise
    finally:
        tracker.close(failed)
    print_result(this, plan, directory, summary)
    return summary


@contextmanager
def log_to(file: Path) -> Iterator[None]:
    """Send warnings and tracebacks of this run to FILE."""
    handler = logging.FileHandler(file, delay=True)
    handler.setLevel(logging.WARNING)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.getLogger().addHandler(handler)
    try:
        yield
    finally:
        logging.getLogger().removeHandler(handler)
        handler.close()


def _identify(plan: Plan, data: DataSplit, directory: RunDirectory, origin: Origin) -> Run:
    algo, model = plan.chosen["algo"].name, plan.chosen["model"].name
    return Run(
        id=plan.run_id(data.fingerprint),
        name=f"{algo}-{data.name}-{model}-seed{plan.seed}",
        output_dir=directory.path,
        seed=plan.seed,
        algo=algo,
        data=data.name,
        group=origin.group,
        config=plan.plain,
    )


def _manifest(this: Run, plan: Plan, data: DataSplit, origin: Origin) -> dict[str, Any]:
    manifest = collect_manifest(
        argv=list(origin.argv),
        overrides=list(origin.overrides),
        run_id=this.id,
        data={
            "name": data.name,
            "fingerprint": data.fingerprint,
            "train": len(data.train),
            "test": len(data.test),
            "note": data.note,
            "problems": data.counts.problems,
        },
        model={"name": plan.chosen["model"].name},
        seed=plan.seed,
    )
    return manifest | {"name": this.name, "group": this.group, "components": plan.component_names()}
