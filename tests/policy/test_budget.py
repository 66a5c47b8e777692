"""Trees are divided into passes of a given size, and those above it into pieces."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch

from prefrun.models.text import LanguageModel
from prefrun.policy.attention.kernel import Kernel
from prefrun.policy.budget import cut_to_budget, in_budget
from prefrun.policy.packing import PLAIN, Packing
from prefrun.policy.scoring import scored_batches
from prefrun.policy.tokenise import Tokeniser

PACKED = Packing(Kernel.segments)


@pytest.fixture
def tokens(tokenizer, trees):
    """The trees as ids."""
    return Tokeniser(tokenizer, 256).tokenise_all(trees)


@pytest.mark.parametrize("packing", [PLAIN, PACKED], ids=["plain", "packed"])
@pytest.mark.parametrize("budget", [1, 40, 80, 10_000])
def test_every_branch_is_in_one_piece_of_at_most_the_budget(tokens, packing, budget):
    pieces = cut_to_budget(tokens, packing, budget)
    places = [(piece.index, branch) for piece in pieces for branch in piece.branches]
    assert sorted(places) == [(b, k) for b, t in enumerate(tokens) for k in range(len(t.branches))]
    for piece in pieces:
        tree = tokens[piece.index]
        assert piece.encoded.prompt_ids == tree.prompt_ids
        assert piece.encoded.branches == tuple(tree.branches[k] for k in piece.branches)
        assert piece.encoded.step_ends == tuple(tree.step_ends[k] for k in piece.branches)
        assert piece.whole == (len(piece.branches) == len(tree.branches))
        assert packing.size(piece.encoded) <= budget or len(piece.branches) == 1


def test_passes_are_as_full_as_the_order_allows(tokens):
    pieces = cut_to_budget(tokens, PACKED, 10_000)
    sizes = [PACKED.size(piece.encoded) for piece in pieces]
    for budget in (1, max(sizes), sizes[0] + sizes[1], sum(sizes)):
        batches = list(in_budget(pieces, PACKED, budget))
        assert [piece for batch in batches for piece in batch] == pieces
        for batch, following in pairwise(batches):
            total = sum(PACKED.size(piece.encoded) for piece in batch)
            assert total <= budget or len(batch) == 1
            assert total + PACKED.size(following[0].encoded) > budget


@pytest.mark.parametrize("budget", [1, 40, 90])
def test_cutting_changes_no_log_prob(tokens, loaded, budget):
    def scores(packing, budget):
        found = {}
        for batch in scored_batches(LanguageModel(loaded, packing), tokens, budget):
            for piece, logps in batch:
                for branch, values in zip(piece.branches, logps.token_logps, strict=True):
                    found[piece.index, branch] = values
        return found

    whole, cut = scores(PLAIN, 10_000), scores(PACKED, budget)
    assert whole.keys() == cut.keys()
    for place, values in whole.items():
        torch.testing.assert_close(cut[place], values, rtol=0, atol=1e-5)
