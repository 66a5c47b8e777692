"""algo=groco_views from the command line, and what it refuses before it begins."""

from __future__ import annotations

import json
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


def run(folder, *words):
    common = ["algo=groco_views", "data=latent_classes", "data.train=600", "data.test=200"]
    command = [sys.executable, "-m", "prefrun", *common, f"output_dir={folder}", *words]
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
