"""Lets a computation run where a causal language model applies its head.

A wrapped model (PEFT, DDP, FSDP, autocast) is called as a whole, so all wrappers work. What its
head would project, all positions of all rows, is handed to the caller instead, with a function
that projects any rows of it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn

from prefrun.policy.linear_logps import LinearHead, at_least_float32

log = logging.getLogger(__name__)

Result = TypeVar("Result")
ToLogits = Callable[[Tensor], Tensor]
"""[N, H] rows of the head's input -> [N, V] logits in at least float32. A `Head` where it can."""


@dataclass(slots=True)
class Head:
    """A head that is one module on the last hidden state, then a scale and a soft cap."""

    module: nn.Module
    scale: float
    softcap: float | None
    exact: bool | None = None
    """Whether it gives the model's own logits; None until the first forward pass has shown it."""

    @classmethod
    def of(cls, model: Any) -> Head | None:
        """Read the head of a transformers causal language model; None where there is no module."""
        module = model.get_output_embeddings()
        if module is None:
            return None
        config = model.config.get_text_config()
        scale = getattr(model, "logit_scale", None) or 1 / getattr(config, "logits_scaling", 1.0)
        return cls(module, float(scale), getattr(config, "final_logit_softcapping", None))

    def linear(self) -> LinearHead | None:
        """The head as plain tensors; None where its module does more, such as an adapter."""
        module: Any = self.module
        if type(module).forward is not nn.Linear.forward or "forward" in vars(module):
            return None
        return LinearHead(module.weight, module.bias, self.scale, self.softcap)

    def __call__(self, hidden: Tensor) -> Tensor:
        """[N, H] -> [N, V] in at least float32."""
        scaled: Tensor = at_least_float32(self.module.forward(hidden)) * self.scale
        if self.softcap is None:
            return scaled
        return torch.tanh(scaled / self.softcap) * self.softcap

    def probe(self, hidden: Tensor) -> Tensor:
        """Return [1, 2, H] made-up hidden states whose logits are large enough to show a cap."""
        width = hidden.shape[-1]
        steps = torch.arange(2 * width, device=hidden.device, dtype=torch.float32)
        rows = torch.sin(steps * 12.9898).view(1, 2, width).to(hidden.dtype)
        logits: Tensor = self.module.forward(rows)
        return rows * (50 / logits.abs().max().clamp(min=1e-6))


_HEADS: WeakKeyDictionary[Any, Head | None] = WeakKeyDictionary()


def at_head(
    model: Any,
    inputs: Mapping[str, Any],
    use: Callable[[Tensor, ToLogits], Result],
) -> Result:
    """Run MODEL on INPUTS and return what USE makes of (head input [R, L, H], to_logits).

    Where the model's head is not a plain one, USE gets the full logits [R, L, V] and an identity.
    With gradient, USE returns a tuple of tensors.
    """
    causal_lm = unwrap(model)
    head = _head_of(causal_lm)
    if head is not None and head.exact is not False:
        results, logits, expected = _intercept(model, inputs, head, use)
        if head.exact is None:
            head.exact = bool(results) and _same(logits, expected)
        if head.exact:
            return results[0]
        log.warning(
            "%s applies more than a linear head: full logits are computed", type(causal_lm).__name__
        )
    full = model(**inputs, use_cache=False).logits
    return use(full, at_least_float32)


def _intercept(
    model: Any,
    inputs: Mapping[str, Any],
    head: Head,
    use: Callable[[Tensor, ToLogits], Result],
) -> tuple[list[Result], Tensor, Tensor | None]:
    """Run USE in place of the head's forward, once, so that FSDP's hooks see one plain call."""
    module: Any = head.module
    own = vars(module).get("forward")
    results: list[Result] = []
    expected: Tensor | None = None

    def restore() -> None:
        if own is None:
            vars(module).pop("forward", None)
        else:
            module.forward = own

    def intercept(*args: Tensor, **keywords: Any) -> Tensor:
        nonlocal expected
        restore()  # `use` calls it
        if len(args) != 1 or keywords:
            return module.forward(*args, **keywords)  # type: ignore[no-any-return]
        hidden = args[0]
        with torch.no_grad():
            probe = hidden.reshape(1, -1, hidden.shape[-1])[:, :1]
            if head.exact is None:
                probe = head.probe(hidden)
                expected = head(probe)
            logits: Tensor = module.forward(probe)
        results.append(use(hidden, head))
        learned = results[0] if isinstance(results[0], tuple) else ()
        return _joined(logits, *filter(_learns, learned))

    module.forward = intercept
    try:
        logits = model(**inputs, use_cache=False).logits
    finally:
        restore()
    return [_tied(result, logits) for result in results], logits, expected


class _Joined(torch.autograd.Function):
    """See `_joined`."""

    @staticmethod
    def forward(ctx: Any, value: Tensor, *others: Tensor) -> Tensor:
        ctx.save_for_backward(*others)
        return value.view_as(value)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, ...]:
        return (*gradients, *map(torch.zeros_like, ctx.saved_tensors))


def _joined(value: Tensor, *others: Tensor) -> Tensor:
    """Return VALUE, whose backward pass goes on into OTHERS, too, with gradients of zero."""
    apply: Any = _Joined.apply
    joined: Tensor = apply(value, *others) if others else value
    return joined


def _tied(result: Result, logits: Tensor) -> Result:
    """Let RESULT's backward pass begin at the model's output, where wrappers wait for it.

    DDP looks there for the parameters in use; FSDP and DeepSpeed gather weights at its gradient.
    """
    if not logits.requires_grad or not isinstance(result, tuple):
        return result
    tied: Any = tuple(_joined(each, logits) if _learns(each) else each for each in result)
    return tied  # type: ignore[no-any-return]


def _learns(value: Any) -> bool:
    return isinstance(value, Tensor) and value.requires_grad


def _same(logits: Tensor, expected: Tensor | None) -> bool:
    if expected is None or logits.shape != expected.shape:
        return False
    tolerance = 1e-4 if logits.dtype in (torch.float32, torch.float64) else 2e-2
    gap = (logits.detach().to(expected.dtype) - expected).abs().max()
    return bool(gap <= tolerance * expected.abs().max())


def _head_of(causal_lm: Any) -> Head | None:
    known = _HEADS.get(causal_lm)
    if known is None or known.module is not causal_lm.get_output_embeddings():
        _HEADS[causal_lm] = known = Head.of(causal_lm)
    return known


def unwrap(model: Any) -> Any:
    """Return the transformers model inside PEFT, DDP, FSDP, DeepSpeed and torch.compile."""
    while True:
        if hasattr(model, "get_base_model"):
            model = model.get_base_model()
        elif hasattr(model, "_orig_mod"):
            model = model._orig_mod
        elif hasattr(type(model), "get_output_embeddings") or not hasattr(model, "module"):
            return model  # of the class: DeepSpeed's engine shows what it wraps
        else:
            model = model.module
