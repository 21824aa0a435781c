"""Rarer cases of `pca-reconstruction`: rows on a line, small spreads, and no direction at all."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from coursekit.checks.engine import Case, Check, Function, Slip
from coursekit.checks.parts import normal

_LOOK = "Look at step 2 above: which directions are kept, in which order, and how many?"


def _cases() -> list[Case]:
    way = torch.tensor([2.0, -1.0, 1.0, 3.0, 0.0, 1.0])
    steps = torch.tensor([[-2.0], [1.0], [1.0], [4.0], [-2.0], [4.0]])
    small, new = normal(57, (8, 3), (2, 3))
    ranked = torch.tensor(
        [
            [6.0, 0.0, 1.0],
            [4.0, 0.0, 1.0],
            [5.0, 2.0, 1.0],
            [5.0, -2.0, 1.0],
            [5.0, 0.0, 4.0],
            [5.0, 0.0, -2.0],
        ]
    )
    line = {"train": 1 + steps * way, "x": 1 + torch.tensor([[0.5], [7.0]]) * way, "k": 5}
    spread = torch.tensor([0.1, 0.05, 0.02])
    return [
        Case(
            line,
            "6 rows of 6 numbers on one line, k = 5, 2 new rows on the line",
            "All but one of the directions have no spread: do you divide by it?",
        ),
        Case(
            {"train": small * spread, "x": new, "k": 2},
            "8 rows of 3 numbers with small spreads, k = 2",
            "A small spread is no reason to drop a direction: k of them are asked.",
        ),
        *(
            Case({"train": ranked, "x": torch.tensor([[6.0, 1.0, 2.0]]), "k": k}, clue=clue)
            for k, clue in (
                (1, "Here the last column spreads most, and the directions are the columns."),
                (2, "Here the last column spreads most, then the middle one."),
                (0, "Without any direction the mean is left."),
            )
        ),
    ]


def _along(pick: Callable[[Tensor, int], Tensor]) -> Function:
    """The reconstruction along the directions (rows) that are picked from centred rows and k."""

    def wrong(train: Tensor, x: Tensor, k: int) -> Tensor:
        mean = train.mean(dim=0)
        rows = pick(train - mean, k)
        return mean + (x - mean) @ rows.T @ rows

    return wrong


def _large(centred: Tensor, k: int) -> Tensor:
    """The first k directions whose singular value is above 1."""
    _, values, rows = torch.linalg.svd(centred, full_matrices=False)
    return rows[:k][values[:k] > 1]


def _by_inner_products(train: Tensor, x: Tensor, k: int) -> Tensor:
    """From the N x N matrix, with a division by each spread, also by one of 0."""
    mean = train.double().mean(0)
    centred = train.double() - mean
    values, vectors = torch.linalg.eigh(centred @ centred.T)
    rows = (vectors[:, -k:] / values[-k:].sqrt()).T @ centred
    return (mean + (x.double() - mean) @ rows.T @ rows).to(x)


_ALL = (
    "With k = 0 all directions are kept: counted from the end, the last 0 columns are all of them."
)
_UNSORTED = "torch.linalg.eig gives the eigenvalues in no order: sort them, or take eigh."
_DIVIDED = "You divide by the spread along each direction, and it may be 0."


def edges(reference: Function) -> Check:
    """Make the check of the rarer cases, against the same reference as that of the others."""
    return Check(
        reference=reference,
        cases=_cases,
        shape="(B, D)",
        look=_LOOK,
        slips=[
            Slip(_along(lambda c, k: torch.linalg.eigh(c.T @ c)[1][:, -k:].T), _ALL, _LOOK),
            Slip(_along(lambda c, k: torch.linalg.eig(c.T @ c)[1].real[:, :k].T), _UNSORTED, _LOOK),
            Slip(
                _along(lambda c, k: torch.linalg.eig(torch.cov(c.T))[1].real[:, :k].T),
                _UNSORTED,
                _LOOK,
            ),
            Slip(
                _along(_large),
                "Directions with a small spread are dropped: k of them are asked, however small.",
                _LOOK,
            ),
            Slip(_by_inner_products, _DIVIDED, _LOOK),
        ],
    )
