"""Whether a loss stays in torch and in the batch's dtype, watched on the CPU.

`.item()`, `float()`, `.tolist()` or `.numpy()` of what depends on the policy cuts the gradient, in
silence; of any tensor on a GPU it makes the host wait for the device in every step. The batch's
tensors are marked, and what is made of them; a marked one that is read is a fault. Whether there is
anything at all may be asked, as in `if mask.any()`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import fields, replace
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from prefrun.policy.batch import BranchBatch
from prefrun.testing.algorithm.purity import PURE
from prefrun.testing.algorithm.subject import AlgorithmSubject
from prefrun.testing.nested import tensors_in
from prefrun.testing.reshaping import copy_batch
from prefrun.testing.suite import Property

READERS: Mapping[Callable[..., Any], str] = {
    Tensor.item: ".item()",
    Tensor.tolist: ".tolist()",
    Tensor.__float__: "float()",
    Tensor.__int__: "int()",
    Tensor.__index__: "a Python index",
    Tensor.numpy: ".numpy()",
    Tensor.__array__: "numpy",
    torch.tensor: "torch.tensor()",
}
MARK = "_of_the_batch"


class NoReading(TorchFunctionMode):
    """Raises AssertionError where numbers are read out of a marked tensor."""

    def __torch_function__(
        self,
        func: Any,
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Call FUNC, and mark what it makes of marked tensors."""
        kwargs = kwargs or {}
        marked = any(hasattr(tensor, MARK) for tensor in tensors_in((args, kwargs)))
        assert not (marked and func in READERS), (
            f"{READERS[func]} reads numbers out of a tensor made of the batch: it cuts the "
            "gradient if that depends on the policy, and a GPU is waited for in every step. Stay "
            "in torch"
        )
        result = func(*args, **kwargs)
        if marked:
            _mark(result)
        return result


def _mark(value: Any) -> None:
    for tensor in tensors_in(value):
        setattr(tensor, MARK, True)


def _marked(batch: BranchBatch) -> BranchBatch:
    batch = replace(batch, policy_token_logps=batch.policy_token_logps.requires_grad_())
    _mark([getattr(batch, each.name) for each in fields(batch)])
    return batch


def reads_no_numbers(subject: AlgorithmSubject) -> None:
    """The loss stays in torch: no `.item()`, `float()`, `.tolist()` or `.numpy()`."""
    batch = _marked(copy_batch(subject.batch()))
    with NoReading():
        subject.losses.loss(batch)


def keeps_the_batchs_dtype(subject: AlgorithmSubject) -> None:
    """Values and weights of a float32 batch are float32: float64 is slow, and not on every GPU."""
    losses = subject.build()
    losses.module = deepcopy(subject.losses.module)
    if losses.module is not None:
        losses.module.float()
    for name, term in losses.loss(subject.batch(dtype=torch.float32)).terms.items():
        for part, tensor in (("values", term.values), ("weights", term.weights)):
            assert tensor.dtype != torch.float64, (
                f"{part} of term '{name}' are float64, but the batch's log-probs float32: make "
                "other tensors with `.to(batch.policy_token_logps)`"
            )


PROPERTIES = (
    Property(keeps_the_batchs_dtype, ("loss_is_a_finite_scalar",)),
    Property(reads_no_numbers, ("gradient_is_not_zero", "bfloat16_stays_finite", *PURE)),
)
