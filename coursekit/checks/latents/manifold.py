"""Check of `manifold-grid`: percent points of the standard normal, in the order of a grid."""

from __future__ import annotations

import itertools
import math

import torch
from torch import Tensor

from coursekit.checks.engine import Case, Check, Function, Slip, run


def _ends(first: float, last: float) -> Function:
    """Percent points at n shares from the first to the last, both of them used."""
    return lambda n: torch.special.ndtri(torch.linspace(first, last, n, dtype=torch.float64))


def _points(share: Function) -> Function:
    """Percent points at the shares that a function makes from 0, ..., n - 1 and n."""
    return lambda n: torch.special.ndtri(share(torch.arange(n, dtype=torch.float64), n))


def _middle(i: Tensor, n: int) -> Tensor:
    return (i + 0.5) / n


_RIGHT = _points(_middle)


def _grid(
    points: Function, rows_up: bool = False, leftward: bool = False, by_columns: bool = False
) -> Function:
    """The latents of a grid, whose rows or columns may run the wrong way.

    Args:
        points: from n, the places on one axis, growing.
        rows_up: whether the first row is the lowest.
        leftward: whether the first coordinate falls from left to right.
        by_columns: whether the pictures stand column by column.
    """

    def latents(n: int) -> Tensor:
        across, down = points(n), points(n).flip(0)
        across = across.flip(0) if leftward else across
        down = down.flip(0) if rows_up else down
        if by_columns:
            return torch.stack([across.repeat_interleave(n), down.repeat(n)], dim=1)
        return torch.stack([across.repeat(n), down.repeat_interleave(n)], dim=1)

    return latents


_RIGHT_GRID = _grid(_RIGHT)


def _cases() -> list[Case]:
    alone = "With a single point on each axis there is one share only, the one in the middle."
    return [
        Case({"n": 2}),
        Case({"n": 3}),
        Case({"n": 5}),
        Case({"n": 1}, clue=alone),
        Case({"n": 20}),
    ]


_ORDER = (
    "Draw the grid of n = 2 on paper, write the two coordinates into each cell, and read it as a "
    "page is read."
)
_SHARES = (
    "Cut the unit interval into n pieces of the same length: which point stands for a piece, and "
    "does it ever touch 0 or 1?"
)
_INFINITE = (
    "The percent points of the shares 0 and 1 are infinite: a decoder makes nothing of them. "
    "Where in its piece of the unit interval does each share stand?"
)

# Wrong places on one axis, and what to say about them.
_PLACES: list[tuple[Function, str]] = [
    (_points(lambda i, n: i / n), _INFINITE),
    (_points(lambda i, n: (i + 1) / n), _INFINITE),
    (_ends(0.0, 1.0), _INFINITE),
    (
        _points(lambda i, n: (i + 1) / (n + 1)),
        "The shares stand between n + 1 pieces of the unit interval: n pieces were asked, each "
        "with its middle.",
    ),
    (_points(lambda i, n: (i + 0.5) / (n + 1)), "The shares are not symmetric about one half."),
    *(
        (
            _ends(edge, 1 - edge),
            "The outermost shares are fixed numbers: they should come nearer to 0 and 1 as n "
            "grows.",
        )
        for edge in (0.001, 0.005, 0.01, 0.02, 0.025, 0.05, 0.1)
    ),
    *(
        (
            lambda n, e=edge: torch.special.ndtri(
                torch.linspace(0, 1, n, dtype=torch.float64).clamp(e, 1 - e)
            ),
            "The shares 0 and 1 are cut off by a small constant: the outermost points are where "
            "it puts them.",
        )
        for edge in (1e-6, 1e-5, 1e-4, 1e-3)
    ),
    (
        lambda n: (torch.arange(n, dtype=torch.float64) + 0.5) / n,
        "These are the shares themselves: which values of z have these shares of the normal to "
        "their left?",
    ),
    *(
        (
            lambda n, s=side: torch.linspace(-s, s, n, dtype=torch.float64),
            "The points stand at equal distances: equal shares of the standard normal were asked.",
        )
        for side in (1.0, 1.5, 2.0, 2.5, 3.0, 4.0)
    ),
    (
        lambda n: torch.special.ndtr((torch.arange(n, dtype=torch.float64) + 0.5) / n),
        "That is the distribution function: its inverse was asked.",
    ),
    (
        lambda n: _RIGHT(n) / math.sqrt(2),
        "The points are too near to 0 by the square root of 2: the error function is not quite "
        "the normal's distribution function.",
    ),
    (
        lambda n: math.sqrt(2) * torch.erfinv((torch.arange(n, dtype=torch.float64) + 0.5) / n),
        "All points are positive: the error function runs from -1 to 1, a share from 0 to 1.",
    ),
]


def _any_order(places: Function, what: str) -> list[Slip]:
    """Slips for wrong places on the axes, whatever the order of the grid."""
    orders = itertools.product((False, True), repeat=3)
    return [Slip(_grid(places, *order), what, _SHARES) for order in orders]


CHECK = Check(
    reference=_RIGHT_GRID,
    cases=_cases,
    shape="(n * n, 2)",
    look=_ORDER,
    slips=[
        Slip(
            _grid(_RIGHT, rows_up=True),
            "The rows are upside down: the first row drawn is the top one, where the second "
            "coordinate is largest.",
            _ORDER,
        ),
        Slip(
            _grid(_RIGHT, leftward=True),
            "Left and right are exchanged: the first coordinate grows from left to right.",
            _ORDER,
        ),
        Slip(
            _grid(_RIGHT, rows_up=True, leftward=True),
            "Both axes run the wrong way: the first coordinate grows to the right, the second "
            "falls from row to row.",
            _ORDER,
        ),
        Slip(
            lambda n: _RIGHT_GRID(n).flip(1),
            "The two coordinates are exchanged: within a row the first one changes.",
            _ORDER,
        ),
        *(
            Slip(
                _grid(_RIGHT, rows_up, leftward, by_columns=True),
                "The pictures stand column by column: within a row the first coordinate changes "
                "and the second stays.",
                _ORDER,
            )
            for rows_up, leftward in itertools.product((False, True), repeat=2)
        ),
        Slip(
            lambda n: _RIGHT(n)[:, None].expand(n, 2),
            "These are the points of the diagonal alone: every place on one axis goes with every "
            "place on the other.",
            _ORDER,
        ),
        Slip(
            lambda n: _RIGHT_GRID(n).view(n, n, 2),
            "The grid is still there: one row for each picture was asked.",
            _ORDER,
        ),
        *(
            Slip(
                lambda n, m=size: _RIGHT_GRID(m),
                "The size of the grid does not depend on n: does a number stand where n should?",
                "How many rows come back for n = 2, and how many should?",
            )
            for size in (10, 15, 16, 20)
        ),
        Slip(
            lambda n: _RIGHT_GRID(n).T,
            "The axes are exchanged: a row holds the two coordinates of one picture.",
            _ORDER,
        ),
        *(slip for places, what in _PLACES for slip in _any_order(places, what)),
    ],
)


def manifold_grid(function: Function) -> None:
    """Check `manifold_latents(n) -> (n * n, 2)`."""
    __tracebackhide__ = True
    run("manifold-grid", (CHECK, function))
