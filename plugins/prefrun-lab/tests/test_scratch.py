"""model=scratch: what it learns, what it keeps, what it refuses."""

import copy
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from prefrun import ConfigError, DataError
from prefrun.builtin.config import LoraSettings
from prefrun.errors import PrefrunError
from prefrun.models.text import LanguageModel
from prefrun.policy.tokenise import Tokeniser
from prefrun.records.tree import Message
from prefrun.testing.model import saved_is_what_was_trained
from prefrun_lab.config import Answers, ScratchModelConfig, Tokens
from prefrun_lab.corpus import build_source, learned_trees
from prefrun_lab.scratch import ScratchModel
from prefrun_lab.vocabulary import LabTokenizer, make_tokenizer

CHARACTERS = Tokens.characters
TEXTS = ["one  two\n\tthree", " é中 🦊 x", "two one x"]


def model(**keys):
    sizes = {"data": "words", "layers": 1, "hidden": 16, "heads": 2, "steps": 3, "batch_size": 4}
    return ScratchModel(ScratchModelConfig(**{**sizes, **keys}))


def mean_logp(loaded, trees, branch):
    """Mean over TREES of the log-prob of their answer number BRANCH."""
    total = 0.0
    for tree in Tokeniser(loaded.tokenizer, 64).tokenise_all(trees):
        answer = tree.branches[branch]
        ids = torch.tensor([[*tree.prompt_ids, *answer]])
        with torch.no_grad():
            logps = loaded.model(ids).logits.log_softmax(-1)[0, -len(answer) - 1 : -1]
        total += logps[range(len(answer)), list(answer)].sum().item()
    return total / len(trees)


@pytest.mark.parametrize("tokens", list(Tokens))
@pytest.mark.parametrize("text", [*TEXTS, "two  one", "", "x\n\ttwo"])
def test_text_comes_back_whole(tokens, text):
    tokenizer = make_tokenizer(TEXTS, tokens)
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    assert tokenizer.decode(ids) == text
    assert tokenizer.decode(tokenizer(text)["input_ids"], skip_special_tokens=True) == text


def test_unknown_text_is_told_once(capsys):
    tokenizer = make_tokenizer(TEXTS, Tokens.words)
    for _ in range(2):
        ids = tokenizer(["two four"], add_special_tokens=False)["input_ids"]
    assert tokenizer.unk_token_id in ids[0]
    told = capsys.readouterr().out
    assert told.count("'four'") == 1
    assert "'two'" not in told


def test_saved_tokenizer_is_one_that_transformers_knows(tmp_path):
    tokenizer = make_tokenizer(TEXTS, Tokens.characters)
    copy.deepcopy(tokenizer).save_pretrained(tmp_path)
    again = AutoTokenizer.from_pretrained(tmp_path)
    assert again(TEXTS[1])["input_ids"] == tokenizer(TEXTS[1])["input_ids"]
    assert (again.pad_token_id, again.bos_token_id, again.eos_token_id) == (0, 1, 2)


def test_records_begin_with_bos_and_end_with_eos():
    split = build_source("words", {}).load(0)
    tokenizer = make_tokenizer(
        [t.prompt + b.text for t in split.train for b in t.branches], CHARACTERS
    )
    tree = Tokeniser(tokenizer, 64).tokenise(split.train[0])
    assert tree.prompt_ids[0] == tokenizer.bos_token_id
    assert all(ids[-1] == tokenizer.eos_token_id for ids in tree.branches)


def test_training_is_kept_and_the_same_again(cache, monkeypatch):
    first = model().load()
    with monkeypatch.context() as patch:
        patch.setattr("prefrun_lab.scratch._make", lambda *_: pytest.fail("trained again"))
        assert model().load().fingerprint == first.fingerprint
    monkeypatch.setenv("PREFRUN_CACHE", str(cache / "other"))
    torch.manual_seed(5)
    drawn = torch.rand(1)
    torch.manual_seed(5)
    assert model().load().fingerprint == first.fingerprint
    assert torch.rand(1) == drawn  # training draws none of the run's random numbers
    assert first.name == "scratch-words"


