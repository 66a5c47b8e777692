"""One job over two processes: one run directory, the numbers of one process, faults and resume."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import psutil
import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, AutoTokenizer

from tests.together.conftest import MAIN, SMALL, Workplace
from tests.together.forked import Forked

pytestmark = pytest.mark.slow

TWO = ("launch=accelerate", "launch.processes=2", "trainer.batch_size=2")
STRATEGIES = ("ddp", "fsdp", *(["deepspeed"] if find_spec("deepspeed") else []))
ACROSS = 1e-4
"""Tolerance between one process and two, which add in another order."""


@pytest.fixture(scope="session")
def spread(tmp_path_factory) -> Workplace:
    """A workplace whose folders, named by strategy, hold a finished run of two processes each."""
    place = Workplace(tmp_path_factory.mktemp("spread"))
    for strategy in STRATEGIES:
        done = place.run(*job(strategy), f"output_dir={strategy}")
        assert done.returncode == 0, done.stdout + done.stderr
        (place.folder / f"{strategy}.out").write_text(done.stdout)
    return place


def job(strategy: str) -> tuple[str, ...]:
    return (*MAIN, *SMALL, *TWO, f"launch.strategy={strategy}")


def assert_same(one: Workplace, run: str, other: Workplace, again: str, tolerance: float) -> None:
    """Metrics and weights of two runs are the same, up to TOLERANCE."""
    before, after = one.summary(run), other.summary(again)
    assert before["metrics"].keys() == after["metrics"].keys()
    for name, values in before["metrics"].items():
        assert after["metrics"][name] == pytest.approx(values, abs=tolerance), name
    weights = load_file(one.folder / run / "model" / "model.safetensors")
    others = load_file(other.folder / again / "model" / "model.safetensors")
    assert weights.keys() == others.keys()
    for name, value in weights.items():
        torch.testing.assert_close(others[name], value, rtol=0, atol=tolerance, msg=name)


def assert_same_log(
    one: Workplace, run: str, other: Workplace, again: str, tolerance: float
) -> None:
    """Logged numbers of two runs are the same, up to TOLERANCE."""
    lines = one.metrics(run), other.metrics(again)
    assert len(lines[0]) == len(lines[1]) == 3
    for first, second in zip(*lines, strict=True):
        assert second.keys() == first.keys()
        for name, value in first.items():
            # a mean over a batch's pairs is one over each process' pairs, then over processes
            allowed = 1e-2 if tolerance == ACROSS and name.startswith("rewards/") else tolerance
            assert second[name] == pytest.approx(value, rel=tolerance, abs=allowed), name


def entries(run: Path) -> set[str]:
    return {path.name for path in run.iterdir()}


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_two_processes_give_the_numbers_of_one_and_one_run_directory(finished, spread, strategy):
    """With half the prompts per process, a step sees the same prompts."""
    assert_same(finished, "whole", spread, strategy, ACROSS)
    assert_same_log(finished, "whole", spread, strategy, ACROSS)
    assert entries(spread.folder / strategy) == entries(finished.folder / "whole")
    assert entries(spread.folder) == {"cache", *STRATEGIES, *(f"{s}.out" for s in STRATEGIES)}
    out = (spread.folder / f"{strategy}.out").read_text()
    assert out.count("prefrun lipo-ultrafeedback-sample-tiny-seed0") == 1
    assert out.count("run directory:") == 1
    model = spread.folder / strategy / "model"
    assert AutoTokenizer.from_pretrained(model).pad_token
    assert AutoModelForCausalLM.from_pretrained(model).num_parameters() > 1000


def test_the_number_of_processes_is_part_of_the_identity(finished, spread):
    ids = {spread.summary(name)["run_id"] for name in STRATEGIES}
    assert len(ids | {finished.summary("whole")["run_id"]}) == len(STRATEGIES) + 1


def workers(process: Forked) -> dict[int, psutil.Process]:
    """The job's processes by rank, once they are there."""
    found: dict[int, psutil.Process] = {}
    for child in psutil.Process(process.pid).children():
        try:
            found[int(child.environ()["RANK"])] = child
        except (KeyError, psutil.Error):  # not one of them, or gone
            continue
    return found


def cut(place: Workplace, strategy: str, end) -> subprocess.CompletedProcess[str]:
    """Start the job into `cut`, call END(process) at its first checkpoint, and wait for it."""
    process = place.start(*job(strategy), "output_dir=cut")
    checkpoint = place.folder / "cut" / "checkpoints" / "checkpoint-2"
    process.wait_until(checkpoint.exists)
    end(process)
    out, err = process.communicate()
    return subprocess.CompletedProcess((), process.returncode, out, err)


