"""Check of `modes-covered`: how many modes are reached, and by which share of the points."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any

import torch
from torch import Tensor

from coursekit.checks.engine import Case, Check, Function, Slip, run
from coursekit.checks.findings import Finding
from coursekit.checks.gans.modes_parts import EXCHANGED, covered_by, made_of, row, share_by, tally
from coursekit.checks.gans.single import Call, looked
from coursekit.checks.parts import grey, normal


def _cloud(seed: int, n: int, modes: int, spread: float, dtype: torch.dtype) -> list[Tensor]:
    """Points around some centres, more at the first ones than at the last."""
    centres, around = normal(seed, (modes, 2), (n, 2), dtype=dtype)
    owner = (modes * grey(seed + 1, n).square()).long()
    return [3 * centres[owner] + spread * around, 3 * centres]


def _cases() -> list[Case]:
    def case(
        points: Tensor, centres: Tensor, radius: float, least: int, title: str = "", clue: str = ""
    ) -> Case:
        inputs = {"points": points, "centres": centres, "radius": radius, "least": least}
        return Case(inputs, title, clue)

    def cloud(drawn: list[Tensor], radius: float, least: int, title: str, clue: str = "") -> Case:
        return case(drawn[0], drawn[1], radius, least, title, clue)

    tensor = torch.tensor
    single, double = torch.float32, torch.float64
    edge = tensor(
        [[3.0, 4.0], [-5.0, 0.0], [1.0, 1.0], [20.0, 5.0], [23.0, -4.0], [36.0, 3.5], [46.0, 0.0]]
    )
    close = tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 1.5], [9.0, 9.0]])
    shared = tensor([[0.4, 0.1], [0.6, 0.1], [0.7, -0.2], [0.1, 1.0], [0.2, 0.9], [0.3, 0.3]])
    ring = torch.arange(8) * torch.pi / 4
    eight = 2 * torch.stack([ring.cos(), ring.sin()], dim=1)
    around = normal(754, (8, 5, 2))[0]
    away = 0.4 * around / around.norm(dim=2, keepdim=True)  # at a distance of the radius
    scale = tensor([0.2, 0.5, 0.9, 1.2, 0.0, 1.8, 0.0, 0.0]).view(8, 1, 1)
    lopsided = (eight[:, None] + scale * away)[scale[:, 0, 0] > 0].reshape(-1, 2)
    return [
        case(
            tensor([[1.0, 0.0], [0.0, 1.0], [3.0, 0.0], [4.0, 5.0]]),
            tensor([[0.0, 0.0], [4.0, 0.0]]),
            1.0,
            2,
        ),
        cloud(_cloud(751, 60, 5, 0.7, single), 1.0, 6, "60 points and 5 centres"),
        case(
            edge,
            tensor([[0.0, 0.0], [20.0, 0.0], [40.0, 0.0]]),
            5.0,
            2,
            "points at a distance of exactly 5 and of more, and a radius of 5",
            "A distance of exactly the radius counts: see step 2.",
        ),
        case(
            shared,
            close,
            2.0,
            3,
            "centres so close that a point is within reach of several",
            "Each point belongs to its nearest centre alone: see step 1.",
        ),
        case(
            lopsided,
            eight,
            0.4,
            4,
            "8 centres on a ring, 5 points at three of them, and 5 too far away from two others",
            "A centre without points is not covered.",
        ),
        cloud(
            _cloud(753, 40, 3, 2.0, double), 0.6, 5, "40 points far around 3 centres, in float64"
        ),
        cloud(_cloud(757, 30, 12, 0.3, single), 0.5, 1, "30 points, 12 centres, least = 1"),
        cloud(
            _cloud(759, 25, 4, 0.5, single),
            1e-4,
            1,
            "a radius so small that no point counts",
            "Where no point counts, no centre is covered.",
        ),
        cloud(
            _cloud(761, 50, 6, 0.4, single),
            50.0,
            10,
            "a radius so large that every point counts",
            "Where every point counts, the share is 1.",
        ),
    ]


WHOSE = "Look at step 1 above: how many centres may a point belong to, and to which?"
NEAR = "Look at step 2 above: which distance, and does one of exactly the radius count?"
LEAST = "Look at step 3 above: which points cover a centre, and how many of them?"
WHICH = "Look at step 4 above: which points are counted, and among how many?"


def _edge(n: Tensor, least: int) -> Tensor:
    return n > least


COVERED = Check(
    reference=covered_by(),
    cases=_cases,
    subject="your covered is",
    look=LEAST,
    slips=[
        Slip(
            covered_by(_edge),
            "A centre with exactly `least` points is left out: it is covered.",
            LEAST,
        ),
        Slip(
            covered_by(lambda n, least: n >= 1),
            "least is not used: a centre with a single point counts.",
            LEAST,
        ),
        Slip(
            covered_by(lambda n, least: n >= least - 1),
            "A centre with a point too few counts as covered.",
            LEAST,
        ),
        Slip(
            covered_by(lambda n, least: n < least),
            "The centres that are not covered are counted.",
            LEAST,
        ),
        Slip(
            made_of(lambda parts, radius, least: (tally(parts) >= least).double().mean()),
            "That is the share of the centres that are covered: their number was asked.",
            LEAST,
        ),
        Slip(
            made_of(lambda parts, radius, least: tally(parts)[tally(parts) >= least].sum()),
            "The points at covered centres are counted: the centres were asked.",
            LEAST,
        ),
        Slip(
            made_of(lambda parts, radius, least: tally(parts).sum()),
            "The points that count are counted: the centres that are covered were asked.",
            LEAST,
        ),
        Slip(
            made_of(lambda parts, radius, least: parts[0].shape[1]),
            "That is how many centres there are.",
            LEAST,
        ),
        Slip(
            made_of(lambda parts, radius, least: ((parts[0] <= radius).sum(dim=0) >= least).sum()),
            "A point counts at every centre within reach: it belongs to the nearest alone.",
            WHOSE,
        ),
        Slip(
            made_of(lambda parts, radius, least: ((parts[0] < radius).sum(dim=0) >= least).sum()),
            "A point counts at every centre within reach: it belongs to the nearest alone.",
            WHOSE,
        ),
        Slip(
            made_of(
                lambda parts, radius, least: (
                    tally(
                        (
                            parts[0],
                            (parts[0] <= radius).any(1),
                            (parts[0] <= radius).int().argmax(1),
                        )
                    )
                    >= least
                ).sum()
            ),
            "A point belongs to the first centre within reach: the nearest was asked.",
            WHOSE,
        ),
        Slip(
            made_of(
                lambda parts, radius, least: (
                    (torch.bincount(parts[2], minlength=parts[0].shape[1]) >= least)
                    & (parts[0].amin(dim=0) <= radius)
                ).sum()
            ),
            "All points of a centre are counted, those too far away as well, once one is near.",
            LEAST,
        ),
        *(Slip(covered_by(**part), what, NEAR) for part, what in EXCHANGED),
        Slip(
            covered_by(_edge, inside=lambda nearest, radius: nearest < radius),
            "Both edges are left out: exactly the radius counts, and exactly `least` is enough.",
            NEAR,
        ),
    ],
)

SHARE = Check(
    reference=share_by(),
    cases=_cases,
    subject="your share is",
    look=WHICH,
    slips=[
        Slip(
            covered_by(),
            "That is the number of covered centres: it comes first.",
            "In which order does the docstring name the two?",
        ),
        Slip(
            made_of(lambda parts, radius, least: parts[1].sum()),
            "That is how many points count: their share was asked.",
            WHICH,
        ),
        Slip(
            made_of(lambda parts, radius, least: 100 * parts[1].double().mean()),
            "It is in percent: a fraction was asked.",
            WHICH,
        ),
        Slip(
            made_of(lambda parts, radius, least: 1 - parts[1].double().mean()),
            "That is the share of the points that do not count.",
            WHICH,
        ),
        Slip(
            made_of(
                lambda parts, radius, least: (
                    tally(parts)[tally(parts) >= least].sum() / len(parts[1])
                )
            ),
            "Only the points at covered centres are counted: all that are near enough count.",
            WHICH,
        ),
        Slip(
            made_of(
                lambda parts, radius, least: (
                    torch.bincount(parts[2], minlength=parts[0].shape[1])[
                        tally(parts) >= least
                    ].sum()
                    / len(parts[1])
                )
            ),
            "All points of the covered centres are counted, those too far away as well.",
            WHICH,
        ),
        Slip(
            made_of(lambda parts, radius, least: (tally(parts) >= least).double().mean()),
            "That is the share of the centres that are covered: that of the points was asked.",
            WHICH,
        ),
        Slip(
            made_of(lambda parts, radius, least: parts[1].sum() / parts[0].shape[1]),
            "You divide by the number of centres: the points are to be divided by theirs.",
            WHICH,
        ),
        Slip(
            made_of(lambda parts, radius, least: parts[1].sum() / parts[0].numel()),
            "You divide by the number of pairs: the points are to be divided by theirs.",
            WHICH,
        ),
        Slip(
            made_of(lambda parts, radius, least: (parts[0] <= radius).double().mean()),
            "You take the mean over pairs of a point and a centre: a share of points was asked.",
            WHICH,
        ),
        Slip(
            made_of(
                lambda parts, radius, least: (parts[0] <= radius).double().sum() / len(parts[0])
            ),
            "A point counts once for every centre within reach: it belongs to the nearest alone.",
            WHOSE,
        ),
        *(Slip(share_by(**part), what, NEAR) for part, what in EXCHANGED),
    ],
)


def _number(call: Call) -> None:
    """Raise a `Finding` where an answer is not a pair of Python numbers."""
    value, wanted = call.value, "the pair (covered, share) was asked"
    look = "What does the docstring say is returned?"
    if not isinstance(value, (tuple, list)):
        kind = "nothing (None)" if value is None else "one thing"
        raise Finding(f"{call.place}you return {kind}; {wanted}.", look)
    if len(value) != 2:
        raise Finding(f"{call.place}you return {len(value)} things; {wanted}.", look)
    wished = (("covered", Integral, "an int"), ("share", Real, "a float"))
    for one, (name, sort, noun) in zip(value, wished, strict=True):
        if isinstance(one, bool) or not isinstance(one, sort):
            given = "a tensor" if isinstance(one, Tensor) else f"a {type(one).__name__}"
            raise Finding(
                f"{call.place}your {name} is {given}; a Python number, {noun}, was asked.", look
            )


def _part(function: Function, index: int) -> Any:
    """The function that gives one of the two numbers; what is no function stays as it is."""
    return (lambda *given: row(function(*given)[index])) if callable(function) else function


def modes_covered(function: Function) -> None:
    """Check `modes_covered(points, centres, radius, least) -> (covered, share)`."""
    __tracebackhide__ = True
    first = looked(COVERED, function, [_number])
    run("modes-covered", (first, _part(function, 0)), (SHARE, _part(function, 1)))
