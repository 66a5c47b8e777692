"""Calls a loss, and names its line if it fails or returns what cannot be trained on."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from prefrun.algorithm import LossAlgorithm, LossOutput, Term
from prefrun.errors import PluginError, PrefrunError
from prefrun.loss_file.algorithm import FileLoss
from prefrun.loss_file.pointing import at_line, where
from prefrun.policy.batch import BranchBatch

ONE_EACH = "a term has one value and one weight per tree, pair or list, both of shape [N]"


def output_of(algorithm: LossAlgorithm, batch: BranchBatch) -> LossOutput:
    """Call the loss of ALGORITHM. Raises PluginError, naming its file and line, if it fails or
    returns what cannot be trained on."""
    try:
        output: Any = algorithm.loss(batch)
    except (PrefrunError, MemoryError, torch.OutOfMemoryError):
        raise
    except Exception as error:
        file, line = _place_of(algorithm)
        raise PluginError(where(error, file, line)) from error
    logps = batch.policy_token_logps
    problem = problem_of(output, logps)
    if problem:
        raise PluginError(at_loss(algorithm, problem))
    assert isinstance(output, LossOutput)
    return output


def problem_of(output: Any, logps: Tensor) -> str:
    """Return what is wrong with OUTPUT, made from LOGPS; '' if nothing is."""
    learns = logps.requires_grad
    return flaw_of_output(output, logps.device, learns, "depend on the policy's log-probs")


def flaw_of_output(
    output: Any, device: torch.device, learns: bool, needs: str = "carry a gradient"
) -> str:
    """Return what is wrong with the shape, type or device of OUTPUT; '' if nothing is.

    LEARNS: whether some value must have a gradient; else it is said that none does what it NEEDS.
    """
    if not isinstance(output, LossOutput):
        return f"returned {type(output).__name__}, no LossOutput"
    if not output.terms:
        return "returned no term"
    for name, term in output.terms.items():
        problem = _problem_of_term(term, device)
        if problem:
            return f"returned term '{name}' with {problem}"
    metrics: Mapping[str, Any] = output.metrics
    for name, metric in metrics.items():
        if not isinstance(metric, Tensor):
            return f"returned metric '{name}', which is no tensor: {metric!r}"
        if metric.numel() != 1:
            return f"returned metric '{name}' of shape {list(metric.shape)}, no scalar"
    if learns and not any(term.values.requires_grad for term in output.terms.values()):
        return f"returned values that do not {needs}"
    return ""


def _problem_of_term(term: Term, device: torch.device) -> str:
    parts: dict[str, Any] = {"values": term.values, "weights": term.weights}
    for part, tensor in parts.items():
        if not isinstance(tensor, Tensor):
            return f"{part} that are {type(tensor).__name__}, no tensor"
        if tensor.device != device:
            return f"{part} on {tensor.device}, but the batch is on {device}"
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
        name = algorithm.file.function.__name__
    else:
        name = f"{type(algorithm).__name__}.loss"
    file, line = _place_of(algorithm)
    return at_line(file, line, f"{name} {problem}")


def _place_of(algorithm: LossAlgorithm) -> tuple[Path, int]:
    """File and line of the loss; line 1 of its module if it has no code to look at."""
    if isinstance(algorithm, FileLoss):
        return algorithm.file.path, algorithm.file.line
    code = getattr(inspect.unwrap(type(algorithm).loss), "__code__", None)
    if code is None:
        return Path(inspect.getfile(type(algorithm))), 1
    return Path(code.co_filename), code.co_firstlineno
