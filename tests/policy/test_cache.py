"""The cache gives back what was written, and nothing else, whatever happens to its files."""

from __future__ import annotations

import random
import subprocess
import sys

import pytest
import torch

from prefrun.errors import ConfigError
from prefrun.policy.cache import ReferenceCache, path_key
from prefrun.policy.cache_file import MAGIC
from prefrun.policy.cache_store import cache_folder
from prefrun.schema import CacheConfig
from tests.policy.cached import MODEL, assert_same, entries


@pytest.fixture
def cache(tmp_path):
    """An empty cache."""
    return ReferenceCache(tmp_path / "cache")


def again(cache):
    """The same folder, seen by another process."""
    return ReferenceCache(cache.folder)


def shard(cache):
    (file,) = cache.folder.glob("*/*.logps")
    return file


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_values_come_back_bit_by_bit(cache, dtype):
    wanted = entries(20, dtype=dtype)
    cache.write(MODEL, wanted)
    assert_same(cache.read(MODEL, wanted), wanted)
    assert_same(again(cache).read(MODEL, wanted), wanted)


def test_unknown_keys_and_empty_folders_are_misses(cache):
    assert cache.read(MODEL, entries(3)) == {}
    cache.write(MODEL, entries(3))
    assert cache.read(MODEL, entries(3, seed=1)) == {}
    assert cache.read("0" * 40, entries(3)) == {}


def test_reader_sees_what_another_writer_added_since(cache):
    reader = again(cache)
    cache.write(MODEL, entries(5))
    assert_same(reader.read(MODEL, entries(5)), entries(5))
    cache.write(MODEL, entries(5, seed=1))
    assert_same(reader.read(MODEL, entries(5, seed=1)), entries(5, seed=1))


def test_known_keys_are_not_written_again(cache):
    cache.write(MODEL, entries(5))
    size = shard(cache).stat().st_size
    again(cache).write(MODEL, entries(5))
    assert shard(cache).stat().st_size == size


@pytest.mark.parametrize("seed", range(30))
def test_flipped_bytes_are_never_trusted(cache, seed):
    wanted = entries(30)
    cache.write(MODEL, wanted)
    data = bytearray(shard(cache).read_bytes())
    chance = random.Random(seed)
    for _ in range(3):
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    shard(cache).write_bytes(data)
    found = again(cache).read(MODEL, wanted)
    assert len(found) >= 1
    for key, values in found.items():
        assert torch.equal(values, wanted[key])
    again(cache).write(MODEL, wanted)
    assert_same(again(cache).read(MODEL, wanted), wanted)


@pytest.mark.parametrize("left", [0, 1, 7, 8, 47, 48, 60, 64, 200, 333])
def test_truncated_file_gives_whole_entries_and_is_repaired(cache, left):
    wanted = entries(10)
    cache.write(MODEL, wanted)
    shard(cache).write_bytes(shard(cache).read_bytes()[:left])
    reader = again(cache)
    for key, values in reader.read(MODEL, wanted).items():
        assert torch.equal(values, wanted[key])
    again(cache).write(MODEL, wanted)
    assert_same(reader.read(MODEL, wanted), wanted)
    assert_same(again(cache).read(MODEL, wanted), wanted)


def test_entry_that_is_being_written_is_read_once_it_is_whole(cache):
    cache.write(MODEL, entries(4))
    whole = shard(cache).read_bytes()
    shard(cache).write_bytes(whole[:-5])
    reader = again(cache)
    assert len(reader.read(MODEL, entries(4))) == 3
    with shard(cache).open("ab") as file:
        file.write(whole[-5:])
    assert_same(reader.read(MODEL, entries(4)), entries(4))


def test_garbage_with_magic_in_it_is_skipped(cache):
    cache.write(MODEL, entries(3))
    with shard(cache).open("ab") as file:
        file.write(b"junk" + MAGIC + b"\xff" * 60 + MAGIC)
    again(cache).write(MODEL, entries(3, seed=1))
    assert_same(
        again(cache).read(MODEL, entries(3) | entries(3, seed=1)), entries(3) | entries(3, seed=1)
    )


