"""Every algorithm of the repository runs from the command line, and docs/methods.md lists it."""

from __future__ import annotations

import math
import subprocess
import sys
from pathlib import Path

import pytest

from prefrun.algorithm import LossAlgorithm
from prefrun.plugins import registered
from tests.together.conftest import SMALL

ROOT = Path(__file__).parents[2]
OWN = {path.name for path in (ROOT / "plugins").iterdir()}
ALGORITHMS = {
    name: entry.component.load()
    for (group, name), entry in registered().items()
    if group == "algo" and entry.plugin.distribution in OWN
}
STEPS = [word for word in SMALL if not word.startswith("data.")]
OTHERWISE = {"rationales": ["data=attribute_words", "data.train=20", "data.test=8"]}
"""What a loss needs that cannot train on lists of plain answers."""
LOSSES = sorted(name for name, owner in ALGORITHMS.items() if issubclass(owner, LossAlgorithm))


def test_every_loss_trains_in_one_sweep(workplace):
    names = ",".join(name for name in LOSSES if name not in OTHERWISE)
    done = workplace.run("-m", f"algo={names}", "data=ultrafeedback", *SMALL, "output_dir=sweep")
    assert done.returncode == 0, done.stderr
    folders = [path.parent for path in (workplace.folder / "sweep").glob("*/summary.json")]
    assert len(folders) == len(names.split(","))
    for folder in folders:
        name = folder.relative_to(workplace.folder)
        losses = [line["loss"] for line in workplace.metrics(name)]
        assert len(losses) == 3
        assert all(map(math.isfinite, losses))
        assert workplace.summary(name)["metrics"]["kl"]["after"] > 0


@pytest.mark.parametrize("name", OTHERWISE)
def test_a_loss_trains_on_its_own_data(workplace, name):
    done = workplace.run(f"algo={name}", *OTHERWISE[name], *STEPS, "output_dir=run")
    assert done.returncode == 0, done.stderr
    assert workplace.summary("run")["metrics"]["kl"]["after"] > 0


@pytest.mark.parametrize("name", ["methods", "guides/layouts"])
def test_a_page_made_from_runs_is_current(name):
    maker = f"make_{name.rpartition('/')[2]}"
    code = f"import sys; sys.path.insert(0, 'docs'); import {maker}; print({maker}.page())"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    page = (ROOT / "docs" / f"{name}.md").read_text()
    assert done.stdout.strip() == page.strip(), f"run `python docs/{maker}.py`"


@pytest.mark.parametrize("name", ALGORITHMS)
def test_a_method_names_its_source(name):
    owner = ALGORITHMS[name]
    assert owner.paper, "set `paper` on the class"
    assert owner.kind, "set `kind` on the class"
    assert owner.formula, "set `formula` on the class"
