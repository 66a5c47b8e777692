"""A loss file in a whole run, in a sweep's own processes, resumed and repeated."""

from __future__ import annotations

import json
import shutil
from importlib.util import find_spec

import pytest

from tests.together.conftest import SMALL

pytestmark = pytest.mark.slow

LOSS = """\
def margin(batch, beta: float = 0.1):
    return (1 - beta * batch.log_ratios[:, 0]).exp()
"""
QUICK = ("data=ultrafeedback", *SMALL, "evaluator=[kl]", "model=tiny")


@pytest.fixture
def trained(workplace):
    """A workplace with a finished run of ./my_loss.py, which is then gone."""
    path = workplace.folder / "my_loss.py"
    path.write_text(LOSS)
    done = workplace.run("algo=./my_loss.py", "algo.beta=0.2", *QUICK, "output_dir=run")
    assert done.returncode == 0, done.stderr
    path.unlink()
    return workplace


def test_a_run_is_resumed_and_repeated_from_its_own_copy(trained):
    run = trained.folder / "run"
    done = trained.run("rerun", "run")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "agrees bitwise" in done.stdout

    metrics = trained.metrics("run")
    shutil.rmtree(run / "checkpoints/checkpoint-6")
    for name in ("summary.json", "evaluation_after.json"):
        (run / name).unlink()
    status = json.loads((run / "status.json").read_text())
    (run / "status.json").write_text(json.dumps(status | {"status": "interrupted", "step": 4}))
    shutil.copytree(run, trained.folder / "edited")
    done = trained.run("resume", "run")
    assert done.returncode == 0, done.stdout + done.stderr
    assert trained.metrics("run") == metrics

    (trained.folder / "edited/code/my_loss.py").write_text(LOSS + "# edited\n")
    done = trained.run("resume", "edited")
    assert done.returncode == 2
    assert "code/my_loss.py has changed: its sha256 is" in done.stderr


def test_a_sweep_in_processes_of_their_own_runs_only_what_was_edited(workplace):
    pytest.importorskip("hydra_plugins.hydra_joblib_launcher")
    if find_spec("cloudpickle") is None:
        pytest.skip("cloudpickle is not installed (prefrun-launchers[process])")
    path = workplace.folder / "my_loss.py"
    words = ("-m", "algo=lipo,./my_loss.py", *QUICK, "trainer.max_steps=2", "output_dir=sweep")
    path.write_text(LOSS)
    done = workplace.run(*words, "hydra/launcher=process")
    assert done.returncode == 0, done.stdout + done.stderr
    path.write_text(LOSS + "# edited\n")
    done = workplace.run(*words, "hydra/launcher=joblib", "hydra.launcher.n_jobs=2")
    assert done.returncode == 0, done.stdout + done.stderr
    assert sorted(path.name for path in (workplace.folder / "sweep").glob("[0-9]*")) == list("012")
    table = (workplace.folder / "sweep/comparison.md").read_text()
    assert table.count("algo=my_loss.py algo.sha256=") >= 2


def test_an_error_in_the_function_is_one_message_at_its_line(workplace):
    (workplace.folder / "my_loss.py").write_text("def f(batch):\n    return batch.log_ratio\n")
    done = workplace.run("algo=./my_loss.py", *QUICK, "output_dir=run")
    assert done.returncode == 2
    assert "my_loss.py:2: AttributeError: 'BranchBatch' object has no attr" in done.stderr
    assert "    return batch.log_ratio\n" in done.stderr
    assert "Traceback" not in done.stderr + done.stdout
