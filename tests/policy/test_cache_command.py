"""`prefrun cache ls|verify|clear`."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from filelock import Timeout

from prefrun.commands.cache import cache
from prefrun.errors import ConfigError, PrefrunError
from prefrun.policy import cache_store
from prefrun.policy.cache import ReferenceCache
from tests.policy.cached import assert_same, entries

FIRST, SECOND = "abcd" * 10, "abef" * 10
NOON = 1_700_000_000


@pytest.fixture
def word(tmp_path):
    """The word that names the folder, which caches two models."""
    filled = ReferenceCache.at(str(tmp_path), 1.0)
    filled.write(FIRST, entries(10))
    filled.write(SECOND, entries(8, seed=1))
    for path in tmp_path.rglob("*.logps"):
        os.utime(path, (NOON, NOON))
    return f"cache.dir={tmp_path}"


def segment(folder, model):
    return folder / "reference-logps" / model / "0.logps"


def flip(path, place):
    data = bytearray(path.read_bytes())
    data[place] ^= 1
    path.write_bytes(data)


def test_ls_gives_entries_tokens_size_and_last_use(word, tmp_path, capsys):
    assert cache(["ls", word]) == 0
    heading, first, second, total, folder = capsys.readouterr().out.splitlines()
    assert heading.split() == ["model", "entries", "tokens", "MB", "last", "used"]
    assert first.split()[:4] == [FIRST[:12], "10", "24", "0.0"]
    assert second.split()[:4] == [SECOND[:12], "8", "21", "0.0"]
    assert "2023-11-1" in first
    assert total.split() == ["total", "18", "45", "0.0"]
    assert folder == f"folder: {tmp_path / 'reference-logps'}"


def test_ls_counts_all_segments_of_a_model(word, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(cache_store, "SEGMENT_BYTES", 1)
    ReferenceCache.at(str(tmp_path), 1.0).write(FIRST, entries(5, seed=2))
    cache(["ls", word])
    assert capsys.readouterr().out.splitlines()[1].split()[:3] == [FIRST[:12], "15", "34"]


@pytest.mark.parametrize("command", ["ls", "verify", "clear"])
def test_an_empty_cache_is_said_to_be_empty_and_not_made(command, tmp_path, capsys):
    assert cache([command, f"cache.dir={tmp_path / 'none'}"]) == 0
    assert f"nothing is cached in {tmp_path / 'none'}" in capsys.readouterr().out
    assert not (tmp_path / "none").exists()


def test_the_folder_is_that_of_a_run_without_the_word(word, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("PREFRUN_CACHE", str(tmp_path))
    assert cache(["ls"]) == 0
    assert FIRST[:12] in capsys.readouterr().out


def test_verify_finds_nothing_wrong(word, capsys):
    assert cache(["verify", word]) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"{FIRST[:12]}  10 sound, 0 damaged",
        f"{SECOND[:12]}  8 sound, 0 damaged",
    ]


def test_verify_names_the_damaged_model_and_the_remedy(word, tmp_path, capsys):
    flip(segment(tmp_path, SECOND), 70)
    assert cache(["verify", word]) == 1
    out = capsys.readouterr().out
    assert f"{FIRST[:12]}  10 sound, 0 damaged" in out
    assert f"{SECOND[:12]}  7 sound, 1 damaged" in out
    assert (
        f"computed again by the next run; to remove them: `prefrun cache clear {SECOND[:12]}`"
        in out
    )


def test_verify_finds_a_truncated_file(word, tmp_path, capsys):
    path = segment(tmp_path, FIRST)
    path.write_bytes(path.read_bytes()[:-1])
    assert cache(["verify", word]) == 1
    assert f"{FIRST[:12]}  9 sound, 1 damaged" in capsys.readouterr().out


def test_clear_removes_every_model(word, tmp_path, capsys):
    assert cache(["clear", word]) == 0
    assert "removed 2 of 2 models, 0.0 MB" in capsys.readouterr().out
    assert [path.name for path in (tmp_path / "reference-logps").iterdir()] in ([".lock"], [])


def test_clear_removes_one_model_and_nothing_that_is_not_the_caches(word, tmp_path, capsys):
    note = segment(tmp_path, FIRST).with_name("note.txt")
    note.write_text("mine")
    reader = ReferenceCache.at(str(tmp_path), 1.0)
    found = reader.read(FIRST, entries(10))
    assert cache(["clear", "abc", word]) == 0
    assert "removed 1 of 2 models" in capsys.readouterr().out
    assert note.exists()
    assert reader.read(FIRST, entries(10)) == {}
    assert_same(found, entries(10))
    assert_same(reader.read(SECOND, entries(8, seed=1)), entries(8, seed=1))


@pytest.mark.parametrize(
    ("prefix", "problem"), [("ab", "'ab' begins 2 fingerprints"), ("9", "'9' begins no")]
)
def test_a_prefix_of_no_or_several_models_is_refused(word, prefix, problem):
    with pytest.raises(ConfigError, match=problem) as error:
        cache(["clear", prefix, word])
    assert FIRST in str(error.value)
    assert "`prefrun cache ls`" in str(error.value)


def test_a_prefix_is_refused_where_nothing_is_cached(tmp_path):
    with pytest.raises(ConfigError, match="it is empty"):
        cache(["clear", "abc", f"cache.dir={tmp_path / 'none'}"])
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["list"],
        ["ls", "more"],
        ["verify", "more"],
        ["clear", "one", "two"],
        ["clear", ""],
        ["clear", "cache.dir="],
        ["ls", "cache.dir=one", "cache.dir=two"],
        ["cache.dir=one"],
    ],
)
def test_wrong_words_show_the_usage(words):
    with pytest.raises(ConfigError, match="usage: prefrun cache ls"):
        cache(words)


def test_a_folder_that_refuses_is_named(word, tmp_path, monkeypatch):
    monkeypatch.setattr(cache_store, "LOCK_SECONDS", 0)
    with (
        cache_store.lock(tmp_path / "reference-logps"),
        pytest.raises(PrefrunError, match=f"{tmp_path}.*`prefrun cache clear` failed") as error,
    ):
        cache(["clear", word])
    assert isinstance(error.value.__cause__, Timeout)
    assert segment(tmp_path, FIRST).exists()


def test_torch_is_not_imported(word):
    code = (
        "import sys; from prefrun.cli import main\n"
        f"codes = [main(['cache', each, {word!r}]) for each in ('ls', 'verify', 'clear')]\n"
        "sys.exit(codes != [0, 0, 0] or 'torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
