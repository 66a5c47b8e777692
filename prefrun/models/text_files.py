"""Writes a trained language model, and looks whether what was written is what was measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from transformers import AutoModelForCausalLM, AutoTokenizer
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING

from prefrun.builtin.loading import fit_tokenizer, no_progress_bar, stored_tokenizer
from prefrun.errors import first_sentence
from prefrun.policy.adapter import has_adapter, known_warnings_off, save_weights
from prefrun.policy.head import unwrap
from prefrun.policy.packing import PLAIN
from prefrun.policy.policy import LoadedModel
from prefrun.policy.scoring import numbers_of
from prefrun.policy.tokenise import Tokeniser

if TYPE_CHECKING:
    from prefrun.models.text import LanguageModel
    from prefrun.records.tree import PreferenceTree

TOLERANCE = {torch.float64: 1e-8, torch.float32: 1e-4, torch.bfloat16: 5e-2, torch.float16: 1e-2}
"""Largest mean difference of a token's log-prob, in nats, that rounding explains, by dtype."""
BUDGET = 32768
"""Tokens that are scored together."""


def save(loaded: LoadedModel, folder: Path) -> None:
    """Write model and tokenizer in Hugging Face layout."""
    save_weights(loaded.model, folder)
    stored_tokenizer(loaded.tokenizer).save_pretrained(folder)


def problem_with(kind: LanguageModel, folder: Path, trees: Sequence[PreferenceTree]) -> str | None:
    """Compare the model that a plain loader reads from FOLDER with the trained one, of KIND.

    Returns what is wrong; None if log-probs of TREES agree within rounding.
    """
    loaded = kind.loaded
    measured = _logps(kind, trees)
    try:
        saved, packing = load_saved(folder, loaded), kind.packing
    except torch.OutOfMemoryError:
        loaded.model.cpu()
        saved, packing = load_saved(folder, loaded), PLAIN
    except Exception as error:  # whatever a file can do to transformers, peft and safetensors
        return f"it cannot be loaded: {first_sentence(error)}"
    limits = kind.tokeniser.limit
    again = type(kind)(saved, packing)
    again.tokeniser = Tokeniser(
        saved.tokenizer, limits.max_length, limits.max_prompt_length, limits.keep
    )
    return _difference(measured, _logps(again, trees), loaded.model, len(trees))


def load_saved(folder: Path, like: LoadedModel) -> LoadedModel:
    """Load FOLDER as anyone would, with the dtype, attention and device of LIKE."""
    base = unwrap(like.model)
    loader: Any = AutoModelForCausalLM
    if has_adapter(like.model):
        from peft import AutoPeftModelForCausalLM

        loader = AutoPeftModelForCausalLM
    elif type(base.config) not in MODEL_FOR_CAUSAL_LM_MAPPING:
        loader = type(base)  # a plugin's own, which transformers does not know
    with no_progress_bar(), known_warnings_off():
        model = loader.from_pretrained(
            folder, dtype=base.dtype, attn_implementation=base.config._attn_implementation
        )
    model = model.to(base.device).eval()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    fit_tokenizer(tokenizer, unwrap(model), str(folder))
    return replace(like, model=model, tokenizer=tokenizer)


def _logps(kind: LanguageModel, trees: Sequence[PreferenceTree]) -> list[Tensor]:
    """Return [T] log-probs of each branch."""
    return list(chain.from_iterable(numbers_of(kind, kind.encode(trees), BUDGET)))


def _difference(measured: list[Tensor], found: list[Tensor], model: Any, count: int) -> str | None:
    """Return how log-probs of COUNT records differ; None if rounding explains it."""
    if [len(each) for each in measured] != [len(each) for each in found]:
        return "its tokenizer makes other tokens of the records"
    if not measured:
        return None
    gap = (torch.cat(measured) - torch.cat(found)).abs().mean().item()
    limit = TOLERANCE.get(unwrap(model).dtype, TOLERANCE[torch.float32])
    if gap <= limit:
        return None
    return (
        f"loaded again, log-probs of {count} records differ by {gap:.3g} nats per token "
        f"(rounding explains {limit:g})"
    )
