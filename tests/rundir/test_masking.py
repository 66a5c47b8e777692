"""No secret reaches the manifest; harmless keys stay readable."""

from __future__ import annotations

import pytest

from prefrun.rundir.masking import mask_arguments, mask_values

SECRET = "hunter2"


@pytest.mark.parametrize(
    "arguments",
    [
        ["tracker.api_key=hunter2"],
        ["+tracker.API_KEY=hunter2"],
        ["tracker.apikey=hunter2"],
        ["model.hub_token=hunter2"],
        ["model.hub-token=hunter2"],
        ["tracker={api_key:hunter2,mode:online}"],
        ["tracker={mode: online, 'password': 'hunter2'}"],
        ["data.path=https://me:hunter2@example.org/x.jsonl"],
        ["data.path=https://example.org/x?token=hunter2&page=2"],
        ["https://me:hunter2@example.org"],
        [r"data.path=https\://me\:hunter2@example.org/x.jsonl"],
        [r"data.path=https\://example.org/x?token\=hunter2&page\=2"],
        ["--password=hunter2"],
        ["--password", "hunter2"],
        ["client_secret=a,hunter2"],
        ["aws.secret_access_key=hunter2"],
    ],
)
def test_a_secret_on_the_command_line_is_masked(arguments):
    masked = mask_arguments(["prefrun", *arguments, "seed=1"])
    assert SECRET not in " ".join(masked)
    assert "***" in " ".join(masked)
    assert (masked[0], masked[-1]) == ("prefrun", "seed=1")


@pytest.mark.parametrize(
    "argument",
    [
        "evaluation.max_new_tokens=64",
        "model.tokenizer=/path/token/x",
        "algo.loss=token_level",
        "data.path=C:/runs/2026-01-02T03:04",
        "algo={beta:0.1,loss:lambda}",
        "--multirun",
    ],
)
def test_other_arguments_stay_as_they_are(argument):
    assert mask_arguments([argument, "seed=1"]) == [argument, "seed=1"]


def test_nested_values_are_masked_by_key():
    value = {"name": "m", "auth": {"token": SECRET, "tokens": 3}, "url": f"s3://k:{SECRET}@b"}
    masked = mask_values(value)
    assert masked == {"name": "m", "auth": {"token": "***", "tokens": 3}, "url": "s3://k:***@b"}


def test_values_in_lists_are_masked():
    value = {"urls": [f"https://me:{SECRET}@x.org", {"token": SECRET}], "n": [1, 2]}
    assert mask_values(value) == {"urls": ["https://me:***@x.org", {"token": "***"}], "n": [1, 2]}


def test_an_unset_secret_stays_unset():
    assert mask_values({"api_key": None}) == {"api_key": None}
