"""Whether what a loss returned can be trained on; if not, an error that names the loss's line."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from prefrun.algorithm import LossAlgorithm, LossOutput, Term
from prefrun.errors import PluginError
from prefrun.loss_file.algorithm import FileLoss
from prefrun.loss_file.pointing import at_line

ONE_EACH = "a term has one value and one weight per tree, pair or list, both of shape [N]"


def checked(algorithm: LossAlgorithm, output: Any, logps: Tensor) -> LossOutput:
    """Return OUTPUT, what the loss of ALGORITHM made of a batch with the log-probs LOGPS.

    Raises PluginError, naming file and line of the loss, if it cannot be trained on.
    """
    problem = problem_of(output, logps)
    if problem:
        raise PluginError(at_loss(algorithm, problem))
    assert isinstance(output, LossOutput)
    return output


def problem_of(output: Any, logps: Tensor) -> str:
    """Return what is wrong with the shape, type or device of OUTPUT; '' if nothing is."""
    if not isinstance(output, LossOutput):
        return f"returned {type(output).__name__}, no LossOutput"
    if not output.terms:
        return "returned no term"
    for name, term in output.terms.items():
        problem = _problem_of_term(term, logps)
        if problem:
            return f"returned term '{name}' with {problem}"
    metrics: Mapping[str, Any] = output.metrics
    for name, metric in metrics.items():
        if not isinstance(metric, Tensor):
            return f"returned metric '{name}', which is no tensor: {metric!r}"
        if metric.numel() != 1:
            return f"returned metric '{name}' of shape {list(metric.shape)}, no scalar"
    if logps.requires_grad and not any(t.values.requires_grad for t in output.terms.values()):
        return "returned values that do not depend on the policy's log-probs"
    return ""


def _problem_of_term(term: Term, logps: Tensor) -> str:
    parts: dict[str, Any] = {"values": term.values, "weights": term.weights}
    for part, tensor in parts.items():
        if not isinstance(tensor, Tensor):
            return f"{part} that are {type(tensor).__name__}, no tensor"
        if tensor.device != logps.device:
            return f"{part} on {tensor.device}, but the batch is on {logps.device}"
    if term.values.shape != term.weights.shape or term.values.dim() != 1:
        shapes = [list(tensor.shape) for tensor in (term.values, term.weights)]
        return f"values of shape {shapes[0]} and weights of shape {shapes[1]}: {ONE_EACH}"
    if not term.values.is_floating_point():
        return f"values of type {term.values.dtype}, which carry no gradient"
    if term.weights.requires_grad:
        return "weights that carry a gradient: they are made from the data only"
    return ""


def least_weight(output: LossOutput) -> Tensor:
    """Return the smallest weight of OUTPUT, a scalar; 0 if there is none, NaN if one is NaN."""
    weights = [term.weights.float().flatten() for term in output.terms.values()]
    return torch.cat([*weights, weights[0].new_zeros(1)]).min()


def at_loss(algorithm: LossAlgorithm, problem: str) -> str:
    """Return 'FILE:LINE: NAME PROBLEM', the place being that of the loss of ALGORITHM."""
    if isinstance(algorithm, FileLoss):
        file = algorithm.file
        return at_line(file.path, file.line, f"{file.function.__name__} {problem}")
    name = f"{type(algorithm).__name__}.loss"
    code = getattr(inspect.unwrap(type(algorithm).loss), "__code__", None)
    if code is None:
        return f"{type(algorithm).__module__}: {name} {problem}"
    return at_line(Path(code.co_filename), code.co_firstlineno, f"{name} {problem}")
