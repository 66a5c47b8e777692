"""Every kernel gives what attention along each path alone would give."""

from __future__ import annotations

import random

import pytest
import torch

from prefrun.policy.attention.dense import dense_attention
from prefrun.policy.attention.flex import flex_tree_attention
from prefrun.policy.attention.kernel import Kernel
from prefrun.policy.attention.layout import RowLayout
from prefrun.policy.attention.segments import segment_attention
from prefrun.policy.trie import Trie

SCALE = 0.3


def forest(seed):
    """One to three tries of random depth and branching, inner ends and twins among them."""
    chance = random.Random(seed)

    def ids(most):
        return [chance.randint(0, 1) for _ in range(chance.randint(0, most))]

    tries = []
    for _ in range(chance.randint(1, 3)):
        stem = ids(6)
        answers = [stem + ids(9) for _ in range(chance.randint(1, 6))]
        tries.append(Trie.of([1, *ids(5)], [*answers, answers[0], stem]))
    return tries


def inputs(tries, heads=4, kv_heads=2, width=8, dtype=torch.float64):
    length = sum(map(len, tries))
    torch.manual_seed(length)
    # as transformers hands them over: [1, T, H, D], transposed
    shapes = [(1, length, count, width) for count in (heads, kv_heads, kv_heads)]
    return [torch.randn(shape, dtype=dtype).transpose(1, 2).requires_grad_() for shape in shapes]


def naive(query, key, value, tries, window=None, softcap=None):
    """[1, T, H, D]: each token by itself, over the tokens of its path."""
    groups = query.shape[1] // key.shape[1]
    key, value = key.repeat_interleave(groups, 1), value.repeat_interleave(groups, 1)
    rows, start = [], 0
    for trie in tries:
        for place in range(len(trie)):
            path, ancestor = [], place
            while ancestor >= 0:
                path.insert(0, start + int(ancestor))
                ancestor = trie.parent[ancestor]
            path = path[-window:] if window else path
            scores = (query[0, :, start + place, None] * key[0, :, path]).sum(-1) * SCALE
            if softcap:
                scores = softcap * torch.tanh(scores / softcap)
            rows.append((scores.softmax(-1)[..., None] * value[0, :, path]).sum(1))
        start += len(trie)
    return torch.stack(rows)[None]


def assert_same_with_gradients(output, expected, tensors, tolerance=1e-10):
    torch.testing.assert_close(output, expected, rtol=0, atol=tolerance)
    slope = torch.sin(torch.arange(output.numel(), dtype=output.dtype)).view_as(output)
    gradients = torch.autograd.grad((output * slope).sum(), tensors)
    wanted = torch.autograd.grad((expected * slope).sum(), tensors)
    for gradient, other in zip(gradients, wanted, strict=True):
        torch.testing.assert_close(gradient, other, rtol=0, atol=tolerance)


@pytest.mark.parametrize("seed", range(25))
@pytest.mark.parametrize("kv_heads", [1, 4])
def test_segments_equal_naive(seed, kv_heads):
    tries = forest(seed)
    tensors = inputs(tries, kv_heads=kv_heads)
    output = segment_attention(*tensors, RowLayout.of(tries, Kernel.segments), SCALE)
    assert_same_with_gradients(output, naive(*tensors, tries), tensors)


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize(("window", "softcap"), [(None, None), (3, None), (None, 0.7), (4, 2.0)])
def test_dense_equals_naive(seed, window, softcap):
    tries = forest(seed)
    tensors = inputs(tries)
    layout = RowLayout.of(tries, Kernel.dense)
    output = dense_attention(*tensors, layout, SCALE, window, softcap)
    assert_same_with_gradients(output, naive(*tensors, tries, window, softcap), tensors)


@pytest.mark.parametrize(("window", "softcap"), [(None, None), (3, None), (4, 2.0)])
@pytest.mark.filterwarnings("ignore:flex_attention called without torch.compile")
def test_flex_equals_naive_forward(window, softcap):
    tries = forest(3)
    with torch.no_grad():
        tensors = [tensor.detach() for tensor in inputs(tries, width=16, dtype=torch.float32)]
        layout = RowLayout.of(tries, Kernel.flex)
        output = flex_tree_attention(*tensors, layout, SCALE, window, softcap)
        expected = naive(*tensors, tries, window, softcap)
    torch.testing.assert_close(output, expected, rtol=0, atol=1e-5)


def test_segments_in_half_precision_stay_within_its_noise():
    tries = forest(5)
    exact = inputs(tries, dtype=torch.float32)
    layout = RowLayout.of(tries, Kernel.segments)
    half = [tensor.detach().bfloat16() for tensor in exact]
    output = segment_attention(*half, layout, SCALE)
    assert output.dtype == torch.bfloat16
    torch.testing.assert_close(
        output.float(), segment_attention(*exact, layout, SCALE), rtol=0, atol=3e-2
    )


def test_segments_pass_a_check_by_finite_differences():
    tries = [Trie.of([1], [[1, 0], [1, 1], [0]]), Trie.of([0], [[1]])]
    tensors = inputs(tries, heads=2, kv_heads=1, width=4)
    layout = RowLayout.of(tries, Kernel.segments)
    assert torch.autograd.gradcheck(lambda *t: segment_attention(*t, layout, SCALE), tensors)
