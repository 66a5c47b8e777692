"""Fixtures for host tests: plugins made on the spot, and the command run as a user would."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import pytest

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def plugin_folder(tmp_path: Path) -> Path:
    """A folder that acts as a site-packages of its own."""
    folder = tmp_path / "site"
    folder.mkdir()
    return folder


@pytest.fixture
def make_plugin(plugin_folder: Path) -> Callable[..., None]:
    """Install a plugin without pip: a module and its metadata."""

    return partial(install_plugin, plugin_folder)


def install_plugin(
    site: Path, name: str, code: str, conf: Mapping[str, str] | None = None, entry: str = ""
) -> None:
    """Install a plugin into SITE; ENTRY: another text than the usual one for entry_points.txt."""
    package = site / f"prefrun_{name}"
    package.mkdir()
    (package / "__init__.py").write_text(code)
    info = site / f"prefrun_{name}-1.2.3.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: prefrun-{name}\nVersion: 1.2.3\n")
    (info / "entry_points.txt").write_text(entry or f"[prefrun]\n{name} = prefrun_{name}\n")
    for path, text in (conf or {}).items():
        target = package / "conf" / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)


@pytest.fixture
def prefrun(plugin_folder: Path, tmp_path: Path) -> Run:
    """Run the command in a process of its own, with the made plugins installed."""
    return command(plugin_folder, tmp_path)


def command(site: Path, folder: Path) -> Run:
    """Return a function that runs `prefrun WORDS` in FOLDER with the plugins in SITE."""

    def run(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
        path = os.pathsep.join([str(site), os.environ.get("PYTHONPATH", "")])
        return subprocess.run(
            [sys.executable, "-m", "prefrun", *words],
            env={**os.environ, "PYTHONPATH": path, **environment},
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )

    return run


DEMO = '''
from dataclasses import dataclass
from pathlib import Path
from prefrun import Component, ConfigError, conf_dir, hookimpl


@dataclass
class DemoConfig:
    beta: float = 0.1
    """Scale, > 0."""

    def __post_init__(self):
        if not self.beta > 0:
            raise ConfigError(f"algo.beta={self.beta} must be above 0")


@hookimpl
def prefrun_components():
    return [Component("algo", "demo", DemoConfig, "prefrun_demo.algo:Demo", "a demonstration")]


@hookimpl
def prefrun_config_dir() -> Path:
    return conf_dir("prefrun_demo")
'''
DEMO_YAML = "defaults:\n  - /schema/algo/demo@_here_\n  - _self_\nbeta: 0.3\n"


@pytest.fixture
def demo(make_plugin: Callable[..., None]) -> None:
    """An installed plugin with algo=demo."""
    make_plugin("demo", DEMO, {"algo/demo.yaml": DEMO_YAML})