@pytest.mark.parametrize(
    "keys", [{"seed": 1}, {"steps": 4}, {"answers": Answers.best}, {"data_keys": {"records": 20}}]
)
def test_another_configuration_is_another_model(keys):
    assert model(**keys).load().fingerprint != model().load().fingerprint


def test_keys_may_be_the_settings_of_the_runs_data():
    same = type(model().source.config)(records=20)
    found = model(data_keys=same).load().fingerprint
    assert found == model(data_keys={"records": 20}).load().fingerprint


def test_it_learns_the_best_or_all_answers():
    settings = {"hidden": 32, "steps": 80, "batch_size": 16, "learning_rate": 0.01}
    trees = build_source("words", {}).load(0).train
    gaps = {}
    for answers in Answers:
        loaded = model(answers=answers, **settings).load()
        right, wrong = (mean_logp(loaded, trees, branch) for branch in (0, 1))
        gaps[answers] = right - wrong
        assert right > -2.0
    assert gaps[Answers.best] > 3.0
    assert abs(gaps[Answers.all]) < 1.5


def test_saved_model_is_loaded_by_transformers(tmp_path):
    loaded = model().load()
    loaded.model.save_pretrained(tmp_path)
    loaded.tokenizer.save_pretrained(tmp_path)
    again = AutoModelForCausalLM.from_pretrained(tmp_path)
    ids = loaded.tokenizer("say red", return_tensors="pt")["input_ids"]
    torch.testing.assert_close(again(ids).logits, loaded.model(ids).logits)
    assert isinstance(loaded.tokenizer, LabTokenizer)


@pytest.mark.parametrize("lora", [LoraSettings(), LoraSettings(rank=2)])
def test_what_is_saved_is_what_was_trained(lora):
    loaded = LanguageModel(model(lora=lora).load())
    saved_is_what_was_trained(SimpleNamespace(load=lambda: loaded))


def test_half_written_model_is_not_used(cache):
    first = model().load()
    (folder,) = (path for path in (cache / "scratch-models").iterdir() if path.is_dir())
    folder.rename(folder.with_suffix(".incomplete"))
    (folder.with_suffix(".incomplete") / "model.safetensors").write_bytes(b"half")
    assert model().load().fingerprint == first.fingerprint


def test_bad_keys_are_refused_before_anything_is_read():
    with pytest.raises(
        ConfigError, match=r"model.data=wards is not installed. Did you mean 'words'"
    ):
        model(data="wards")
    with pytest.raises(ConfigError, match=r"model.data_keys: .*'size'"):
        model(data_keys={"size": 3})
    with pytest.raises(ConfigError, match=r"model.hidden=18 must be a multiple of 2"):
        model(hidden=18, heads=4)
    with pytest.raises(ConfigError, match=r"model.learning_rate=0"):
        model(learning_rate=0.0)


def test_chats_and_records_without_answers_are_refused(monkeypatch):
    split = build_source("words", {}).load(0)
    bare = replace(split, train=[replace(tree, branches=()) for tree in split.train])
    with pytest.raises(DataError, match="no training record of words has an answer"):
        learned_trees(bare, Answers.best)
    chat = replace(split.train[0], prompt=(Message("user", "hi"),))
    scratch = model()
    monkeypatch.setattr(scratch.source, "load", lambda seed: replace(split, train=[chat]))
    with pytest.raises(DataError, match="record r4, field 'prompt': the prompt is a chat"):
        scratch.load()


def test_cache_folder_that_cannot_be_written(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("PREFRUN_CACHE", str(tmp_path / "file"))
    with pytest.raises(PrefrunError, match="PREFRUN_CACHE"):
        model().load()
