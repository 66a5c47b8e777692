"""A path of the configuration is stored as an absolute one, whoever declares its key."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest
from omegaconf import OmegaConf

from prefrun import Holds, path_key
from prefrun.config_paths import absolute_paths
from prefrun.path_keys import absolute


@dataclass
class Judge:
    path: str = path_key("???", Holds.model)
    revision: str | None = None
    label: str = "notes/label"


@dataclass
class Config:
    file: str | None = path_key()
    other: str | None = path_key()
    name: str = "a/relative/name"
    judge: Judge = field(default_factory=Judge)
    parts: dict[str, Any] = field(default_factory=dict)


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    return tmp_path


def test_relative_paths_become_absolute_and_home_is_expanded(here):
    assert absolute("data/a.jsonl", Holds.records) == str(here / "data/a.jsonl")
    assert absolute("./a", Holds.files) == str(here / "a")
    assert absolute("../b", Holds.files) == str(here.parent / "b")
    assert absolute("~/a", Holds.files) == str(here / "home/a")
    assert absolute("/a/b", Holds.files) == "/a/b"


def test_a_link_keeps_its_name(here):
    (here / "target").mkdir()
    (here / "link").symlink_to(here / "target")
    assert absolute("link", Holds.model) == str(here / "link")


def test_a_name_on_the_hub_and_a_url_stay(here):
    assert absolute("gpt2", Holds.model) == "gpt2"
    assert absolute("openai/gpt2", Holds.model) == "openai/gpt2"
    assert absolute("https://example.org/a", Holds.files) == "https://example.org/a"
    (here / "openai" / "gpt2").mkdir(parents=True)
    assert absolute("openai/gpt2", Holds.model) == str(here / "openai/gpt2")
    assert absolute("./gone", Holds.model) == str(here / "gone")
    assert absolute("a/b/gone", Holds.model) == str(here / "a/b/gone")


def test_a_data_set_on_the_hub_keeps_its_name_and_a_folder_does_not(here):
    assert absolute("org/set", Holds.dataset) == "org/set"
    (here / "set").mkdir()
    assert absolute("set", Holds.dataset) == str(here / "set")


def test_declared_keys_are_found_however_deep_and_others_are_left_alone(here):
    config = OmegaConf.structured(Config)
    config.file, config.other = "a.txt", "${file}"
    config.judge = OmegaConf.structured(Judge(path="me/judge", revision="v2"))
    config.parts["one"] = OmegaConf.structured(Judge(path="./judge"))
    found = {key.name: (key.value, key.holds, key.revision) for key in absolute_paths(config)}
    assert found == {
        "file": (str(here / "a.txt"), Holds.files, None),
        "other": (str(here / "a.txt"), Holds.files, None),
        "judge.path": ("me/judge", Holds.model, "v2"),
        "parts.one.path": (str(here / "judge"), Holds.model, None),
    }
    assert config.file == str(here / "a.txt")
    assert config.parts.one.path == str(here / "judge")
    assert (config.name, config.judge.label) == ("a/relative/name", "notes/label")


def test_missing_values_are_no_paths(here):
    assert absolute_paths(OmegaConf.structured(Config)) == ()
