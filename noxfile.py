"""`nox` runs what CI runs. Third-party packages are installed once and shared by every session."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tomllib
from pathlib import Path

import nox

PLUGINS = sorted(path.parent.name for path in Path("plugins").glob("*/pyproject.toml"))
BASE = Path(".nox", "base").absolute()
SITE = Path("lib", f"python{sys.version_info.major}.{sys.version_info.minor}", "site-packages")
TOOLS = ["editables", "hatchling", "hypothesis", "mypy", "pytest", "ruff"]
MODEL, DATA = "plugins/prefrun-tiny", "plugins/prefrun-ultrafeedback"

nox.options.default_venv_backend = "venv"
nox.options.reuse_existing_virtualenvs = True
nox.options.sessions = ["lint", "types", "tests", "plugin", "together"]


def projects() -> list[str]:
    """The host and every plugin."""
    return [".", *(f"plugins/{name}" for name in PLUGINS)]


def third_party() -> list[str]:
    """Every declared dependency that is not prefrun's own."""
    names: set[str] = set(TOOLS)
    for project in projects():
        declared = tomllib.loads(Path(project, "pyproject.toml").read_text())["project"]
        names |= {name for name in declared["dependencies"] if not name.startswith("prefrun")}
    return sorted(names)


def base() -> Path:
    """Install the third-party packages, unless the same ones are there already."""
    wanted = third_party()
    text = "\n".join([*wanted, Path("constraints.txt").read_text()])
    digest = hashlib.sha256(text.encode()).hexdigest()
    mark = BASE / "installed"
    if not mark.exists() or mark.read_text() != digest:
        subprocess.run([sys.executable, "-m", "venv", "--clear", BASE], check=True)
        pip = [str(BASE / "bin" / "python"), "-m", "pip", "install", "-q", "-c", "constraints.txt"]
        subprocess.run([*pip, *wanted], check=True)
        mark.write_text(digest)
    return BASE


def overlay(session: nox.Session, *installed: str) -> None:
    """Show SESSION the shared packages, and install only the projects INSTALLED into it."""
    site = Path(session.virtualenv.location, SITE)
    (site / "base.pth").write_text(f"{base() / SITE}\n")
    editable = [word for project in installed for word in ("-e", project)]
    session.install("-q", "--no-deps", "--no-build-isolation", *editable)


def pytest(session: nox.Session, *words: str) -> None:
    """Run pytest on WORDS with the threads of this machine, and what the user added."""
    session.run("python", "-m", "pytest", "-q", *words, *session.posargs)


@nox.session
def lint(session: nox.Session) -> None:
    """Check style and format with ruff."""
    ruff = str(base() / "bin" / "ruff")
    session.run(ruff, "check", ".", external=True)
    session.run(ruff, "format", "--check", ".", external=True)


@nox.session
def types(session: nox.Session) -> None:
    """Check the host's types with mypy, strictly."""
    overlay(session, ".")
    session.run("python", "-m", "mypy", "--strict", "prefrun")


@nox.session
def tests(session: nox.Session) -> None:
    """Test the host alone."""
    overlay(session, ".")
    pytest(session, "tests", "--ignore=tests/together")


@nox.session
@nox.parametrize("name", PLUGINS, ids=PLUGINS)
def plugin(session: nox.Session, name: str) -> None:
    """Test one plugin with only the host beside it."""
    overlay(session, ".", f"plugins/{name}")
    pytest(session, f"plugins/{name}/tests")


@nox.session
def together(session: nox.Session) -> None:
    """Test everything installed together: whole runs, sweeps, kills, the README's commands."""
    overlay(session, *projects())
    pytest(session, "tests/together")
