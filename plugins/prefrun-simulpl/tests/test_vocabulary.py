"""Learned subwords hold for every text, also for one that was split before."""

from __future__ import annotations

from prefrun_simulpl.vocabulary import learn_subwords, new_tokenizer


def test_words_that_were_split_before_are_split_anew_by_what_is_learned():
    tokenizer = new_tokenizer()
    before = tokenizer("banana banana")["input_ids"]
    learn_subwords(tokenizer.backend_tokenizer, ["banana banana banana"] * 5, 300)
    after = tokenizer("banana banana")["input_ids"]
    assert len(after) < len(before)
    assert tokenizer.decode(after) == "banana banana"
