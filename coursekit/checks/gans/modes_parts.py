"""What becomes of points and centres on the way to the number of covered modes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from coursekit.checks.engine import Function

Parts = tuple[Tensor, Tensor, Tensor]  # distances (N, M), which points count, their centres


def distances(points: Tensor, centres: Tensor) -> Tensor:
    """Euclidean distances, (N, M)."""
    return torch.hypot(*(points[:, None] - centres[None]).unbind(dim=2))


def row(value: Any) -> Tensor:
    """Make a tensor of shape (1,) of a number."""
    return torch.as_tensor(value, dtype=torch.float64).reshape(1)


def parts_of(
    points: Tensor,
    centres: Tensor,
    radius: float,
    distances: Function = distances,
    inside: Callable[[Tensor, float], Tensor] = lambda nearest, radius: nearest <= radius,
) -> Parts:
    """Distances, which points count, and the centre that each belongs to."""
    apart = distances(points, centres)
    nearest = apart.min(dim=1)
    return apart, inside(nearest.values, radius), nearest.indices


def tally(parts: Parts) -> Tensor:
    """How many points count at each centre."""
    apart, counts, owner = parts
    belongs = owner[:, None] == torch.arange(apart.shape[1])
    return (belongs & counts[:, None]).sum(dim=0)


def covered_by(
    enough: Callable[[Tensor, int], Tensor] = lambda n, least: n >= least, **parts: Function
) -> Function:
    """How many centres are covered, with a part of that exchanged."""

    def number(points: Tensor, centres: Tensor, radius: float, least: int) -> Tensor:
        found = tally(parts_of(points, centres, radius, **parts))
        return row(enough(found, least).sum())

    return number


def share_by(**parts: Function) -> Function:
    """The share of the points that count, with a part of that exchanged."""

    def number(points: Tensor, centres: Tensor, radius: float, least: int) -> Tensor:
        return row(parts_of(points, centres, radius, **parts)[1].double().mean())

    return number


def made_of(make: Callable[[Parts, float, int], Any]) -> Function:
    """A number made of the right parts, radius and least."""

    def number(points: Tensor, centres: Tensor, radius: float, least: int) -> Tensor:
        return row(make(parts_of(points, centres, radius), radius, least))

    return number


def _taxi(points: Tensor, centres: Tensor) -> Tensor:
    return (points[:, None] - centres[None]).abs().sum(dim=2)


def _steps(points: Tensor, centres: Tensor) -> Tensor:
    return (points[:, None] - centres[None]).abs().amax(dim=2)


def _squared(points: Tensor, centres: Tensor) -> Tensor:
    return (points[:, None] - centres[None]).square().sum(dim=2)


# What both numbers may be wrong by: other distances, another edge; what to say.
EXCHANGED: list[tuple[dict[str, Function], str]] = [
    (
        {"inside": lambda nearest, radius: nearest < radius},
        "A distance of exactly the radius is left out: it counts.",
    ),
    (
        {"inside": lambda nearest, radius: torch.ones_like(nearest, dtype=torch.bool)},
        "radius is not used: every point counts.",
    ),
    (
        {"inside": lambda nearest, radius: nearest > radius},
        "The points outside of the radius are counted: those inside count.",
    ),
    (
        {"inside": lambda nearest, radius: nearest.square() <= radius},
        "Squared distances are compared with the radius.",
    ),
    (
        {"inside": lambda nearest, radius: nearest <= radius**2},
        "Distances are compared with the square of the radius.",
    ),
    (
        {"inside": lambda nearest, radius: nearest <= 2 * radius},
        "The radius is doubled: it is no diameter.",
    ),
    (
        {"inside": lambda nearest, radius: nearest <= radius / 2},
        "The radius is halved: it is no diameter.",
    ),
    (
        {"distances": _taxi},
        "The two coordinates' distances are added: the Euclidean distance was asked.",
    ),
    (
        {"distances": _steps},
        "The larger of the two coordinates' distances is taken: the Euclidean one was asked.",
    ),
    (
        {"distances": lambda p, c: _squared(p, c) / 2},
        "The coordinates' squares are averaged: the Euclidean distance was asked.",
    ),
    (
        {"distances": lambda p, c: (_squared(p, c) / 2).sqrt()},
        "The coordinates' squares are averaged: the Euclidean distance was asked.",
    ),
    (
        {"distances": lambda p, c: (p[:, None, 0] - c[None, :, 0]).abs()},
        "Only the first coordinate counts: a point of the plane has two.",
    ),
    (
        {"distances": lambda p, c: (p.norm(dim=1)[:, None] - c.norm(dim=1)).abs()},
        "The lengths are compared, not the points: two points may be far apart and equally long.",
    ),
    (
        {"distances": lambda p, c: distances(p - p.mean(dim=0), c - c.mean(dim=0))},
        "The points' mean is taken out: they are to be where they are.",
    ),
]
