"""The algorithm made of a loss function."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any, ClassVar

from prefrun.algorithm import LossAlgorithm, LossOutput, Term
from prefrun.errors import PluginError, PrefrunError
from prefrun.loss_file.pointing import at_line, where
from prefrun.loss_file.reading import LossFile
from prefrun.loss_file.signature import settings_of

if TYPE_CHECKING:
    from torch import Tensor

    from prefrun.policy.batch import BranchBatch


class FileLoss(LossAlgorithm):
    """Calls the function of a file; each file has a subclass of its own."""

    file: ClassVar[LossFile]

    def __init__(self, config: Any) -> None:
        super().__init__(config)
        self.settings = dict(settings_of(config))

    def loss(self, batch: BranchBatch) -> LossOutput:
        """Call the function. Raises PluginError that points at the line where it failed."""
        import torch

        file = self.file
        try:
            output = file.function(batch, **self.settings)
        except (PrefrunError, MemoryError, torch.OutOfMemoryError):
            raise
        except Exception as error:
            raise PluginError(where(error, file.path, file.line)) from error
        if isinstance(output, LossOutput):
            return output
        return self._one_term(output, batch)

    def _one_term(self, values: Any, batch: BranchBatch) -> LossOutput:
        import torch

        trees = len(batch.scores)
        if not isinstance(values, torch.Tensor):
            raise self._refused(f"returned {type(values).__name__}, no tensor or LossOutput")
        if values.shape != (trees,):
            shape = list(values.shape)
            raise self._refused(f"returned a tensor of shape {shape}, not [trees] = [{trees}]")
        if batch.policy_token_logps.requires_grad and not values.requires_grad:
            raise self._refused("returned numbers that do not depend on the policy's log-probs")
        weights: Tensor = torch.ones_like(values, requires_grad=False)
        return LossOutput({self.file.function.__name__: Term(values, weights)})

    def _refused(self, problem: str) -> PluginError:
        file = self.file
        return PluginError(at_line(file.path, file.line, f"{file.function.__name__} {problem}"))


def algorithm_class(file: LossFile) -> type[FileLoss]:
    """Return the algorithm of FILE; the function's docstring is its card."""
    card = inspect.getdoc(file.function) or f"The loss {file.function.__name__} of {file.path}."
    return type("FileLoss", (FileLoss,), {"file": file, "card": card, "__doc__": card})
