"""A GGUF file is a model like any other, with its weights dequantised."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from prefrun.builtin.config import HFModelConfig, LoraSettings, ModelDType
from prefrun.builtin.model import DEQUANTISED, HFModel
from prefrun.errors import ConfigError

SIZES = {"vocab": 260, "hidden": 32, "inner": 64, "heads": 4}


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    """A Llama of two layers with random weights and a byte-level tokenizer."""
    gguf = pytest.importorskip("gguf")
    path = tmp_path_factory.mktemp("gguf") / "tiny.gguf"
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_block_count(2)
    writer.add_context_length(128)
    writer.add_embedding_length(SIZES["hidden"])
    writer.add_feed_forward_length(SIZES["inner"])
    writer.add_head_count(SIZES["heads"])
    writer.add_head_count_kv(SIZES["heads"])
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_vocab_size(SIZES["vocab"])
    _add_tokenizer(writer, gguf)
    random = np.random.default_rng(0)
    for name, shape in _shapes().items():
        plain = np.ones(shape) if "norm" in name else random.normal(0, 0.2, shape)
        quantised = name.endswith(("_q.weight", "_down.weight"))
        kind = gguf.GGMLQuantizationType.Q8_0
        values = plain.astype(np.float32)
        if quantised:
            writer.add_tensor(name, gguf.quants.quantize(values, kind), raw_dtype=kind)
        else:
            writer.add_tensor(name, values)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _shapes():
    hidden, inner, vocab = SIZES["hidden"], SIZES["inner"], SIZES["vocab"]
    shapes = {"token_embd.weight": (vocab, hidden), "output_norm.weight": (hidden,)}
    shapes["output.weight"] = (vocab, hidden)
    for layer in range(2):
        block = f"blk.{layer}."
        for part in ("attn_q", "attn_k", "attn_v", "attn_output"):
            shapes[f"{block}{part}.weight"] = (hidden, hidden)
        shapes[f"{block}ffn_gate.weight"] = shapes[f"{block}ffn_up.weight"] = (inner, hidden)
        shapes[f"{block}ffn_down.weight"] = (hidden, inner)
        shapes[f"{block}attn_norm.weight"] = shapes[f"{block}ffn_norm.weight"] = (hidden,)
    return shapes


def _add_tokenizer(writer, gguf):
    from tokenizers.pre_tokenizers import ByteLevel

    alphabet = sorted(ByteLevel.alphabet())
    tokens = ["<|endoftext|>", "</s>", *alphabet, "th", "he"]
    kinds = [gguf.TokenType.CONTROL] * 2 + [gguf.TokenType.NORMAL] * (len(tokens) - 2)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(tokens)
    writer.add_token_types(kinds)
    writer.add_token_merges(["t h", "h e"])
    writer.add_bos_token_id(0)
    writer.add_eos_token_id(1)


def load(file, **keys):
    return HFModel(HFModelConfig(name=str(file), **keys)).load()


def test_it_is_loaded_dequantised_and_says_so(file):
    loaded = load(file)
    assert loaded.note == DEQUANTISED
    assert {value.dtype for value in loaded.model.parameters()} == {torch.float32}
    ids = loaded.tokenizer("the", return_tensors="pt").input_ids
    assert torch.isfinite(loaded.model(ids).logits).all()
    assert load(file, dtype=ModelDType.bfloat16).model.dtype is torch.bfloat16


def test_what_is_saved_is_a_plain_folder_of_the_same_model(file, tmp_path):
    loaded = load(file)
    loaded.model.save_pretrained(tmp_path)
    loaded.tokenizer.save_pretrained(tmp_path)
    assert "quantization_config" not in json.loads((tmp_path / "config.json").read_text())
    again = AutoModelForCausalLM.from_pretrained(tmp_path).eval()
    ids = AutoTokenizer.from_pretrained(tmp_path)("the hat", return_tensors="pt").input_ids
    assert torch.equal(ids, loaded.tokenizer("the hat", return_tensors="pt").input_ids)
    with torch.no_grad():
        torch.testing.assert_close(again(ids).logits, loaded.model(ids).logits)


def test_its_content_is_its_fingerprint(file, tmp_path):
    copy = tmp_path / "copy.gguf"
    copy.write_bytes(file.read_bytes())
    assert load(copy).fingerprint == load(file).fingerprint
    data = bytearray(file.read_bytes())
    data[-9] ^= 1
    copy.write_bytes(bytes(data))
    assert load(copy).fingerprint != load(file).fingerprint


def test_an_adapter_on_it_is_refused(file):
    with pytest.raises(ConfigError, match=r"model.lora.rank=4 does not go with a GGUF file"):
        HFModel(HFModelConfig(name=str(file), lora=LoraSettings(rank=4)))


def test_the_missing_package_is_named(file, monkeypatch):
    monkeypatch.setattr("prefrun.builtin.gguf_file.find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"pip install 'prefrun\[gguf\]'"):
        HFModel(HFModelConfig(name=str(file)))


def test_another_file_is_still_refused(tmp_path):
    path = tmp_path / "model.bin"
    path.write_bytes(b"x")
    with pytest.raises(ConfigError, match="neither a folder nor GGUF"):
        HFModel(HFModelConfig(name=str(path)))


def test_a_damaged_file_is_an_error_that_names_it(tmp_path):
    path = tmp_path / "half.gguf"
    path.write_bytes(b"GGUF\x03\x00")
    with pytest.raises(ConfigError, match=r"half.gguf cannot be loaded"):
        load(path)
