"""No secret reaches the manifest; harmless keys stay readable."""

from __future__ import annotations

import pytest

from prefrun.rundir.masking import is_secret, mask_arguments, mask_text, mask_values

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
        ["+hydra.job.env_set.OPENAI_KEY=hunter2"],
        ["++hydra.job.env_set.MY_PAT=hunter2"],
        ["hydra.job.env_set={OPENAI_KEY: hunter2, X: 1}"],
        ["tracker.key=hunter2"],
        ["tracker.auth=hunter2"],
        ["tracker.db_pwd=hunter2"],
        ["tracker.passphrase='a hunter2, b'"],
        ["tracker={passphrase: 'a hunter2, b', auth: \"b hunter2\"}"],
        ["tracker={headers: {Authorization: Bearer hunter2}}"],
        ["hydra.sweeper.storage=postgresql://me:hunter2@host/db"],
        ["data.path=https://hunter2hunter2hunter2@example.org/x"],
        ["https://example.org/x?token=hunter2"],
        ["--api-key", "hunter2"],
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
        "evaluation.batch_tokens=64",
        "trainer.micro_batch_tokens=64",
        "data.columns.key=id",
        "data.columns.prompt=auth",
        "data.columns={key: id, prompt: question}",
        "model.pad_token=<pad>",
        "model={eos_token: x}",
        "data.sort_key=length",
        "data.monkey=1",
        "data.path=turkey/author.jsonl",
        "algo.compat=1",
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


@pytest.mark.parametrize(
    "text",
    [
        "there is no key algo.betta. Keys: loss, beta",
        "remedy: add it with +algo.extra_losses.x=VALUE, each KEY=VALUE on its own",
        "KeyError: 'tokens'",
        "no such key: sft",
        "2,048 tokens: more than max_length",
        "tokenizer: 'x'",
    ],
)
def test_messages_stay_readable(text):
    assert mask_text(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "refused: OPENAI_KEY=hunter2",
        '{"key": "hunter2"}',
        "headers {'Authorization': 'Bearer hunter2'}",
        "Authorization: Basic hunter2",
        "MY_KEY: hunter2",
    ],
)
def test_a_secret_in_a_message_is_masked(text):
    assert SECRET not in mask_text(text)
    assert "***" in mask_text(text)


@pytest.mark.parametrize(
    "name", ["WANDB_API_KEY", "HF_TOKEN", "OPENAI_KEY", "GH_PAT", "PGPASSWORD", "accessToken"]
)
def test_variables_of_the_environment_that_are_secrets_are_known(name):
    assert is_secret(name)


@pytest.mark.parametrize("name", ["HOME", "PATH", "CUDA_VISIBLE_DEVICES", "AUTHOR", "MONKEY"])
def test_other_variables_are_no_secrets(name):
    assert not is_secret(name)


def test_long_text_is_masked_in_no_time():
    assert mask_text("a." * 200_000 + " token=x").endswith("token=***")
