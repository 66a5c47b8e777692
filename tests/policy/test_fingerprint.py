"""The fingerprint changes with everything that changes a log-prob, and with nothing else."""

from __future__ import annotations

import os
import shutil

import pytest
import torch

from prefrun.builtin.config import LoraSettings
from prefrun.policy.adapter import with_lora
from prefrun.policy.fingerprint import fingerprint, folder_digest, weights_version


@pytest.fixture
def model(make_model):
    """A tiny random Llama."""
    return make_model("llama")


def test_equal_models_have_equal_fingerprints(make_model, model):
    assert fingerprint(model) == fingerprint(make_model("llama"))


@pytest.mark.parametrize(
    "change",
    [
        {"rms_norm_eps": 1e-3},
        {"attn_implementation": "eager"},
        {"num_key_value_heads": 4},
        {"rope_parameters": {"rope_theta": 5000.0, "rope_type": "default"}},
    ],
)
def test_configuration_changes_it(make_model, model, change):
    assert fingerprint(make_model("llama", **change)) != fingerprint(model)


def test_dtype_changes_it(make_model, model):
    digests = {fingerprint(model, "w"), fingerprint(make_model("llama", torch.bfloat16), "w")}
    assert len(digests) == 2


def test_one_weight_changes_it(make_model, model):
    before = fingerprint(model)
    with torch.no_grad():
        model.lm_head.weight[3, 3] += 1e-7
    assert fingerprint(model) != before


def test_adapter_and_its_weights_change_it(make_model, model):
    digests = {fingerprint(model)}
    torch.manual_seed(0)
    adapted = with_lora(model, LoraSettings(rank=2))
    digests.add(fingerprint(adapted))
    torch.manual_seed(0)
    digests.add(fingerprint(with_lora(make_model("llama"), LoraSettings(rank=2, alpha=64))))
    with torch.no_grad():
        next(p for n, p in adapted.named_parameters() if "lora_B" in n)[0, 0] = 1
    digests.add(fingerprint(adapted))
    assert len(digests) == 4


@pytest.mark.parametrize(
    "key", ["_name_or_path", "use_cache", "pad_token_id", "architectures", "attention_dropout"]
)
def test_what_changes_no_log_prob_does_not_change_it(model, key):
    before = fingerprint(model)
    setattr(
        model.config,
        key,
        {"pad_token_id": 3, "use_cache": False, "attention_dropout": 0.5}.get(key, "other"),
    )
    assert fingerprint(model) == before


def test_training_mode_and_gradients_do_not_change_it(model):
    before = fingerprint(model)
    model.train()
    model(torch.tensor([[1, 2]])).logits.sum().backward()
    assert fingerprint(model) == before


def test_folder_counts_by_name_and_content_of_its_weights(model, tmp_path):
    first, second = tmp_path / "a", tmp_path / "b"
    model.save_pretrained(first)
    shutil.copytree(first, second)
    (second / "README.md").write_text("moved")
    os.utime(second / "model.safetensors")
    assert folder_digest(first) == folder_digest(second)
    with torch.no_grad():
        model.lm_head.weight[0, 0] += 1
    model.save_pretrained(second)
    assert folder_digest(first) != folder_digest(second)


def test_weight_file_is_read_once(model, tmp_path, monkeypatch):
    from prefrun.policy import fingerprint as module

    model.save_pretrained(tmp_path)
    digest = folder_digest(tmp_path)
    monkeypatch.setattr(module, "blake2b", lambda **settings: pytest.fail("hashed again"))
    monkeypatch.setattr(module, "_digest", lambda parts: [bytes(part) for part in parts])
    assert folder_digest(tmp_path)[0].startswith(b"model.safetensors ")
    assert digest


def test_folder_without_weights_has_no_digest(tmp_path):
    assert folder_digest(tmp_path) == ""


@pytest.mark.parametrize("name", ["AdamW", "SGD"])
def test_optimizer_step_changes_the_weights_version(model, name):
    before = weights_version(model)
    model(torch.tensor([[1, 2]])).logits.sum().backward()
    assert weights_version(model) == before
    getattr(torch.optim, name)(model.parameters(), lr=0.1).step()
    assert weights_version(model) != before


def test_training_an_adapter_leaves_the_weights_version(model):
    before = weights_version(model)
    adapted = with_lora(model, LoraSettings(rank=2))
    adapted(torch.tensor([[1, 2]])).logits.sum().backward()
    torch.optim.SGD([p for p in adapted.parameters() if p.requires_grad], lr=0.1).step()
    assert weights_version(adapted) == before
