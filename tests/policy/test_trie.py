"""The row of a trie holds each shared token once, and every path in its place."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from prefrun.policy.attention.kernel import Kernel
from prefrun.policy.attention.layout import RowLayout
from prefrun.policy.trie import Trie

ids = st.integers(0, 2)
prompts = st.lists(ids, min_size=1, max_size=5)
branches = st.lists(st.lists(ids, max_size=7).map(tuple), max_size=8)


def seen_by_ancestry(trie):
    """[T, T]: whether a place lies on the path to another, by the parents alone."""
    seen = np.zeros((len(trie), len(trie)), dtype=bool)
    for place in range(len(trie)):
        ancestor = place
        while ancestor >= 0:
            seen[place, ancestor] = True
            ancestor = trie.parent[ancestor]
    return seen


@given(prompts, branches)
def test_each_distinct_prefix_is_one_token(prompt, answers):
    trie = Trie.of(prompt, answers)
    prefixes = {answer[:length] for answer in answers for length in range(1, len(answer) + 1)}
    assert len(trie) == len(prompt) + len(prefixes)
    assert trie.ids[: trie.prompt].tolist() == prompt


@given(prompts, branches)
def test_a_branch_is_found_at_its_places(prompt, answers):
    trie = Trie.of(prompt, answers)
    for answer, places in zip(answers, trie.places, strict=True):
        assert trie.ids[places].tolist() == list(answer)
        path = [*range(len(prompt)), *places.tolist()]
        assert trie.depth[path].tolist() == list(range(len(path)))
        assert trie.parent[path].tolist() == [-1, *path[:-1]]


@given(prompts, branches)
def test_chains_and_blocks_are_the_ancestors_once(prompt, answers):
    trie = Trie.of(prompt, answers)
    counts = np.zeros((len(trie), len(trie)), dtype=int)
    for start, stop in trie.chains:
        counts[start:stop, start:stop] += np.tril(np.ones((stop - start, stop - start), dtype=int))
    for block in trie.blocks:
        counts[block.query_start : block.query_stop, block.key_start : block.key_stop] += 1
    assert (counts == seen_by_ancestry(trie)).all()


@given(prompts, branches, prompts, branches)
def test_mask_of_a_row_of_two_keeps_them_apart(prompt, answers, other_prompt, other_answers):
    one, two = Trie.of(prompt, answers), Trie.of(other_prompt, other_answers)
    layout = RowLayout.of([one, two], Kernel.dense)
    mask = layout.mask(0, len(one) + len(two), None).numpy()
    assert (mask[: len(one), : len(one)] == seen_by_ancestry(one)).all()
    assert (mask[len(one) :, len(one) :] == seen_by_ancestry(two)).all()
    assert not mask[: len(one), len(one) :].any()
    assert not mask[len(one) :, : len(one)].any()


@given(prompts, branches, st.randoms())
def test_order_of_the_branches_changes_no_row(prompt, answers, chance):
    shuffled = list(answers)
    chance.shuffle(shuffled)
    assert Trie.of(prompt, shuffled).ids.tolist() == Trie.of(prompt, answers).ids.tolist()


def test_a_list_is_one_causal_chain_and_one_block_for_all_other_answers():
    trie = Trie.of([7, 8, 9], [[1, 2], [3, 4, 5], [6]])
    assert trie.chains == ((0, 5), (5, 8), (8, 9))
    (block,) = trie.blocks
    assert (block.query_start, block.query_stop) == (5, 9)
    assert (block.key_start, block.key_stop) == (0, 3)
