"""What the checks of notebook 02 share: sums over a picture, edges for random levels."""

from __future__ import annotations

import torch
from torch import Tensor

from coursekit.checks.engine import Function, Slip
from coursekit.checks.parts import batch_slips


def per_picture(values: Tensor) -> Tensor:
    """Sum over all axes but the first."""
    return values.reshape(len(values), -1).sum(dim=1)


def levels(seed: int, *shape: int) -> Tensor:
    """Draw grey levels from 0 to 255; each row begins with black and ends with white."""
    generator = torch.Generator().manual_seed(seed)
    drawn = torch.randint(256, shape, generator=generator)
    drawn[..., 0], drawn[..., -1] = 0, 255
    return drawn


def sum_slips(right: Function, step: int, where: str = "of the derivation above") -> list[Slip]:
    """Make the slips about what is summed, and about the result as a whole.

    Args:
        right: the right log-probabilities.
        step: the step of the derivation that sums over the pixels.
        where: where its steps stand.
    """
    hint = f"Look at step {step} {where}: what is summed, and what is kept apart?"
    return [
        Slip(
            lambda *a: -right(*a),
            "That is the negative of what was asked: the sign is wrong.",
            "A loss and a log-likelihood differ by a sign: which was asked?",
        ),
        Slip(
            lambda *a: right(*a) / a[0][0].numel(),
            "It is the mean over the pixels: a sum was asked.",
            hint,
        ),
        *batch_slips(right, hint),
        Slip(
            lambda *a: right(*a).exp(),
            "That is the probability or density itself: its logarithm was asked.",
        ),
    ]
