"""What a method trains or keeps beside the policy, through a training."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from prefrun.algorithm import LossAlgorithm
from prefrun.models.kind import ModelKind

FILE = "algorithm.pt"
"""In a checkpoint: the module's parameters and buffers."""


def add_to(sums: dict[str, Tensor], more: Mapping[str, Tensor]) -> None:
    """Add a micro-batch's numbers, MORE, to the SUMS of a step, by name."""
    for name, value in more.items():
        value = value.detach()
        sums[name] = sums[name] + value if name in sums else value


class Companion:
    """An algorithm's module, its gradients, and the sums of a step."""

    def __init__(self, algorithm: LossAlgorithm, kind: ModelKind) -> None:
        """Make the module, on the device of the model of KIND."""
        self.algorithm = algorithm
        self.hidden_size = kind.hidden_size
        module = algorithm.make_module(self.hidden_size)
        algorithm.module = None if module is None else module.to(kind.device).train()
        self._sums: dict[str, Tensor] = {}

    @property
    def parameters(self) -> list[Tensor]:
        """What is trained beside the policy."""
        module = self.algorithm.module
        return [] if module is None else [p for p in module.parameters() if p.requires_grad]

    def join(self, optimizer: torch.optim.Optimizer, learning_rate: float) -> None:
        """Let OPTIMIZER train the parameters, too."""
        if self.parameters:
            rate = self.algorithm.module_learning_rate or learning_rate
            optimizer.add_param_group({"params": self.parameters, "lr": rate, "weight_decay": 0.0})

    def begin_step(self) -> None:
        """Forget the last step's gradients and sums."""
        self._sums = {}
        for parameter in self.parameters:
            parameter.grad = None

    def add(self, sums: Mapping[str, Tensor]) -> None:
        """Count a micro-batch's SUMS."""
        add_to(self._sums, sums)

    def end_step(self, accelerator: Any) -> None:
        """Share gradients and sums with all processes, and tell the algorithm."""
        if accelerator.num_processes > 1:
            for parameter in self.parameters:
                own = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
                parameter.grad = accelerator.reduce(own, "mean")
            self._sums = {
                name: accelerator.reduce(value, "sum") for name, value in self._sums.items()
            }
        if self._sums:
            self.algorithm.step_done(self._sums)

    def save(self, folder: Path) -> None:
        """Write the module into a checkpoint."""
        if self.algorithm.module is not None:
            torch.save(self.algorithm.module.state_dict(), folder / FILE)

    def load(self, folder: Path) -> None:
        """Read the module from a checkpoint."""
        if self.algorithm.module is not None:
            state = torch.load(folder / FILE, weights_only=True, map_location="cpu")
            self.algorithm.module.load_state_dict(state)
