"""The self-check tells faults of packed rows from rounding, in every number format."""

from __future__ import annotations

import pytest
import torch

from prefrun.policy import packing_check, rounding
from prefrun.policy.attention.kernel import Kernel
from prefrun.policy.attention.layout import RowLayout
from prefrun.policy.packing_check import problem_with, small_window
from prefrun.policy.packing_sample import DEEPEST, sample_trees
from prefrun.policy.rounding import held_in, rounding_noise
from prefrun.policy.trie import Trie

TEXT = [5 + (11 * place * place + 3 * place) % 390 for place in range(300)]
DTYPES = [torch.float64, torch.float32, torch.bfloat16, torch.float16]
BLOCK = 128
"""Rows and columns of a block of flex attention's mask."""


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kernel", [Kernel.segments, Kernel.dense])
@pytest.mark.parametrize("family", ["llama", "mistral", "gemma3"])
def test_a_sound_model_passes_in_every_number_format(family, kernel, dtype, make_model):
    assert problem_with(make_model(family, dtype), kernel, TEXT) is None


def test_noise_above_every_fixed_limit_is_no_fault(make_model):
    model = make_model("llama", torch.bfloat16, num_hidden_layers=8, initializer_range=0.6)
    assert rounding_noise(model, TEXT) > 0.1
    assert problem_with(model, Kernel.segments, TEXT) is None


def without_positions(model, monkeypatch):
    forward = model.forward
    model.forward = lambda *args, position_ids=None, **named: forward(*args, **named)


def with_siblings_in_sight(model, monkeypatch):
    def mask(self, start, stop, window):
        places = torch.arange(start, stop)
        return places <= places[:, None]

    monkeypatch.setattr(RowLayout, "mask", mask)


def with_a_lost_block(model, monkeypatch):
    of = RowLayout.of
    monkeypatch.setattr(
        RowLayout,
        "of",
        lambda tries, kernel: of([replaced(trie) for trie in tries], kernel),
    )


def replaced(trie):
    """TRIE without its last block: some queries do not see a stretch of their own path."""
    return Trie(
        trie.ids,
        trie.depth,
        trie.parent,
        trie.subtree_end,
        trie.places,
        trie.prompt,
        trie.chains,
        trie.blocks[:-1],
    )


def window_by(change):
    def spoil(model, monkeypatch):
        right = RowLayout.mask

        def mask(self, start, stop, window):
            return right(self, start, stop, None if window is None else change(window))

        monkeypatch.setattr(RowLayout, "mask", mask)

    return spoil


FAULTS = {
    "positions": (without_positions, Kernel.segments),
    "mask": (with_siblings_in_sight, Kernel.dense),
    "block": (with_a_lost_block, Kernel.segments),
    "no window": (window_by(lambda window: None), Kernel.segments),
    "window + 1": (window_by(lambda window: window + 1), Kernel.segments),
    "window / 2": (window_by(lambda window: window // 2), Kernel.dense),
}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_found_in_every_number_format(fault, dtype, make_model, monkeypatch):
    spoil, kernel = FAULTS[fault]
    # a window that no real row of a test reaches, as in real models
    model = make_model("gemma3", dtype, sliding_window=200, max_position_embeddings=512)
    assert problem_with(model, kernel, TEXT) is None
    spoil(model, monkeypatch)
    assert "differ by" in problem_with(model, kernel, TEXT)


@pytest.mark.parametrize("fault", ["positions", "mask", "block"])
def test_without_room_for_float32_gross_faults_are_found(fault, make_model, monkeypatch):
    monkeypatch.setattr(packing_check, "fits_in", lambda model, wider: False)
    spoil, kernel = FAULTS[fault]
    model = make_model("llama", torch.bfloat16)
    assert problem_with(model, kernel, TEXT) is None
    spoil(model, monkeypatch)
    assert "differ by" in problem_with(model, kernel, TEXT)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_rounding_that_looks_like_a_fault_is_told_from_it_in_float64(
    dtype, make_model, monkeypatch
):
    monkeypatch.setitem(packing_check.TOLERANCES, torch.float32, 1e-9)
    model = make_model("gemma3", dtype)
    assert problem_with(model, Kernel.segments, TEXT) is None
    monkeypatch.setattr(packing_check, "fits_in", lambda model, wider: wider is torch.float32)
    assert "differ by" in problem_with(model, Kernel.segments, TEXT)


def test_a_packed_row_that_strays_further_than_rounding_does_is_refused(make_model, monkeypatch):
    model = make_model("llama", torch.bfloat16)
    outcome = packing_check._outcome

    def coarse(model, trees, packing):
        result = outcome(model, trees, packing)
        if packing.kernel and model.dtype is torch.bfloat16:
            result.logps.add_(0.5)
        return result

    monkeypatch.setattr(packing_check, "_outcome", coarse)
    assert "from float32" in problem_with(model, Kernel.segments, TEXT)


def test_the_sample_spans_several_blocks_and_respects_the_positions():
    rows = sum(len(tree.trie) for tree in sample_trees(TEXT, 400, None))
    assert rows > 3 * BLOCK
    for positions in (16, 64, 4096):
        trees = sample_trees(TEXT, 400, positions)
        depth = max(int(tree.trie.depth.max()) + 1 for tree in trees)
        assert depth <= min(positions, DEEPEST)


def test_the_sample_is_made_of_the_text_in_its_order():
    first, _ = sample_trees(TEXT, 400, None)
    taken = [*first.prompt_ids, *first.branches[0]]
    assert taken == TEXT[: len(taken)]


def test_a_text_that_is_too_short_is_made_up():
    (first, _), (other, _) = (sample_trees(text, 400, None) for text in ([7] * 10, []))
    assert first.prompt_ids == other.prompt_ids
    assert len(set(first.prompt_ids)) > 20


@pytest.mark.parametrize("wider", [torch.float32, torch.float64])
def test_weights_come_back_from_a_wider_format_bit_for_bit(wider, make_model):
    model = make_model("gemma3", torch.bfloat16)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    version = [value._version for value in model.parameters()]
    with held_in(model, wider):
        assert {value.dtype for value in model.parameters()} == {wider}
    after = model.state_dict()
    assert all(torch.equal(value, after[name]) for name, value in before.items())
    assert all(value.dtype is after[name].dtype for name, value in before.items())
    assert [value._version for value in model.parameters()] == version


def test_a_small_window_is_taken_away_again(make_model):
    model = make_model("gemma3", sliding_window=200)
    with small_window(model, 24):
        windows = [getattr(module, "sliding_window", None) for module in model.modules()]
        assert {window for window in windows if window} == {24}
        assert model.config.sliding_window == 24
    assert model.config.sliding_window == 200
    assert any(getattr(module, "sliding_window", None) == 200 for module in model.modules())


def test_noise_is_that_of_halves_only(make_model, monkeypatch):
    assert rounding_noise(make_model("llama"), TEXT) == 0.0
    model = make_model("llama", torch.bfloat16)
    assert 0 < rounding_noise(model, TEXT) < 1
    monkeypatch.setattr(rounding, "fits_in", lambda model, wider: False)
    assert rounding_noise(model, TEXT) == rounding.HALVES[torch.bfloat16]
