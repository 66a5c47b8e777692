"""`prefrun plugins`: every component, where it came from, and what is broken."""

from __future__ import annotations

import sys

from prefrun.errors import ConfigError
from prefrun.escaping import visible
from prefrun.plugins import plugin_manager, registered

HEADINGS = ("name", "kind", "version", "distribution", "source")


def plugins(arguments: list[str]) -> int:
    """Print one line per component, then the broken plugins. Returns 0."""
    if arguments:
        raise ConfigError(f"`prefrun plugins` takes no arguments, but got {' '.join(arguments)}")
    rows = [
        (name, group, entry.plugin.version, entry.plugin.distribution, entry.component.factory)
        for (group, name), entry in registered().items()
    ]
    widths = [max(len(row[i]) for row in [HEADINGS, *rows]) for i in range(len(HEADINGS))]
    for row in [HEADINGS, *rows]:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
        print(visible("  ".join(cells).rstrip()))
    for plugin in plugin_manager()[1]:
        if plugin.error:
            said = (
                f"\nbroken: {plugin.name} ({plugin.distribution} {plugin.version}, "
                f"{plugin.source}) failed to load: {plugin.error}\n"
                f"  remedy: mend or uninstall it; PREFRUN_BLOCK={plugin.name} silences this"
            )
            print(
                visible(said),
                file=sys.stdout,
            )
    return 0
