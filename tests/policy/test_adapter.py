"""A run that starts from a stored adapter: its reference, and what it saves."""

from __future__ import annotations

import json
import os
from itertools import pairwise

import pytest
import torch
from peft import AutoPeftModelForCausalLM, LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM

from prefrun.builtin.config import AdapterUse, HFModelConfig, LoraSettings
from prefrun.builtin.model import HFModel, load_folder
from prefrun.errors import ConfigError
from prefrun.policy.adapter import adapter_disabled, save_weights, with_lora

pytestmark = [
    pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning"),
    pytest.mark.filterwarnings("ignore:fan_in_fan_out is set to False"),
]
IDS = torch.tensor([[5, 6, 7, 8]])


def load(folder, use="auto", rank=0, **settings):
    lora = LoraSettings(rank=rank) if rank else LoraSettings()
    config = HFModelConfig(name=str(folder), adapter=AdapterUse[use], lora=lora, **settings)
    return HFModel(config).load()


def trained(model):
    """Change what is trained, as a few steps would."""
    torch.manual_seed(1)
    with torch.no_grad():
        for value in model.parameters():
            if value.requires_grad:
                value.add_(torch.randn_like(value) * 0.1)
    return model


def logits(model):
    with torch.no_grad():
        return model(IDS).logits


@pytest.fixture(params=["llama", "gpt2"])
def base(request, tmp_path, make_model, tokenizer):
    """A stored model: one with linear layers, one with GPT-2's convolutions."""
    make_model(request.param).save_pretrained(tmp_path / "base")
    tokenizer.save_pretrained(tmp_path / "base")
    return tmp_path / "base"


@pytest.fixture
def first(base, tmp_path, tokenizer):
    """A stored adapter of BASE with settings of its own, and what it computes."""
    settings = LoraConfig(
        r=3,
        lora_alpha=5,
        lora_dropout=0.1,
        use_rslora=True,
        target_modules=r".*(attn|mlp).*(proj|fc)",
    )
    model = trained(get_peft_model(AutoModelForCausalLM.from_pretrained(base), settings)).eval()
    model.save_pretrained(tmp_path / "first")
    tokenizer.save_pretrained(tmp_path / "first")
    return tmp_path / "first", logits(model)


@pytest.mark.parametrize(("use", "rank"), [("train", 0), ("stack", 4), ("merge", 0)])
def test_what_is_saved_is_what_was_trained(first, tmp_path, use, rank):
    folder, start = first
    model = load(folder, use, rank).model
    torch.testing.assert_close(logits(model), start)
    torch.testing.assert_close(logits(load_folder(folder, name="x").model), start)
    trained(model)
    after = logits(model)
    assert (after - start).abs().max() > 0.01
    save_weights(model, tmp_path / "saved")
    torch.testing.assert_close(logits(model), after, msg="saving changes the model")
    loader = AutoModelForCausalLM if use == "merge" else AutoPeftModelForCausalLM
    torch.testing.assert_close(logits(loader.from_pretrained(tmp_path / "saved")), after)


@pytest.mark.parametrize("rank", [0, 4])
def test_the_reference_is_the_start_with_its_adapter(first, rank):
    folder, start = first
    model = trained(load(folder, rank=rank).model)
    after = logits(model)
    flags = {name: value.requires_grad for name, value in model.named_parameters()}
    with adapter_disabled(model):
        torch.testing.assert_close(logits(model), start)
    assert torch.equal(logits(model), after)
    assert {name: value.requires_grad for name, value in model.named_parameters()} == flags


def test_only_what_is_to_be_trained_can_be(first):
    folder, _ = first
    for rank, frozen in [(0, ".reference."), (4, ".start.")]:
        model = load(folder, rank=rank).model
        names = [name for name, value in model.named_parameters() if value.requires_grad]
        assert names
        assert all(".default." in name for name in names)
        assert any(frozen in name for name, _ in model.named_parameters())
    assert all(value.requires_grad for value in load(folder, "merge").model.parameters())


def test_a_chain_of_runs_keeps_every_adapter(first, tmp_path, tokenizer):
    folder, _ = first
    for number, rank in enumerate([4, 0, 2]):
        model = trained(load(folder, rank=rank).model)
        folder, after = tmp_path / f"run{number}", logits(model)
        save_weights(model, folder)
        tokenizer.save_pretrained(folder)
        torch.testing.assert_close(logits(load(folder).model), after)
    assert json.loads((folder / "adapter_config.json").read_text())["r"] == 3 + 4 + 2


def test_fingerprint_follows_base_and_adapter(first):
    folder, _ = first
    digests = [load(folder, use, rank).fingerprint for use, rank in [("train", 0), ("merge", 0)]]
    settings = folder / "adapter_config.json"
    settings.write_text(settings.read_text().replace('"lora_alpha": 5', '"lora_alpha": 6'))
    digests += [load(folder, use, rank).fingerprint for use, rank in [("train", 0), ("merge", 0)]]
    assert len(set(digests)) == 4
    assert all(one != other for one, other in pairwise(digests))


