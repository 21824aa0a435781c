"""Check of `three-paths`: straight, sinusoidal and spherical interpolation of two latents."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor

from coursekit.checks.engine import Case, Check, Function, Slip, run
from coursekit.checks.flows.answers import Several
from coursekit.checks.latents.spherical import CHECK as SLERP
from coursekit.checks.parts import normal

Share = Callable[[Tensor], Tensor]
_ARC = SLERP.reference


def _path(first: Share, second: Share) -> Function:
    """A path from the shares of a and of b at each weight."""

    def path(a: Tensor, b: Tensor, lambdas: Tensor) -> Tensor:
        return torch.outer(first(lambdas), a) + torch.outer(second(lambdas), b)

    return path


def _sine(w: Tensor) -> Tensor:
    return torch.sin(w * math.pi / 2)


_LINE = _path(lambda w: 1 - w, lambda w: w)
_WAVE = _path(lambda w: 1 - _sine(w), _sine)


def _cases() -> list[Case]:
    """The spherical path's cases, with their weights under this exercise's name."""
    cases = []
    for case in SLERP.cases():
        a, b, weights = case.inputs.values()
        cases.append(replace(case, inputs={"a": a, "b": b, "lambdas": weights}))
    a, b, weights = cases[2].inputs.values()
    square = {"a": a, "b": b, "lambdas": weights[1:]}
    return [*cases, Case(square, "random a and b with D = 4, T = 4")]


def _renamed(case: Case) -> Case:
    return replace(case, title=case.title.replace("K = ", "D = "))


def _all_cases() -> list[Case]:
    return [_renamed(case) for case in _cases()]


_ENDS = "What should the path be at lambda = 0, what at 1, and what is yours there?"
_ORDER_LOOK = "In which order does the docstring name the three?"


def _common(right: Function) -> list[Slip]:
    """Slips that can happen to each of the three."""
    return [
        Slip(
            lambda a, b, w: right(b, a, w),
            "It runs from b to a: at lambda = 0 it should be at a.",
            _ENDS,
        ),
        Slip(
            lambda a, b, w: right(a, b, w.flip(0)),
            "Its points come in the wrong order: the last one is first.",
            _ENDS,
        ),
        Slip(
            lambda a, b, w: right(a, b, torch.linspace(0, 1, len(w)).to(a)),
            "The lambdas are not used: they need not be equally far apart.",
            _ENDS,
        ),
        Slip(
            lambda a, b, w: right(a, b, w[:1]).expand(len(w), -1),
            "Every point is that of the first lambda: each lambda has a point of its own.",
            _ENDS,
        ),
        Slip(
            lambda a, b, w: right(a, b, w).T,
            "The axes are exchanged: one row for each lambda was asked.",
            "Print the shape after each operation, and compare it with the docstring.",
        ),
        Slip(
            lambda a, b, w: torch.nn.functional.normalize(right(a, b, w), dim=1),
            "Every point is brought to length 1: a path keeps the lengths of its ends.",
            _ENDS,
        ),
    ]


def _others(*paths: tuple[Function, str]) -> list[Slip]:
    return [
        Slip(path, f"That is the {name} path: the three have an order.", _ORDER_LOOK)
        for path, name in paths
    ]


_STRAIGHT = "Look at step 1 above: what are the two weights, and what do they sum to?"
_BENT = "Look at step 2 above: what are the two weights at lambda = 0, at a half and at 1?"

_LINES: list[tuple[Function, str]] = [
    (_path(lambda w: 1 - w, torch.ones_like), "The share of b does not grow with lambda."),
    (_path(torch.ones_like, lambda w: w), "The share of a does not shrink with lambda."),
    (_path(lambda w: 1 + w, lambda w: -w), "The signs are exchanged: it runs away from b."),
    (
        _path(lambda w: 1 - w, lambda w: -w),
        "The share of b has the wrong sign.",
    ),
    (_path(lambda w: 1 - w / 2, lambda w: w / 2), "It ends half way."),
]

LINEAR = Check(
    reference=_LINE,
    cases=_all_cases,
    slopes=("a", "b"),
    subject="your linear path is",
    shape="(T, D)",
    look=f"{_STRAIGHT} {_ENDS}",
    slips=[
        *_others((_WAVE, "sinusoidal"), (_ARC, "spherical")),
        *_common(_LINE),
        *(Slip(wrong, what, _STRAIGHT) for wrong, what in _LINES),
    ],
)


def _cosine(w: Tensor) -> Tensor:
    return torch.cos(w * math.pi / 2)


_WAVES: list[tuple[Function, str]] = [
    (
        _path(_cosine, _sine),
        "The share of a is a cosine: the two shares sum to 1 here, and a sine and a cosine do not.",
    ),
    (_path(lambda w: 1 - _cosine(w), _cosine), "The sine has become a cosine: where is the start?"),
    (
        _path(_cosine, lambda w: 1 - _cosine(w)),
        "The shares are made from a cosine: that begins slowly, and the path asked for fast.",
    ),
    (
        _path(lambda w: 1 - torch.sin(w), lambda w: torch.sin(w)),
        "The angle is lambda itself: at lambda = 1 it should be a quarter of a turn.",
    ),
    (
        _path(lambda w: 1 - torch.sin(w * math.pi), lambda w: torch.sin(w * math.pi)),
        "The angle goes to half a turn: the path comes back to a.",
    ),
    (
        _path(lambda w: 1 - torch.sin(w * 2 * math.pi), lambda w: torch.sin(w * 2 * math.pi)),
        "The angle goes to a whole turn: the path comes back to a.",
    ),
    (
        _path(lambda w: 1 - torch.sin(w * 90), lambda w: torch.sin(w * 90)),
        "The angle is in degrees: the sine takes radians.",
    ),
    (
        _path(lambda w: 1 - _sine(w).square(), lambda w: _sine(w).square()),
        "The sine is squared.",
    ),
    (
        _path(
            lambda w: (1 + torch.cos(math.pi * w)) / 2, lambda w: (1 - torch.cos(math.pi * w)) / 2
        ),
        "The shares are made from a cosine of half a turn: that is slow at both ends.",
    ),
    (_path(lambda w: 1 - w, _sine), "Only the share of b is a sine: the two sum to 1."),
    (
        _path(lambda w: 1 - _sine(w), lambda w: w),
        "Only the share of a has a sine: the two sum to 1.",
    ),
    (_path(lambda w: _sine(1 - w), _sine), "The share of a is a sine too: the two sum to 1."),
    (
        _path(lambda w: _sine(1 - w), lambda w: 1 - _sine(1 - w)),
        "The sine is that of the share of a: that begins slowly, and the path asked for fast.",
    ),
    (_path(lambda w: 1 + _sine(w), lambda w: -_sine(w)), "The signs are exchanged."),
    (_path(lambda w: _sine(w), lambda w: 1 - _sine(w)), "It runs from b to a."),
    (_path(lambda w: 1 - _sine(w), torch.ones_like), "The share of b does not grow with lambda."),
]

SINUSOIDAL = Check(
    reference=_WAVE,
    cases=_all_cases,
    slopes=("a", "b"),
    subject="your sinusoidal path is",
    shape="(T, D)",
    look=f"{_BENT} {_ENDS}",
    slips=[
        *_others((_LINE, "linear"), (_ARC, "spherical")),
        *_common(_WAVE),
        *(Slip(wrong, what, _BENT) for wrong, what in _WAVES),
    ],
)


def _on_the_arc(other: Function) -> Function:
    """Another path, where a and b are not parallel; the straight line where they are."""

    def wrong(a: Tensor, b: Tensor, lambdas: Tensor) -> Tensor:
        a, b, lambdas = a.double(), b.double(), lambdas.double()
        cosine = torch.dot(a, b) / (a.norm() * b.norm())
        straight = torch.acos(cosine.clamp(-1, 1)).sin() < 1e-6
        path: Tensor = (_LINE if straight else other)(a, b, lambdas)
        return path

    return wrong


def _of_units(a: Tensor, b: Tensor, lambdas: Tensor) -> Tensor:
    path: Tensor = _ARC(a / a.norm(), b / b.norm(), lambdas)
    return path


_ARCS = [
    Slip(
        _on_the_arc(_of_units),
        "a and b are made unit vectors: the weights belong to the vectors as they are, with their "
        "own lengths.",
        _ENDS,
    ),
    Slip(
        _on_the_arc(
            lambda a, b, w: (
                _of_units(a, b, w) * torch.lerp(a.norm()[None], b.norm()[None], w)[:, None]
            )
        ),
        "Direction and length are interpolated apart: the weights belong to the vectors as they "
        "are.",
        _ENDS,
    ),
    Slip(
        _on_the_arc(lambda a, b, w: _ARC(b, a, w)),
        "The weights of a and b are exchanged on the arc: at lambda = 0 it should be at a.",
        _ENDS,
    ),
]


def _in_double(slip: Slip) -> Slip:
    """The same slip, with the angle worked out in double precision."""

    def wrong(a: Tensor, b: Tensor, lambdas: Tensor) -> Tensor:
        path: Tensor = slip.wrong(a.double(), b.double(), lambdas.double())
        return path

    return replace(slip, wrong=wrong)


SPHERICAL = Check(
    reference=_ARC,
    cases=_all_cases,
    subject="your spherical path is",
    shape="(T, D)",
    look=SLERP.look,
    slips=[*_others((_WAVE, "sinusoidal")), *_ARCS, *map(_in_double, SLERP.slips), *SLERP.slips],
)


def _end(a: Tensor, below: float) -> Tensor:
    """A vector as long as a, at an angle of half a turn less something small, in a known plane."""
    along = a / a.norm()
    other = torch.ones_like(a)
    across = other - torch.dot(other, along) * along
    return a.norm() * (math.sin(below) * across / across.norm() - math.cos(below) * along)


def _opposite_cases() -> list[Case]:
    """Make the cases of opposite vectors, exactly and nearly."""
    lambdas = torch.tensor([0.0, 0.3, 0.5, 0.9, 1.0])
    single = (
        "Opposite vectors have no arc. In single precision their cosine rounds by 6e-8, and the "
        "sine of its angle comes out near 3e-4: work the angle out in double precision."
    )
    double = "Opposite vectors have no arc, though rounding can make their sine larger than 0."

    def case(a: Tensor, b: Tensor, title: str, clue: str) -> Case:
        return Case({"a": a, "b": b, "lambdas": lambdas.to(a)}, title, clue)

    cases = []
    for seed, size in ((12, 6), (16, 6), (30, 6), (34, 6), (19, 784), (29, 784)):
        a = normal(seed, (size,))[0]
        cases.append(case(a, -2.7 * a, f"b = -2.7 a, a random with D = {size}", single))
    for seed in (11, 48, 65, 77, 82, 87):
        a = normal(seed, (6,), dtype=torch.float64)[0]
        title = f"b = -2.7 a, a random with D = 6, in float64 (draw {seed})"
        cases.append(case(a, -2.7 * a, title, double))
    a = normal(21, (6,), dtype=torch.float64)[0]
    for below, text in ((1e-5, "1e-5"), (4e-6, "4e-6"), (3e-7, "3e-7")):
        path = "the arc" if below > 1e-6 else "the straight line"
        clue = f"The limit of the sine is 1e-6, and here it is {text}: {path} was asked."
        title = f"an angle of half a turn less {text}, in float64"
        cases.append(case(a, _end(a, below), title, clue))
    return cases


OPPOSITE = replace(SPHERICAL, cases=_opposite_cases, slips=[])

ANSWER = Several(
    ("linear", "sinusoidal", "spherical"),
    ("(T, D)", "(T, D)", "(T, D)"),
    lambda inputs: [(len(inputs["lambdas"]), len(inputs["a"]))] * 3,
)


def three_paths(function: Function) -> None:
    """Check `paths(a, b, lambdas) -> (linear, sinusoidal, spherical)`, each (T, D)."""
    __tracebackhide__ = True
    parts = ANSWER.parts(function, (LINEAR, SINUSOIDAL, SPHERICAL))
    run("three-paths", *parts, (OPPOSITE, parts[-1][1]))
