"""model=hf loads what it is asked for, or says which key to change."""

from __future__ import annotations

import json

import pytest
import torch

from prefrun.builtin import hub
from prefrun.builtin.config import HFModelConfig, LoraSettings, ModelDevice, ModelDType
from prefrun.builtin.loading import stored_tokenizer
from prefrun.builtin.model import HFModel, load_folder
from prefrun.errors import ConfigError
from prefrun.policy.dropout import disable_dropout
from prefrun.policy.fingerprint import weights_version
from prefrun.policy.tokenise import Tokeniser


@pytest.fixture
def folder(tmp_path, make_model, tokenizer):
    """A tiny Llama with its tokenizer, as save_pretrained leaves them."""
    make_model("llama").save_pretrained(tmp_path / "llama")
    tokenizer.save_pretrained(tmp_path / "llama")
    return tmp_path / "llama"


def load(folder, **settings):
    return HFModel(HFModelConfig(name=str(folder), **settings)).load()


def edit_config(folder, **changes):
    file = folder / "config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))


def test_loads_a_local_folder(folder, make_model):
    loaded = load(folder)
    assert loaded.name == "llama"
    assert loaded.weights_version == weights_version(loaded.model)
    ids = torch.tensor([[5, 6, 7]])
    assert torch.equal(loaded.model(ids).logits, make_model("llama")(ids).logits)
    assert not loaded.model.training


def test_both_ways_of_loading_agree(folder):
    other = load_folder(folder, name="tiny")
    assert other.name == "tiny"
    assert other.fingerprint == load(folder).fingerprint


def test_fingerprint_follows_the_options_that_matter(folder):
    plain = load(folder).fingerprint
    assert load(folder, dtype=ModelDType.bfloat16).fingerprint != plain
    assert load(folder, attention="eager").fingerprint != plain
    assert load(folder, lora=LoraSettings(rank=4)).fingerprint == plain
    edit_config(folder, attention_dropout=0.1, dtype="bfloat16")
    assert load(folder).fingerprint == plain
    edit_config(folder, rms_norm_eps=1e-3)
    assert load(folder).fingerprint != plain


def test_dtype_is_float32_on_a_cpu_unless_asked(folder):
    edit_config(folder, dtype="bfloat16")
    assert load(folder, device=ModelDevice.cpu).model.dtype == torch.float32
    assert load(folder, dtype=ModelDType.float16).model.dtype == torch.float16


def test_lora_trains_adapters_only_and_starts_as_the_reference(folder):
    plain, adapted = load(folder), load(folder, lora=LoraSettings(rank=4, alpha=8))
    ids = torch.tensor([[5, 6, 7]])
    assert torch.equal(adapted.model(ids).logits, plain.model(ids).logits)
    trained = [name for name, value in adapted.model.named_parameters() if value.requires_grad]
    assert trained
    assert all("lora_" in name for name in trained)
    assert not any("lm_head" in name for name in trained)


def test_lora_on_chosen_layers(folder):
    model = load(folder, lora=LoraSettings(rank=2, target_modules=["q_proj"])).model
    assert all("q_proj" in name for name, value in model.named_parameters() if value.requires_grad)
    with pytest.raises(ConfigError, match=r"model\.lora\.target_modules=\['nothing'\]"):
        load(folder, lora=LoraSettings(rank=2, target_modules=["nothing"]))


def test_dropout_is_off_and_the_saved_config_keeps_its_own(folder, tmp_path):
    edit_config(folder, attention_dropout=0.5)
    model = load(folder).model.train()
    ids = torch.tensor([[5, 6, 7]])
    assert torch.equal(model(ids).logits, model(ids).logits)
    assert model.config.attention_dropout == 0.5


@pytest.mark.parametrize("family", ["gpt2", "gpt_neox", "phi3", "qwen2"])
def test_disable_dropout_makes_training_mode_repeatable(family, make_model):
    own = {"gpt2": {"attn_pdrop": 0.5, "resid_pdrop": 0.5, "embd_pdrop": 0.5}}
    own["phi3"] = {"resid_pdrop": 0.5, "embd_pdrop": 0.5, "attention_dropout": 0.5}
    other = {"attention_dropout": 0.5}
    model = make_model(family, **own.get(family, other)).train()
    ids = torch.tensor([[5, 6, 7, 8]])
    assert not torch.equal(model(ids).logits, model(ids).logits)
    disable_dropout(model)
    assert torch.equal(model(ids).logits, model(ids).logits)


def test_tokenizer_without_pad_token_pads_with_eos(folder, make_tokenizer, trees):
    make_tokenizer(pad_token=None).save_pretrained(folder)
    tokenizer = load(folder).tokenizer
    assert tokenizer.pad_token_id == tokenizer.eos_token_id
    make_tokenizer(pad_token=None, eos_token=None).save_pretrained(folder)
    with pytest.raises(ConfigError, match="neither pad_token nor eos_token"):
        load(folder)


