"""The first half of `logit-preprocessing`: the values y."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor

from coursekit.checks.engine import Case, Check, Function, Slip
from coursekit.checks.parts import grey

Ends = Callable[[Tensor, float], tuple[Tensor, Tensor]]


def both_ends(x: Tensor, alpha: float) -> tuple[Tensor, Tensor]:
    """Make the shrunk value s, and 1 less s without a loss of digits."""
    return torch.lerp(x, 1 - x, alpha), torch.lerp(1 - x, x, alpha)


def _values(ends: Ends = both_ends) -> Function:
    """The logit of what the shrinking makes."""

    def wrong(x: Tensor, alpha: float) -> Tensor:
        s, rest = ends(x, alpha)
        return s.log() - rest.log()

    return wrong


_y = _values()


def _case(x: Tensor, alpha: float, title: str = "", clue: str = "") -> Case:
    return Case({"x": x, "alpha": alpha}, title, clue)


def _with_edges(x: Tensor) -> Tensor:
    """Some pixels black and some white, a black and a white one in each picture."""
    flat = x.reshape(len(x), -1).clone()
    flat[:, 0], flat[:, -1] = 0, 1
    return flat.view(x.shape)


def cases() -> list[Case]:
    """Make the cases, for y and for the logdet alike."""
    double = torch.float64
    tiny = (
        "Where x is 1 and alpha tiny, 1 less the shrunk value is alpha, and a difference of two "
        "numbers near 1 does not give it: see step 4."
    )
    return [
        _case(torch.tensor([[0.25, 0.5]]), 0.1),
        _case(grey(621, 3, 1, 4, 5), 0.05, "3 pictures of 4 x 5 pixels, alpha = 0.05"),
        _case(
            _with_edges(grey(622, 4, 2, 3, 3)),
            0.01,
            "4 pictures with 2 channels of 3 x 3 pixels, some black or white, alpha = 0.01",
            "At 0 and at 1 both logarithms exist as soon as alpha is above 0.",
        ),
        _case(
            _with_edges(grey(623, 5, 5, dtype=double)),
            1e-3,
            "5 pictures of 5 pixels in a row, some black or white, alpha = 0.001, in float64",
        ),
        _case(
            0.1 + 0.8 * grey(624, 2, 6),
            0.0,
            "2 pictures of 6 pixels in a row, alpha = 0",
            "With alpha = 0 nothing is shrunk, and that is allowed where no pixel is 0 or 1.",
        ),
        _case(grey(625, 3, 3), 0.4, "3 pictures of 3 pixels in a row, alpha = 0.4"),
        _case(
            _with_edges(grey(626, 3, 1, 2, 4)),
            1e-8,
            "3 pictures of 2 x 4 pixels, some black or white, alpha = 1e-8",
            tiny,
        ),
        _case(
            _with_edges(grey(627, 2, 4, dtype=double)),
            1e-12,
            "2 pictures of 4 pixels in a row, some black or white, alpha = 1e-12, in float64",
            tiny,
        ),
    ]


def exact_cases() -> list[Case]:
    """Make the cases of a whole picture, of x just below 1, and of all of float64's digits."""
    near = torch.tensor([[1 - 2**-24, 0.5], [1 - 2**-22, 1 - 2**-20]])
    fine = _case(
        _with_edges(grey(629, 4, 6, dtype=torch.float64)),
        1e-3,
        "4 pictures of 6 pixels in a row, alpha = 0.001, to the last digits of float64",
        "Where x comes in float64, the result is to be as exact: is something single inside?",
    )
    return [
        _case(grey(628, 2, 1, 28, 28), 0.05, "2 pictures of 28 x 28 pixels, alpha = 0.05"),
        _case(
            near,
            1e-8,
            "x just below 1, alpha = 1e-8, in float32",
            "The rest is to be exact for every x, not only at x = 1: see step 4.",
        ),
        replace(fine, tolerance=1e-9),
    ]


def _through(s: Callable[[Tensor, float], Tensor]) -> Ends:
    """Another shrinking, with 1 less it."""
    return lambda x, alpha: (s(x, alpha), 1 - s(x, alpha))


def kept(least: float) -> Ends:
    """Keep the shrunk value away from 0 and 1."""
    return _through(lambda x, a: (a + (1 - 2 * a) * x).clamp(least, 1 - least))


def padded(small: float) -> Ends:
    """Add something small under both logarithms."""
    return lambda x, a: tuple(end + small for end in both_ends(x, a))  # type: ignore[return-value]


_SHRINK = "Look at step 1 above: where do 0 and 1 go, and how wide is what is left between them?"
_LOGIT = "Look at step 2 above: which logarithm is subtracted from which?"
LOOK_DIGITS = "Look at step 4 above: from what can 1 less the shrunk value be made without s?"
SINGLE = "It is nearly right: digits of float64 are lost. Is something in single precision inside?"
LOST = "Near x = 1 the digits are lost: 1 less a number near 1 rounds, and the logarithm shows it."

