"""A completion ends with the token that completes a stop string, whatever its tokens are."""

from __future__ import annotations

import pytest

from prefrun.policy.sampling.stops import Stops


def ends(tokenizer, model, text, *strings):
    """The text until the first token after which a stop string is there, token by token."""
    stops = Stops(model, tokenizer, {4}, strings)
    ids = tokenizer(text)["input_ids"]
    for count, token in enumerate(ids, start=1):
        if stops.may_complete(token) and stops.are_in(ids[:count]):
            return stops.text(ids[:count])
    return None


@pytest.mark.parametrize("string", ["\n\n", "lazy dog", ".", "é", "g", "🙂", " "])
def test_string_is_found_where_the_text_first_has_it(tokenizer, make_model, string):
    text = "the quick brown fox jumps over the lazy dog.\n\nStep 2: café 🙂 then"
    found = ends(tokenizer, make_model("llama"), text, string, "never")
    assert found == text[: text.index(string) + len(string)]


def test_first_of_several_strings_counts(tokenizer, make_model):
    assert ends(tokenizer, make_model("llama"), "red or green", "green", "or") == "red or"
    assert ends(tokenizer, make_model("llama"), "red or green", "blue") is None


def test_models_own_end_tokens_count(tokenizer, make_model):
    model = make_model("llama")
    model.generation_config.eos_token_id = [9, 11]
    assert Stops(model, tokenizer, {4}).ids == {4, 9, 11}
    model.generation_config.eos_token_id = None
    assert Stops(model, tokenizer, {4}).ids == {4}