@pytest.fixture
def full(folder, make_model, tokenizer):
    """A model whose embedding has no row to spare."""
    make_model("llama", vocab_size=len(tokenizer)).save_pretrained(folder)
    return folder


def test_padding_token_beyond_the_embedding_is_replaced_for_the_run_only(
    full, make_tokenizer, folder
):
    tokenizer = make_tokenizer()
    tokenizer.add_special_tokens({"pad_token": "[PAD]"})
    tokenizer.save_pretrained(folder)
    loaded = load(folder).tokenizer
    assert loaded.pad_token_id == loaded.eos_token_id
    assert stored_tokenizer(loaded).pad_token == "[PAD]"
    make_tokenizer(pad_token=None).save_pretrained(folder)
    assert stored_tokenizer(load(folder).tokenizer).pad_token is None


def test_tokenizer_larger_than_the_embedding_is_refused(full, folder, tokenizer):
    tokenizer.add_tokens(["<|one|>", "<|two|>"])
    tokenizer.save_pretrained(folder)
    last = len(tokenizer) - 1
    with pytest.raises(
        ConfigError, match=rf"knows token {last} .*<.two.>.* has \d+ rows.*\n.*resize_token_emb"
    ):
        load(folder)


def test_generation_settings_that_cannot_be_saved_are_mended(folder, tmp_path):
    (folder / "generation_config.json").write_text('{"temperature": 0.7}')
    load(folder).model.save_pretrained(tmp_path / "saved")


def test_loaded_tokenizer_has_its_template(folder, trees, tokenizer):
    expected = Tokeniser(tokenizer, 64).tokenise_all(trees)
    assert Tokeniser(load(folder).tokenizer, 64).tokenise_all(trees) == expected


@pytest.mark.parametrize("name", ["./nowhere", "/no/such/folder", "~/no/such", "a/b/c"])
def test_missing_folder_is_refused_before_anything_is_loaded(name):
    with pytest.raises(ConfigError, match=r"model\.name=.*no such folder\n.*remedy"):
        HFModel(HFModelConfig(name=name))


def test_unreachable_hub_says_so(monkeypatch, tmp_path):
    for module in ("model", "source"):
        monkeypatch.setattr(f"prefrun.builtin.{module}.is_reachable", lambda: False)
    with pytest.raises(ConfigError, match=r"model\.name=some-org/not-cached .*cannot be reached"):
        load("some-org/not-cached")


def test_hub_behind_a_dead_name_server_is_unreachable(monkeypatch):
    def fail(*arguments):
        raise OSError

    monkeypatch.setattr(hub, "getproxies", dict)
    monkeypatch.setattr(hub.constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(hub.socket, "getaddrinfo", fail)
    assert not hub.is_reachable.__wrapped__()


def test_empty_folder_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"model\.name=.*cannot be loaded.*\n.*save_pretrained"):
        load(tmp_path)


def test_folder_without_tokenizer_is_refused(tmp_path, make_model):
    make_model("llama").save_pretrained(tmp_path)
    with pytest.raises(ConfigError, match=r"model\.name=.*tokenizer"):
        load(tmp_path)


def test_other_kinds_of_model_are_refused(folder):
    edit_config(folder, architectures=["LlamaForSequenceClassification"])
    with pytest.raises(ConfigError, match="not a causal language model"):
        load(folder)


def test_weights_that_lack_a_tensor_are_refused(folder):
    edit_config(folder, num_hidden_layers=3)
    with pytest.raises(ConfigError, match=r"the weights lack \d+ tensors, such as model\.layers"):
        load(folder)


def test_broken_weights_are_refused(folder):
    (folder / "model.safetensors").write_bytes(b"not weights")
    with pytest.raises(ConfigError, match=r"model\.name=.*cannot be loaded"):
        load(folder)


def test_attention_that_does_not_exist_is_refused(folder):
    with pytest.raises(ConfigError, match=r"model\.attention=nothing"):
        load(folder, attention="nothing")


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without a GPU")
def test_gpu_that_is_not_there_is_refused(folder):
    with pytest.raises(ConfigError, match=r"model\.device=cuda"):
        load(folder, device=ModelDevice.cuda)


@pytest.mark.parametrize(
    "wrong",
    [{"rank": -1}, {"alpha": 0}, {"dropout": 0.1}, {"alpha": 16}, {"target_modules": ["q_proj"]}],
)
def test_impossible_lora_settings_are_refused(wrong):
    with pytest.raises(ConfigError, match=r"model\.lora\."):
        LoraSettings(**wrong)
