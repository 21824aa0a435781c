"""Optimisers and learning-rate schedules by name."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import nn

from coursekit.errors import CourseError

Optimiser = str | Callable[[list[nn.Parameter]], torch.optim.Optimizer]
Schedule = str | Callable[[float], float] | None


def make_optimiser(kind: Optimiser, model: nn.Module, lr: float) -> torch.optim.Optimizer:
    """Make an optimiser for all parameters that are not frozen.

    Args:
        kind: "adam", "adamax", "sgd", or a function from parameters to an optimiser.
        model: whose parameters.
        lr: learning rate, above 0.

    Returns:
        The optimiser.

    Raises:
        CourseError: for an unknown name, a bad learning rate, or nothing to train.
    """
    parameters = [p for p in model.parameters() if p.requires_grad]
    if not parameters:
        raise CourseError("fit: the model has no parameter to train; is everything frozen?")
    if callable(kind):
        return kind(parameters)
    if not lr > 0:
        raise CourseError(f"fit: lr is {lr}; it must be above 0.")
    if kind == "adam":
        return torch.optim.Adam(parameters, lr=lr, fused=True)
    if kind == "adamax":
        return torch.optim.Adamax(parameters, lr=lr)
    if kind == "sgd":
        return torch.optim.SGD(parameters, lr=lr)
    raise CourseError(
        f"fit: optimiser is {kind!r}; give 'adam', 'adamax', 'sgd', or a function from "
        "parameters to an optimiser."
    )


def cosine(progress: float) -> float:
    """A short linear warm-up, then half a cosine down to 0.

    factor(p) = min(1, 0.01 + 50 p) * (1 + cos(pi p)) / 2

    Args:
        progress: share of all steps that are done, 0 to 1.

    Returns:
        Factor on the learning rate.

    Source: Loshchilov and Hutter, SGDR (2017), equation 5; the warm-up is common practice.

    Example:
        >>> round(cosine(0.5), 3), round(cosine(1.0), 3)
        (0.5, 0.0)
    """
    return min(1.0, 0.01 + 50 * progress) * 0.5 * (1 + math.cos(math.pi * progress))


def make_schedule(kind: Schedule) -> Callable[[float], float]:
    """Turn a schedule's name into a function from the share of steps done to a factor on lr.

    Raises:
        CourseError: for an unknown name.
    """
    if kind is None:
        return lambda _progress: 1.0
    if callable(kind):
        return kind
    if kind == "cosine":
        return cosine
    raise CourseError(f"fit: schedule is {kind!r}; give None, 'cosine' or a function.")
