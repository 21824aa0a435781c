"""Points of the plane on which one sees what a generator has learned, and what it has lost."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from coursekit.errors import CourseError


def ring_centres(modes: int = 8, radius: float = 2.0) -> Tensor:
    """Centres of the Gaussians of `ring`, (modes, 2), anticlockwise from (radius, 0)."""
    if modes < 1:
        raise CourseError(f"ring_centres: modes is {modes}; at least 1 is needed.")
    angle = 2 * math.pi * torch.arange(modes) / modes
    return radius * torch.stack([angle.cos(), angle.sin()], dim=1)


def ring(
    n: int, modes: int = 8, radius: float = 2.0, std: float = 0.05,
    generator: torch.Generator | None = None,
) -> Tensor:  # fmt: skip
    """Draw points from an equal mixture of Gaussians that stand on a ring.

    Args:
        n: how many.
        modes: how many Gaussians.
        radius: of the ring.
        std: of each Gaussian, along both axes.
        generator: source of the draws.

    Returns:
        (n, 2).

    Example:
        >>> ring(5).shape
        torch.Size([5, 2])
    """
    centres = ring_centres(modes, radius)
    chosen = torch.randint(modes, (n,), generator=generator)
    return centres[chosen] + std * torch.randn(n, 2, generator=generator)
