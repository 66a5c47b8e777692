"""The part of a run that needs models: evaluate, train, evaluate, save."""

from __future__ import annotations

import gc
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from prefrun.algorithm import (
    Algorithm,
    DecodingAlgorithm,
    LossAlgorithm,
    Outcome,
    RunAlgorithm,
)
from prefrun.console import console, progress
from prefrun.errors import ConfigError, EvaluatorError
from prefrun.evaluation.context import Context
from prefrun.evaluation.evaluate import (
    all_of,
    evaluate_all,
    nothing,
    own_metrics,
    with_own,
)
from prefrun.memory import EVALUATING, RUNNING, TRAINING, naming_out_of_memory
from prefrun.plan import Plan
from prefrun.run_header import print_model_lines
from prefrun.rundir.directory import RunDirectory
from prefrun.rundir.files import read_json, write_json
from prefrun.rundir.metrics import MetricsLog
from prefrun.rundir.report import write_report
from prefrun.rundir.run import Run
from prefrun.rundir.status import FAILED
from prefrun.rundir.summary import build_summary
from prefrun.sharing import sharing
from prefrun.tracker import Tracker
from prefrun.training.cost import CostMeter
from prefrun.training.record import record_machine, record_model, record_usable
from prefrun.training.saving import save_model, save_rest
from prefrun.training.session import Session

if TYPE_CHECKING:
    from prefrun.job import Job, Stopwatch
    from prefrun.records.split import DataSplit

NO_MODEL = "none"


@naming_out_of_memory(RUNNING)
def execute(run: Run, job: Job, tracker: Tracker, watch: Stopwatch) -> dict[str, Any]:
    """Carry out the run and return its summary, which is also written. Raises PrefrunError."""
    from transformers import set_seed
    from transformers.utils import logging as transformers_logging

    quiet: Any = transformers_logging.disable_progress_bar
    quiet()  # its bars would tear the host's
    set_seed(run.seed)
    _freeze_imports()
    plan, directory, algorithm = job.plan, job.directory, job.algorithm
    session, cost = Session(run, job, tracker), CostMeter()
    trains = not isinstance(algorithm, DecodingAlgorithm)
    record_machine(directory)
    try:
        if algorithm.uses_model:
            _look_at_model(session, directory, trains)
        before = {**nothing(), "baseline": None}
        if measures_start(algorithm):
            before = _evaluate_before(session, plan, directory)
        watch.lap("evaluation")
        MetricsLog(directory.metrics).truncate_after(directory.checkpointed_steps())
        outcome = _train(session, algorithm)
        watch.lap("training")
        failures: dict[str, EvaluatorError] = {}
        before = _complete_before(session, job, outcome, before, failures)
        after = _evaluate_after(session, job, outcome, before, failures)
        watch.lap("evaluation")
        moved = None
        if outcome.policy is not None and trains:
            moved = session.share_moved()
            save_model(session, directory)
        save_rest(algorithm, directory)
        summary = build_summary(
            run=run,
            model=session.kind.name if algorithm.uses_model else NO_MODEL,
            steps=session.steps,
            before=before,
            after=after,
            timing=watch.seconds,
            cost=cost.read(session.tokens, plan.launch.processes or 1),
            records=_record_counts(session),
            weights_moved=moved,
            trained=trains,
        )
        if failures:
            summary["status"] = FAILED
        write_json(directory.summary, summary)
        write_report(directory, with_curves=run.group is None)  # the comparison shows a sweep's
        if failures:
            raise all_of(failures)
        return summary
    finally:
        session.close()


def _look_at_model(session: Session, directory: RunDirectory, trains: bool) -> None:
    """Refuse a start model that cannot be measured; record and say how others are used."""
    kind, usable = session.ready, session.usable
    for note in kind.examine(session.config, trains):
        console.print(f"  note    {note}", markup=False)
    record_model(directory, kind)
    record_usable(directory, usable)
    print_model_lines(kind.forward_note, usable.notes, usable.problems)


@cache
def _freeze_imports() -> None:
    """Spare every later garbage collection the objects of the modules imported by now."""
    import prefrun.training.losses  # noqa: F401

    gc.collect()
    gc.freeze()


