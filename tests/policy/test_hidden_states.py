"""Step embeddings are the means of the last hidden states over each step's tokens."""

from __future__ import annotations

import pytest
import torch

from prefrun.policy.attention.kernel import Kernel
from prefrun.policy.collate import collate_tokens
from prefrun.policy.logprobs import token_logprobs
from prefrun.policy.packing import PLAIN, Packing
from prefrun.policy.tokenise import TokenisedTree
from prefrun.policy.truncation import TruncationCount

TREES = [
    TokenisedTree(
        "a",
        (5, 6, 7),
        ((8, 9, 10, 11), (8, 9, 12), ()),
        ((2, 4), (1, 3), (0, 0)),
        TruncationCount(),
    ),
    TokenisedTree("b", (5,), ((20, 21, 22),), ((1, 2, 3),), TruncationCount()),
]


def naive(model):
    """[B, K, S, H] from one forward pass per branch."""
    width = model.config.hidden_size
    means = torch.zeros(2, 3, 3, width)
    for b, tree in enumerate(TREES):
        for k, (ids, ends) in enumerate(zip(tree.branches, tree.step_ends, strict=True)):
            row = torch.tensor([[*tree.prompt_ids, *ids]])
            states = model(row, output_hidden_states=True).hidden_states[-1][0]
            answer = states[len(tree.prompt_ids) :]
            for s, (start, stop) in enumerate(zip((0, *ends), ends, strict=False)):
                if stop > start:
                    means[b, k, s] = answer[start:stop].mean(0)
    return means


@pytest.mark.parametrize("packing", [PLAIN, Packing(Kernel.segments)], ids=["plain", "packed"])
@pytest.mark.parametrize("family", ["llama", "gpt2", "gemma3"])
def test_equal_naive_with_gradients(family, packing, make_model):
    model = make_model(family)
    batch = collate_tokens(TREES, 0, packing)
    logps, extras = token_logprobs(model, batch, frozenset({"step_embeddings"}))
    expected = naive(model)
    torch.testing.assert_close(extras["step_embeddings"], expected, rtol=0, atol=1e-5)
    slope = torch.sin(torch.arange(expected.numel(), dtype=torch.float32)).view_as(expected)
    parameters = [model.get_input_embeddings().weight]
    (gradient,) = torch.autograd.grad((extras["step_embeddings"] * slope).sum(), parameters)
    (wanted,) = torch.autograd.grad((expected * slope).sum(), parameters)
    torch.testing.assert_close(gradient, wanted, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(logps, token_logprobs(model, batch)[0])
