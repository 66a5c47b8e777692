"""What the site shows is true: the commands of a page run one after the other, in one folder."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import venv
from pathlib import Path

import pytest

from tests.together.conftest import Workplace
from tests.together.documents import Block, blocks, small_settings, trains, words_of

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = [page for page in sorted(DOCS.rglob("*.md")) if "```bash" in page.read_text()]

INSTEAD = {
    # no network
    r"pip install build twine": "pip --version",
    r"python -m build": "python -m hatchling build",
    r"twine check": "ls",
    r"(.*data\.source=hub.*)": r"\1 --cfg job",
    # no cluster
    r"'hydra\.launcher\.setup=[^']*'": "hydra.launcher.cluster=local",
    r"\+hydra\.launcher\.sbatch\.\S+": "hydra.launcher.gpus_per_node=0",
    # no GPU, two cores
    r"model\.device=cuda": "model.device=cpu",
    r"launch\.processes=4": "launch.processes=2",
    # less time
    r"seed=1,2,3": "seed=1,2",
    r"hydra/sweeper=optuna": "hydra/sweeper=optuna hydra.sweeper.n_trials=2",
}
"""What is typed, and what is run here instead: regular expressions and their replacements."""

MODULES = ("prefrun", "pip", "pytest")
"""Commands that must come from the page's own environment."""
PIP_INSTALL = ("--quiet", "--no-deps", "--no-build-isolation")

FAILURE = re.compile(r"^(prefrun: | *FAILED )", re.MULTILINE)
NUMBERS = re.compile(r"\b[0-9a-f]{12}\b|(?<![\w.])[-+]?\d+([.,]\d+)*(e[-+]\d+)?\b")
FOLDERS = re.compile(r"(?<![\w.])(/[\w.-]+)+/(?=[\w.-])")
"""The beginning of an absolute path."""
DRAWN = re.compile(r"[┏━┳┓┡╇┩└─┴┘├┼┤]+|[*†]")


class Reader:
    """Does what a page tells, in a folder and a Python environment of its own."""

    def __init__(self, page: Path, folder: Path) -> None:
        self.text, self.name = page.read_text(), os.path.relpath(page, ROOT)
        self.folder, environment = folder / "work", folder / "environment"
        self.folder.mkdir()
        venv.create(environment, with_pip=False)
        binaries = environment / "bin"
        for name in MODULES:
            (binaries / name).write_text(f'#!/bin/sh\nexec {binaries}/python -m {name} "$@"\n')
            (binaries / name).chmod(0o755)
        (site,) = environment.glob("lib/python*/site-packages")
        known = [path for path in sys.path if path and Path(path).is_dir()]
        (site / "outer.pth").write_text("".join(f"{path}\n" for path in known))
        path = os.pathsep.join([str(binaries), os.environ["PATH"]])
        self.environment = Workplace(self.folder).environment | {"PATH": path}

    def read(self) -> None:
        """Write the page's files, run its commands, and compare what it says they print."""
        shown = blocks(self.text)
        for block, following in zip(shown, [*shown[1:], None], strict=True):
            if block.title:
                path = self.folder / block.title
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(block.text)
            elif block.language == "bash":
                self._run(block, following if following and is_output(following) else None)

    def _run(self, block: Block, wanted: Block | None) -> None:
        """Run BLOCK's commands; those that WANTED shows to fail must fail."""
        allowed = (1, 2) if wanted and FAILURE.search(wanted.text) else (0,)
        output = ""
        for line, command in block.commands():
            said = f"{self.name}, line {line}: {command}"
            if command.startswith("cd "):
                self.folder = (self.folder / command[3:]).resolve()
                continue
            done = subprocess.run(
                ["bash", "-c", as_run_here(command)],
                cwd=self.folder,
                env=self.environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                check=False,
            )
            if done.returncode not in allowed:
                pytest.fail(f"{said}\nexit {done.returncode}\n{done.stdout}", pytrace=False)
            output += done.stdout
        printed = iter(plain_lines(output))
        for line in plain_lines(wanted.text if wanted else ""):
            if not any(real.startswith(line) for real in printed):
                problem = f"does not print there\n{line}\nbut\n{output}"
                pytest.fail(f"{said}\n{problem}", pytrace=False)


def is_output(block: Block) -> bool:
    """Whether a block, which follows commands, is what they print."""
    return block.language == "text" and not block.title


def as_run_here(command: str) -> str:
    """Return COMMAND as a small machine can run it."""
    for typed, instead in INSTEAD.items():
        command = re.sub(typed, instead, command)
    if command.startswith("prefrun ") and trains(words_of(command)):
        command += " " + shlex.join(small_settings(words_of(command)))
    if command.startswith("pip install "):
        command += " " + shlex.join(PIP_INSTALL)
    return command


def plain_lines(text: str) -> list[str]:
    """Return the lines of TEXT without numbers, folders, rules and spaces."""
    lines = [NUMBERS.sub("#", FOLDERS.sub("", DRAWN.sub("", line))) for line in text.splitlines()]
    plain = [" ".join(line.split()) for line in lines]
    return [line for line in plain if line and line != "…"]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(DOCS).as_posix())
def test_the_commands_of_a_page_run(page, tmp_path):
    Reader(page, tmp_path).read()


@pytest.mark.parametrize("typed", INSTEAD)
def test_each_substitution_is_needed(typed):
    assert any(re.search(typed, page.read_text()) for page in PAGES)


WRONG = {
    "exit 3\n": "exit 3\nexit 3\n",
    "echo 1 one\n```\n\n```text\n2 two\n": "echo 1 one\ndoes not print there\n# two\n",
    "echo one\n```\n\n```text\nprefrun: one\n": "echo one\nexit 0\none\n",
}


@pytest.mark.parametrize("text", WRONG)
def test_a_wrong_page_is_told_with_line_command_and_output(text, tmp_path):
    page = tmp_path / "page.md"
    page.write_text(f"A page.\n\n```bash\n{text}```\n")
    with pytest.raises(pytest.fail.Exception) as told:
        Reader(page, tmp_path).read()
    assert f"page.md, line 4: {WRONG[text]}" in str(told.value)
