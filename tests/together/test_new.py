"""An algorithm that `prefrun new` wrote trains as it stands."""

from __future__ import annotations

import math
import os
import subprocess
import sys

from tests.together.conftest import SMALL


def test_a_written_algorithm_trains(workplace):
    written = workplace.run("new", "algorithm", "my_own")
    assert written.returncode == 0, written.stderr
    site = workplace.folder / "site"
    pip = ("-m", "pip", "install", "-q", "--no-deps", "--no-build-isolation", "--target")
    subprocess.run([sys.executable, *pip, site, workplace.folder / "prefrun-my-own"], check=True)
    paths = [str(site), workplace.environment.get("PYTHONPATH", "")]
    workplace.environment["PYTHONPATH"] = os.pathsep.join(paths)
    words = ("algo=my_own", "data=ultrafeedback", *SMALL, "trainer.max_steps=2", "output_dir=out")
    done = workplace.run(*words, "trainer.logging_steps=1")
    assert done.returncode == 0, done.stderr
    losses = [line["loss"] for line in workplace.metrics("out") if "loss" in line]
    assert len(losses) == 2
    assert all(math.isfinite(loss) for loss in losses)
