"""The conformance suite of trackers: three lives of a run, in a temporary folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from prefrun.component import Component
from prefrun.rundir.run import Run
from prefrun.testing import component as shared
from prefrun.testing.component import ComponentSubject
from prefrun.testing.composition import find_component
from prefrun.testing.suite import Property, Report, Suite, settle
from prefrun.tracker import Tracker

METRICS = {"loss": 0.5}
SUMMARY = {"status": "finished", "metrics": {"kl": {"before": 0.0, "after": 0.5}}}


class TrackerSubject(ComponentSubject):
    """A tracker."""

    def tracker(self) -> Tracker:
        """Return a new instance."""
        built = self.build()
        assert isinstance(built, Tracker), f"the factory made a {type(built).__name__}"
        return built


def follows_a_whole_run(subject: TrackerSubject) -> None:
    """start, log, finish, close."""
    with TemporaryDirectory() as folder:
        _live(subject.tracker(), make_run(Path(folder)), finish=True)


def follows_a_failed_run(subject: TrackerSubject) -> None:
    """start, close; then a run that fails before it starts: close alone."""
    with TemporaryDirectory() as folder:
        _live(subject.tracker(), make_run(Path(folder)), finish=False)
        subject.tracker().close(failed=True)


def follows_a_resumed_run(subject: TrackerSubject) -> None:
    """A failed run, then another process that starts in the same directory."""
    with TemporaryDirectory() as folder:
        _live(subject.tracker(), make_run(Path(folder)), finish=False)
        _live(subject.tracker(), make_run(Path(folder)), finish=True)


def make_run(folder: Path) -> Run:
    """Return a run whose directory is FOLDER."""
    return Run(
        id="0123456789ab",
        name="algo-data-model-seed0",
        output_dir=folder,
        seed=0,
        algo="algo",
        data="data",
        group=None,
        config={"seed": 0, "algo": {"beta": 0.1}},
    )


def _live(tracker: Tracker, run: Run, *, finish: bool) -> None:
    try:
        tracker.start(run)
        tracker.log(1, METRICS)
        if finish:
            tracker.finish(SUMMARY)
    finally:
        tracker.close(failed=not finish)


PROPERTIES = (
    *shared.PROPERTIES,
    Property(follows_a_whole_run, ("factory_loads",)),
    Property(follows_a_failed_run, ("factory_loads",)),
    Property(follows_a_resumed_run, ("factory_loads",)),
)


def check_tracker(
    tracker: str | Component,
    *,
    overrides: Sequence[str] = (),
) -> Report:
    """Run every check of a tracker and return the verdicts.

    TRACKER: what follows `tracker=`, or a Component; choose a mode without network by OVERRIDES.
    Further arguments and errors as for `check_algorithm`.
    """
    return settle(suite_of(tracker, overrides))


def suite_of(
    tracker: str | Component,
    overrides: Sequence[str] = (),
) -> Suite:
    """Return the checks of a tracker, none of them judged yet."""
    subject = TrackerSubject(find_component("tracker", tracker), overrides)
    return Suite(subject, PROPERTIES)
