"""algo=groco_views from the command line, and what it refuses before it begins."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from dataclasses import replace

import pytest
from safetensors.torch import load_file

from prefrun import ConfigError, DataError
from prefrun.rundir.metrics import read_metrics
from prefrun.testing import make_trees
from prefrun_listwise.config import GrocoViewsConfig
from prefrun_listwise.data_config import LatentClassesConfig
from prefrun_listwise.groco_views import GrocoViews
from prefrun_listwise.latent_classes import LatentClasses

COMMON = ("algo=groco_views", "data=latent_classes", "data.train=600", "data.test=200")
DIES = """
import os, signal, sys
from prefrun.cli import main
from prefrun_listwise.encoder import EncoderTraining

step = EncoderTraining.step

def dying(self, number):
    if number == 17:
        os.kill(os.getpid(), signal.SIGKILL)
    return step(self, number)

EncoderTraining.step = dying
sys.exit(main(sys.argv[1:]))
"""


def run(folder, *words):
    command = [sys.executable, "-m", "prefrun", *COMMON, f"output_dir={folder}", *words]
    subprocess.run(command, check=True, capture_output=True)
    return json.loads((folder / "summary.json").read_text())["metrics"]


def test_a_run_trains_an_encoder_that_knows_more_than_an_untrained_one(tmp_path):
    words = ["algo.steps=150", "algo.batch_size=64"]
    first = run(tmp_path / "one", *words)
    trained, untrained = (
        first[name]["after"] for name in ("knn_accuracy", "knn_accuracy/untrained")
    )
    assert trained > untrained == first["knn_accuracy"]["before"]
    encoder = load_file(tmp_path / "one" / "groco_views" / "encoder.safetensors")
    assert sorted(tuple(values.shape) for values in encoder.values()) == [
        (32,),
        (32, 128),
        (128,),
        (128, 64),
    ]
    losses = [line["loss"] for line in read_metrics(tmp_path / "one" / "metrics.jsonl")]
    assert losses[-1] < losses[0]


def test_a_killed_run_goes_on_to_the_same_numbers(tmp_path):
    words = ["algo.steps=24", "algo.batch_size=64", "trainer.checkpoint_steps=10"]
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    measured = run(whole, *words)
    command = [sys.executable, "-c", DIES, *COMMON, *words, f"output_dir={cut}"]
    assert subprocess.run(command, capture_output=True).returncode == -signal.SIGKILL
    assert [line["step"] for line in read_metrics(cut / "metrics.jsonl")] == [5, 10, 15]
    subprocess.run([sys.executable, "-m", "prefrun", "resume", str(cut)], check=True)
    assert read_metrics(cut / "metrics.jsonl") == read_metrics(whole / "metrics.jsonl")
    assert json.loads((cut / "summary.json").read_text())["metrics"] == measured
    one, other = (load_file(path / "groco_views" / "encoder.safetensors") for path in (whole, cut))
    assert all((one[name] == other[name]).all() for name in one)


def test_activations_cannot_be_computed_again(tmp_path):
    key = "trainer.gradient_checkpointing"
    words = [f"{key}=true", f"output_dir={tmp_path / 'run'}"]
    command = [sys.executable, "-m", "prefrun", *COMMON, *words]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 2
    assert key in done.stderr


@pytest.fixture(scope="module")
def split():
    return LatentClasses(LatentClassesConfig(train=60, test=10)).load(0)


def test_a_record_without_a_vector_is_named(split):
    algorithm = GrocoViews(GrocoViewsConfig(batch_size=16))
    algorithm.check(split, None)
    (stranger,) = make_trees(trees=1)
    with pytest.raises(DataError, match=rf"{stranger.id}.*metadata\.vector"):
        algorithm.check(replace(split, test=[*split.test, stranger]), None)
    short = replace(split.test[0], metadata={"vector": [1.0, 2.0]})
    with pytest.raises(DataError, match="64 numbers"):
        algorithm.check(replace(split, test=[short]), None)


def test_too_few_records_for_a_batch_are_refused(split):
    with pytest.raises(ConfigError, match=r"algo\.batch_size=128.*60 training"):
        GrocoViews(GrocoViewsConfig()).check(split, None)


@pytest.mark.parametrize(
    ("keys", "named"),
    [
        ({"topk_neg": 128}, r"algo\.topk_neg=128 is above 127"),
        ({"views": 1}, r"algo\.views"),
        ({"drop": 1.0}, r"algo\.drop"),
        ({"temperature": 0.0}, r"algo\.temperature"),
    ],
)
def test_settings_out_of_range_name_their_key(keys, named):
    with pytest.raises(ConfigError, match=named):
        GrocoViewsConfig(**keys)
