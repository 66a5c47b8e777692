"""What the tests of the cache write, and expect back."""

from __future__ import annotations

import torch

from prefrun.policy.cache import path_key

MODEL = "f" * 40


def entries(count, seed=0, dtype=torch.float32):
    generator = torch.Generator().manual_seed(seed)
    return {
        path_key(MODEL, [1, 2], [seed, number]): torch.randn(
            number % 7, generator=generator, dtype=dtype
        )
        for number in range(count)
    }


def assert_same(found, wanted):
    assert found.keys() == wanted.keys()
    for key, values in wanted.items():
        assert found[key].dtype == values.dtype
        assert torch.equal(found[key], values)
