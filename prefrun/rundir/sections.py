"""What plugins add to reports."""

from __future__ import annotations

import logging
from typing import Any

from prefrun.plugins import plugin_manager

log = logging.getLogger(__name__)


def plugin_sections(hook: str, **arguments: Any) -> list[list[str]]:
    """Return the Markdown of every plugin that has some, each as a list of one text.

    HOOK is `prefrun_report_section` or `prefrun_comparison_section`. A plugin that fails costs no
    run its result: the section says so, and the log says why.
    """
    sections = []
    for implementation in getattr(plugin_manager()[0].hook, hook).get_hookimpls():
        given = [arguments[name] for name in implementation.argnames]
        try:
            text = implementation.function(*given)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # a stranger's code may raise anything
            name = implementation.plugin_name
            log.exception("the section of plugin %s failed", name)
            text = f"## {name}\n\nThis section failed: {type(error).__name__}: {error}"
        if text:
            sections.append([str(text).rstrip()])
    return sections
