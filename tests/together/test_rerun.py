"""A finished run done again agrees bit for bit, and what was tampered with is found."""

from __future__ import annotations

import json
import shutil

import pytest

from tests.together.conftest import MAIN, SMALL, Workplace

pytestmark = pytest.mark.slow


def test_a_run_agrees_bitwise_in_another_process_without_its_cache(finished, workplace):
    shutil.copytree(finished.folder / "whole", workplace.folder / "whole")
    done = workplace.run("rerun", "whole")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "agrees bitwise: 36 metric values, 144 values per record, 18 logged" in done.stdout
    assert "weights (38 tensors)" in done.stdout
    assert "differ" not in done.stdout
    summary = workplace.summary("whole-rerun")
    assert summary["run_id"] == workplace.summary("whole")["run_id"]


def test_threads_are_those_of_the_old_run(finished, workplace):
    folder = workplace.folder / "whole"
    shutil.copytree(finished.folder / "whole", folder)
    manifest = json.loads((folder / "manifest.json").read_text())
    workplace.environment["OMP_NUM_THREADS"] = str(manifest["numerics"]["threads"] + 1)
    done = workplace.run_anew("rerun", "whole", "--output", "again")
    assert done.returncode == 0, done.stdout + done.stderr
    again = json.loads((workplace.folder / "again" / "manifest.json").read_text())
    assert again["numerics"] == manifest["numerics"]


def test_what_was_changed_is_a_deviation_that_names_the_difference(finished, workplace):
    folder = workplace.folder / "whole"
    shutil.copytree(finished.folder / "whole", folder)
    summary = json.loads((folder / "summary.json").read_text())
    summary["metrics"]["kl"]["after"] += 1e-9
    (folder / "summary.json").write_text(json.dumps(summary))
    weights = bytearray((folder / "model" / "model.safetensors").read_bytes())
    weights[-4] ^= 1  # the last bit of the last number
    (folder / "model" / "model.safetensors").write_bytes(bytes(weights))
    manifest = json.loads((folder / "manifest.json").read_text())
    version = manifest["versions"]["packages"]["torch"]
    manifest["versions"]["packages"]["torch"] = "2.0.0"
    (folder / "manifest.json").write_text(json.dumps(manifest))
    done = workplace.run("rerun", "whole")
    assert done.returncode == 1, done.stderr
    assert "deviates: 2 series are not the same bit for bit" in done.stdout
    assert "kl (after)" in done.stdout
    assert "1 of " in done.stdout
    assert f"packages.torch  2.0.0 -> {version}" in done.stdout


def test_data_that_are_gone_are_named_before_anything_is_made(workplace):
    data = workplace.write_lists()
    words = (*MAIN, *SMALL, "trainer.max_steps=2", f"data.path={data}", "output_dir=run")
    assert workplace.run(*words).returncode == 0
    text = data.read_text()
    data.unlink()
    done = workplace.run("rerun", "run")
    assert done.returncode == 2
    assert "lists.jsonl" in done.stderr
    assert not (workplace.folder / "run-rerun").exists()
    data.write_text("".join(text.splitlines(keepends=True)[1:]))
    done = workplace.run("rerun", "run")
    assert done.returncode == 1, done.stderr
    assert "data:" in done.stdout
    assert "fingerprint" in done.stdout


def test_a_sweeps_job_is_repeated_beside_the_sweep(workplace: Workplace):
    done = workplace.run("-m", *MAIN, *SMALL, "trainer.max_steps=2", "seed=1,2", "output_dir=sweep")
    assert done.returncode == 0, done.stderr
    done = workplace.run("rerun", "sweep/1")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "agrees bitwise" in done.stdout
    assert (workplace.folder / "sweep-1-rerun" / "summary.json").exists()
