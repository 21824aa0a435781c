"""Check of `bits-of-the-picture`: from a flow's log-density to bits per dimension."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor

from coursekit.checks.engine import Case, Check, Function, Slip, run
from coursekit.checks.parts import batch_slips, normal

LN_2 = math.log(2)
Join = Callable[[Tensor, Tensor], Tensor]


def _bits(log_p_y: Tensor, logdet: Tensor, dims: int) -> Tensor:
    """Count the nats of a cell, a picture's volume of one over 256 to the number of values."""
    cell = log_p_y + logdet - dims * math.log(256)
    return -cell / (dims * LN_2)


def _cases() -> list[Case]:
    def case(p: Tensor, logdet: Tensor, dims: int, title: str = "", clue: str = "") -> Case:
        return Case({"log_p_y": p, "logdet": logdet, "dims": dims}, title, clue)

    p, logdet = normal(631, (4,), (4,), dtype=torch.float64)
    first, second = normal(632, (5,), (5,))
    return [
        case(torch.tensor([-20.0]), torch.tensor([4.0]), 10),
        case(torch.tensor([-3.0, 2.0]), torch.tensor([-1.0, 6.0]), 4),
        case(
            300 * p - 2500,
            200 * logdet + 3500,
            784,
            title="4 pictures of 784 values, with densities above 1 among them, in float64",
            clue="A log-density may be positive, and so may either of its terms: see step 1.",
        ),
        case(20 * first, 20 * second, 3, title="5 pictures of 3 values"),
        case(
            100 * second - 4000,
            100 * first - 2000,
            3072,
            title="5 pictures of 3072 values, with a map that squeezes",
            clue="A map that squeezes has a negative logdet: see step 1.",
        ),
    ]


def _far_cases() -> list[Case]:
    """Make the cases of values that look impossible."""
    clue = "Nothing is cut off: a value that looks impossible, infinity too, is to be seen."
    p, logdet = torch.tensor([-1e6, 1e6, -math.inf]), torch.tensor([1.0, 2.0, 3.0])
    inputs = {"log_p_y": p, "logdet": logdet, "dims": 4}
    return [Case(inputs, "log_p_y = -1e6, 1e6 and minus infinity, dims = 4", clue)]


def _with(
    join: Join = lambda p, logdet: p + logdet,
    per_bit: float = LN_2,
    eight: Callable[[int], float] = lambda dims: 8.0,
) -> Function:
    """The bits with another log-density of x, another unit, or something else for the 8."""
    return lambda p, logdet, dims: -join(p, logdet) / (dims * per_bit) + eight(dims)


_DENSITY = "Look at step 1 above: which density is wanted, and does the map stretch or squeeze it?"
_UNIT = "Look at step 2 above: how many nats is one bit, and among how many values are they shared?"
_EIGHT = (
    "Look at step 3 above: how small is a cell, in which unit is that, and how often is it added?"
)
_SIGN = "Does a likelier picture need more bits, or fewer?"

_JOINS: list[tuple[Join, str]] = [
    (
        lambda p, logdet: p - logdet,
        "The logdet has the wrong sign: it is that of the map from x to y.",
    ),
    (
        lambda p, logdet: p,
        "The logdet is missing: that is the density of y, and the picture is x.",
    ),
    (lambda p, logdet: logdet, "The log-density of y is missing."),
    (
        lambda p, logdet: logdet - p,
        "The log-density of y has the wrong sign: is it a loss already?",
    ),
    (
        lambda p, logdet: p * logdet,
        "The two are multiplied: in logs a product is a sum.",
    ),
    (
        lambda p, logdet: p + logdet.abs(),
        "The size of the logdet is used: its sign counts.",
    ),
    (
        lambda p, logdet: p + logdet.abs().log(),
        "The logarithm is taken twice: the logdet is one already.",
    ),
    (lambda p, logdet: p + logdet.exp(), "The determinant is added: in logs its logarithm is."),
    (
        lambda p, logdet: p + 2 * logdet,
        "The logdet counts twice.",
    ),
    (lambda p, logdet: p + logdet / 2, "The logdet counts half."),
    (
        lambda p, logdet: p + logdet.mean(),
        "The logdet is averaged over the batch: each picture has its own.",
    ),
    (
        lambda p, logdet: p + logdet.sum(),
        "The logdet is summed over the batch: each picture has its own.",
    ),
    (
        lambda p, logdet: p + logdet[:1],
        "The first picture's logdet is used for all.",
    ),
]
_EIGHTS: list[tuple[Callable[[int], float], str]] = [
    (lambda d: 0.0, "The bits are missing that make a density of [0, 1] a mass of levels."),
    (lambda d: -8.0, "The 8 has the wrong sign."),
    (lambda d: 8 / d, "The 8 is divided by the number of values: it belongs to each of them."),
    (lambda d: 8.0 * d, "The 8 is counted once for each value: bits per dimension were asked."),
    (
        lambda d: 8 / d / LN_2,
        "The 8 is added to the nats of the whole picture: it is bits, for each value.",
    ),
    (lambda d: 8 / LN_2, "The 8 is taken for nats: it is in bits already."),
    (lambda d: 8 * LN_2, "The 8 is turned into nats and the rest is in bits."),
    (lambda d: 256.0, "The number of levels is added, not the bits that it takes to name one."),
    (lambda d: math.log2(255), "A cell is one of 256, not of 255."),
    (lambda d: 16.0, "The 8 is counted twice."),
]

