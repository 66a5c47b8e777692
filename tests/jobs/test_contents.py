"""What is at a path, part by part: every file that a result depends on, and no other."""

from __future__ import annotations

import json
import shutil

import pytest

from prefrun.builtin import hub
from prefrun.jobs.contents import UNKNOWN, content_of, digest_of
from prefrun.path_keys import Holds, PathKey

FILES = {
    "model.safetensors": "w",
    "config.json": "{}",
    "generation_config.json": "{}",
    "tokenizer.json": "{}",
    "tokenizer_config.json": "{}",
    "chat_template.jinja": "t",
    "special_tokens_map.json": "{}",
    "vocab.txt": "v",
    "spiece.model": "s",
}


def write(folder, files):
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def model(path, revision=None):
    return content_of(PathKey("model.name", str(path), Holds.model, revision))


@pytest.fixture
def folder(tmp_path):
    return write(tmp_path / "m", FILES)


@pytest.mark.parametrize(
    ("file", "part"),
    [
        ("model.safetensors", "weights"),
        ("model-00002-of-00002.safetensors", "weights"),
        ("pytorch_model.bin", "weights"),
        ("tokenizer.json", "tokenizer"),
        ("chat_template.jinja", "tokenizer"),
        ("additional_chat_templates/tool_use.jinja", "tokenizer"),
        ("vocab.txt", "tokenizer"),
        ("spiece.model", "tokenizer"),
        ("special_tokens_map.json", "tokenizer"),
        ("config.json", "settings"),
        ("generation_config.json", "settings"),
    ],
)
def test_each_file_of_a_model_counts_in_its_part(folder, file, part):
    before = model(folder)
    write(folder, {file: "changed"})
    after = model(folder)
    assert {name for name in before if before[name] != after[name]} == {part}


def test_notes_and_the_state_of_a_training_do_not_count(folder):
    before = model(folder)
    write(folder, {"README.md": "x", "trainer_state.json": "{}", "optimizer.pt": "x"})
    assert model(folder) == before


def test_the_place_does_not_count(folder, tmp_path):
    moved = tmp_path / "elsewhere" / "n"
    shutil.copytree(folder, moved)
    assert digest_of(model(moved)) == digest_of(model(folder))


def test_an_adapter_counts_with_its_base(folder, tmp_path):
    settings = json.dumps({"base_model_name_or_path": str(folder)})
    adapter = write(
        tmp_path / "a", {"adapter_config.json": settings, "adapter_model.safetensors": "a"}
    )
    before = model(adapter)
    write(folder, {"model.safetensors": "other"})
    after = model(adapter)
    assert {name for name in before if before[name] != after[name]} == {"base.weights"}
    write(adapter, {"adapter_model.safetensors": "b"})
    assert model(adapter)["weights"] != after["weights"]


def test_a_base_that_is_named_relative_to_the_adapter_counts_wherever_the_run_begins(
    tmp_path, monkeypatch
):
    base, adapter = tmp_path / "base", tmp_path / "adapter"
    for folder in (base, adapter):
        folder.mkdir()
    (base / "config.json").write_text("{}")
    (base / "model.safetensors").write_bytes(b"one")
    (adapter / "adapter_config.json").write_text('{"base_model_name_or_path": "../base"}')
    monkeypatch.chdir("/")
    found = content_of(PathKey("model.name", str(adapter), Holds.model))
    assert found["base.weights"] == content_of(PathKey("x", str(base), Holds.model))["weights"]


def test_two_adapters_that_are_each_others_base_are_no_endless_search(tmp_path):
    for name, base in (("a", "b"), ("b", "a")):
        settings = json.dumps({"base_model_name_or_path": str(tmp_path / base)})
        write(tmp_path / name, {"adapter_config.json": settings})
    assert "base.base.base.weights" not in model(tmp_path / "a")


def test_a_damaged_adapter_has_a_content(tmp_path):
    assert model(write(tmp_path / "a", {"adapter_config.json": "{"}))["settings"]


def test_a_name_on_the_hub_is_the_commit_of_its_cached_files(tmp_path, monkeypatch):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(hub, "is_reachable", lambda: False)
    repository = tmp_path / "models--me--mine"
    for revision, commit in (("main", "a" * 40), ("v2", "b" * 40)):
        write(repository, {f"snapshots/{commit}/config.json": "{}", f"refs/{revision}": commit})
    hub.commit_of.cache_clear()
    assert model("me/mine") == {"commit": "a" * 40}
    assert model("me/mine", "v2") == {"commit": "b" * 40}
    assert model("me/other") == {"commit": UNKNOWN}
    hub.commit_of.cache_clear()


def test_all_files_below_a_path_count_by_name_and_content(tmp_path):
    folder = write(tmp_path / "f", {"a.txt": "1", "deep/b.txt": "2"})
    seen = {content_of(PathKey("algo.file", str(folder), Holds.files))["files"]}
    write(folder, {"deep/b.txt": "3"})
    seen.add(content_of(PathKey("algo.file", str(folder), Holds.files))["files"])
    (folder / "a.txt").rename(folder / "c.txt")
    seen.add(content_of(PathKey("algo.file", str(folder), Holds.files))["files"])
    assert len(seen) == 3


def test_records_count_by_their_names_alone(tmp_path):
    file = write(tmp_path, {"a.jsonl": "1"}) / "a.jsonl"
    before = content_of(PathKey("data.path", str(file), Holds.records))
    file.write_text("2")
    assert content_of(PathKey("data.path", str(file), Holds.records)) == before
    renamed = file.rename(tmp_path / "b.jsonl")
    assert content_of(PathKey("data.path", str(renamed), Holds.records)) != before


def test_results_do_not_count_and_what_is_gone_is_unknown(tmp_path):
    assert content_of(PathKey("cache.dir", str(tmp_path), Holds.results)) == {}
    gone = content_of(PathKey("algo.file", str(tmp_path / "gone"), Holds.files))
    assert gone == {"files": UNKNOWN}
