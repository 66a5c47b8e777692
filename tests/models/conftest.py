"""The tiny random models of the policy tests."""

from tests.policy.conftest import loaded, make_model, make_tokenizer, tokenizer

__all__ = ["loaded", "make_model", "make_tokenizer", "tokenizer"]
