"""Check of `change-of-variables`: the density of x where its cube is uniform."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor

from coursekit.checks.engine import Case, Check, Function, Slip, run
from coursekit.checks.parts import grey, normal

Height = Callable[[Tensor, float, float], Tensor]


def _right(x: Tensor, low: float, high: float) -> Tensor:
    """The slope of the share of z that lies below the cube of x."""
    with torch.enable_grad():
        place = x.detach().clone().requires_grad_()
        share = (place**3).clamp(low, high) / (high - low)
        return torch.autograd.grad(share.sum(), place)[0]


def _cube_inside(x: Tensor, low: float, high: float) -> Tensor:
    return (x**3 > low) & (x**3 < high)


def _height(x: Tensor, low: float, high: float) -> Tensor:
    return 3 * x.square() / (high - low)


def _form(height: Height = _height, inside: Function = _cube_inside) -> Function:
    """The density with another height, or on another support."""

    def wrong(x: Tensor, low: float, high: float) -> Tensor:
        return torch.where(inside(x, low, high), height(x, low, high), 0.0)

    return wrong


def _cases() -> list[Case]:
    def case(x: Tensor, low: float, high: float, title: str = "", clue: str = "") -> Case:
        return Case({"x": x, "low": low, "high": high}, title, clue)

    tensor = torch.tensor
    return [
        case(tensor([0.5]), 0.0, 1.0),
        case(tensor([0.5, 1.5, 2.5]), 1.0, 8.0),
        case(
            tensor([-2.1, -1.9, -0.5, 0.0, 0.9, 1.1]),
            -8.0,
            1.0,
            clue="Where the interval holds negative numbers, so does the support: a negative "
            "number has a cube root too, though a power with a broken exponent does not find it.",
        ),
        case(
            tensor([-3.5, -2.0, -0.5, 0.5, 2.0]),
            -27.0,
            -1.0,
            clue="All of z is negative here, and so is all of x: a negative number has a cube "
            "root too, though a power with a broken exponent does not find it.",
        ),
        case(
            2 * normal(601, (5, 4), dtype=torch.float64)[0],
            -2.5,
            4.0,
            title="5 x 4 values of x, low = -2.5, high = 4.0, in float64",
        ),
        case(
            0.55 + 0.12 * grey(602, 3, 3),
            0.2,
            0.25,
            title="3 x 3 values of x near 0.6, low = 0.2, high = 0.25",
            clue="A density may be larger than 1: only its integral may not.",
        ),
        case(
            12 * normal(603, (2, 3, 4))[0],
            -1000.0,
            3000.0,
            title="2 x 3 x 4 values of x, low = -1000, high = 3000",
            clue="The interval of z is wide, and x lies between the cube roots of its ends.",
        ),
        replace(
            case(
                tensor([5.0, -5.0]),
                0.5,
                1.0,
                clue="No z of the interval leads to these x: the density is exactly 0 there.",
            ),
            tolerance=0.0,
        ),
    ]


def _root(value: float) -> float:
    """The cube root that a power with a third gives: none of a negative number."""
    return float(torch.tensor(value, dtype=torch.float64) ** (1 / 3))


def _real_root(value: float) -> float:
    return -_root(-value) if value < 0 else _root(value)


def _between(low: Callable[[float], float], high: Callable[[float], float]) -> Function:
    """A support with other ends."""
    return lambda x, a, b: (x > low(a)) & (x < high(b))


_FACTOR = (
    "Look at step 2 above: by how much is a small interval of x stretched on its way to z, and at "
    "which place?"
)
_WIDTH = "Look at step 1 above: how high is the density of z?"
_SUPPORT = "Look at step 3 above: which x have a z in the interval? Try -8 and 8 as ends."
_ITSELF = "That is z's density at x itself"

_HEIGHTS: list[tuple[Height, str, str]] = [
    (
        lambda x, a, b: torch.ones_like(x) / (b - a),
        "You put the cube of x into the density of z, and stop there: the factor that the change "
        "of variables brings is missing.",
        _FACTOR,
    ),
    (
        lambda x, a, b: 1 / (3 * x.square()) / (b - a),
        "The factor is upside down: it is how fast z changes with x, not how fast x does with z.",
        _FACTOR,
    ),
    (
        lambda x, a, b: x.square() / (b - a),
        "A number in the slope of the cube is missing.",
        _FACTOR,
    ),
    (lambda x, a, b: 3 * x.abs() / (b - a), "The slope of the cube has another power.", _FACTOR),
    (lambda x, a, b: 3 * x / (b - a), "The slope of the cube has another power.", _FACTOR),
    (lambda x, a, b: 6 * x / (b - a), "The slope is taken twice: once is enough.", _FACTOR),
    (
        lambda x, a, b: 6 * x.abs() / (b - a),
        "The slope is taken twice: once is enough.",
        _FACTOR,
    ),
    (
        lambda x, a, b: 2 * x.square() / (b - a),
        "The number in the slope of the cube is another one.",
        _FACTOR,
    ),
    (lambda x, a, b: 3 * x**3 / (b - a), "The slope of the cube has another power.", _FACTOR),
    (lambda x, a, b: x**3 / (b - a), "The cube itself stands where its slope is asked.", _FACTOR),
    (lambda x, a, b: x**4 / 4 / (b - a), "The cube is integrated: its slope is asked.", _FACTOR),
    (
        lambda x, a, b: 3 * x**6 / (b - a),
        "The slope is taken at z: it belongs to x.",
        _FACTOR,
    ),
    (
        lambda x, a, b: -3 * x.square() / (b - a),
        "A density is never negative: the factor is a size, and a width counts from low to high.",
        _FACTOR,
    ),
    (
        lambda x, a, b: 3 * x * x.abs() / (b - a),
        "A density is never negative: the factor is a size.",
        _FACTOR,
    ),
    (lambda x, a, b: 3 * x.square(), "The density of z is missing from the product.", _WIDTH),
    (
        lambda x, a, b: 3 * x.square() * (b - a),
        "You multiply by the width of the interval: a wider one makes z's density lower.",
        _WIDTH,
    ),
    (lambda x, a, b: 3 * x.square() / b, "The width counts from 0: from low was asked.", _WIDTH),
    (
        lambda x, a, b: 3 * x.square() / b - a,
        "Only high is divided by: brackets are missing around the width.",
        _WIDTH,
    ),
    (lambda x, a, b: 3 * x.square() / (b + a), "The ends are added: a width was asked.", _WIDTH),
    (
        lambda x, a, b: 3 * x.square() / (abs(b) + abs(a)),
        "The sizes of the ends are added: a width was asked.",
        _WIDTH,
    ),
    (
        lambda x, a, b: 3 * x.square() / (b**3 - a**3),
        "The width is that of the cubes of low and high: both are z already.",
        _WIDTH,
    ),
    (
        lambda x, a, b: 3 * x.square() / (_real_root(b) - _real_root(a)),
        "The width is that of the x: the density of z wants the width of z's interval.",
        _WIDTH,
    ),
    (
        lambda x, a, b: torch.ones_like(x) / (_real_root(b) - _real_root(a)),
        "You make x uniform: z is, and x is not.",
        _FACTOR,
    ),
    (
        lambda x, a, b: _height(x, a, b).clamp(max=1),
        "The density is kept below 1: only its integral may not be larger.",
        "What is the largest density of a uniform variable between 0.2 and 0.25?",
    ),
]
_SUPPORTS: list[tuple[Function, str]] = [
    (
        lambda x, a, b: torch.ones_like(x, dtype=torch.bool),
        "The density is positive everywhere: outside of the support it is 0.",
    ),
    (
        lambda x, a, b: (x > a) & (x < b),
        "The support is that of z: it is x, not z, that you compare with low and high.",
    ),
    (
        lambda x, a, b: (x > a**3) & (x < b**3),
        "The support lies between the cubes of the ends: from z to x it goes the other way.",
    ),
    (
        lambda x, a, b: (x.abs() ** 3 > a) & (x.abs() ** 3 < b),
        "The sign of x is lost on the way to the support.",
    ),
    (lambda x, a, b: x**3 < b, "Only the upper end of the support is looked at."),
    (lambda x, a, b: x**3 > a, "Only the lower end of the support is looked at."),
    (
        lambda x, a, b: _cube_inside(x, a, b) & (x > 0),
        "Negative x are left out: where z may be negative, x may be so too.",
    ),
    (
        lambda x, a, b: (x**3 < a) | (x**3 > b),
        "Inside and outside are exchanged.",
    ),
    *(
        (
            inside,
            "A negative end gets lost: a power with a broken exponent finds no root of it.",
        )
        for inside in (
            _between(_root, _root),
            _between(lambda a: 0.0 if a < 0 else _root(a), _root),
            _between(lambda a: 0.0 if a < 0 else _root(a), lambda b: 0.0 if b < 0 else _root(b)),
            lambda x, a, b: (x ** (1 / 3) > a) & (x ** (1 / 3) < b),
        )
    ),
    (
        _between(lambda a: _root(abs(a)), lambda b: _root(abs(b))),
        "The sign of the ends is lost on the way to their roots.",
    ),
    (
        _between(lambda a: -_root(abs(a)), lambda b: _root(abs(b))),
        "The lower end of the support is always negative: its sign is that of low.",
    ),
]

CHECK = Check(
    reference=_right,
    cases=_cases,
    shape="like x",
    look="Look at steps 1 to 3 above: the height of z's density, the factor, the support. Which of "
    "the three is another one in your code?",
    slips=[
        Slip(
            _form(lambda x, a, b: torch.ones_like(x) / (b - a), lambda x, a, b: (x > a) & (x < b)),
            f"{_ITSELF}: the map between the two does not come in.",
            _FACTOR,
        ),
        Slip(
            _form(
                lambda x, a, b: 1 / (3 * x.square()) / (b - a),
                lambda x, a, b: (x > a) & (x < b),
            ),
            "The factor is upside down, and the support is that of z.",
            _FACTOR,
        ),
        Slip(
            _form(
                lambda x, a, b: x.abs() ** (-2 / 3) / 3 / (b - a),
                lambda x, a, b: (x > a**3) & (x < b**3),
            ),
            "You took x for the cube of z: here z is the cube of x.",
            "Look at step 1 above: which of the two is uniform, and which way does the map go?",
        ),
        *(Slip(_form(height), what, look) for height, what, look in _HEIGHTS),
        *(Slip(_form(inside=inside), what, _SUPPORT) for inside, what in _SUPPORTS),
        *(
            Slip(
                _form(lambda x, a, b: 3 * x.square(), inside),
                f"The density of z is missing from the product. And of the support: {what}",
                _WIDTH,
            )
            for inside, what in _SUPPORTS
        ),
        *(
            Slip(
                _form(lambda x, a, b: torch.ones_like(x) / (b - a), inside),
                f"The factor of the change of variables is missing. And of the support: {what}",
                _FACTOR,
            )
            for inside, what in _SUPPORTS
        ),
        Slip(
            lambda x, a, b: _right(x, a, b).log(),
            "That is the logarithm of the density: the density itself was asked.",
            "Which value did step 3 name for an x outside of the support?",
        ),
        Slip(
            lambda x, a, b: _right(x, a, b) / _right(x, a, b).sum().clamp(min=1e-12),
            "The values are made to add up to 1: a density integrates to 1, whatever points it is "
            "asked for.",
            "What would your function say of a single x?",
        ),
        Slip(
            lambda x, a, b: ((x**3).clamp(a, b) - a) / (b - a),
            "That is the probability that lies below x: the density is its slope.",
            _FACTOR,
        ),
        Slip(
            lambda x, a, b: _right(-x, a, b),
            "The density is reflected at 0: where is the sign of x turned?",
            _SUPPORT,
        ),
        Slip(
            lambda x, a, b: _right(x, a, b)[_cube_inside(x, a, b)],
            "You return the values inside the support alone: outside stands a 0.",
            "How many values does x have, and how many has your result?",
        ),
        Slip(
            _right,
            "It is nearly right: outside of the support the density is exactly 0, and nothing "
            "small stands there.",
            _SUPPORT,
        ),
    ],
)


def change_of_variables(function: Function) -> None:
    """Check `density_of_x(x, low, high)`, as many values as x has."""
    __tracebackhide__ = True
    run("change-of-variables", (CHECK, function))