CHECK = Check(
    reference=_bits,
    cases=_cases,
    look="Look at steps 1 to 3 above: which of them is not in your code?",
    slips=[
        *(Slip(_with(join), what, _DENSITY) for join, what in _JOINS),
        *(Slip(_with(eight=eight), what, _EIGHT) for eight, what in _EIGHTS),
        Slip(
            _with(lambda p, logdet: p - logdet, eight=lambda d: 0.0),
            "The logdet has the wrong sign, and the 8 bits of the levels are missing.",
            _DENSITY,
        ),
        Slip(
            _with(lambda p, logdet: p, eight=lambda d: 0.0),
            "The logdet is missing, and so are the 8 bits of the levels.",
            _DENSITY,
        ),
        Slip(_with(per_bit=1.0), "It is in nats: one bit is not one nat.", _UNIT),
        Slip(
            _with(per_bit=1.0, eight=lambda d: 8 * LN_2),
            "It is in nats, the 8 bits too: bits were asked.",
            _UNIT,
        ),
        Slip(
            _with(per_bit=1 / LN_2),
            "The nats are multiplied by the nats of a bit: they are to be divided.",
            _UNIT,
        ),
        Slip(
            _with(per_bit=math.log(10)),
            "You use the logarithm of 10: a bit is a choice between two.",
            _UNIT,
        ),
        Slip(
            lambda p, logdet, d: -(p / d + logdet) / LN_2 + 8,
            "The logdet is not divided by the number of values: it is the whole picture's.",
            _UNIT,
        ),
        Slip(
            lambda p, logdet, d: -(p + logdet / d) / LN_2 + 8,
            "The log-density is not divided by the number of values: it is the whole picture's.",
            _UNIT,
        ),
        Slip(
            lambda p, logdet, d: -p / d / LN_2 - logdet / d + 8,
            "The logdet is left in nats: both terms are to be in bits.",
            _UNIT,
        ),
        Slip(
            lambda p, logdet, d: -p / d - logdet / d / LN_2 + 8,
            "The log-density is left in nats: both terms are to be in bits.",
            _UNIT,
        ),
        Slip(
            lambda p, logdet, d: -(p + logdet) / LN_2 + 8,
            "It is not divided by the number of values.",
            _UNIT,
        ),
        Slip(
            lambda p, logdet, d: -(p + logdet) / LN_2 + 8 * d,
            "These are the bits of the whole picture: it is not divided by the number of values.",
            _UNIT,
        ),
        Slip(
            lambda p, logdet, d: _bits(p, logdet, 784),
            "The number of values stands there as 784: take it from dims.",
            _UNIT,
        ),
        Slip(
            lambda p, logdet, d: _bits(p, logdet, len(p)),
            "You divide by the number of pictures, not by the number of values in one.",
            _UNIT,
        ),
        Slip(
            lambda p, logdet, d: _bits(-p, -logdet, d),
            "The sign is wrong: a log-density is given, and the bits are of its negative.",
            _SIGN,
        ),
        Slip(
            lambda p, logdet, d: -_bits(p, logdet, d),
            "The sign of everything is wrong: bits are what a picture costs.",
            _SIGN,
        ),
        Slip(
            lambda p, logdet, d: _bits(p, logdet, d).clamp(min=0),
            "Negative values are cut off: nothing in these numbers says that they are honest.",
            _SIGN,
        ),
        Slip(
            lambda p, logdet, d: _bits(p, logdet, d).abs(),
            "Negative values are made positive: nothing in these numbers says that they are "
            "honest.",
            _SIGN,
        ),
        *batch_slips(_bits, "Nothing is summed or averaged here: each picture has its own."),
    ],
)


FAR = replace(
    CHECK,
    cases=_far_cases,
    slopes=(),
    slips=[
        Slip(
            lambda p, logdet, dims, k=most: _bits(p, logdet, dims).clamp(max=k),
            "Large values are cut off: a picture that costs very much is to be seen.",
            _SIGN,
        )
        for most in (8.0, 10.0, 16.0, 20.0, 50.0, 100.0, 1000.0)
    ],
)


def bits_of_the_picture(function: Function) -> None:
    """Check `eight_bit_bits(log_p_y, logdet, dims) -> (B,)`."""
    __tracebackhide__ = True
    run("bits-of-the-picture", (CHECK, function), (FAR, function))
