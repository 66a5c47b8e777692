"""The manifest is what a run began with, however often it is resumed."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch

from prefrun.errors import PrefrunError
from prefrun.rundir.directory import RunDirectory
from prefrun.rundir.files import read_json, write_json
from prefrun.training.record import record_model, record_reference


def kind(fingerprint: str) -> SimpleNamespace:
    return SimpleNamespace(
        fingerprint=fingerprint,
        parameters=3,
        dtype=torch.float32,
        device="cpu",
        note="",
        forward_note="packed",
    )


@pytest.fixture
def directory(tmp_path):
    directory = RunDirectory(tmp_path)
    write_json(directory.manifest, {"model": {"name": "hf"}, "numerics": None})
    record_model(directory, kind("a" * 40))
    return directory


def test_the_model_is_recorded_once(directory):
    record_model(directory, kind("a" * 40))
    model = read_json(directory.manifest)["model"]
    assert (model["name"], model["fingerprint"], model["parameters"]) == ("hf", "a" * 40, 3)


def test_another_model_on_resume_is_refused_and_not_recorded(directory):
    before = read_json(directory.manifest)
    with pytest.raises(PrefrunError, match="fingerprint aaaaaaaaaaaa, now bbbbbbbbbbbb"):
        record_model(directory, kind("b" * 40))
    assert read_json(directory.manifest) == before


def test_an_accepted_change_keeps_the_first_model(directory):
    accepted = {"resumed": [{"changed": ["x"], "accepts_changes": True}]}
    write_json(directory.manifest, read_json(directory.manifest) | accepted)
    record_model(directory, kind("b" * 40))
    assert read_json(directory.manifest)["model"]["fingerprint"] == "a" * 40


def test_the_references_first_digest_stays(directory):
    record_reference(directory, [[torch.tensor([1.0])]])
    first = read_json(directory.manifest)["numerics"]["reference_logps"]
    record_reference(directory, [[torch.tensor([1.5])]])
    assert read_json(directory.manifest)["numerics"]["reference_logps"] == first
