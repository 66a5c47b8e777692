"""Values lie in the file as a reader uses them; damage costs the entries it hits."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from prefrun.policy.cache import ReferenceCache
from prefrun.policy.cache_file import MAGIC, damaged_entries, encode, sound_entries
from tests.policy.cached import MODEL, assert_same, entries


@pytest.fixture
def cache(tmp_path):
    """An empty cache."""
    return ReferenceCache(tmp_path / "cache")


def segment(cache):
    return cache.folder / MODEL / "0.logps"


def encoded(*lengths):
    return b"".join(encode(bytes([n] * 32), np.ones(n, np.float32)) for n in lengths)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_every_entry_keeps_the_next_one_aligned(dtype):
    assert not [n for n in range(20) if len(encode(bytes(32), np.ones(n, dtype))) % 8]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_values_lie_in_one_map_as_in_the_file(cache, dtype):
    wanted = entries(7, dtype=dtype)
    cache.write(MODEL, wanted)
    content = segment(cache).read_bytes()
    found = {key: values for key, values in cache.read(MODEL, wanted).items() if len(values)}
    places = {key: content.find(wanted[key].numpy().tobytes()) for key in found}
    assert len({values.data_ptr() - places[key] for key, values in found.items()}) == 1
    assert not [values for values in found.values() if values.data_ptr() % 8]


def test_tensors_outlive_the_file_and_its_growth(cache):
    cache.write(MODEL, entries(9))
    found = cache.read(MODEL, entries(9))
    cache.write(MODEL, entries(9, seed=1))
    cache.read(MODEL, entries(9, seed=1))
    segment(cache).unlink()
    assert cache.read(MODEL, entries(9)) == {}
    assert_same(found, entries(9))


def test_writing_to_a_tensor_reaches_neither_the_file_nor_a_later_read(cache):
    cache.write(MODEL, entries(9))
    content = segment(cache).read_bytes()
    for values in cache.read(MODEL, entries(9)).values():
        values += 1
    for key, values in cache.read(MODEL, entries(9)).items():
        assert torch.equal(values, entries(9)[key])
    assert segment(cache).read_bytes() == content
    assert_same(ReferenceCache(cache.folder).read(MODEL, entries(9)), entries(9))


@pytest.mark.parametrize("cut", range(1, 17))
def test_writer_goes_on_after_an_end_that_is_not_aligned(cache, cut):
    cache.write(MODEL, entries(4))
    segment(cache).write_bytes(segment(cache).read_bytes()[:-cut])
    cache.write(MODEL, entries(4, seed=1))
    both = entries(4) | entries(4, seed=1)
    kept = ReferenceCache(cache.folder).read(MODEL, both)
    assert len(kept) == 7
    cache.write(MODEL, both)
    assert_same(cache.read(MODEL, both), both)
    assert segment(cache).stat().st_size % 8 == 0


def test_a_read_tries_the_checksum_again(cache):
    cache.write(MODEL, entries(7))
    assert len(cache.read(MODEL, entries(7))) == 7
    with segment(cache).open("r+b") as file:
        file.seek(-20, 2)
        byte = file.read(1)
        file.seek(-20, 2)
        file.write(bytes([byte[0] ^ 1]))
    assert len(cache.read(MODEL, entries(7))) == 6


@pytest.mark.parametrize("place", range(0, 80, 3))
def test_a_flipped_byte_costs_its_entry_only(place):
    data = bytearray(encoded(3, 2, 0, 5))
    data[place] ^= 1
    sound = list(sound_entries(bytes(data)))
    assert [entry.length for entry in sound] == [2, 0, 5]
    assert damaged_entries(bytes(data), sound) == 1


@pytest.mark.parametrize(
    ("data", "damaged"),
    [
        (b"", 0),
        (encoded(3, 4), 0),
        (encoded(3, 4)[:-1], 1),
        (encoded(3, 4) + MAGIC[:3], 1),
        (encoded(3) + encoded(4)[:-8] + encoded(5)[:-8] + encoded(6), 2),
    ],
)
def test_what_is_no_sound_entry_is_damaged(data, damaged):
    assert damaged_entries(data, list(sound_entries(data))) == damaged
