"""model=simt: an ordinary causal language model when called as one; saving, loading, vocabulary."""

from __future__ import annotations

import pytest
import torch
from transformers import LlamaForCausalLM

from prefrun import ConfigError
from prefrun.policy.attention.kernel import Kernel
from prefrun.policy.packing_choice import problem_with
from prefrun.policy.policy import LoadedModel
from prefrun.testing import check_model
from prefrun_simulpl.component_config import SimtModelConfig
from prefrun_simulpl.model import SimtModel, learn_vocabulary, translation_model
from prefrun_simulpl.vocabulary import SPECIAL, Vocabulary


def test_called_plainly_it_is_a_llama(loaded) -> None:
    llama = LlamaForCausalLM(loaded.model.config).double()
    shared = set(llama.state_dict())
    own = loaded.model.state_dict()
    llama.load_state_dict({name: value for name, value in own.items() if name in shared})
    ids = torch.tensor([[5, 9, 300, 17]])
    with torch.no_grad():
        torch.testing.assert_close(loaded.model(ids).logits, llama.eval()(ids).logits)
    assert set(own) - shared == {"sides.weight", "confidence.weight", "confidence.bias"}


def test_the_host_can_pack_trees_with_it(loaded) -> None:
    assert problem_with(loaded.model, Kernel.segments) is None


def test_a_saved_model_comes_back(loaded, tmp_path) -> None:
    loaded.model.float().config.trained_for = {"policy": "wait_k", "k": 3}
    loaded.model.save_pretrained(tmp_path)
    loaded.tokenizer.save_pretrained(tmp_path)
    again = SimtModel(SimtModelConfig(path=str(tmp_path))).load()
    assert again.model.config.trained_for == {"policy": "wait_k", "k": 3}
    for name, value in loaded.model.state_dict().items():
        torch.testing.assert_close(again.model.state_dict()[name], value, rtol=0, atol=0)
    text = "bal unbekannt dem"
    assert Vocabulary(again.tokenizer).split(text) == Vocabulary(loaded.tokenizer).split(text)


def test_conformance() -> None:
    check_model("simt", overrides=["hidden_size=16", "layers=1", "heads=2"])


@pytest.mark.parametrize(
    "text", ["bal dem", "Größe 12,5 % - 'x'!", "日本 語", "a\u0301 🙂 b", "x.y ... (z)"]
)
def test_any_words_come_back_from_their_subwords(vocabulary, text) -> None:
    split = vocabulary.split(text)
    flat = [token for word in split for token in word]
    delays = [number for number, word in enumerate(split, 1) for _ in word]
    assert vocabulary.join(flat, delays) == (text.split(), list(range(1, len(split) + 1)))


def test_a_words_delay_is_that_of_its_last_subword(vocabulary) -> None:
    (word,) = vocabulary.split("unbekannt")
    assert len(word) > 2
    delays = list(range(1, len(word) + 1))
    assert vocabulary.join(word, delays) == (["unbekannt"], [len(word)])


def test_no_subwords_make_no_words(vocabulary) -> None:
    assert vocabulary.join([], []) == ([], [])


def test_the_same_seed_learns_the_same_vocabulary_and_weights() -> None:
    texts = ["ein kleiner Hund läuft", "a small dog runs", "der Hund schläft", "the dog sleeps"]
    made = []
    for _ in range(2):
        loaded = SimtModel(SimtModelConfig(hidden_size=16, layers=1, heads=2)).load()
        learn_vocabulary(loaded, texts, seed=3)
        made.append(loaded)
    assert made[0].tokenizer.get_vocab() == made[1].tokenizer.get_vocab()
    assert len(made[0].tokenizer) > 256 + len(SPECIAL)
    assert made[0].model.config.vocab_size == len(made[0].tokenizer)
    for one, other in zip(made[0].model.parameters(), made[1].model.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=0)


def test_another_model_is_refused(loaded) -> None:
    other = LoadedModel(torch.nn.Linear(1, 1), loaded.tokenizer, "other", "0")
    with pytest.raises(ConfigError, match="model=simt"):
        translation_model(other, "algo=simulpl")


def test_a_folder_without_a_model_is_refused_before_it_is_loaded(tmp_path) -> None:
    with pytest.raises(ConfigError, match=r"model\.path="):
        SimtModel(SimtModelConfig(path=str(tmp_path)))


@pytest.mark.parametrize("keys", [{"hidden_size": 30}, {"vocabulary": 10}, {"layers": 0}])
def test_sizes_out_of_range_name_their_key(keys) -> None:
    with pytest.raises(ConfigError, match=f"model.{next(iter(keys))}"):
        SimtModelConfig(**keys)
