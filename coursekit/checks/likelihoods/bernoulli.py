"""Check of `continuous-bernoulli`: the Bernoulli's formula made into a density on [0, 1]."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.functional import softplus

from coursekit.checks.engine import Case, Check, Function, Slip, run
from coursekit.checks.likelihoods.pictures import per_picture, sum_slips
from coursekit.checks.parts import grey, normal


def _log_normaliser(logits: Tensor) -> Tensor:
    """Logarithm of l / tanh(l / 2), by its series where l is small."""
    near = logits.abs() < 0.02
    square = torch.where(near, logits, 0.0) ** 2
    series = math.log(2) + square / 12 - 7 * square**2 / 1440 + 31 * square**3 / 90720
    far = torch.where(near, 1.0, logits.abs())
    return torch.where(near, series, far.log() - torch.tanh(far / 2).log())


def _bernoulli(x: Tensor, logits: Tensor) -> Tensor:
    return x * logits - softplus(logits)


def _density(x: Tensor, logits: Tensor) -> Tensor:
    return per_picture(_bernoulli(x, logits) + _log_normaliser(logits))


def _cases() -> list[Case]:
    def case(x: Tensor, logits: Tensor, title: str = "", clue: str = "") -> Case:
        return Case({"x": x, "logits": logits}, title, clue)

    small = torch.tensor([1e-4, -1e-4, 1e-3, -0.01, 0.03, -0.1])
    large = torch.tensor([200.0, -200.0, 90.0, -90.0, 20.0, -3e3])
    near = "Close to 0 a series takes the normaliser's place, and only there: see step 5."
    return [
        case(
            torch.tensor([[1.0, 0.25], [0.5, 0.0], [0.75, 1.0]]),
            torch.tensor([[2.0, 1.0], [-1.0, 3.0], [-2.0, 1.0]]),
        ),
        case(
            grey(21, 3, 1, 4, 5),
            3 * normal(22, (3, 1, 4, 5))[0],
            title="3 random grey pictures of 4 x 5 pixels",
        ),
        case(
            grey(23, 4, 2, 3, 3).round(),
            normal(24, (4, 2, 3, 3))[0],
            title="4 black-and-white pictures with 2 channels of 3 x 3 pixels",
        ),
        Case(
            {"x": grey(25, 6, 6, dtype=torch.float64),
             "logits": 2 * normal(26, (6, 6), dtype=torch.float64)[0]},
            title="6 grey pictures of 6 pixels in a row, in float64",
            clue="Nothing small belongs under a logarithm, and a series holds near 0 only.",
            tolerance=1e-5,
        ),
        case(
            torch.tensor([[0.3, 0.9], [0.0, 1.0]]),
            torch.tensor([[0.0, 0.0], [0.0, 1.0]]),
            clue="At a logit of exactly 0 the normaliser is 0 over 0 as it stands: see step 5.",
        ),
        case(
            grey(27, 2, 1, 2, 3),
            torch.stack([small, -small]).view(2, 1, 2, 3),
            title="logits from 0.0001 to 0.1 and their negatives",
            clue=near,
        ),
        case(
            torch.tensor([[0.25, 1.0, 0.5, 0.75]], dtype=torch.float64),
            torch.tensor([[-1e-6, -1e-8, 1e-6, -1e-7]], dtype=torch.float64),
            title="logits of -0.000001 and even nearer to 0, in float64",
            clue=near,
        ),
        case(
            torch.tensor([0.5, 0.25, 0.0, 1.0, 0.75, 0.125]).repeat(2, 1).view(2, 1, 2, 3),
            torch.stack([large, -large]).view(2, 1, 2, 3),
            title="logits of 200, -200 and beyond",
            clue="A probability that rounds to 0 or 1, or an exponential that overflows, cannot "
            "be mended afterwards: see step 5.",
        ),
    ]  # fmt: skip


def _normalised(log_normaliser: Function) -> Function:
    """The log-density with another logarithm of the normaliser."""
    return lambda x, logits: per_picture(_bernoulli(x, logits) + log_normaliser(logits))


def _series_below(limit: float, terms: int) -> Function:
    """The logarithm of the normaliser, by a few terms of the series wherever |l| < limit."""

    def log_normaliser(logits: Tensor) -> Tensor:
        square = logits**2
        parts = [math.log(2) + 0 * square, square / 12, -7 * square**2 / 1440]
        near = sum(parts[1:terms], parts[0])
        return torch.where(logits.abs() < limit, near, _log_normaliser(logits))

    return log_normaliser


def _with_series(factor: float, limit: float) -> Function:
    """The log-density with log 2 and a factor times l^2 wherever |l| < limit."""
    return _normalised(
        lambda a: torch.where(a.abs() < limit, math.log(2) + factor * a**2, _log_normaliser(a))
    )


def _broken_at_zero(logits: Tensor) -> Tensor:
    return (logits / torch.tanh(logits / 2)).log()


def _clamped(limit: float) -> Function:
    return lambda x, logits: _density(x, logits.clamp(-limit, limit))


_TERM = "Look at step 4 of the derivation above: three terms, and what is each one's sign?"
_NORMALISER = "Look at steps 2 and 3 of the derivation above, and put l = 2 in by hand."
_SERIES = (
    "Nearly right, wrong near 0: compare your series, and the range where you use it, with step 5."
)
_NEAR_ZERO = "Look at step 5 of the derivation above: what is the limit of C at 0?"
_LARGE = "Look at step 5 of the derivation above: what may not be formed for large logits?"

CHECK = Check(
    reference=_density,
    cases=_cases,
    slopes=("logits",),
    look="Look at steps 4 and 5 of the derivation above: which term, and which range of logits, "
    "is wrong?",
    slips=[
        Slip(
            lambda x, logits: per_picture(_bernoulli(x, logits)),
            "The normaliser is missing: this does not integrate to 1 over x.",
            _NORMALISER,
        ),
        Slip(
            _normalised(lambda a: -_log_normaliser(a)),
            "The normaliser comes in with the wrong sign: is it the integral, or one over it?",
            _NORMALISER,
        ),
        Slip(
            _normalised(lambda a: _log_normaliser(a).exp()),
            "The normaliser itself is added: its logarithm is what adds up.",
            _TERM,
        ),
        Slip(
            _normalised(lambda a: _log_normaliser(a) - math.log(2)),
            "The normaliser is half of what it should be: at l = 0 it is 2.",
            _NORMALISER,
        ),
        Slip(
            _normalised(lambda a: _log_normaliser(a) + math.log(2)),
            "The normaliser is twice what it should be: at l = 0 it is 2.",
            _NORMALISER,
        ),
        Slip(
            _normalised(lambda a: _log_normaliser(2 * a) - math.log(2)),
            "In the normaliser the half of the logit is asked, and you take all of it.",
            _NORMALISER,
        ),
        Slip(
            _normalised(lambda a: _log_normaliser(a) / math.log(2)),
            "The logarithm of the normaliser is in bits: nats were asked.",
            _TERM,
        ),
        Slip(
            _normalised(lambda a: torch.where(a == 0, 0.0, _log_normaliser(a))),
            "At a logit of 0 you leave the normaliser out, or take it for 1: its limit is not 1.",
            _NEAR_ZERO,
        ),
        Slip(
            _normalised(lambda a: torch.where(a.abs() < 0.05, 0.0, _log_normaliser(a))),
            "Near a logit of 0 you leave the normaliser out, or take it for 1: its limit is not 1.",
            _NEAR_ZERO,
        ),
        Slip(
            _normalised(_broken_at_zero),
            "At a logit of exactly 0 the normaliser is 0 over 0: a limit takes its place.",
            _NEAR_ZERO,
        ),
        Slip(
            _normalised(lambda a: a.log() - torch.tanh(a / 2).log()),
            "For negative logits, and at 0, you take the logarithm of what is not positive.",
            "Look at step 3 of the derivation above: what does 'even' mean for the normaliser?",
        ),
        *(
            Slip(
                _normalised(_series_below(limit, terms)),
                "The series holds near 0 only: it is used too far away from it.",
                _NEAR_ZERO,
            )
            for terms, limits in (
                (1, (0.2, 0.5, 1.0, 2.0, 1e9)),
                (2, (1.0, 2.0, 1e9)),
                (3, (2.0, 1e9)),
            )
            for limit in limits
        ),
        Slip(
            lambda x, logits: (
                per_picture(_bernoulli(x, logits)) + _log_normaliser(logits.flatten(1)[:, 0])
            ),
            "One normaliser, that of the first pixel, stands for all: each pixel has its own.",
            "Look at step 4 of the derivation above: it speaks of one pixel.",
        ),
        Slip(
            lambda x, logits: (
                per_picture(_bernoulli(x, logits)) + _log_normaliser(logits).flatten(1).mean(dim=1)
            ),
            "The normaliser counts once for a picture: each pixel has its own.",
            "Look at step 4 of the derivation above: it speaks of one pixel.",
        ),
        Slip(
            lambda x, logits: _density(x, torch.sigmoid(logits)),
            "The sigmoid is applied to the logits first: the formula wants the logits.",
            _LARGE,
        ),
        Slip(
            lambda x, logits: _density(1 - x, logits),
            "You exchanged p and 1 - p: a large logit means a bright pixel.",
            _TERM,
        ),
        Slip(
            lambda x, logits: _density(x.round(), logits),
            "You round x: the density is asked at the grey value as it is.",
            "Look at step 1 of the derivation above: what values has x?",
        ),
        Slip(
            lambda x, logits: _density((x > 0).to(logits), logits),
            "You treat every grey pixel as a white one: x is used as it is.",
            "Look at step 1 of the derivation above: what values has x?",
        ),
        Slip(
            lambda x, logits: _density(x, logits) - per_picture(x * logits),
            "The term with x is missing.",
            _TERM,
        ),
        Slip(
            lambda x, logits: per_picture(x * logits + _log_normaliser(logits)),
            "The softplus is missing.",
            _TERM,
        ),
        Slip(
            lambda x, logits: per_picture(x * logits + softplus(logits) + _log_normaliser(logits)),
            "The softplus has the wrong sign.",
            _TERM,
        ),
        *(
            Slip(
                _normalised(lambda a, e=small: _log_normaliser(a.abs() + e)),
                "Something small is added to the logits: near 0 use the limit, and nothing else.",
                _NEAR_ZERO,
            )
            for small in (0.1, 1e-2, 1e-3)
        ),
        *(
            Slip(
                _normalised(lambda a, e=small: _broken_at_zero(a + e)),
                "Something small is added to the logits: near 0 use the limit, and nothing else.",
                _NEAR_ZERO,
            )
            for small in (1e-4, 1e-6, 1e-7, 1e-8)
        ),
        *(
            Slip(
                _clamped(limit),
                "You clamp the logits: any real number is allowed.",
                _LARGE,
            )
            for limit in (5.0, 10.0, 15.0, 20.0, 30.0, 50.0, 80.0, 88.0, 100.0, 1000.0)
        ),
        *sum_slips(_density, 6),
        *(
            Slip(
                _with_series(factor, limit),
                _SERIES,
                _NEAR_ZERO,
            )
            for factor, limits in (
                (1 / 24, (0.1, 0.2, 0.3, 0.5, 1.0, 2.0)),
                (1 / 12, (0.5, 0.7)),
            )
            for limit in limits
        ),
    ],
)


def _curvature(function: Function) -> Function:
    """Magnify what happens near 0: at x = 1/2 the log-density is even in its logit, and 0 at 0."""

    def magnified(logits: Tensor) -> Tensor:
        half = torch.full_like(logits, 0.5)
        return function(half, logits) / logits.flatten() ** 2

    return magnified


NEAR = Check(
    reference=_curvature(_density),
    cases=lambda: [
        Case(
            {"logits": torch.tensor([[size], [-size]], dtype=torch.float64)},
            title=f"x = 0.5 and logits of {size} and -{size}, in float64",
            clue=_SERIES,
            tolerance=3e-3,
        )
        for size in (0.008, 0.02)
    ],
    subject="the result divided by the square of the logit is",
    look=_NEAR_ZERO,
    slips=[
        Slip(_curvature(_with_series(factor, limit)), _SERIES)
        for factor in (0.0, 1 / 24, 1 / 8, 1 / 6, 1 / 4, 1 / 3, 1.0, -1 / 12, -1 / 24)
        for limit in (0.01, 1.0)
    ],
)


def continuous_bernoulli(function: Function) -> None:
    """Check `continuous_bernoulli_log_prob(x, logits) -> (B,)`."""
    __tracebackhide__ = True
    run("continuous-bernoulli", (CHECK, function), (NEAR, _curvature(function)))
