"""Answers to the exercise of notebook 03 on the grid over the percent points of the normal."""

import math
import statistics

import torch
from torch.distributions import Normal

from coursekit import checks
from mutants import Exercise

manifold = Exercise("manifold-grid", checks.manifold_grid, ("manifold_latents",))

UNIT = Normal(0.0, 1.0)


def middles(n):
    return (torch.arange(n) + 0.5) / n


def points(n):
    return UNIT.icdf(middles(n))


def drawn(places):
    """The grid, in its right order, of the places that a function of n gives."""

    def manifold_latents(n):
        p = places(n)
        second, first = torch.meshgrid(p.flip(0), p, indexing="ij")
        return torch.stack([first, second], dim=2).reshape(n * n, 2)

    return manifold_latents


def by_loops(n):
    places = [statistics.NormalDist().inv_cdf((i + 0.5) / n) for i in range(n)]
    return torch.tensor([[first, second] for second in reversed(places) for first in places])


def by_error_function(n):
    p = math.sqrt(2) * torch.erfinv(2 * middles(n).double() - 1)
    return torch.cartesian_prod(-p, p).flip(1)


manifold.right("meshgrid", drawn(points))
manifold.right("loops, standard library", by_loops)
manifold.right("error function, float64", by_error_function)
manifold.right(
    "repeat",
    lambda n: torch.stack(
        [
            torch.special.ndtri(middles(n)).repeat(n),
            torch.special.ndtri(1 - middles(n)).repeat_interleave(n),
        ],
        dim=1,
    ),
)


def drop_infinite(n):
    p = UNIT.icdf(torch.linspace(0, 1, n + 2))[1:-1]
    return drawn(lambda _: p)(n)


manifold.wrong(
    (
        "rows upside down",
        "upside down",
        lambda n: torch.cartesian_prod(points(n), points(n)).flip(1),
    ),
    ("plain product", "column by column", lambda n: torch.cartesian_prod(points(n), points(n))),
    (
        "meshgrid ij",
        "column by column",
        lambda n: drawn(points)(n).view(n, n, 2).transpose(0, 1).reshape(-1, 2),
    ),
    ("columns exchanged", "coordinates are exchanged", lambda n: drawn(points)(n).flip(1)),
    ("leftward", "Left and right", lambda n: drawn(points)(n) * torch.tensor([-1.0, 1.0])),
    ("turned round", "Both axes", lambda n: -drawn(points)(n)),
    ("column by column", "column by column", lambda n: torch.cartesian_prod(points(n), -points(n))),
    ("i/n", "are infinite", drawn(lambda n: UNIT.icdf(torch.arange(n) / n))),
    ("(i + 1)/n", "are infinite", drawn(lambda n: UNIT.icdf((torch.arange(n) + 1) / n))),
    ("linspace from 0 to 1", "are infinite", drawn(lambda n: UNIT.icdf(torch.linspace(0, 1, n)))),
    (
        "i/n, upside down",
        "are infinite",
        lambda n: torch.cartesian_prod(*[UNIT.icdf(torch.arange(n) / n)] * 2).flip(1),
    ),
    (
        "linspace from 0 to 1, nan_to_num",
        "right value is",
        drawn(lambda n: UNIT.icdf(torch.linspace(0, 1, n)).nan_to_num(posinf=3, neginf=-3)),
    ),
    (
        "linspace from 0 to 1, clamped",
        "small constant",
        drawn(lambda n: UNIT.icdf(torch.linspace(0, 1, n).clamp(1e-4, 1 - 1e-4))),
    ),
    ("0.05 to 0.95", "fixed numbers", drawn(lambda n: UNIT.icdf(torch.linspace(0.05, 0.95, n)))),
    (
        "0.01 to 0.99, upside down",
        "fixed numbers",
        lambda n: torch.cartesian_prod(*[UNIT.icdf(torch.linspace(0.01, 0.99, n))] * 2).flip(1),
    ),
    ("infinite ends dropped", "between n + 1 pieces", drop_infinite),
    (
        "(i + 0.5)/(n + 1)",
        "not symmetric",
        drawn(lambda n: UNIT.icdf((torch.arange(n) + 0.5) / (n + 1))),
    ),
    ("the shares themselves", "shares themselves", drawn(middles)),
    ("equal distances", "equal distances", drawn(lambda n: torch.linspace(-2, 2, n))),
    ("equal distances to 3", "equal distances", drawn(lambda n: torch.linspace(-3, 3, n))),
    ("distribution function", "its inverse", drawn(lambda n: UNIT.cdf(middles(n)))),
    (
        "no square root of 2",
        "square root of 2",
        drawn(lambda n: torch.erfinv(2 * middles(n) - 1)),
    ),
    (
        "error function of a share",
        "All points are positive",
        drawn(lambda n: math.sqrt(2) * torch.erfinv(middles(n))),
    ),
    ("20 always", "does not depend on n", lambda n: drawn(points)(20)),
    ("diagonal", "diagonal alone", lambda n: torch.stack([points(n)] * 2, dim=1)),
    ("a grid", "still there", lambda n: drawn(points)(n).view(n, n, 2)),
    ("transposed", "axes are exchanged", lambda n: drawn(points)(n).T),
    ("random", "two calls", lambda n: torch.randn(n * n, 2)),
    ("zeros", "whatever the inputs", lambda n: torch.zeros(n * n, 2)),
    ("a list", "type list", lambda n: drawn(points)(n).tolist()),
    ("integers", "right value is", drawn(lambda n: points(n).round())),
)

EXERCISES = [manifold]
