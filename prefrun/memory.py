"""Turns every way to run out of memory into one error that says when, and what to lower."""

from __future__ import annotations

import re
import traceback
from collections.abc import Iterator
from contextlib import contextmanager

from prefrun.errors import MemoryFullError, first_sentence

LOADING = "loading the model"
EVALUATING = "evaluation"
REFERENCE = "computing the reference log-probs"
TRAINING = "training"
SAVING = "saving the model"
RUNNING = "the run"

_SMALLER = "model.dtype=bfloat16, or a smaller model"
_SCORING = "lower evaluation.batch_tokens or trainer.max_length; or use "
REMEDIES = {
    LOADING: f"use {_SMALLER}",
    EVALUATING: (
        "lower evaluation.batch_size, evaluation.batch_tokens or evaluation.max_new_tokens; or use "
        f"{_SMALLER}"
    ),
    REFERENCE: f"{_SCORING}{_SMALLER}",
    TRAINING: (
        "lower trainer.micro_batch_tokens or trainer.max_length; or use "
        "trainer.gradient_checkpointing=true, model.lora.rank=16 (far fewer trained weights), "
        f"{_SMALLER}"
    ),
    SAVING: f"use {_SMALLER}",
    RUNNING: (
        "lower data.max_records, trainer.micro_batch_tokens, evaluation.batch_tokens or "
        "evaluation.batch_size; or use trainer.gradient_checkpointing=true, model.lora.rank=16, "
        f"{_SMALLER}"
    ),
}
"""By phase: what to lower there."""
NO_MEMORY = re.compile(
    "out of memory|not enough memory|can't allocate memory|cannot allocate memory|bad_alloc"
    "|ALLOC_FAILED",
    re.IGNORECASE,
)
"""What torch and the libraries below it say, in errors of many types."""


@contextmanager
def naming_out_of_memory(phase: str) -> Iterator[None]:
    """Raise MemoryFullError, with the remedy of PHASE, if the memory of CPU or GPU is used up.

    The innermost one speaks; every other error passes. Also a decorator.
    """
    try:
        yield
    except MemoryFullError:
        raise
    except Exception as error:
        full = _cause(error)
        if full is None:
            raise
        traceback.clear_frames(full.__traceback__)  # they hold what filled the memory
        raise MemoryFullError(
            f"out of memory in {phase}: {first_sentence(full)}\n  remedy: {REMEDIES[phase]}"
        ) from full


def _cause(error: BaseException | None) -> Exception | None:
    """The shortage of memory behind ERROR: those who load files take it for a damaged file."""
    while error is not None:
        if isinstance(error, Exception) and is_out_of_memory(error):
            return error
        error = error.__cause__
    return None


def is_out_of_memory(error: BaseException) -> bool:
    """Whether ERROR says that there is no memory left, on the CPU or on a GPU."""
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return True
    return isinstance(error, RuntimeError | OSError) and bool(NO_MEMORY.search(str(error)))
