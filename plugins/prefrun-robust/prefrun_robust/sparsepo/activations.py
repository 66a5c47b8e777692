"""Reads a model's hidden states and mean activations during a forward pass, by hooks."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from prefrun.errors import ConfigError
from prefrun.policy.head import unwrap

OUTPUTS = {"attention": re.compile(r"\.(q_proj|k_proj|v_proj|c_attn|query_key_value|qkv_proj)$")}
"""Layers whose output is an activation, by type. Fused ones give one mean for all three."""
INPUTS = {
    "mlp": re.compile(r"\.(down_proj|mlp\.c_proj|dense_4h_to_h|fc2|fc_out)$"),
    "attention": re.compile(r"\.(o_proj|attn\.c_proj|attention\.dense|out_proj)$"),
}
"""Layers whose input is one: what comes after the non-linearity, and the mixed values."""


@dataclass(slots=True)
class Seen:
    """What hooks saw in one forward pass, by rows and positions."""

    states: tuple[Tensor, ...] = ()
    """Per layer, the embedding left out, [R, L, H]."""
    means: dict[str, list[Tensor]] = field(default_factory=dict)
    """Per type, per hook, [R, L] means over features."""


@contextmanager
def watching(model: Any, types: Collection[str]) -> Iterator[Seen]:
    """Let a forward pass of MODEL with `output_hidden_states=True` fill what is yielded.

    TYPES: of mlp, attention; residual comes from the states. Raises ConfigError where MODEL has no
    layer of a type.
    """
    seen = Seen()
    causal_lm = unwrap(model)

    def keep_states(module: Any, inputs: Any, output: Any) -> None:
        seen.states = tuple(output.hidden_states[1:])

    def keep_mean(kind: str, values: Tensor) -> None:
        seen.means.setdefault(kind, []).append(values.detach().float().mean(-1))

    handles = [causal_lm.base_model.register_forward_hook(keep_states)]
    for kind in types:
        hooks = [
            module.register_forward_hook(lambda m, i, output, kind=kind: keep_mean(kind, output))
            for module in _matching(causal_lm, OUTPUTS.get(kind))
        ]
        hooks += [
            module.register_forward_pre_hook(
                lambda m, inputs, kind=kind: keep_mean(kind, inputs[0])
            )
            for module in _matching(causal_lm, INPUTS.get(kind))
        ]
        handles += hooks
        if not hooks:
            _remove(handles)
            raise ConfigError(
                f"algo.activations: no layers of type '{kind}' are known in a "
                f"{type(causal_lm).__name__}\n  remedy: leave it out, such as "
                "algo.activations=[residual,logits]"
            )
    try:
        yield seen
    finally:
        _remove(handles)


def _matching(model: Any, pattern: re.Pattern[str] | None) -> list[Any]:
    if pattern is None:
        return []
    return [module for name, module in model.named_modules() if pattern.search(f".{name}")]


def _remove(handles: list[Any]) -> None:
    for handle in handles:
        handle.remove()
