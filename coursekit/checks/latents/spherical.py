"""Check of `spherical-interpolation`: a path that turns from one latent to another."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from coursekit.checks.engine import Case, Check, Function, Slip, run
from coursekit.checks.parts import normal


def _linear(a: Tensor, b: Tensor, weights: Tensor) -> Tensor:
    return torch.lerp(a, b, weights[:, None])


def _cosine(a: Tensor, b: Tensor) -> Tensor:
    return (torch.dot(a, b) / (a.norm() * b.norm())).clamp(-1, 1)


def _turned(
    angle: Function = lambda a, b: torch.acos(_cosine(a, b)),
    parts: Function = lambda w, t: (torch.sin((1 - w) * t) / t.sin(), torch.sin(w * t) / t.sin()),
    fallback: Function = _linear,
) -> Function:
    """Interpolation with an angle, two shares and a way out for parallel vectors."""

    def path(a: Tensor, b: Tensor, weights: Tensor) -> Tensor:
        t = angle(a, b)
        if torch.acos(_cosine(a, b)).sin() < 1e-6:
            straight: Tensor = fallback(a, b, weights)
            return straight
        first, second = parts(weights[:, None], t)
        return first * a + second * b

    return path


_RIGHT = _turned()


def _straight_where(guard: Function) -> Function:
    """The path, with the straight line where the cosine and the sine of the angle say so."""

    def path(a: Tensor, b: Tensor, weights: Tensor) -> Tensor:
        cosine = _cosine(a, b)
        straight = guard(cosine, torch.acos(cosine).sin())
        points: Tensor = _linear(a, b, weights) if straight else _RIGHT(a, b, weights)
        return points

    return path


def _direction_and_length(a: Tensor, b: Tensor, weights: Tensor) -> Tensor:
    """Directions on the arc between the unit vectors, lengths between the two lengths."""
    lengths = _linear(a.norm()[None], b.norm()[None], weights)
    turned: Tensor = _RIGHT(_unit(a), _unit(b), weights)
    return turned * lengths


def _apart(degrees: float) -> tuple[Tensor, Tensor]:
    """Two vectors of different length at an angle, in float64."""
    a, other = normal(189, (6,), (6,), dtype=torch.float64)
    first = _unit(a)
    second = _unit(other - torch.dot(other, first) * first)
    t = math.radians(degrees)
    return a, 1.5 * (math.cos(t) * first + math.sin(t) * second)


def _cases() -> list[Case]:
    def case(*values: Tensor, title: str = "", clue: str = "") -> Case:
        a, b, weights = values
        return Case({"a": a, "b": b, "weights": weights.to(a)}, title, clue)

    tensor = torch.tensor
    weights = tensor([0.0, 0.15, 0.5, 0.8, 1.0])
    same = (
        "Rounding can make the cosine of parallel vectors a little larger than 1, and no angle "
        "has such a cosine; and the sine of an angle of 0 is 0."
    )
    opposite = "The sine is 0 here too, though the angle is not: what was asked for this case?"
    parallel = [normal(seed, (5,))[0] for seed in (151, 188, 396, 181)]
    opposed = normal(1473, (5,))[0]
    three, noise = normal(135, (5,), (5,))
    return [
        case(tensor([1.0, 0.0]), tensor([0.0, 2.0]), tensor([0.5])),
        case(tensor([2.0, 0.0]), tensor([1.0, 1.0]), tensor([0.0, 0.25])),
        case(*normal(121, (4,), (4,)), weights, title="random a and b with K = 4, T = 5"),
        case(
            *normal(122, (3,), (3,), dtype=torch.float64),
            tensor([0.9, 0.1, 0.4]),
            title="random a and b with K = 3, T = 3, in float64",
        ),
        case(
            *(3 * v for v in normal(123, (20,), (20,))),
            tensor([0.3, 0.7]),
            title="long random a and b with K = 20, T = 2",
        ),
        case(three, three + 1e-4 * noise, weights, title="a and b nearly the same", clue=same),
        *(
            case(a, k * a, weights, title=f"b = {k} a, a random with K = 5", clue=same)
            for a, k in zip(parallel, (1.0, 2.0, 3.0, 0.7), strict=True)
        ),
        case(tensor([0.0, 2.0, 0.0]), tensor([0.0, -1.0, 0.0]), tensor([0.25]), clue=opposite),
        case(
            opposed,
            -1.3 * opposed,
            weights,
            title="b = -1.3 a, a random with K = 5",
            clue="Rounding can make the cosine of opposite vectors a little smaller than -1.",
        ),
        *(
            case(
                *_apart(degrees),
                weights,
                title=f"an angle of {degrees} degrees, in float64",
                clue="The straight line is for sines below the limit named, and no others.",
            )
            for degrees in (162, 178.5, 179.96)
        ),
    ]


def _unit(v: Tensor) -> Tensor:
    return v / v.norm()


def _sines(w: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
    return torch.sin((1 - w) * t), torch.sin(w * t)


def _mixed(a: Tensor, b: Tensor, first: Tensor, second: Tensor) -> Tensor:
    return first * a + second * b


def _quarter(weights: Tensor) -> Tensor:
    """A right angle, in the precision of the weights."""
    return torch.tensor(math.pi / 2).to(weights)


def _rescaled(a: Tensor, b: Tensor, weights: Tensor) -> Tensor:
    """The straight line, stretched to the length between the two lengths."""
    line = _linear(a, b, weights)
    length = _linear(a.norm()[None], b.norm()[None], weights)
    return line / line.norm(dim=1, keepdim=True) * length


_ANGLE = "Print the angle that your code finds between (1, 0) and (0, 2), and between (1, 0) twice."
_ENDS = "What should the path be at weight 0, what at weight 1, and what is yours there?"

CHECK = Check(
    reference=_RIGHT,
    cases=_cases,
    shape="(T, K)",
    look=f"{_ENDS} {_ANGLE}",
    slips=[
        Slip(
            _linear,
            "That is the straight line from a to b: the angle between them does not come in.",
            "Which of the two paths keeps its length where a and b are equally long?",
        ),
        Slip(
            lambda a, b, w: _RIGHT(b, a, w),
            "The path runs from b to a: at weight 0 it should be at a.",
            _ENDS,
        ),
        Slip(
            _turned(lambda a, b: torch.rad2deg(torch.acos(_cosine(a, b)))),
            "The angle is in degrees: the sine of torch takes radians.",
            _ANGLE,
        ),
        *(
            Slip(
                _turned(lambda a, b, k=limit: torch.acos(torch.dot(a, b).clamp(-k, k))),
                "The angle is taken from the inner product of a and b as they are: their lengths "
                "must be divided out first.",
                _ANGLE,
            )
            for limit in (1.0, 1 - 1e-7, 1 - 1e-6, 2.0)
        ),
        Slip(
            _turned(
                lambda a, b: torch.acos(
                    (torch.dot(a, b) / (torch.dot(a, a) * torch.dot(b, b))).clamp(-1, 1)
                )
            ),
            "The inner product is divided by the squared lengths: the lengths were meant.",
            _ANGLE,
        ),
        Slip(
            _turned(_cosine),
            "The cosine of the angle is used as the angle.",
            _ANGLE,
        ),
        Slip(
            _turned(lambda a, b: torch.asin(_cosine(a, b))),
            "That is the arc sine of the inner product: the angle is another one.",
            _ANGLE,
        ),
        Slip(
            _turned(lambda a, b: torch.acos(_cosine(a, b)) / 2),
            "The angle is half of what it should be.",
            _ANGLE,
        ),
        Slip(
            lambda a, b, w: _RIGHT(_unit(a), _unit(b), w),
            "The path runs between a and b shortened to length 1: their lengths are used for the "
            "angle only.",
            _ENDS,
        ),
        Slip(
            lambda a, b, w: torch.nn.functional.normalize(_RIGHT(a, b, w), dim=1),
            "Every point of the path is brought to length 1: it should keep the lengths of a and "
            "b.",
            _ENDS,
        ),
        Slip(
            lambda a, b, w: torch.nn.functional.normalize(_linear(a, b, w), dim=1),
            "That is the straight line, brought to length 1.",
            _ENDS,
        ),
        Slip(
            _direction_and_length,
            "You interpolate direction and length separately; the formula of Step 3 was asked.",
            _ENDS,
        ),
        *(
            Slip(
                _straight_where(guard),
                "You take the straight line although the sine of the angle is far above the limit "
                "of 1e-6.",
                "For which angles does your code leave the arc, and which of them are parallel?",
            )
            for guard in (
                *(lambda c, s, k=limit: c.abs() > k for limit in (0.9995, 0.999, 0.99, 0.95, 0.9)),
                *(lambda c, s, k=limit: s < k for limit in (1e-3, 1e-2, 0.1)),
            )
        ),
        Slip(
            _rescaled,
            "That is the straight line with its length mended: the steps along it are not equal "
            "angles.",
            "Where a and b are orthogonal, which angle has the path turned at weight 0.25?",
        ),
        Slip(
            _turned(parts=_sines),
            "The division by the sine of the angle is missing.",
            _ENDS,
        ),
        Slip(
            lambda a, b, w: _mixed(a, b, *_sines(w[:, None], torch.acos(_cosine(a, b)))),
            "The division by the sine of the angle is missing.",
            _ENDS,
        ),
        Slip(
            _turned(
                parts=lambda w, t: (
                    torch.cos((1 - w) * t) / t.cos(),
                    torch.cos(w * t) / t.cos(),
                )
            ),
            "The sines have become cosines.",
            _ENDS,
        ),
        Slip(
            _turned(parts=lambda w, t: ((1 - w) * t.sin() / t.sin(), torch.sin(w * t) / t.sin())),
            "The share of a is not turned: the sine of its part of the angle is missing.",
            _ENDS,
        ),
        Slip(
            _turned(parts=lambda w, t: _sines(w, _quarter(w))),
            "The angle is always a right one: it should be that between a and b.",
            _ANGLE,
        ),
        Slip(
            lambda a, b, w: _mixed(a, b, *_sines(w[:, None], _quarter(w))),
            "The angle is always a right one: it should be that between a and b.",
            _ANGLE,
        ),
        Slip(
            _turned(fallback=lambda a, b, w: a.expand(len(w), -1)),
            "Where a and b are parallel you stay at a: they may still differ in length, and a "
            "straight line was asked.",
            "Print the ends of your path for b = 2 a.",
        ),
        Slip(
            _turned(fallback=lambda a, b, w: b.expand(len(w), -1)),
            "Where a and b are parallel you are at b from the start: a straight line was asked.",
            "Print the ends of your path for b = 2 a.",
        ),
        Slip(
            _turned(fallback=lambda a, b, w: _linear(b, a, w)),
            "Where a and b are parallel the straight line runs from b to a.",
            "Print the ends of your path for b = 2 a.",
        ),
        Slip(
            lambda a, b, w: _RIGHT(a, b, w[:1]).expand(len(w), -1),
            "Every point is that of the first weight: each weight has a point of its own.",
            _ENDS,
        ),
        Slip(
            lambda a, b, w: _RIGHT(a, b, w.clamp(0, 1).flip(0)),
            "The points come in the wrong order: the last weight's is first.",
            _ENDS,
        ),
        Slip(
            lambda a, b, w: _RIGHT(a, b, torch.linspace(0, 1, len(w)).to(a)),
            "The weights are not used: they need not be equally far apart.",
            _ENDS,
        ),
        Slip(
            lambda a, b, w: _RIGHT(a, b, w).T,
            "The axes are exchanged: one row for each weight was asked.",
            "Print the shape after each operation, and compare it with the docstring.",
        ),
    ],
)


def spherical_interpolation(function: Function) -> None:
    """Check `slerp(a, b, weights) -> (T, K)`."""
    __tracebackhide__ = True
    run("spherical-interpolation", (CHECK, function))