VALUES = Check(
    reference=_y,
    cases=cases,
    slopes=("x",),
    subject="your y is",
    shape="(B, ...)",
    look="Go through steps 1, 2 and 4 above with x = 0, x = 1 and alpha = 0.1 on paper.",
    slips=[
        Slip(_values(_through(lambda x, a: x)), "alpha is not used: nothing is shrunk.", _SHRINK),
        Slip(
            _values(_through(lambda x, a: a + x)),
            "The value is shifted by alpha and not shrunk: where does 1 go?",
            _SHRINK,
        ),
        Slip(
            _values(_through(lambda x, a: a + (1 - a) * x)),
            "It is shrunk by alpha once: there is a margin at both ends.",
            _SHRINK,
        ),
        Slip(
            _values(_through(lambda x, a: (1 - a) * x)),
            "There is a margin at 1 only: at 0 there is to be one too.",
            _SHRINK,
        ),
        Slip(
            _values(_through(lambda x, a: (1 - 2 * a) * x)),
            "The shift by alpha is missing: where does 0 go?",
            _SHRINK,
        ),
        Slip(
            _values(_through(lambda x, a: a + (1 - 2 * a) * x.square())),
            "The value is squared on the way.",
            _SHRINK,
        ),
        Slip(
            _values(_through(lambda x, a: (a + x) / (1 + 2 * a))),
            "The margin is made by dividing: it comes out smaller than alpha.",
            _SHRINK,
        ),
        Slip(
            _values(_through(lambda x, a: (x - a) / (1 - 2 * a))),
            "That is the shrinking undone: it goes the other way.",
            _SHRINK,
        ),
        Slip(
            _values(_through(lambda x, a: x.clamp(a, 1 - a))),
            "The value is cut off at alpha: it is to be shrunk, so that no two values become one.",
            _SHRINK,
        ),
        Slip(
            _values(lambda x, a: (x.clamp(a, 1 - a), (1 - x).clamp(a, 1 - a))),
            "The value is cut off at alpha: it is to be shrunk, so that no two values become one.",
            _SHRINK,
        ),
        Slip(
            lambda x, a: -_y(x, a),
            "The sign of the logit is wrong: a bright pixel has a positive one.",
            _LOGIT,
        ),
        Slip(
            lambda x, a: torch.sigmoid(both_ends(x, a)[0]),
            "That is the sigmoid: the logit is its inverse.",
            _LOGIT,
        ),
        Slip(lambda x, a: both_ends(x, a)[0], "The value is shrunk, and that is all.", _LOGIT),
        Slip(lambda x, a: both_ends(x, a)[0].log(), "Only the first logarithm is there.", _LOGIT),
        Slip(
            lambda x, a: both_ends(x, a)[0] / both_ends(x, a)[1],
            "Those are the odds: their logarithm was asked.",
            _LOGIT,
        ),
        Slip(
            lambda x, a: sum(end.log() for end in both_ends(x, a)),
            "The two logarithms are added: one is subtracted from the other.",
            _LOGIT,
        ),
        Slip(
            lambda x, a: _y(x, a) / math.log(2),
            "The logarithms have the base 2: natural ones were asked.",
            _LOGIT,
        ),
        Slip(
            lambda x, a: _y(x, a) / math.log(10),
            "The logarithms have the base 10: natural ones were asked.",
            _LOGIT,
        ),
        Slip(
            _values(_through(lambda x, a: a + (1 - 2 * a) * x)),
            LOST,
            LOOK_DIGITS,
        ),
        *(
            Slip(
                _values(kept(least)),
                "The shrunk value is kept away from 0 and 1 by a number of its own: alpha alone "
                "says how far.",
                LOOK_DIGITS,
            )
            for least in (1e-3, 1e-4, 1e-5, 1e-6, 1e-7)
        ),
        *(
            Slip(
                _values(padded(small)),
                "Something small is added under the logarithm: alpha alone keeps it from 0.",
                LOOK_DIGITS,
            )
            for small in (1e-3, 1e-4, 1e-5, 1e-6, 1e-7, 1e-8, 1e-10, 1e-12)
        ),
    ],
)


def _rest_at_least(x: Tensor, alpha: float) -> tuple[Tensor, Tensor]:
    s = alpha + (1 - 2 * alpha) * x
    return s, (1 - s).clamp(min=alpha)


EXACT_VALUES = replace(
    VALUES,
    cases=exact_cases,
    slopes=(),
    slips=[
        Slip(
            _values(_rest_at_least),
            "1 less the shrunk value is kept at alpha at least: that is right at x = 1, and beside "
            "it the digits are lost all the same.",
            LOOK_DIGITS,
        ),
        Slip(_y, SINGLE, LOOK_DIGITS),
    ],
)
