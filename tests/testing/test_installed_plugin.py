"""A stranger's plugin, installed: found by name, composed from its YAML, checked under pytest."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import prefrun

FILES = {
    "prefrun_demo-0.1.dist-info/METADATA": "Metadata-Version: 2.1\nName: demo\nVersion: 0.1\n",
    "prefrun_demo-0.1.dist-info/entry_points.txt": "[prefrun]\ndemo = prefrun_demo\n",
    "prefrun_demo/__init__.py": """
from dataclasses import dataclass
from prefrun import Component, conf_dir, hookimpl

@dataclass
class DemoConfig:
    beta: float = 0.1

@dataclass
class LooseConfig:
    beta: float = 0.1

@hookimpl
def prefrun_components():
    return [
        Component("algo", "demo", DemoConfig, "prefrun_demo.algo:Demo", "a demo"),
        Component("algo", "loose", LooseConfig, "prefrun_demo.algo:Demo", "its YAML has no schema"),
    ]

@hookimpl
def prefrun_config_dir():
    return conf_dir("prefrun_demo")
""",
    "prefrun_demo/algo.py": """
from prefrun.algorithm import LossAlgorithm, LossOutput, Term

class Demo(LossAlgorithm):
    card = "Source: none, a demo."
    golden = "prefrun_demo.algo:compute"
    vectors = "demo.json"

    def __init__(self, config):
        super().__init__(config)
        if config.beta == 0.7:
            self.expected_failures = {"any_branch_count": "says so, but passes"}

    def loss(self, batch):
        gaps = (batch.scores - self.config.beta * batch.log_ratios) * batch.branch_mask
        return LossOutput({"demo": Term(gaps.square().sum(-1), batch.weights)})

def compute(inputs, hyper, name):
    return {"double": 2 * inputs["x"]}
""",
    "conf/algo/demo.yaml": "defaults:\n  - /schema/algo/demo@_here_\n  - _self_\nbeta: 0.3\n",
    "conf/algo/loose.yaml": "beta: 0.3\n",
    "tests/vectors/demo.json": """
[{"name": "two", "inputs": {"x": 2}, "hyper": {}, "expected": {"double": 4}, "source": "sums"}]
""",
    "tests/test_conformance.py": """
import pytest
from prefrun.testing import algorithm_checks

@pytest.mark.parametrize("check", algorithm_checks("demo"))
def test_conformance(check):
    check()

@pytest.mark.parametrize("check", algorithm_checks("demo", overrides=["beta=0.7"]))
def test_wrong_announcement(check):
    if check.name == "any_branch_count":
        check()
""",
}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("project")
    for name, text in FILES.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def run(project: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    host = Path(prefrun.__file__).parents[1]
    paths = os.pathsep.join([str(project), str(host), os.environ.get("PYTHONPATH", "")])
    environment = {k: v for k, v in os.environ.items() if k != "PREFRUN_VECTORS"}
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=project,
        env=environment | {"PYTHONPATH": paths},
        capture_output=True,
        text=True,
        check=False,
    )


def test_pytest_shows_one_line_per_check(project: Path) -> None:
    done = run(project, "-m", "pytest", "-v", "-rA", "-p", "no:cacheprovider", "tests")
    for name in ("ties_are_finite", "golden_vectors", "composes_with_defaults"):
        assert f"test_conformance[algo=demo-{name}] PASSED" in done.stdout
    assert "FAILED" not in done.stdout.partition("test_wrong_announcement")[0]
    assert "1 failed" in done.stdout
    assert "passes, though a failure is expected: says so, but passes" in done.stdout


SCRIPT = """
import sys
sys.modules["pytest"] = None  # as where it is not installed
from prefrun.errors import PluginError
from prefrun.testing import check_algorithm

print(check_algorithm("demo"))
try:
    check_algorithm("loose")
except AssertionError as error:
    print("FAILS", error)
try:
    check_algorithm("dem")
except PluginError as error:
    print("UNKNOWN", error)
"""


def test_one_call_needs_no_pytest(project: Path) -> None:
    done = run(project, "-c", SCRIPT)
    assert done.returncode == 0, done.stderr
    assert "golden_vectors: passed: 1 of 1 cases of demo.json" in done.stdout
    assert "composes_with_defaults: composed to dict, not to LooseConfig" in done.stdout
    assert "UNKNOWN algo=dem is not installed. Did you mean 'demo'?" in done.stdout


def test_a_plugin_that_imports_torch_is_told_where(project: Path) -> None:
    heavy = project / "prefrun_demo" / "heavy.py"
    heavy.write_text("\nimport torch.nn\n")
    plugin = project / "prefrun_demo" / "__init__.py"
    text = plugin.read_text()
    try:
        plugin.write_text(f"import prefrun_demo.heavy\n{text}")
        done = run(project, "-m", "prefrun", "check", "demo")
    finally:
        plugin.write_text(text)
    assert done.returncode == 1
    assert f"imports_are_light: torch is imported by {heavy}:2: import it inside" in done.stdout
    assert "1 failed" in done.stdout
