"""Check of `attribute-vector`: the difference between two means in latent space."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from coursekit.checks.engine import Case, Check, Function, Slip, run
from coursekit.checks.parts import grey, normal


def _groups(z: Tensor, has: Tensor) -> tuple[Tensor, Tensor]:
    return z[has], z[~has]


def _right(z: Tensor, has: Tensor) -> Tensor:
    one, other = _groups(z, has)
    return one.mean(dim=0) - other.mean(dim=0)


def _cases() -> list[Case]:
    def case(z: Tensor, has: Tensor, title: str = "", clue: str = "") -> Case:
        return Case({"z": z, "has": has}, title, clue)

    tensor = torch.tensor
    return [
        case(
            tensor([[1.0, 0.0], [3.0, 2.0], [2.0, 4.0], [0.0, 1.0], [1.0, 2.0]]),
            tensor([True, True, True, False, False]),
        ),
        case(normal(161, (9, 4))[0], grey(162, 9) > 0.6, "9 random points with K = 4"),
        case(
            normal(163, (5, 5), dtype=torch.float64)[0] + 3,
            tensor([False, False, True, False, True]),
            "5 random points with K = 5, in float64",
        ),
        case(
            2 * normal(164, (12, 1))[0] - 5,
            torch.arange(12) == 7,
            "12 random points with K = 1, one of which has the attribute",
        ),
        case(
            2 * normal(165, (12, 3))[0] - 5,
            torch.arange(12) == 7,
            "12 random points with K = 3, one of which has the attribute",
            "The one point that has it is still a row of a table.",
        ),
    ]


def _squeezed(z: Tensor, has: Tensor) -> Tensor:
    """The difference where the rows are picked by numbers without an axis of their own."""
    one, other = (z[mask.nonzero().squeeze()] for mask in (has, ~has))
    return (one.mean(dim=0) - other.mean(dim=0)).expand(z.shape[1])


_TWO = "Two means are wanted: of which points is each, and by how many is each sum divided?"

CHECK = Check(
    reference=_right,
    cases=_cases,
    shape="(K,)",
    look=_TWO,
    slips=[
        Slip(
            lambda z, has: -_right(z, has),
            "It has the right size and the wrong sign: the vector points to those that have the "
            "attribute.",
            "Which of the two means is subtracted from which?",
        ),
        Slip(
            lambda z, has: z[has].mean(dim=0),
            "That is the mean of those that have the attribute: where the others lie is missing.",
            _TWO,
        ),
        Slip(
            lambda z, has: z[~has].mean(dim=0),
            "That is the mean of those that have not the attribute.",
            _TWO,
        ),
        Slip(
            lambda z, has: z[has].mean(dim=0) - z.mean(dim=0),
            "The mean of ALL points is subtracted: that of the others was asked.",
            _TWO,
        ),
        Slip(
            lambda z, has: z.mean(dim=0) - z[~has].mean(dim=0),
            "The first of the means is that of ALL points: those with the attribute were asked.",
            _TWO,
        ),
        Slip(
            lambda z, has: z[has].sum(dim=0) - z[~has].sum(dim=0),
            "These are sums: the groups differ in size, so means were asked.",
            _TWO,
        ),
        Slip(
            lambda z, has: (z * has[:, None]).mean(dim=0) - (z * ~has[:, None]).mean(dim=0),
            "Both sums are divided by the number of all points: each group has a size of its own.",
            _TWO,
        ),
        Slip(
            lambda z, has: z[has].mean(dim=0) + z[~has].mean(dim=0),
            "The means are added: a difference was asked.",
            _TWO,
        ),
        Slip(
            lambda z, has: _right(z, has) / 2,
            "It is half of the difference of the means.",
            _TWO,
        ),
        Slip(
            lambda z, has: z[has.long()].mean(dim=0) - z[(~has).long()].mean(dim=0),
            "The attribute is used as row numbers 0 and 1, not as a mask: a mask must be bool.",
            "What does torch pick with an index of whole numbers, what with one of bools?",
        ),
        Slip(
            lambda z, has: z[has].median(dim=0).values - z[~has].median(dim=0).values,
            "These are medians: means were asked.",
            _TWO,
        ),
        Slip(
            lambda z, has: torch.nn.functional.normalize(_right(z, has), dim=0),
            "The vector is brought to length 1: its length says how far the groups are apart.",
            "Is anything in the docstring said about the length?",
        ),
        Slip(
            lambda z, has: _right(z, has).abs(),
            "All signs are lost: the vector needs its direction.",
            "Which of the two means is subtracted from which?",
        ),
        Slip(
            _squeezed,
            "Where one point has the attribute, squeeze takes away the axis of the points too: "
            "the mean is then over the dimensions.",
            "Print the shape of what you average where only one point has the attribute.",
        ),
        Slip(
            lambda z, has: z[has][0] - z[~has][0],
            "That is the difference of the first two points: all of them count.",
            _TWO,
        ),
        Slip(
            lambda z, has: _right(z, has).mean().expand(z.shape[1]),
            "You averaged over the latent dimensions too: each keeps a number of its own.",
            _TWO,
        ),
    ],
)


def _told(function: Function) -> Function:
    """The function; where torch has no minus for bools, that is not an unwritten answer."""

    def wrapped(z: Tensor, has: Tensor) -> Any:
        try:
            return function(z, has)
        except NotImplementedError as error:
            if "bool tensor" not in str(error):
                raise
            raise TypeError(str(error)).with_traceback(error.__traceback__) from None

    return wrapped if callable(function) else function


def attribute_vector(function: Function) -> None:
    """Check `attribute_vector(z, has) -> (K,)`."""
    __tracebackhide__ = True
    run("attribute-vector", (CHECK, _told(function)))
