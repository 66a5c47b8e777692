"""Whether listing a plugin's components imports heavy libraries, looked at in a fresh process."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from functools import cache

from prefrun.component import Component
from prefrun.loss_file.registering import is_file
from prefrun.plugins import registered

HEAVY = ("torch", "transformers")
PATIENCE = 120
"""Seconds for the imports, on any machine."""
WATCH = """
import importlib, json, sys, traceback
heavy, modules, sys.path[:] = json.loads(sys.argv[1])
class Watch:
    def find_spec(self, name, path=None, target=None):
        if name in heavy:
            frames = [f for f in traceback.extract_stack()[:-1] if "importlib" not in f.filename]
            sys.exit(f"{name} is imported by {frames[-1].filename}:{frames[-1].lineno}")
sys.meta_path.insert(0, Watch())
for module in modules:
    importlib.import_module(module)
"""
"""Ends with what imported one of the heavy libraries, and where."""


def heavy_import_of(component: Component) -> str:
    """Return which heavy library importing COMPONENT's plugin and config imports, and where.

    '' if none, or if no installed plugin has the component: a loss file is code of its run.
    """
    found = registered().get((component.group, component.name))
    if found is None or found.component is not component or is_file(component.name):
        return ""
    plugin = found.plugin.source.partition(":")[0]
    return _heavy_import(tuple(dict.fromkeys([plugin, component.config.__module__])))


@cache
def _heavy_import(modules: Sequence[str]) -> str:
    words = json.dumps([HEAVY, modules, sys.path])
    command = [sys.executable, "-c", WATCH, words]
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PATIENCE
    )
    lines = done.stderr.strip().splitlines()
    return (lines or ["the plugin cannot be imported alone"])[-1] if done.returncode else ""
