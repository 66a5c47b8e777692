"""What is refused, or said, of a start model before anything is computed with it."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from prefrun.errors import ConfigError, PrefrunError
from prefrun.policy.adapter import has_adapter
from prefrun.policy.head import unwrap
from prefrun.policy.policy import LoadedModel
from prefrun.schema import EvaluationConfig, TrainerConfig

PROBED = 16
"""Tokens of the made-up text whose log-probs are looked at."""
LOW_PRECISION = {torch.bfloat16: 256, torch.float16: 2048}
"""By dtype, the part of a weight below which an update is lost."""


def check_start(
    loaded: LoadedModel, trainer: TrainerConfig, evaluation: EvaluationConfig, trains: bool = True
) -> list[str]:
    """Return what the user should know of LOADED under these settings, a line each.

    TRAINS: whether its weights are to be trained.

    Raises ConfigError for texts longer than learned positions, PrefrunError for weights that give
    no finite log-probs.
    """
    notes = [loaded.note] if loaded.note else []
    notes += _check_positions(loaded, trainer, evaluation)
    check_finite(loaded)
    part = LOW_PRECISION.get(unwrap(loaded.model).dtype)
    if part and trains and not has_adapter(loaded.model):
        dtype = str(unwrap(loaded.model).dtype).removeprefix("torch.")
        notes.append(
            f"all weights are trained in {dtype}: an update below 1/{part} of a weight is lost; "
            "summary.json says which share moved. model.dtype=float32 or model.lora.rank=16 loses "
            "none"
        )
    return notes


@torch.no_grad()
def check_finite(loaded: LoadedModel) -> None:
    """Raise PrefrunError, naming the weights to blame, if LOADED gives log-probs that are NaN."""
    model = unwrap(loaded.model)
    rows = model.get_input_embeddings().weight.shape[0]
    ids = torch.linspace(0, rows - 1, PROBED, device=model.device).long()[None]
    if not loaded.model(input_ids=ids).logits.float().log_softmax(-1).isnan().any():
        return
    broken = [name for name, value in loaded.model.named_parameters() if not _is_finite(value)]
    dtype = str(model.dtype).removeprefix("torch.")
    reason = f"all its weights are finite, so {dtype} overflows"
    remedy = "model.dtype=float32, or bfloat16"
    if broken:
        more = f" and {len(broken) - 3} more" if len(broken) > 3 else ""
        reason = f"not finite are {', '.join(broken[:3])}{more}"
        remedy = "take the files from their source again, or an earlier checkpoint"
    raise PrefrunError(
        f"the start model '{loaded.name}' gives log-probs that are not finite: {reason}\n"
        f"  remedy: {remedy}"
    )


def _is_finite(value: torch.Tensor) -> bool:
    return bool(torch.isfinite(value).all())


def _check_positions(
    loaded: LoadedModel, trainer: TrainerConfig, evaluation: EvaluationConfig
) -> list[str]:
    """Return a line if texts may have more tokens than the model has positions."""
    model = unwrap(loaded.model)
    positions = getattr(model.config.get_text_config(), "max_position_embeddings", None)
    if not isinstance(positions, int) or positions < 1:
        return []
    found = _beyond(positions, trainer, evaluation)
    if found is None:
        return []
    what, remedy = found
    if _learns_positions(model):
        raise ConfigError(
            f"{what} is more than the {positions} positions that the model has learned "
            f"(max_position_embeddings={positions})\n  remedy: {remedy}"
        )
    return [
        f"{what} is more than the model was made for (max_position_embeddings={positions}): what "
        f"is measured on longer texts says little. {remedy} keeps within it"
    ]


def _beyond(
    positions: int, trainer: TrainerConfig, evaluation: EvaluationConfig
) -> tuple[str, str] | None:
    """Return the key that allows texts longer than POSITIONS, and what to set instead."""
    if trainer.max_length > positions:
        return f"trainer.max_length={trainer.max_length}", f"trainer.max_length={positions}"
    answer = evaluation.max_new_tokens
    # see `LengthLimit.truncate_prompts`
    prompt = trainer.max_prompt_length or max(trainer.max_length // 2, trainer.max_length - answer)
    if prompt + answer <= positions:
        return None
    what = f"evaluation.max_new_tokens={answer} behind prompts of up to {prompt} tokens"
    if answer >= positions:
        return what, f"evaluation.max_new_tokens={positions // 2}"
    return what, f"trainer.max_prompt_length={positions - answer}"


def _learns_positions(model: Any) -> bool:
    """Whether MODEL looks positions up in a table, as GPT-2 and OPT do, and computes none."""
    return any(
        isinstance(module, nn.Embedding)
        and (name.endswith("wpe") or "position" in name.rpartition(".")[2])
        for name, module in model.named_modules()
    )
