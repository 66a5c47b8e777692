"""reward=classifier on small random models, saved and loaded as a user's would be."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import WhitespaceSplit
from tokenizers.processors import TemplateProcessing
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    LlamaConfig,
    LlamaForCausalLM,
    LlamaForSequenceClassification,
    PreTrainedTokenizerFast,
)

from prefrun.builtin.classifier import ClassifierReward
from prefrun.builtin.config import ClassifierRewardConfig, ModelDevice
from prefrun.builtin.data_reward import DataReward
from prefrun.errors import ConfigError, DataError
from prefrun.records.split import DataSplit, ReadCounts
from prefrun.records.tree import Message, PreferenceTree
from prefrun.testing import check_reward

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "<user>", "<assistant>"]
WORDS = [*SPECIAL, "one", "two", "three", "four", "five", "six"]
TEMPLATE = "{% for m in messages %}<{{ m.role }}> {{ m.content }} {% endfor %}"
STRICT_TEMPLATE = "{{ raise_exception('no system message') }}"
TREES = [PreferenceTree("a", "one two"), PreferenceTree("b", (Message("user", "three"),))]
ANSWERS = ["four", "five six one two"]

Save = Callable[..., str]


def make_tokenizer(pad: bool, template: str | None) -> PreTrainedTokenizerFast:
    inner = Tokenizer(WordLevel({word: i for i, word in enumerate(WORDS)}, unk_token="[UNK]"))
    inner.pre_tokenizer = WhitespaceSplit()
    inner.post_processor = TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=inner,
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        pad_token="[PAD]" if pad else None,
    )
    tokenizer.chat_template = template
    return tokenizer


@pytest.fixture
def save(tmp_path: Path) -> Save:
    """Return `save(kind, labels=..., pad=..., template=...)`, which gives a model's folder."""

    def make(
        kind: type[Any] = LlamaForSequenceClassification,
        labels: tuple[str, ...] = ("reward",),
        pad: bool = True,
        template: str | None = None,
    ) -> str:
        sizes: dict[str, Any] = {
            "vocab_size": len(WORDS),
            "hidden_size": 16,
            "intermediate_size": 16,
            "num_hidden_layers": 1,
            "num_attention_heads": 2,
            "max_position_embeddings": 32,
            "pad_token_id": 0 if pad else None,
            "id2label": dict(enumerate(labels)),
            "label2id": {label: number for number, label in enumerate(labels)},
        }
        torch.manual_seed(0)
        model = kind(
            (BertConfig if kind is BertForSequenceClassification else LlamaConfig)(**sizes)
        )
        with torch.no_grad():  # larger than usual, so that different texts differ visibly
            for weights in model.parameters():
                weights.normal_(std=0.5)
        folder = str(tmp_path / "model")
        model.save_pretrained(folder)
        make_tokenizer(pad, template).save_pretrained(folder)
        return folder

    return make


def reward(path: str, **keys: Any) -> ClassifierReward:
    return ClassifierReward(ClassifierRewardConfig(path, device=ModelDevice.cpu, **keys))


def logits(folder: str, ids: list[int], kind: type[Any] = LlamaForSequenceClassification) -> Any:
    """What the model says of one unpadded text."""
    model = kind.from_pretrained(folder).eval()
    with torch.inference_mode():
        return model(torch.tensor([ids])).logits[0]


def ids(*words: str) -> list[int]:
    return [WORDS.index(word) for word in words]


@pytest.mark.parametrize("kind", [LlamaForSequenceClassification, BertForSequenceClassification])
def test_the_score_is_the_model_s_output_for_prompt_and_answer(save: Save, kind: type[Any]) -> None:
    folder = save(kind)
    expected = [
        logits(folder, ids("[CLS]", "one", "two", "four", "[SEP]"), kind),
        logits(folder, ids("[CLS]", "three", "five", "six", "one", "two", "[SEP]"), kind),
    ]
    assert reward(folder).score(TREES, ANSWERS) == pytest.approx(torch.cat(expected).tolist())


@pytest.mark.parametrize("pad", [True, False])
def test_batching_changes_no_score(save: Save, pad: bool) -> None:
    folder = save(pad=pad)
    one_by_one = reward(folder, batch_size=1).score(TREES, ANSWERS)
    assert reward(folder, batch_size=8).score(TREES, ANSWERS) == pytest.approx(one_by_one, abs=1e-6)
    assert one_by_one[0] != pytest.approx(one_by_one[1])


