"""Every project declares what it imports, and every list of projects or versions agrees."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
EXAMPLE = ROOT / "examples" / "prefrun-example"
PROJECTS = [ROOT, *(path.parent for path in sorted(ROOT.glob("plugins/*/pyproject.toml")))]
DISTRIBUTIONS = packages_distributions()


def metadata(project: Path) -> dict[str, Any]:
    return tomllib.loads((project / "pyproject.toml").read_text())["project"]


def normal(name: str) -> str:
    """The name as the package index compares it, without version bounds."""
    return re.sub(r"[-_.]+", "-", re.split(r"[\s<>=!~;\[]", name, maxsplit=1)[0]).lower()


def declared(project: Path) -> set[str]:
    """The distributions PROJECT asks for, its extras included."""
    data = metadata(project)
    extras = data.get("optional-dependencies", {}).values()
    return {normal(name) for names in (data["dependencies"], *extras) for name in names}


def imported(package: Path) -> Iterator[str]:
    """The modules that the code in PACKAGE imports."""
    for file in package.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                yield node.module


@pytest.mark.parametrize(
    "project", [*PROJECTS, EXAMPLE], ids=lambda project: metadata(project)["name"]
)
def test_a_project_declares_what_it_imports(project):
    package = project / metadata(project)["name"].replace("-", "_")
    top = {module.partition(".")[0] for module in imported(package)}
    foreign = top - sys.stdlib_module_names - {package.name}
    providers = {
        name: {normal(each) for each in DISTRIBUTIONS.get(name, [name])} for name in foreign
    }
    wanted = declared(project)
    assert not [name for name, names in providers.items() if not names & wanted]


def public_modules() -> set[str]:
    """Those that the site's reference documents for authors of plugins."""
    tree = ast.parse((ROOT / "docs" / "reference_pages.py").read_text())
    (api,) = (
        node.value
        for node in tree.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "API"
    )
    return set(ast.literal_eval(api))


def test_the_example_imports_only_what_is_public():
    of_prefrun = {module for module in imported(EXAMPLE) if re.match(r"prefrun(\.|$)", module)}
    assert "prefrun.algorithm" in of_prefrun
    assert of_prefrun <= public_modules()


def test_requirements_install_every_project():
    lines = (ROOT / "requirements.txt").read_text().splitlines()
    installed = {line.removeprefix("-e ") for line in lines if line.startswith("-e ")}
    assert installed == {project.relative_to(ROOT).as_posix() for project in PROJECTS}


def test_a_commit_and_nox_are_checked_by_the_same_ruff():
    (pinned,) = re.findall(r"^ruff==(.+)$", (ROOT / "constraints.txt").read_text(), re.MULTILINE)
    hooks = (ROOT / ".pre-commit-config.yaml").read_text()
    assert re.findall(r"ruff-pre-commit\n\s+rev: v(.+)", hooks) == [pinned]
