"""Calls what plugins hang into a run. An observer that fails costs nobody else: it is said once."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any

from prefrun.blame import told
from prefrun.console import console
from prefrun.errors import RunPrunedError
from prefrun.plugins import plugin_manager
from prefrun.rundir.masking import mask_text
from prefrun.rundir.run import Run
from prefrun.tracker import Tracker

log = logging.getLogger(__name__)
_said: set[tuple[str, ...]] = set()


def notify(hook: str, run: Run, **arguments: Any) -> None:
    """Call HOOK, about RUN, of every plugin. Raises RunPrunedError, with which one ends the run."""
    given = {"run": run, **arguments}
    implementations = getattr(plugin_manager()[0].hook, hook).get_hookimpls()
    for each in reversed(implementations):  # pluggy's order: last registered, first called
        name, module = each.plugin_name, each.function.__module__
        call = (each.function, [given[argument] for argument in each.argnames])
        _tolerate(f"hook {hook} of plugin {name}", module, str(run.output_dir), *call)


class TolerantTracker(Tracker):
    """The tracker the user chose: one that cannot start ends the run, one that fails later not.

    What it is told stands in the run's own files, too.
    """

    def __init__(self, chosen: Tracker) -> None:
        super().__init__(chosen.config)
        self._chosen, self._folder = chosen, ""

    def start(self, run: Run) -> None:
        """Start it. Raises what it raises."""
        self._folder = str(run.output_dir)
        self._chosen.start(run)

    def log(self, step: int, metrics: Mapping[str, float]) -> None:
        """Tell it of a step."""
        self._tell(self._chosen.log, step, metrics)

    def finish(self, summary: Mapping[str, Any]) -> None:
        """Tell it of the end."""
        self._tell(self._chosen.finish, summary)

    def close(self, failed: bool) -> None:
        """Let it close."""
        self._tell(self._chosen.close, failed)

    def _tell(self, method: Callable[..., None], *given: Any) -> None:
        kind = type(self._chosen)
        who = f"{method.__name__} of the tracker {kind.__name__}"
        _tolerate(who, kind.__module__, self._folder, method, given)


def _tolerate(who: str, module: str, folder: str, function: Callable[..., Any], given: Any) -> None:
    """Call FUNCTION of MODULE with what is GIVEN; say once per run, in FOLDER, that it failed."""
    try:
        function(*given)
    except (KeyboardInterrupt, RunPrunedError):
        raise
    except BaseException as error:  # SystemExit, too
        if (folder, who) not in _said:
            _said.add((folder, who))
            text = mask_text(f"{who} failed, and the run goes on without it: {told(error, module)}")
            log.exception("%s", text)
            console.print(f"  {text}", markup=False)