@naming_out_of_memory(TRAINING)
def _train(session: Session, algorithm: Algorithm) -> Outcome:
    if isinstance(algorithm, LossAlgorithm):
        return Outcome(session.train(algorithm))
    if isinstance(algorithm, RunAlgorithm):
        return algorithm.run(session)
    if isinstance(algorithm, DecodingAlgorithm):
        return Outcome(algorithm.wrap(session))
    raise ConfigError(
        f"algo={session.run.algo} is none of LossAlgorithm, RunAlgorithm, DecodingAlgorithm"
    )


def measures_start(algorithm: Algorithm) -> bool:
    """Whether the start model is measured by itself, before training."""
    if isinstance(algorithm, DecodingAlgorithm) and not algorithm.changes_policy:
        return False  # it is what is measured afterwards
    return algorithm.uses_model and algorithm.evaluates_policy


@naming_out_of_memory(EVALUATING)
def _evaluate_before(session: Session, plan: Plan, directory: RunDirectory) -> dict[str, Any]:
    """Measure the start model, once: a resumed run reads what the first try wrote."""

    def measure() -> dict[str, Any]:
        policy = session.policy()
        context = Context(session, policy, policy)
        with progress("evaluation before") as show:
            result = evaluate_all(_evaluators(plan), context, show)
        return {**result, "baseline": context.to_json()}

    if not directory.evaluation_before.exists():
        before = sharing.get("before", _measured_by(plan, session.data), measure)
        write_json(directory.evaluation_before, before)
    return dict(read_json(directory.evaluation_before))


@naming_out_of_memory(EVALUATING)
def _complete_before(
    session: Session,
    job: Job,
    outcome: Outcome,
    before: dict[str, Any],
    failures: dict[str, EvaluatorError],
) -> dict[str, Any]:
    """Add to BEFORE, and write, what is known of the start only when the algorithm is done."""
    complete = before
    if outcome.reward is not None and not measures_start(job.algorithm):
        context = Context(session, None, None)
        complete = before | evaluate_all(_evaluators(job.plan), context, failures=failures)
    if outcome.before:
        complete = with_own(complete, outcome, failures)
    if complete is not before:
        write_json(job.directory.evaluation_before, complete)
    return complete


def _measured_by(plan: Plan, data: DataSplit) -> tuple[Any, ...]:
    """All that the start model's metrics depend on."""
    sections = ("seed", "data", "model", "reward", "evaluator", "evaluation")
    return data.fingerprint, plan.key(*sections), plan.length_limits


@naming_out_of_memory(EVALUATING)
def _evaluate_after(
    session: Session,
    job: Job,
    outcome: Outcome,
    before: Mapping[str, Any],
    failures: dict[str, EvaluatorError],
) -> dict[str, Any]:
    """Measure what was trained. What fails goes into FAILURES: the model is still to be saved."""
    directory, algorithm = job.directory, job.algorithm
    policy = outcome.policy if algorithm.evaluates_policy else None
    if policy is None and outcome.reward is None:
        after = own_metrics(outcome.metrics, outcome.directions, failures)
    else:
        baseline = policy
        if policy is not None and measures_start(algorithm):
            baseline = session.reference()
        known, folder = before["baseline"], directory.evaluation
        context = Context(session, policy, baseline, known, folder, outcome.reward)
        with progress("evaluation after") as show:
            after = evaluate_all(_evaluators(job.plan), context, show, outcome, failures)
        if policy is not None:
            directory.write_samples(context.samples())
    if policy is None:
        known_names = {*after["metrics"], *outcome.before}
        missing = [name for name in before["directions"] if name not in known_names]
        reason = dict.fromkeys(missing, "the algorithm returns no policy")
        after["not_measured"] = reason | after["not_measured"]
    write_json(directory.evaluation_after, after)
    return after


def _evaluators(plan: Plan) -> dict[str, Any]:
    return {name: item.make(settings) for name, (item, settings) in plan.evaluators.items()}


def _record_counts(session: Session) -> dict[str, int]:
    counts = session.data.counts
    return {
        "read": counts.read,
        "used": counts.used,
        "skipped": counts.skipped,
        "truncated": session.truncation.records,
    }