def test_the_base_is_stored_as_an_absolute_path(first, base, tmp_path, monkeypatch):
    del first  # it is there
    monkeypatch.chdir(tmp_path)
    for name, rank in [("base", 4), ("first", 0), ("first", 4)]:
        save_weights(load(name, rank=rank).model, tmp_path / "saved")
        stored = json.loads((tmp_path / "saved" / "adapter_config.json").read_text())
        assert stored["base_model_name_or_path"] == str(base)


def test_a_base_on_the_hub_is_stored_with_its_revision(make_model):
    model = with_lora(make_model("llama"), LoraSettings(rank=2), revision="abc")
    assert model.peft_config["default"].revision == "abc"


@pytest.mark.parametrize("base", ["llama"], indirect=True)
def test_a_base_that_the_hub_does_not_give_is_named_with_its_adapter(first, monkeypatch):
    folder, _ = first
    edit(folder, base_model_name_or_path="org/gone", revision="v2")
    for module in ("model", "source"):
        monkeypatch.setattr(f"prefrun.builtin.{module}.is_reachable", lambda: False)
    problem = r"first is an adapter, and its base model org/gone cannot .*hub cannot be reached"
    with pytest.raises(ConfigError, match=rf"{problem}.*\n.*first/adapter_config.json"):
        load(folder)


def edit(folder, **changes):
    file = folder / "adapter_config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))


def test_a_relative_base_is_found_beside_the_adapter(first, tmp_path, monkeypatch):
    folder, start = first
    edit(folder, base_model_name_or_path="../base")
    monkeypatch.chdir(os.sep)
    torch.testing.assert_close(logits(load(folder).model), start)


@pytest.mark.parametrize("base", ["llama"], indirect=True)
@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"base_model_name_or_path": "../gone"}, r"first is an adapter, and its base.*\.\./gone"),
        ({"base_model_name_or_path": None}, "it names none"),
        ({"base_model_name_or_path": "../first"}, "is one, too"),
        ({"bias": "all"}, "model.adapter=train does not work with the adapter .*bias=all"),
        ({"peft_type": "IA3"}, "peft_type=IA3"),
        ({"init_lora_weights": "pissa"}, "init_lora_weights=pissa"),
    ],
)
def test_an_adapter_that_cannot_be_trained_on_is_refused(first, changes, problem):
    folder, _ = first
    edit(folder, **changes)
    with pytest.raises(ConfigError, match=rf"(?s){problem}.*remedy"):
        HFModel(HFModelConfig(name=str(folder)))


@pytest.mark.parametrize("base", ["llama"], indirect=True)
def test_what_does_not_add_up_is_not_stacked(first):
    folder, _ = first
    edit(folder, use_dora=True)
    with pytest.raises(ConfigError, match=r"model\.adapter=stack .*use_dora=True"):
        HFModel(HFModelConfig(name=str(folder), lora=LoraSettings(rank=2)))


@pytest.mark.parametrize("base", ["llama"], indirect=True)
def test_the_base_of_another_shape_is_refused(first, make_model, tokenizer):
    folder, _ = first
    make_model("gpt2").save_pretrained(folder.parent / "base")
    with pytest.raises(ConfigError, match="does not fit its base model"):
        load(folder)


@pytest.mark.parametrize("base", ["llama"], indirect=True)
@pytest.mark.parametrize(
    ("name", "settings", "problem"),
    [
        ("base", {"adapter": AdapterUse.train}, "needs an adapter to start from"),
        ("first", {"adapter": AdapterUse.stack}, "model.lora.rank is 0"),
        ("first", {"adapter": AdapterUse.merge, "lora": LoraSettings(rank=2)}, "does nothing"),
        ("first", {"adapter": AdapterUse.train, "lora": LoraSettings(rank=2)}, "does nothing"),
        ("first", {"revision": "v1"}, "model.revision=v1 does nothing"),
    ],
)
def test_keys_that_would_do_nothing_are_refused(first, name, settings, problem):
    with pytest.raises(ConfigError, match=problem):
        HFModel(HFModelConfig(name=str(first[0].parent / name), **settings))


@pytest.mark.parametrize("base", ["llama"], indirect=True)
def test_ambiguous_folders_are_refused(first, tmp_path, base):
    folder, _ = first
    model = load(folder, rank=2).model
    model.save_pretrained(tmp_path / "checkpoint")  # as transformers writes a checkpoint
    with pytest.raises(ConfigError, match=r"a checkpoint of a run with model\.adapter=stack"):
        load(tmp_path / "checkpoint")
    AutoModelForCausalLM.from_pretrained(base).save_pretrained(folder)
    with pytest.raises(ConfigError, match="holds a whole model and an adapter"):
        load(folder)
