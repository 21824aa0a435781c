"""The mass that a logistic puts on a level, for the check of `discretised-logistic`."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

HALF = 1 / 510


def log_mass(
    x: Tensor,
    mean: Tensor,
    scale: Tensor,
    below: float | Tensor = HALF,
    above: float | Tensor = HALF,
    lowest: Tensor | bool = False,
    highest: Tensor | bool = False,
) -> Tensor:
    """Log-mass of a logistic from x - below to x + above, the two ends taking the tails."""
    top, bottom = (x + above - mean) / scale, (x - below - mean) / scale
    low, high = torch.as_tensor(lowest), torch.as_tensor(highest)
    each = logsigmoid(top).where(~high, 0.0) + logsigmoid(-bottom).where(~low, 0.0)
    return each + torch.log(-torch.expm1(bottom - top)).where(~(low | high), 0.0)


def log_logistic(v: Tensor, mean: Tensor, log_scale: Tensor) -> Tensor:
    """Log-probability of each row of levels."""
    return log_with_scale(v, mean, log_scale.exp())


def log_with_scale(v: Tensor, mean: Tensor, scale: Tensor) -> Tensor:
    """Log-probability of each row of levels, from the scale itself."""
    # the width is known: where x is rounded, a difference of two ends is not 1/255
    x = v.to(mean) / 255
    below, above = logsigmoid((x + HALF - mean) / scale), logsigmoid((mean - x + HALF) / scale)
    inner = below + above + torch.log(-torch.expm1(-2 * HALF / scale))
    each = torch.where(v == 0, below, torch.where(v == 255, above, inner))
    return each.sum(dim=1)
