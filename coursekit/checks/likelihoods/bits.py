"""Check of `one-scale`: negative log-likelihoods as bits per dimension of the 8-bit picture."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor

from coursekit.checks.engine import Case, Check, Function, Slip, run
from coursekit.checks.parts import batch_slips, normal

LN_2 = math.log(2)


def _bits(nats: Tensor, dims: int, scale: str) -> Tensor:
    return nats / dims / LN_2 + (8 if scale == "density" else 0)


def _cases() -> list[Case]:
    def case(nats: Tensor, dims: int, scale: str, title: str = "", clue: str = "") -> Case:
        return Case({"nats": nats, "dims": dims, "scale": scale}, title, clue)

    (random,) = normal(11, (4,), dtype=torch.float64)
    return [
        case(torch.tensor([100.0]), 10, "mass"),
        case(torch.tensor([10.0, 20.0]), 4, "density"),
        case(
            torch.tensor([-2500.0, 30.0, -1.0]),
            784,
            "density",
            title='negative and positive nats, dims = 784, scale = "density"',
            clue="A log-density may be positive, and the nats negative: see step 4.",
        ),
        case(900 + 99 * random, 784, "mass", title='4 pictures, dims = 784, scale = "mass"'),
        case(50 * random, 3, "density", title='4 tiny pictures, dims = 3, scale = "density"'),
    ]


def _with(per_bit: float, eight: Callable[[int], float], for_mass: float = 0.0) -> Function:
    """Bits per dimension with another unit, and with something else in place of the 8."""

    def wrong(nats: Tensor, dims: int, scale: str) -> Tensor:
        return nats / dims / per_bit + eight(dims) * (1.0 if scale == "density" else for_mass)

    return wrong


_UNIT = "Look at step 1 of the derivation above: how many nats is one bit?"
_DIMS = "Look at step 2 of the derivation above: what is shared among the D values?"
_EIGHT = "Look at steps 3 and 4 of the derivation above: to which of the two belongs the 8?"
_ONCE = "Look at step 4 of the derivation above: in which unit is the 8, and how often is it added?"

CHECK = Check(
    reference=_bits,
    cases=_cases,
    look="Look at steps 1 to 4 of the derivation above: which of them is not in your code?",
    slips=[
        Slip(_with(1.0, lambda d: 8.0), "It is in nats: one bit is not one nat.", _UNIT),
        Slip(
            _with(1.0, lambda d: 8 * LN_2),
            "It is in nats, the 8 bits too: bits were asked.",
            _UNIT,
        ),
        Slip(
            _with(1 / LN_2, lambda d: 8.0),
            "The nats are multiplied by the nats of a bit: they are to be divided.",
            _UNIT,
        ),
        Slip(
            _with(math.log(10), lambda d: 8.0),
            "You use the logarithm of 10: a bit is a choice between two.",
            _UNIT,
        ),
        Slip(_with(LN_2, lambda d: 0.0), "The 8 bits that a density needs are missing.", _EIGHT),
        Slip(
            _with(LN_2, lambda d: 8.0, for_mass=1.0),
            "The 8 is added to a mass too: a mass speaks of the levels already.",
            _EIGHT,
        ),
        Slip(
            lambda n, d, s: _bits(n, d, "mass" if s == "density" else "density"),
            "Density and mass are exchanged: which of the two needs the 8?",
            _EIGHT,
        ),
        Slip(
            _with(LN_2, lambda d: -8.0),
            "The 8 has the wrong sign: does a cell that is narrower hold more or less mass?",
            _ONCE,
        ),
        Slip(
            _with(LN_2, lambda d: 8 / d),
            "The 8 is divided by the number of values: each value needs 8 bits.",
            _ONCE,
        ),
        Slip(
            _with(LN_2, lambda d: 8 / d / LN_2),
            "The 8 is added to the nats of the whole picture: it is bits, for each value.",
            _ONCE,
        ),
        Slip(
            _with(LN_2, lambda d: 8 / LN_2),
            "The 8 is taken for nats: it is in bits already.",
            _ONCE,
        ),
        Slip(
            _with(LN_2, lambda d: 8 * LN_2),
            "The 8 is turned into nats and the rest is in bits.",
            _ONCE,
        ),
        Slip(
            _with(LN_2, lambda d: 8.0 * d),
            "The 8 is counted once for each value: bits per dimension were asked, so once.",
            _ONCE,
        ),
        Slip(
            _with(LN_2, lambda d: 256.0),
            "The number of levels is added, not the bits that it takes to name one.",
            _ONCE,
        ),
        Slip(
            _with(LN_2, lambda d: math.log2(255)),
            "A cell is one of 256, not of 255.",
            _ONCE,
        ),
        Slip(
            lambda n, d, s: n / LN_2 + (8 if s == "density" else 0),
            "It is not divided by the number of values.",
            _DIMS,
        ),
        Slip(
            lambda n, d, s: n / LN_2 + (8 * d if s == "density" else 0),
            "These are the bits of the whole picture: it is not divided by the number of values.",
            _DIMS,
        ),
        Slip(
            lambda n, d, s: _bits(n, 784, s),
            "The number of values stands there as 784: take it from dims.",
            _DIMS,
        ),
        Slip(
            lambda n, d, s: _bits(n, len(n), s),
            "You divide by the number of pictures, not by the number of values in one.",
            _DIMS,
        ),
        Slip(
            lambda n, d, s: _bits(-n, d, s),
            "The sign is wrong: nats are negative log-likelihoods already.",
            "What does the docstring say about nats?",
        ),
        Slip(
            lambda n, d, s: _bits(n.abs(), d, s),
            "Negative nats are made positive: a log-density may be larger than 0.",
            "Look at step 4 of the derivation above.",
        ),
        Slip(
            lambda n, d, s: _bits(n.clamp(min=0), d, s),
            "Negative nats are cut off: a log-density may be larger than 0.",
            "Look at step 4 of the derivation above.",
        ),
        *batch_slips(_bits, "Nothing is summed or averaged here: each picture has its own."),
    ],
)


def _refusal_cases() -> list[Case]:
    clue = "A ValueError, and nothing else, is what step 5 asks for."
    return [Case({"scale": scale}, f'scale = "{scale}"', clue) for scale in _OTHERS]


_OTHERS = ("binary", "nats", "as", "densities", "log-density", "Density", " mass", "")
_LOOK_REFUSED = "Look at step 5 of the derivation above, and go through your branches one by one."


def _some(refused: Callable[[str], bool]) -> Function:
    return lambda scale: torch.tensor([1.0 if refused(scale) else 0.0])


def _some_but_for(mended: Callable[[str], str]) -> Function:
    return _some(lambda scale: mended(scale) not in ("density", "mass"))


REFUSAL = Check(
    reference=_some(lambda scale: True),
    cases=_refusal_cases,
    subject="the number of ValueErrors raised is",
    look=_LOOK_REFUSED,
    slips=[
        Slip(
            _some(lambda scale: False),
            "Whatever is neither density nor mass must be refused with a ValueError: it gets a "
            "number here, or None.",
        ),
        Slip(
            _some(lambda scale: scale not in "mass" and scale not in "density"),
            "A part of the word is taken for the word: does `in` look for it in a string?",
        ),
        Slip(
            _some(lambda scale: "mass" not in scale and "density" not in scale),
            "A word that holds the right one is taken for it: compare the whole word.",
        ),
        *(
            Slip(
                _some_but_for(mended),
                "You mend the word before you compare it: only the two words themselves are "
                "scales.",
            )
            for mended in (lambda s: s.strip().lower(), str.strip, str.lower)
        ),
        Slip(
            _some(lambda scale: not scale.startswith(("d", "m"))),
            "Only the beginning of the word is looked at.",
        ),
        Slip(
            _some(lambda scale: scale != "binary"),
            "A binary likelihood describes another picture: it has no place on this scale.",
        ),
        Slip(
            _some(lambda scale: scale == "binary"),
            "Only the binary scale is refused: what of a word that is misspelt?",
        ),
    ],
)


def _raised(function: Function, scale: str) -> str:
    """Name the error that the function raises for a scale; empty where it raises none."""
    try:
        function(torch.tensor([10.0, 20.0]), 4, scale)
    except Exception as error:
        return "ValueError" if isinstance(error, ValueError) else type(error).__name__
    return ""


def _refusal(function: Function) -> Check:
    """The check of the refused scales, with a word on an error of another kind."""
    raised = {scale: _raised(function, scale) for scale in _OTHERS}
    others = [name for name in raised.values() if name not in ("", "ValueError")]
    if not others:
        return REFUSAL
    slip = Slip(
        _some(lambda scale: raised[scale] == "ValueError"),
        f"{others[0]} is raised instead: step 5 asks for a ValueError, and nothing else.",
    )
    return replace(REFUSAL, slips=[slip, *REFUSAL.slips])


def _refusing(function: Function) -> Function:
    """Turn a function of (nats, dims, scale) into one that counts its ValueErrors."""
    return lambda scale: torch.tensor([float(_raised(function, scale) == "ValueError")])


def one_scale(function: Function) -> None:
    """Check `eight_bit_bits_per_dim(nats, dims, scale) -> (B,)`."""
    __tracebackhide__ = True
    run("one-scale", (CHECK, function), (_refusal(function), _refusing(function)))
