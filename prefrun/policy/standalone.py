"""A policy from a model that is not the run's own: a judge's, a teacher's."""

from __future__ import annotations

from prefrun.policy.model_policy import ModelPolicy
from prefrun.policy.packing_choice import choose_packing
from prefrun.policy.policy import LoadedModel
from prefrun.policy.tokenise import Tokeniser


def standalone(
    loaded: LoadedModel, max_length: int, batch_size: int = 32, batch_tokens: int = 32768
) -> ModelPolicy:
    """Return LOADED as a policy outside of any run, such as that of a reward with a model inside.

    MAX_LENGTH: tokens of prompt and answer together. BATCH_SIZE: prompts answered together.
    BATCH_TOKENS: distinct tokens scored together. Within a run, whose limits then count, there is
    `Services.policy_of`. Raises ConfigError if the model's `attention` does not fit it.
    """
    packing = choose_packing(loaded.model, loaded.attention)
    tokeniser = Tokeniser(loaded.tokenizer, max_length)
    return ModelPolicy(loaded, tokeniser, batch_size, packing, batch_tokens)