def status(place: Workplace) -> dict[str, object]:
    return json.loads((place.folder / "cut" / "status.json").read_text())


@pytest.mark.parametrize(("strategy", "rank"), [("ddp", 1), ("fsdp", 0)])
def test_a_killed_process_ends_the_job_which_resumes_to_the_same_result(
    spread, workplace, strategy, rank
):
    done = cut(workplace, strategy, lambda process: workers(process)[rank].kill())
    assert done.returncode == 1
    assert f"process {rank} was killed by SIGKILL" in done.stderr
    assert "Traceback" not in done.stderr
    assert status(workplace)["status"] == "failed"
    assert f"process {rank} was killed" in str(status(workplace)["reason"])
    resumed = workplace.run("resume", "cut")
    assert resumed.returncode == 0, resumed.stderr
    assert_same(spread, strategy, workplace, "cut", 1e-6)
    assert_same_log(spread, strategy, workplace, "cut", 1e-6)


def test_ctrl_c_ends_all_processes_with_a_checkpoint(spread, workplace):
    started: list[psutil.Process] = []

    def interrupt(process):
        started.extend(workers(process).values())
        process.send_signal(signal.SIGINT)

    done = cut(workplace, "ddp", interrupt)
    assert done.returncode == 130, done.stderr
    assert "interrupted. Resume with: prefrun resume" in done.stdout
    assert status(workplace)["status"] == "interrupted"
    assert len(started) == 2
    assert not any(process.is_running() for process in started)
    assert workplace.run("resume", "cut").returncode == 0
    assert_same(spread, "ddp", workplace, "cut", 1e-6)


def test_no_process_outlives_the_one_that_started_it(workplace):
    started: list[psutil.Process] = []

    def kill(process):
        started.extend(workers(process).values())
        process.kill()

    cut(workplace, "ddp", kill)
    assert len(started) == 2
    _, alive = psutil.wait_procs(started, timeout=60)
    assert not alive
    assert workplace.run("resume", "cut").returncode == 0


def test_a_loss_that_is_not_finite_is_reported_as_in_one_process(workplace):
    done = workplace.run(*job("ddp"), "output_dir=cut", "trainer.learning_rate=1e30")
    assert done.returncode == 1
    assert "is not finite at step" in done.stderr
    assert "Traceback" not in done.stderr
    assert "not finite" in str(status(workplace)["reason"])


def test_jobs_of_a_sweep_start_processes_of_their_own(workplace):
    words = (*job("ddp"), "trainer.max_steps=2", "output_dir=sweep")
    done = workplace.run("-m", *words, "seed=1,2")
    assert done.returncode == 0, done.stderr
    assert {workplace.summary(f"sweep/{number}")["seed"] for number in (0, 1)} == {1, 2}
    again = workplace.run("-m", *words, "seed=1,2")
    assert again.stdout.count("has finished before") == 2


def test_a_run_of_two_processes_can_be_repeated(spread):
    done = spread.run("rerun", "ddp", "--output", str(spread.folder.parent / "again"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "agrees bitwise" in done.stdout


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("algo.beta=-1",), "algo.beta=-1.0 must be above 0"),
        (("launch.strategy=fsd",), "Did you mean 'fsdp'?"),
        (("launch.processes=0",), "launch.processes=0 must be at least 1"),
        (("launch.strategy=deepspeed", "launch.zero_stage=4"), "zero_stage=4 must be 1 or 2"),
        (("launch.strategy=fsdp", "trainer.compile=true"), "trainer.compile=true does not work"),
        (("algo=sparsepo",), "algo=sparsepo is no loss"),
    ],
)
def test_bad_input_is_refused_before_any_process_is_started(workplace, words, complaint):
    done = workplace.run(*job("ddp"), "output_dir=cut", *words)
    assert done.returncode == 2
    assert complaint in done.stderr
    assert not (workplace.folder / "cut").exists()


@pytest.mark.skipif("deepspeed" in STRATEGIES, reason="DeepSpeed is installed")
def test_deepspeed_must_be_installed(workplace):
    done = workplace.run(*job("deepspeed"), "output_dir=cut")
    assert done.returncode == 2
    assert "remedy: pip install deepspeed" in done.stderr
    assert not (workplace.folder / "cut").exists()


def test_torchrun_is_told_to_leave_it_to_prefrun(workplace):
    words = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2"]
    done = subprocess.run(
        [*words, "-m", "prefrun", *MAIN, *SMALL, "output_dir=cut"],
        cwd=workplace.folder,
        env=workplace.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert "remedy: prefrun launch=accelerate launch.processes=2" in done.stderr
    assert not (workplace.folder / "cut").exists()
