"""Tells plugins of a comparison that is written."""

from __future__ import annotations

import logging
from pathlib import Path

from prefrun.comparison.compare import Comparison
from prefrun.errors import PrefrunError
from prefrun.plugins import plugin_manager

log = logging.getLogger(__name__)


def announce(comparison: Comparison, folder: Path) -> None:
    """Call `prefrun_comparison_written` of every plugin. One that fails costs nobody a result."""
    given = {
        "comparison": comparison,
        "directories": [run.path for row in comparison.rows for run in row.runs],
        "folder": folder,
    }
    hook = plugin_manager()[0].hook.prefrun_comparison_written
    for implementation in hook.get_hookimpls():
        try:
            implementation.function(*(given[name] for name in implementation.argnames))
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # a stranger's code may raise anything
            trace = not isinstance(error, PrefrunError)
            name = implementation.plugin_name
            log.error("plugin %s could not take the comparison: %s", name, error, exc_info=trace)