def test_file_that_was_deleted_or_replaced_is_read_anew(cache):
    cache.write(MODEL, entries(9))
    reader = again(cache)
    reader.read(MODEL, entries(9))
    shard(cache).unlink()
    assert reader.read(MODEL, entries(9)) == {}
    cache.write(MODEL, entries(2, seed=1))
    assert_same(reader.read(MODEL, entries(2, seed=1)), entries(2, seed=1))


def test_full_disk_costs_a_warning(cache, caplog):
    (cache.folder / MODEL).mkdir(parents=True)
    (cache.folder / MODEL / "0.logps").symlink_to("/dev/full")
    cache.write(MODEL, entries(3))
    cache.write(MODEL, entries(3, seed=1))
    assert caplog.text.count("No space left") == 1
    assert "cache.dir" in caplog.text


def test_folder_that_cannot_be_made_costs_a_warning(tmp_path, caplog):
    (tmp_path / "file").write_text("not a folder")
    cache = ReferenceCache(tmp_path / "file" / "cache")
    cache.write(MODEL, entries(3))
    assert cache.read(MODEL, entries(3)) == {}
    assert caplog.text.count("the run goes on without it") == 1


def test_unreadable_file_costs_a_warning(cache, caplog):
    (cache.folder / MODEL / "0.logps").mkdir(parents=True)
    assert cache.read(MODEL, entries(3)) == {}
    assert "cannot be read" in caplog.text


WRITER = """
import pathlib, random, sys, torch
from prefrun.policy.cache import ReferenceCache, path_key
cache, model = ReferenceCache(pathlib.Path(sys.argv[1])), sys.argv[2]
numbers = list(range(60))
random.Random(sys.argv[3]).shuffle(numbers)
for start in range(0, 60, 5):
    part = numbers[start : start + 5]
    cache.write(model, {path_key(model, [1], [n]): torch.full((n,), float(n)) for n in part})
"""


def test_four_processes_write_the_same_keys(cache):
    command = [sys.executable, "-c", WRITER, str(cache.folder), MODEL]
    writers = [subprocess.Popen([*command, str(seed)]) for seed in range(4)]
    assert [writer.wait(300) for writer in writers] == [0] * 4
    wanted = {path_key(MODEL, [1], [n]): torch.full((n,), float(n)) for n in range(60)}
    assert_same(cache.read(MODEL, wanted), wanted)
    assert shard(cache).read_bytes().count(MAGIC) == 60


def test_key_follows_model_prompt_and_answer():
    key = path_key(MODEL, [5, 6], [7, 8])
    assert key == path_key(MODEL, (5, 6), (7, 8))
    others = [
        path_key("e" * 40, [5, 6], [7, 8]),
        path_key(MODEL, [5, 9], [7, 8]),
        path_key(MODEL, [5, 6], [7, 9]),
        path_key(MODEL, [5, 6, 7], [8]),
        path_key(MODEL, [5, 6], [7, 8, 0]),
        path_key(MODEL, [5, 6], [7]),
    ]
    assert len({key, *others}) == 7


def test_folder_is_configured_else_from_the_environment_else_at_home(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("PREFRUN_CACHE", raising=False)
    assert cache_folder(None) == tmp_path / ".cache" / "prefrun"
    monkeypatch.setenv("PREFRUN_CACHE", str(tmp_path / "env"))
    assert cache_folder(None) == tmp_path / "env"
    assert cache_folder("~/mine") == tmp_path / "mine"


@pytest.mark.parametrize("limit", [0, -1.5, float("nan"), float("inf")])
def test_the_bound_must_be_above_zero_and_finite(limit):
    with pytest.raises(ConfigError, match=f"cache.max_gb={limit} must be above 0"):
        CacheConfig(max_gb=limit)
