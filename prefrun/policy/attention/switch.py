"""Switches a transformers model to tree attention and back.

transformers asks `AttentionInterface` by name for the function that attends, and passes on every
keyword it does not know: `tree_layout` gets to each layer that way, with or without gradient
checkpointing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any
from weakref import WeakKeyDictionary, WeakSet

from torch import Tensor
from transformers import AttentionInterface
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

from prefrun.policy.attention.dense import dense_attention
from prefrun.policy.attention.flex import flex_tree_attention
from prefrun.policy.attention.kernel import Kernel
from prefrun.policy.attention.layout import RowLayout
from prefrun.policy.attention.segments import segment_attention
from prefrun.policy.head import unwrap

NAME = "prefrun_trees"
"""What transformers knows tree attention by."""
_OUTSIDE: WeakKeyDictionary[Any, str] = WeakKeyDictionary()
"""How each model that attends along trees does outside."""
_REMEMBERING: WeakSet[Any] = WeakSet()
"""Models whose activations are computed again as `remembering` says."""


@contextmanager
def tree_attention(model: Any) -> Iterator[None]:
    """Let MODEL, wrapped or not, attend along trees; afterwards as before. May be nested.

    With gradient checkpointing the backward pass belongs inside, too: it attends again.
    """
    causal_lm = unwrap(model)
    before = causal_lm.config._attn_implementation
    if before == NAME:
        yield
        return
    causal_lm.set_attn_implementation(NAME)
    _OUTSIDE[causal_lm] = before
    try:
        yield
    finally:
        causal_lm.set_attn_implementation(before)


@contextmanager
def ordinary_attention(model: Any) -> Iterator[None]:
    """Let MODEL attend as outside `tree_attention`, inside it, too; afterwards as before."""
    if not is_active(model):
        yield
        return
    causal_lm = unwrap(model)
    causal_lm.set_attn_implementation(_OUTSIDE[causal_lm])
    try:
        yield
    finally:
        causal_lm.set_attn_implementation(NAME)


def is_active(model: Any) -> bool:
    """Tell whether MODEL attends along trees now."""
    return bool(unwrap(model).config._attn_implementation == NAME)


def remembering(model: Any) -> Callable[[], tuple[AbstractContextManager[None], ...]]:
    """Return a `context_fn` for torch's checkpoint: MODEL attends again as the first time.

    With it a backward pass need not be inside `tree_attention`.
    """
    _REMEMBERING.add(unwrap(model))

    def contexts() -> tuple[AbstractContextManager[None], ...]:
        again = tree_attention if is_active(model) else ordinary_attention
        return nullcontext(), again(model)

    return contexts


def attends_otherwise_again(model: Any) -> bool:
    """Tell whether a backward pass outside `tree_attention` would compute with another one."""
    causal_lm = unwrap(model)
    is_checkpointing = causal_lm.is_activation_checkpointing
    return is_checkpointing and not is_active(model) and causal_lm not in _REMEMBERING


def attend(
    module: Any,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    *,
    scaling: float | None = None,
    tree_layout: RowLayout | None = None,
    sliding_window: int | None = None,
    softcap: float | None = None,
    **rest: Any,
) -> tuple[Tensor, None]:
    """Attend as transformers asks it of an attention function; the layout replaces the mask.

    A caller's own mask [B, 1 or heads, L, L], without trees, stands as it is.
    Raises ValueError for a model that does not pass the layout on, or has attention sinks.
    """
    if tree_layout is None and _is_whole(attention_mask) and softcap is None:
        plain: Any = ALL_ATTENTION_FUNCTIONS["sdpa"]
        result: tuple[Tensor, None] = plain(
            module, query, key, value, attention_mask, scaling=scaling, **rest
        )
        return result
    if tree_layout is None:
        raise ValueError(f"{type(module).__name__} did not pass on the trees' layout")
    if rest.get("s_aux") is not None:
        raise ValueError(f"{type(module).__name__} has attention sinks, which trees do not know")
    scale = query.shape[-1] ** -0.5 if scaling is None else scaling
    window = sliding_window if sliding_window and sliding_window < tree_layout.deepest else None
    if tree_layout.kernel is Kernel.flex:
        return flex_tree_attention(query, key, value, tree_layout, scale, window, softcap), None
    if tree_layout.kernel is Kernel.dense or window is not None or softcap is not None:
        return dense_attention(query, key, value, tree_layout, scale, window, softcap), None
    return segment_attention(query, key, value, tree_layout, scale), None


def _is_whole(mask: Tensor | None) -> bool:
    """Tell whether MASK says of every pair of positions whether one sees the other."""
    return mask is not None and mask.dim() == 4


AttentionInterface.register(NAME, attend)