def test_a_chat_template_is_used_without_further_special_tokens(save: Save) -> None:
    folder = save(template=TEMPLATE)
    expected = logits(folder, ids("<user>", "one", "two", "<assistant>", "four"))
    assert reward(folder).score(TREES[:1], ANSWERS[:1]) == pytest.approx(expected.tolist())


def test_a_template_that_refuses_the_chat_names_the_record(save: Save) -> None:
    with pytest.raises(DataError, match=r"record a.*no system message"):
        reward(save(template=STRICT_TEMPLATE)).score(TREES[:1], ANSWERS[:1])


def test_a_long_text_keeps_its_first_token_and_its_end(save: Save) -> None:
    folder = save()
    long = PreferenceTree("long", "one " * 50)
    expected = logits(folder, ids("[CLS]", "one", "five", "six", "[SEP]"))
    found = reward(folder, max_length=5).score([long], ["five six"])
    assert found == pytest.approx(expected.tolist())
    assert len(reward(folder).score([long], ["six"])) == 1, "the model has 32 positions only"


@pytest.mark.parametrize("label", ["good", "1"])
def test_one_of_several_outputs_is_chosen_by_name_or_number(save: Save, label: str) -> None:
    folder = save(labels=("bad", "good"))
    expected = logits(folder, ids("[CLS]", "one", "two", "four", "[SEP]"))[1].item()
    assert reward(folder, label=label).score(TREES[:1], ANSWERS[:1]) == pytest.approx([expected])


def test_several_outputs_without_a_label_are_refused(save: Save) -> None:
    folder = save(labels=("bad", "good"))
    with pytest.raises(ConfigError, match=r"2 outputs: bad, good\n.*reward.label"):
        reward(folder)
    with pytest.raises(ConfigError, match="Did you mean 'good'"):
        reward(folder, label="god")


def test_bad_folders_are_refused_before_any_score(save: Save, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(ConfigError, match="holds no weights"):
        reward(str(tmp_path / "empty"))
    with pytest.raises(ConfigError, match="no such folder"):
        reward(str(tmp_path / "missing"))
    folder = Path(save())
    (folder / "config.json").write_text("{")
    with pytest.raises(ConfigError, match="cannot be loaded"):
        reward(str(folder))


def test_a_language_model_is_refused_because_its_head_would_be_random(save: Save) -> None:
    with pytest.raises(ConfigError, match="LlamaForCausalLM"):
        reward(save(LlamaForCausalLM))


def test_a_classifier_without_its_head_is_refused(save: Save) -> None:
    folder = Path(save(LlamaForCausalLM))
    settings = json.loads((folder / "config.json").read_text())
    settings["architectures"] = ["LlamaForSequenceClassification"]
    (folder / "config.json").write_text(json.dumps(settings))
    with pytest.raises(ConfigError, match=r"lacks weights: score\.weight"):
        reward(str(folder)).score(TREES, ANSWERS)


def test_a_gpu_that_is_not_there_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ConfigError, match=r"reward\.device=cuda"):
        ClassifierReward(ClassifierRewardConfig("some/model", device=ModelDevice.cuda))


def test_a_name_on_the_hub_is_refused_at_once_where_the_hub_cannot_be_reached(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("prefrun.builtin.classifier.is_reachable", lambda: False)
    with pytest.raises(ConfigError, match="no such folder, and the Hugging Face hub cannot"):
        reward("nobody/such-a-model")


def test_the_classifier_serves_any_data_and_the_data_s_judge_is_the_data_s(save: Save) -> None:
    data = DataSplit("demo", [], [], "f", ReadCounts())
    classifier = reward(save())
    assert classifier.of(data) is classifier
    judged = DataSplit("demo", [], [], "f", ReadCounts(), reward=classifier)
    assert DataReward(None).of(judged) is classifier  # type: ignore[arg-type]
    assert DataReward(None).of(data) is None  # type: ignore[arg-type]


def test_conformance(save: Save) -> None:
    assert not check_reward("classifier", overrides=[f"path={save()}", "device=cpu"]).failed
