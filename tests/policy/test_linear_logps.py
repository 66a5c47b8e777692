"""Chunked log-probs of a linear head: values and gradients of the full computation."""

from __future__ import annotations

import pytest
import torch

import prefrun.policy.linear_logps as module
from prefrun.policy.linear_logps import LinearHead, chunk_rows, linear_logps


def full(rows, targets, weight, bias, scale, softcap):
    logits = scale * torch.nn.functional.linear(rows, weight, bias)
    if softcap is not None:
        logits = softcap * torch.tanh(logits / softcap)
    return logits.log_softmax(-1).gather(-1, targets[:, None]).squeeze(-1)


def made_up(dtype=torch.float64, count=9):
    torch.manual_seed(0)
    shapes = ((count, 5), (11, 5), (11,))
    tensors = [torch.randn(shape, dtype=dtype, requires_grad=True) for shape in shapes]
    return tensors, torch.randint(0, 11, (count,))


@pytest.mark.parametrize("kept", [0, 1 << 20])
@pytest.mark.parametrize("size", [2, 100])
@pytest.mark.parametrize(("scale", "softcap"), [(1.0, None), (0.5, None), (1.0, 2.0), (1.7, 3.0)])
@pytest.mark.parametrize("with_bias", [False, True])
def test_equals_the_full_computation(with_bias, scale, softcap, size, kept, monkeypatch):
    monkeypatch.setattr(module, "chunk_rows", lambda vocabulary: size)
    monkeypatch.setattr(module, "KEEP_BYTES", kept)
    (rows, weight, bias), targets = made_up()
    bias = bias if with_bias else None
    tensors = [tensor for tensor in (rows, weight, bias) if tensor is not None]
    expected = full(rows, targets, weight, bias, scale, softcap)
    (logps,) = linear_logps(rows, targets, LinearHead(weight, bias, scale, softcap))
    torch.testing.assert_close(logps, expected)
    slope = torch.arange(1.0, 10.0, dtype=torch.float64)
    for retained in (True, False):  # a second backward pass finds what it needs
        gradients = torch.autograd.grad((logps * slope).sum(), tensors, retain_graph=retained)
        wanted = torch.autograd.grad((expected * slope).sum(), tensors, retain_graph=retained)
        for gradient, other in zip(gradients, wanted, strict=True):
            torch.testing.assert_close(gradient, other)


def test_finite_differences_agree():
    (rows, weight, bias), targets = made_up(count=4)

    def logps(rows, weight, bias):
        return linear_logps(rows, targets[:4], LinearHead(weight, bias, 0.8, 2.0))[0]

    assert torch.autograd.gradcheck(logps, (rows, weight, bias))


def test_frozen_head_gets_no_gradient():
    (rows, weight, _), targets = made_up()
    frozen = weight.detach()
    (logps,) = linear_logps(rows, targets, LinearHead(frozen, None, 1.0, None))
    logps.sum().backward()
    assert frozen.grad is None
    (gradient,) = torch.autograd.grad(full(rows, targets, frozen, None, 1.0, None).sum(), rows)
    torch.testing.assert_close(rows.grad, gradient)


def test_extras_are_made_of_the_log_probs_and_carry_no_gradient(monkeypatch):
    monkeypatch.setattr(module, "chunk_rows", lambda vocabulary: 4)
    (rows, weight, _), targets = made_up()
    head = LinearHead(weight, None, 1.0, None)
    logps, best = linear_logps(rows, targets, head, [lambda values: values.max(-1).values])
    torch.testing.assert_close(best, head.logits(rows).log_softmax(-1).max(-1).values)
    assert logps.requires_grad
    assert not best.requires_grad


def test_half_precision_is_summed_in_float32():
    (rows, weight, _), targets = made_up(torch.float32)
    half = [tensor.detach().bfloat16().requires_grad_() for tensor in (rows, weight)]
    (logps,) = linear_logps(half[0], targets, LinearHead(half[1], None, 1.0, None))
    assert logps.dtype == torch.float32
    exact = full(half[0].float(), targets, half[1].float(), None, 1.0, None)
    torch.testing.assert_close(logps, exact, rtol=0, atol=5e-2)
    logps.sum().backward()
    assert half[0].grad.dtype == half[1].grad.dtype == torch.bfloat16


def test_no_rows_give_no_values():
    (rows, weight, _), targets = made_up()
    (logps,) = linear_logps(rows[:0], targets[:0], LinearHead(weight, None, 1.0, None))
    assert logps.shape == (0,)
    logps.sum().backward()
    assert (weight.grad == 0).all()


@pytest.mark.parametrize("vocabulary", [100, 8192, 32000, 128256])
def test_a_chunk_of_logits_is_small(vocabulary):
    assert 64 <= chunk_rows(vocabulary) <= 1024
    assert chunk_rows(vocabulary) * vocabulary * 4 <= max(24 << 20, 64 * vocabulary * 4)
