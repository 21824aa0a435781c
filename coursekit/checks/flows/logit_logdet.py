"""The second half of `logit-preprocessing`: the logarithm of the determinant."""

from __future__ import annotations

import math
from dataclasses import replace

import torch
from torch import Tensor
from torch.nn.functional import softplus

from coursekit.checks.engine import Check, Function, Slip
from coursekit.checks.flows.logit_values import (
    LOOK_DIGITS,
    LOST,
    SINGLE,
    VALUES,
    Ends,
    both_ends,
    cases,
    exact_cases,
    kept,
    padded,
)
from coursekit.checks.parts import batch_slips


def _per_picture(values: Tensor) -> Tensor:
    return values.reshape(len(values), -1).sum(dim=1)


def _logs(made: Function) -> Function:
    """The logdet from s, 1 - s, alpha and x; the sum over all axes but the first comes after."""

    def wrong(x: Tensor, alpha: float) -> Tensor:
        return _per_picture(made(*both_ends(x, alpha), alpha, x))

    return wrong


def _logdet(x: Tensor, alpha: float) -> Tensor:
    y: Tensor = VALUES.reference(x, alpha)
    return _per_picture(softplus(y, threshold=100) + softplus(-y, threshold=100) + _shrink(alpha))


def _shrink(alpha: float) -> float:
    return math.log1p(-2 * alpha)


_SLOPE = "Look at step 3 above: which three logarithms make the derivative's, and of what?"


def _slope(s: Tensor, rest: Tensor, alpha: float, x: Tensor) -> Tensor:
    return _shrink(alpha) - s.log() - rest.log()


# The logarithm of a pixel's derivative, from s, 1 - s, alpha and x; and what to say.
_SLOPES: list[tuple[Function, str]] = [
    (
        lambda s, r, a, x: -_slope(s, r, a, x),
        "The sign is wrong: the logit stretches, so it is positive.",
    ),
    (lambda s, r, a, x: -s.log() - r.log(), "The shrinking's own derivative is missing."),
    (
        lambda s, r, a, x: -_shrink(a) - s.log() - r.log(),
        "The shrinking's own derivative comes in with the wrong sign.",
    ),
    (
        lambda s, r, a, x: (1 - 2 * a) - s.log() - r.log(),
        "The shrinking's own derivative is not under a logarithm.",
    ),
    (
        lambda s, r, a, x: math.log1p(-a) - s.log() - r.log(),
        "The shrinking takes a margin at both ends: its derivative is another one.",
    ),
    (
        lambda s, r, a, x: _shrink(a) + s.log() + r.log(),
        "The logit's derivative is upside down: it is that of the sigmoid.",
    ),
    (lambda s, r, a, x: s.log() + r.log(), "That is the sigmoid's derivative, not the logit's."),
    (
        lambda s, r, a, x: s.log() + r.log() - _shrink(a),
        "That is the logdet of the inverse: the sign is wrong.",
    ),
    (
        lambda s, r, a, x: _shrink(a) - s.log() + r.log(),
        "The logarithm of 1 less the shrunk value has the wrong sign.",
    ),
    (
        lambda s, r, a, x: _shrink(a) + s.log() - r.log(),
        "The logarithm of the shrunk value has the wrong sign.",
    ),
    (
        lambda s, r, a, x: _shrink(a) - s.log(),
        "The logarithm of 1 less the shrunk value is missing.",
    ),
    (lambda s, r, a, x: _shrink(a) - r.log(), "The logarithm of the shrunk value is missing."),
    (
        lambda s, r, a, x: _shrink(a) - x.log() - (1 - x).log(),
        "The derivative is taken at x: the logit's argument is the shrunk value.",
    ),
    (
        lambda s, r, a, x: -x.log() - (1 - x).log(),
        "alpha does not come in: the logit's argument is the shrunk value.",
    ),
    (lambda s, r, a, x: (1 - 2 * a) / (s * r), "The derivatives are summed: take their logarithm."),
    (lambda s, r, a, x: s.log() - r.log(), "That is the sum of y: the derivative was asked."),
    (
        lambda s, r, a, x: _shrink(a) - 2 * (s.log() + r.log()),
        "The logit's derivative counts twice.",
    ),
    (lambda s, r, a, x: torch.full_like(s, _shrink(a)), "The logit's own derivative is missing."),
]


def _only_once(x: Tensor, alpha: float) -> Tensor:
    return _logdet(x, alpha) - (x[0].numel() - 1) * _shrink(alpha)


def _last_axis(x: Tensor, alpha: float) -> Tensor:
    rows = _slope(*both_ends(x, alpha), alpha, x).sum(dim=-1)
    return rows.reshape(len(x), -1)[:, 0]


def _guarded(ends: Ends) -> Function:
    """The logdet from another shrunk value and rest."""
    return lambda x, a: _per_picture(_slope(*ends(x, a), a, x))


LOGDET = Check(
    reference=_logdet,
    cases=cases,
    slopes=("x",),
    subject="y is right, and your logdet is",
    look="Go through steps 3 and 4 above: three logarithms for each pixel, and a sum.",
    slips=[
        *(Slip(_logs(made), what, _SLOPE) for made, what in _SLOPES),
        Slip(
            _only_once,
            "The shrinking counts once for each picture: every pixel is shrunk.",
            _SLOPE,
        ),
        Slip(
            lambda x, a: _logdet(x, a) / x[0].numel(),
            "It is a mean over the pixels: a sum was asked.",
            _SLOPE,
        ),
        Slip(
            lambda x, a: _logdet(x, a) / math.log(2),
            "It is in bits: nats were asked.",
            _SLOPE,
        ),
        Slip(_last_axis, "Only one row of pixels is summed: all axes but the first are.", _SLOPE),
        *batch_slips(_logdet, _SLOPE),
        Slip(
            lambda x, a: _per_picture(
                _shrink(a) - (a + (1 - 2 * a) * x).log() - (1 - (a + (1 - 2 * a) * x)).log()
            ),
            LOST,
            LOOK_DIGITS,
        ),
        *(
            Slip(
                _guarded(ends(size)),
                "Something small comes in under the logarithms: alpha alone keeps them from 0.",
                LOOK_DIGITS,
            )
            for ends in (kept, padded)
            for size in (1e-3, 1e-4, 1e-5, 1e-6, 1e-7, 1e-8)
            if ends is padded or size > 1e-8
        ),
    ],
)


def _log_of_product(x: Tensor, alpha: float) -> Tensor:
    s, rest = both_ends(x, alpha)
    return ((1 - 2 * alpha) / (s * rest)).reshape(len(x), -1).prod(dim=1).log()


EXACT_LOGDET = replace(
    LOGDET,
    cases=exact_cases,
    slopes=(),
    slips=[
        Slip(
            _log_of_product,
            "The derivatives are multiplied first, and the product over a whole picture is "
            "infinite: sum their logarithms.",
            _SLOPE,
        ),
        Slip(_logdet, SINGLE, LOOK_DIGITS),
    ],
)
