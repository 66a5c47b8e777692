"""The cache keeps to its bound, the least recently used first, and readers and writers cope."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
import torch

from prefrun.policy import cache_store
from prefrun.policy.cache import ReferenceCache, path_key
from prefrun.policy.cache_store import contents, lock, models
from tests.policy.cached import MODEL, assert_same, entries

OTHER = "e" * 40
SIZE = 10 * 464
"""Bytes of `block`: ten entries of header, 100 values and checksum."""


@pytest.fixture
def bounded(tmp_path, monkeypatch):
    """Return `bounded(blocks)`: a cache that may hold so many blocks, each a segment of its own."""
    monkeypatch.setattr(cache_store, "SEGMENT_BYTES", 1)
    return lambda blocks: ReferenceCache(tmp_path / "cache", max_gb=blocks * SIZE / 1e9)


def block(number):
    return {path_key(MODEL, [number], [i]): torch.full((100,), float(number)) for i in range(10)}


def segments(cache, model=MODEL):
    """The segments of a model by number."""
    return {int(path.stem): path for path in (cache.folder / model).glob("*.logps")}


def use(path, seconds):
    os.utime(path, (seconds, seconds))


def test_a_full_segment_is_followed_by_another(tmp_path, monkeypatch):
    monkeypatch.setattr(cache_store, "SEGMENT_BYTES", 2 * SIZE)
    cache = ReferenceCache(tmp_path)
    for number in range(5):
        cache.write(MODEL, block(number))
    sizes = {number: path.stat().st_size for number, path in segments(cache).items()}
    assert sizes == {0: 2 * SIZE, 1: 2 * SIZE, 2: SIZE}
    for number in range(5):
        assert_same(cache.read(MODEL, block(number)), block(number))


def test_keys_of_an_earlier_segment_are_not_written_again(bounded):
    cache = bounded(9)
    cache.write(MODEL, block(0))
    cache.write(MODEL, block(1))
    ReferenceCache(cache.folder).write(MODEL, block(0))
    assert sorted(segments(cache)) == [0, 1]


def test_the_least_recently_used_go_first_whichever_model_they_are_of(bounded):
    cache = bounded(4)
    for second, (model, number) in enumerate([(MODEL, 0), (MODEL, 1), (OTHER, 0), (OTHER, 1)]):
        cache.write(model, block(number))
        use(segments(cache, model)[number], 1000 + second)
    cache.read(MODEL, block(0))
    cache.write(OTHER, block(2))
    assert (sorted(segments(cache)), sorted(segments(cache, OTHER))) == ([0], [0, 1, 2])
    cache.write(OTHER, block(3))
    assert (sorted(segments(cache)), sorted(segments(cache, OTHER))) == ([0], [1, 2, 3])


def test_a_read_marks_a_segment_once_and_only_where_it_hits(bounded, monkeypatch):
    cache = bounded(9)
    cache.write(MODEL, block(0))
    cache.write(MODEL, block(1))
    marked = []
    monkeypatch.setattr(os, "utime", marked.append)
    cache.read(MODEL, [*block(0), *block(7)])
    assert marked == [segments(cache)[0]]


def test_what_was_just_written_stays_even_alone_above_the_bound(bounded):
    cache = bounded(0.5)
    for number in range(3):
        cache.write(MODEL, block(number))
    assert sorted(segments(cache)) == [2]
    assert_same(cache.read(MODEL, block(2)), block(2))


def test_a_small_cache_has_small_segments(tmp_path):
    cache = ReferenceCache(tmp_path, max_gb=8 * SIZE / 1e9)
    for number in range(20):
        cache.write(MODEL, block(number))
    assert 6 * SIZE <= sum(path.stat().st_size for path in segments(cache).values()) <= 8 * SIZE
    assert_same(cache.read(MODEL, block(19)), block(19))


def test_a_reader_misses_what_was_removed_and_keeps_what_it_has(bounded):
    cache = bounded(1)
    cache.write(MODEL, block(0))
    reader = ReferenceCache(cache.folder)
    found = reader.read(MODEL, block(0))
    cache.write(OTHER, block(1))
    assert not (cache.folder / MODEL).exists()
    assert reader.read(MODEL, block(0)) == {}
    assert_same(found, block(0))
    cache.write(MODEL, block(2))
    assert_same(reader.read(MODEL, block(2)), block(2))


def test_a_segment_that_vanishes_while_it_is_looked_for_is_a_miss(bounded, monkeypatch):
    cache = bounded(9)
    cache.write(MODEL, block(0))
    cache.write(MODEL, block(1))
    listed = cache_store._segments(cache.folder / MODEL)
    listed[1].unlink()
    monkeypatch.setattr(cache_store, "_segments", lambda folder: listed)
    assert_same(cache.read(MODEL, {**block(0), **block(1)}), block(0))


def test_a_new_file_under_an_old_number_is_read_anew(bounded):
    cache = bounded(9)
    cache.write(MODEL, block(0))
    reader = ReferenceCache(cache.folder)
    reader.read(MODEL, block(0))
    segments(cache)[0].unlink()
    cache.write(MODEL, block(1))
    assert sorted(segments(cache)) == [0]
    assert reader.read(MODEL, block(0)) == {}
    assert_same(reader.read(MODEL, block(1)), block(1))


def test_a_lock_that_is_not_had_costs_a_warning(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(cache_store, "LOCK_SECONDS", 0)
    cache = ReferenceCache(tmp_path)
    cache.write(MODEL, entries(3))
    with lock(tmp_path):
        cache.write(MODEL, entries(3, seed=1))
    assert caplog.text.count("the run goes on without it") == 1
    assert_same(cache.read(MODEL, entries(3)), entries(3))


WRITER = """
import pathlib, random, sys, torch
from prefrun.policy import cache_store
from prefrun.policy.cache import ReferenceCache, path_key
folder, model, seed = sys.argv[1:]
cache_store.SEGMENT_BYTES = 4000
cache = ReferenceCache(pathlib.Path(folder), max_gb=20000 / 1e9)
chance = random.Random(seed)
wanted = {path_key(model, [1], [n]): torch.full((n,), float(n)) for n in range(120)}
kept = {}
for _ in range(60):
    cache.write(model, {key: wanted[key] for key in chance.sample(sorted(wanted), 6)})
    found = cache.read(model, chance.sample(sorted(wanted), 20))
    assert all(torch.equal(values, wanted[key]) for key, values in found.items())
    kept |= found
assert kept and all(torch.equal(values, wanted[key]) for key, values in kept.items())
assert not cache._complained
"""


def test_four_processes_share_a_cache_too_small_for_them(tmp_path):
    command = [sys.executable, "-c", WRITER, str(tmp_path)]
    chosen = [MODEL, MODEL, OTHER, OTHER]
    writers = [subprocess.Popen([*command, model, str(i)]) for i, model in enumerate(chosen)]
    assert [writer.wait(300) for writer in writers] == [0] * 4
    found = {model: contents(files) for model, files in models(tmp_path).items()}
    assert sum(each.size for each in found.values()) <= 20000
    assert not any(each.damaged for each in found.values())
    cache = ReferenceCache(tmp_path)
    for model in {MODEL, OTHER}:
        wanted = {path_key(model, [1], [n]): torch.full((n,), float(n)) for n in range(120)}
        for key, values in cache.read(model, wanted).items():
            assert torch.equal(values, wanted[key])
