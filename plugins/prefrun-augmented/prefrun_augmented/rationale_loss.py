"""The rationale term of RDPO and RORPO (Just et al. 2024, arXiv 2407.14477)."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid


def rationale_values(logps: Tensor, gamma: float, form: str) -> Tensor:
    """Loss of each rationale from its log-prob z: [N] -> [N].

    form: 'logsigmoid', -log sigmoid(gamma z) as in the published code, whose gradient lies between
    gamma / 2 and gamma, and which is ln 2 at gamma = 0; or 'nll', -gamma z as in the paper.
    """
    return -gamma * logps if form == "nll" else -logsigmoid(gamma * logps)


def rorpo_loss(
    chosen: Tensor,
    rejected: Tensor,
    rationale: Tensor,
    nll: Tensor,
    beta: float,
    gamma: float,
    form: str,
) -> tuple[Tensor, Tensor]:
    """RORPO's loss, a scalar, and the log odds ratio [B], from mean log-probs per token [B].

    nll: the chosen answers' negative log-likelihood, mean over the batch's tokens. form: 'nll' is
    the repository's rorpo-simple, 'logsigmoid' its RORPOTrainer. log(1 - e^a) is taken as
    log(-expm1(a)) with a at most -1e-7, where the code has -inf at 0.
    """
    odds = _log_odds(chosen) - _log_odds(rejected)
    values = -beta * logsigmoid(odds) + rationale_values(rationale, gamma, form)
    return nll + values.mean(), odds


def _log_odds(logps: Tensor) -> Tensor:
    bounded = logps.clamp(max=-1e-7)
    return bounded - torch.log(-torch.expm1(bounded))
