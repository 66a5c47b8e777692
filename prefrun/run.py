"""One run from configuration to summary. `run` reads as a table of contents."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig

from prefrun.algorithm import Algorithm, DecodingAlgorithm, LossAlgorithm, check_branches
from prefrun.builtin.config import NoModelConfig
from prefrun.console import console
from prefrun.errors import DataError
from prefrun.honoured import check_honoured
from prefrun.job import Inputs, Job, Origin, Stopwatch
from prefrun.jobs.changes import check_unchanged, made_from, record_resumption
from prefrun.jobs.identity import identify
from prefrun.loss_file.algorithm import FileLoss
from prefrun.memory import LOADING, naming_out_of_memory
from prefrun.needs import check_given, given_by
from prefrun.notifying import TolerantTracker, notify
from prefrun.plan import Plan, make_plan, missing_choice
from prefrun.plugins import print_foreign_plugins
from prefrun.processes.checks import check_launch
from prefrun.records.split import uses_seed
from prefrun.run_header import print_header, print_result
from prefrun.rundir.configuration import to_text
from prefrun.rundir.directory import RunDirectory
from prefrun.rundir.files import write_atomically, write_json
from prefrun.rundir.lock import locked
from prefrun.rundir.manifest import check_same_data, collect_manifest
from prefrun.rundir.masking import MaskingFormatter, mask_handlers, mask_values
from prefrun.rundir.run import Run
from prefrun.rundir.status import fail, finish, interrupt, start
from prefrun.schema import ALONE
from prefrun.sharing import sharing
from prefrun.tracker import Tracker

if TYPE_CHECKING:
    from prefrun.records.split import DataSplit

log = logging.getLogger(__name__)


def run(config: DictConfig, output_dir: Path, origin: Origin) -> dict[str, Any]:
    """Run one experiment into OUTPUT_DIR and return the content of its summary.json.

    Raises ConfigError and DataError before a model is loaded and before anything is written;
    PrefrunError for a failure in the run, with the reason in status.json.
    """
    sharing.switch(False)
    print_foreign_plugins()
    plan = make_plan(config)
    inputs = prepare(plan, read_data(plan), origin.overrides)
    directory = RunDirectory(output_dir).create()
    with locked(directory.path):
        return carry_out(inputs, directory, origin)


def resume(
    directory: RunDirectory, config: DictConfig, origin: Origin, accept_changes: bool = False
) -> dict[str, Any]:
    """Go on with the run in DIRECTORY from its last whole checkpoint.

    Raises, before anything is written, DataError if the data are no longer those the run began
    with, ConfigError if its models, other files, code or libraries are not, unless ACCEPT_CHANGES,
    or if another process is at work in DIRECTORY.
    """
    sharing.switch(False)
    print_foreign_plugins()
    plan = make_plan(config)
    inputs = prepare(plan, read_data(plan))
    check_same_data(directory, inputs.data.fingerprint)
    now = made_from(plan, inputs.data.fingerprint)
    changed = check_unchanged(directory, now, accept_changes)
    with locked(directory.path):
        record_resumption(directory, list(origin.argv), changed, accept_changes)
        return carry_out(inputs, directory, origin)


def read_data(plan: Plan) -> DataSplit:
    """Read the records, or take those of the job before. Raises DataError."""
    source = plan.build("data")
    seed = plan.seed if uses_seed(source) else None
    key = (plan.key("data"), seed)
    return sharing.get("data", key, lambda: source.load(plan.seed))  # type: ignore[no-any-return]


@naming_out_of_memory(LOADING)
def prepare(
    plan: Plan, data: DataSplit, words: Sequence[str] | None = None, in_sweep: bool = False
) -> Inputs:
    """Make reward and algorithm: what is wrong with them shows before a model is loaded.

    WORDS: those of the command line that the run begins with; None if it has begun before.
    IN_SWEEP: whether they may be meant for other jobs, beside which this one only measures.
    """
    source = plan.build("model")  # its constructor looks whether the model can be there
    reward = plan.build("reward").of(data)
    algorithm = plan.algorithm()
    for_others = in_sweep and isinstance(algorithm, DecodingAlgorithm)
    if words is not None and not for_others:
        check_honoured(plan, algorithm, words)
    if algorithm.uses_model and isinstance(plan.settings["model"], NoModelConfig):
        raise missing_choice("model")
    if isinstance(algorithm, LossAlgorithm):
        names = plan.chosen["algo"].name, plan.chosen["model"].name
        check_given(algorithm.needs, given_by(source), *names)
    data = _suiting(algorithm, data)
    check_branches(algorithm, data.train, plan.chosen["algo"].name)
    algorithm.check(data, reward)
    check_launch(plan, algorithm)
    return Inputs(plan, data, reward, algorithm)


def _suiting(algorithm: Algorithm, data: DataSplit) -> DataSplit:
    """Return DATA for ALGORITHM, whose training records may be measured if it trains nothing.

    Raises DataError for a loss without training records.
    """
    if isinstance(algorithm, DecodingAlgorithm) and not data.test:
        note = f"no held-out records: the {len(data.train)} training records are measured"
        note = f"{data.note}; {note}" if data.note else note
        return replace(data, train=[], test=data.train, note=note)
    if isinstance(algorithm, LossAlgorithm) and not data.train:
        raise DataError(
            f"{data.name} has {len(data.test)} held-out records and none to train on",
            remedy="data.test_fraction below 1 leaves some; algo=evaluate only measures",
        )
    return data


def carry_out(inputs: Inputs, directory: RunDirectory, origin: Origin) -> dict[str, Any]:
    """Do what is left of the run in DIRECTORY, which this process has locked."""
    plan, data, reward, algorithm = inputs.plan, inputs.data, inputs.reward, inputs.algorithm
    job = Job(plan, data, reward, algorithm, directory, origin)
    if plan.launch.strategy == ALONE:
        return carry_out_here(job)
    from prefrun.processes.launch import carry_out_in_processes  # needs torch

    return carry_out_in_processes(job)


def carry_out_here(job: Job) -> dict[str, Any]:
    """Do what is left of JOB in this process."""
    with log_to(job.directory.log):
        this = describe_run(job)
        print_header(this, job)
        write_origin(this, job)
        try:
            start(job.directory)
            summary = _tracked(this, job)
        except KeyboardInterrupt:
            if interrupt(job.directory):
                say_how_to_resume(job.directory)
            raise
    print_result(this, job, summary)
    return summary


def say_how_to_resume(directory: RunDirectory) -> None:
    """Name the command that resumes an interrupted run."""
    console.print(f"interrupted. Resume with: prefrun resume {directory.path}", markup=False)


def _tracked(this: Run, job: Job) -> dict[str, Any]:
    tracker, failed = Tracker(None), True
    try:
        tracker = TolerantTracker(job.plan.build("tracker"))
        notify("prefrun_run_configured", this)
        tracker.start(this)
        notify("prefrun_run_started", this)
        from prefrun.training.execute import execute  # torch comes in here and not before

        summary = execute(this, job, tracker, Stopwatch())
        finish(job.directory, summary["steps"])
        tracker.finish(summary)
        notify("prefrun_run_finished", this, summary=summary)
        failed = False
    except KeyboardInterrupt as error:
        interrupt(job.directory)
        notify("prefrun_run_failed", this, error=error)
        raise
    except BaseException as error:
        log.exception("the run failed")
        fail(job.directory, error)
        notify("prefrun_run_failed", this, error=error)
        raise
    finally:
        tracker.close(failed)
    return summary


def write_origin(this: Run, job: Job) -> None:
    """Write what JOB is made from, unless an earlier try has."""
    if not job.directory.manifest.exists():
        write_atomically(job.directory.config, to_text(this.config))
        if isinstance(job.algorithm, FileLoss):
            job.algorithm.file.keep_in(job.directory.code)
        write_json(job.directory.manifest, _manifest(this, job))


@contextmanager
def log_to(file: Path) -> Iterator[None]:
    """Send warnings and tracebacks of this run to FILE."""
    handler = logging.FileHandler(file, delay=True)
    handler.setLevel(logging.WARNING)
    line = logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s")
    handler.setFormatter(MaskingFormatter(line))
    mask_handlers()
    logging.getLogger().addHandler(handler)
    try:
        yield
    finally:
        logging.getLogger().removeHandler(handler)
        handler.close()


def describe_run(job: Job) -> Run:
    """Return what hooks and trackers are told of JOB."""
    plan, data = job.plan, job.data
    algo = plan.chosen["algo"].name
    model = [plan.chosen["model"].name] if job.algorithm.uses_model else []
    return Run(
        id=identify(plan, data.fingerprint).run_id,
        name="-".join([algo, data.name, *model, f"seed{plan.seed}"]),
        output_dir=job.directory.path,
        seed=plan.seed,
        algo=algo,
        data=data.name,
        group=job.origin.group,
        config=mask_values(plan.plain),
    )


def _manifest(this: Run, job: Job) -> dict[str, Any]:
    data = job.data
    manifest = collect_manifest(
        argv=list(job.origin.argv),
        overrides=list(job.origin.overrides),
        run_id=this.id,
        data={
            "name": data.name,
            "fingerprint": data.fingerprint,
            "by_seed": uses_seed(job.plan.chosen["data"].load()),
            "train": len(data.train),
            "test": len(data.test),
            "note": data.note,
            "problems": data.counts.problems,
        },
        model={"name": job.plan.chosen["model"].name},
        seed=this.seed,
    )
    names = job.plan.component_names()
    made = made_from(job.plan, data.fingerprint)
    own = {"name": this.name, "group": this.group, "components": names, "inputs": made["inputs"]}
    return manifest | own | {"code": manifest["code"] | made["code"]}
