"""Whether a loss would run on another device, watched on the CPU.

A tensor that is made without `device=` lies on the CPU, whatever the batch is on. Such tensors are
marked as they are made; where one meets the batch's in an operation, a GPU would refuse.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode, resolve_name

from prefrun.testing.algorithm.purity import PURE
from prefrun.testing.algorithm.subject import AlgorithmSubject
from prefrun.testing.nested import tensors_in
from prefrun.testing.reshaping import copy_batch
from prefrun.testing.suite import Property

MADE_ON_THE_CPU = frozenset(
    {
        torch.arange,
        torch.as_tensor,
        torch.empty,
        torch.eye,
        torch.frombuffer,
        torch.from_numpy,
        torch.full,
        torch.linspace,
        torch.logspace,
        torch.ones,
        torch.rand,
        torch.randint,
        torch.randn,
        torch.randperm,
        torch.tensor,
        torch.tril_indices,
        torch.triu_indices,
        torch.zeros,
    }
)
MIXES = frozenset({Tensor.__getitem__, Tensor.__setitem__, Tensor.to, Tensor.type_as})
"""A GPU tensor takes indices and values from the CPU; the last two move a tensor to the batch."""
MARK = "_made_on_the_cpu"


class OtherDevice(TorchFunctionMode):
    """Raises AssertionError where the batch meets a tensor that would not be on its device."""

    def __torch_function__(
        self,
        func: Any,
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Call FUNC, and mark what it returns where that would lie on the CPU."""
        kwargs = kwargs or {}
        seen = list(tensors_in((args, kwargs)))
        marked = [tensor for tensor in seen if hasattr(tensor, MARK)]
        # of one number, the CPU's is allowed
        clash = [tensor.dim() > 0 for tensor in marked] if len(marked) < len(seen) else []
        assert func in MIXES or not any(clash), (
            f"{resolve_name(func) or func.__name__} takes the batch together with a tensor that "
            "was made on the CPU: name the device, as in torch.ones(n, device=batch.scores.device)"
        )
        made = func in MADE_ON_THE_CPU if not seen else len(marked) == len(seen)
        on_the_cpu = func is Tensor.cpu or (made and not _names_a_device(args, kwargs))
        result = func(*args, **kwargs)
        for tensor in seen:  # `to` and `cpu` return their argument where nothing is to be done
            if result is tensor and hasattr(tensor, MARK) != on_the_cpu:
                result = result.view_as(result)
        if on_the_cpu:
            for tensor in tensors_in(result):
                setattr(tensor, MARK, True)
        return result


def _names_a_device(args: Sequence[Any], kwargs: Mapping[str, Any]) -> bool:
    """Whether the call says where its result is to lie."""
    words = (*args, kwargs.get("device"))
    return any(isinstance(word, str | torch.device) for word in words)


def runs_on_the_batchs_device(subject: AlgorithmSubject) -> None:
    """Tensors that the loss makes are on the device of the batch, also where that is a GPU."""
    batch = copy_batch(subject.batch())
    batch.policy_token_logps.requires_grad_()
    with OtherDevice():
        losses = subject.build()  # what it keeps from now on is watched, too
        losses.module = subject.losses.module
        losses.loss(batch).loss.backward()


PROPERTIES = (Property(runs_on_the_batchs_device, ("gradient_is_not_zero", *PURE)),)
