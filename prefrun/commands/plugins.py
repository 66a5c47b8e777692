"""`prefrun plugins`: every component, where it came from, and what is broken."""

from __future__ import annotations

from prefrun.config_files import shipped_twice
from prefrun.errors import ConfigError
from prefrun.escaping import visible
from prefrun.plugin_loading import Plugin
from prefrun.plugins import BLOCK_VARIABLE, catalogue, plugin_manager, registered

HEADINGS = ("name", "kind", "version", "distribution", "source")


def plugins(arguments: list[str]) -> int:
    """Print one line per component, then what is broken and what disturbs others. Returns 0."""
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
        _print_faults(plugin)
    clashes = [*catalogue().unusable.values(), *catalogue().contested.values()]
    for reason in [*clashes, *(text for _, text in shipped_twice().values())]:
        print(visible(f"\nbroken: {reason}"))
    return 0


def _print_faults(plugin: Plugin) -> None:
    who = f"{plugin.name} ({plugin.distribution} {plugin.version}, {plugin.source})"
    remedy = f"  remedy: mend or uninstall it; {BLOCK_VARIABLE}={plugin.name} silences this"
    if plugin.error:
        print(visible(f"\nbroken: {who} failed to load: {plugin.error}\n{remedy}"))
    for problem in plugin.left_out:
        print(visible(f"\nbroken: {who} works without this: {problem}\n{remedy}"))
    for warning in plugin.warnings:
        print(visible(f"\nwarning: {who} {warning}\n{remedy}"))
