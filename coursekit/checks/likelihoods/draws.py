"""Check of `gaussian-sample-bug`: a published draw from Gaussian pixels, mended."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor
from torch.distributions import Normal

from coursekit.checks.engine import Case, Check, Function, Slip, run
from coursekit.checks.parts import grey, normal


def _drawn(mean: Tensor, log_var: Tensor, noise: Tensor) -> Tensor:
    # noise is the standard normal's, so its rank is the draw's
    standard = Normal(torch.zeros_like(noise), torch.ones_like(noise))
    wanted = Normal(mean, torch.exp(log_var / 2)).icdf(standard.cdf(noise))
    return wanted.clamp(0, 1)


def _cases() -> list[Case]:
    names = ("mean", "log_var", "noise")

    def case(*values: Tensor, title: str = "", clue: str = "") -> Case:
        return Case(dict(zip(names, values, strict=True)), title, clue)

    tensor, shape = torch.tensor, (3, 2, 2, 2)
    return [
        case(tensor([[0.5, 0.25]]), tensor([[-4.0, -2.0]]), tensor([[1.0, -0.5]])),
        case(
            grey(91, *shape),
            normal(92, shape)[0] - 5,
            normal(93, shape)[0],
            title="3 pictures with 2 channels of 2 x 2 pixels",
        ),
        case(
            grey(94, 4, 4, dtype=torch.float64),
            normal(95, (4, 4), dtype=torch.float64)[0] - 1,
            normal(96, (4, 4), dtype=torch.float64)[0],
            title="4 pictures of 4 pixels in a row, with much noise, in float64",
        ),
        case(
            tensor([[0.0, 1.0, 0.5], [-0.5, 1.5, 0.75]]),
            tensor([[-20.0, -20.0, -20.0], [0.0, 0.0, -6.0]]),
            tensor([[1.0, -1.0, 2.0], [1.0, -1.0, 0.0]]),
            title="hardly any noise on black and white, and means outside of the range",
            clue="A black pixel stays black where there is no noise: see step 2.",
        ),
        replace(
            case(
                tensor([[-1.0, 1.5], [0.25, 0.75], [0.5, 0.5]]),
                tensor([[2.0, 1.0], [-6.0, -7.0], [-40.0, -30.0]]),
                tensor([[0.5, -0.5], [4.0, -4.0], [4.0, -4.0]]),
                title="deviations from hardly any to more than 1, and noise of 4",
                clue="Neither the deviation nor the noise is limited: see step 1.",
            ),
            tolerance=1e-5,
        ),
    ]


def _noise_times(scale: Callable[[Tensor], Tensor], last: Callable[[Tensor], Tensor]) -> Function:
    """A draw with something else for the standard deviation and for the last step."""
    return lambda mean, log_var, noise: last(mean + scale(log_var) * noise)


def _clip(x: Tensor) -> Tensor:
    return x.clamp(0, 1)


def _deviation(log_var: Tensor) -> Tensor:
    return torch.exp(log_var / 2)


def _at_most(most: float) -> Callable[[Tensor], Tensor]:
    return lambda log_var: _deviation(log_var).clamp(max=most)


def _at_least(least: float) -> Callable[[Tensor], Tensor]:
    return lambda log_var: _deviation(log_var.clamp(min=least))


def _added(small: float) -> Callable[[Tensor], Tensor]:
    return lambda log_var: (log_var.exp() + small).sqrt()


_NOISE = "Look at step 1 above: what is the noise multiplied by?"
_RANGE = "Look at step 2 above: what is mean, and what is done with values outside of the range?"

_WRONG_SCALES: list[tuple[Callable[[Tensor], Tensor], str]] = [
    (torch.exp, "The noise is multiplied by the variance: the standard deviation is its root."),
    (lambda v: v, "The noise is multiplied by log_var: it is a logarithm."),
    (lambda v: v.abs().sqrt(), "log_var is taken for the variance: it is its logarithm."),
    (lambda v: v / 2, "The noise is multiplied by the logarithm of the standard deviation."),
    (lambda v: (2 * v).exp(), "The noise is multiplied by the variance squared."),
    (lambda v: (-v / 2).exp(), "The noise is divided by the standard deviation."),
    (torch.ones_like, "The noise is not multiplied by the standard deviation."),
    (torch.zeros_like, "The noise is not used: that is the mean, not a draw."),
    (lambda v: -(v / 2).exp(), "The noise comes in with the wrong sign: here it is given."),
    (torch.nn.functional.softplus, "log_var goes through a softplus: it is a logarithm."),
]
_WRONG_ENDS: list[tuple[Callable[[Tensor], Tensor], str]] = [
    (
        torch.sigmoid,
        "The noise is right; the sigmoid after it is still there, and turns black into grey.",
    ),
    (lambda x: x, "Nothing brings the draw into the range from 0 to 1, so it cannot be shown."),
    (lambda x: x.clamp(min=0), "Only the values below 0 are clipped: what of those above 1?"),
    (lambda x: x.clamp(max=1), "Only the values above 1 are clipped: what of those below 0?"),
    (lambda x: x.clamp(-1, 1), "The draw is clipped to the range from -1 to 1: grey begins at 0."),
    (lambda x: x.abs().clamp(max=1), "Negative values are made positive: they are clipped to 0."),
    (lambda x: x % 1, "Values outside of the range come in again at the other end."),
    (
        lambda x: (x - x.min()) / (x.max() - x.min()),
        "The picture is stretched to the range: clip what lies outside, leave the rest as it is.",
    ),
    (torch.tanh, "A tanh squeezes every pixel: clip what lies outside, leave the rest as it is."),
    (lambda x: x.clamp(0, 1).round(), "The draw is rounded to black and white."),
    (lambda x: (x * 255).clamp(0, 255), "The draw runs from 0 to 255: it was asked in [0, 1]."),
    (
        lambda x: x.clamp(1e-3, 1 - 1e-3),
        "The draw is kept away from 0 and 1: black and white may be shown.",
    ),
]

CHECK = Check(
    reference=_drawn,
    cases=_cases,
    shape="like mean",
    look="Look at steps 1 and 2 above: is it what the noise is multiplied by, or what comes after?",
    slips=[
        Slip(
            _noise_times(torch.exp, torch.sigmoid),
            "That is still the published version: both slips are in it, one in what multiplies "
            "the noise, one in what comes after.",
            _NOISE,
        ),
        *(Slip(_noise_times(scale, _clip), what, _NOISE) for scale, what in _WRONG_SCALES),
        *(Slip(_noise_times(_deviation, last), what, _RANGE) for last, what in _WRONG_ENDS),
        *(
            Slip(
                _noise_times(_at_most(most), _clip),
                "The standard deviation is not let above a limit: it may be any positive number.",
                _NOISE,
            )
            for most in (0.5, 1.0, 2.0)
        ),
        *(
            Slip(
                _noise_times(_at_least(least), _clip),
                "log_var is not let below a limit: it may be any real number.",
                _NOISE,
            )
            for least in (-4.0, -5.0, -6.0, -7.0, -8.0, -10.0, -12.0, -14.0)
        ),
        *(
            Slip(
                lambda mean, v, noise, m=most: _clip(mean + _deviation(v) * noise.clamp(-m, m)),
                "You limit the noise: it is used as it is given.",
                _NOISE,
            )
            for most in (1.0, 2.0, 3.0)
        ),
        *(
            Slip(
                _noise_times(_added(small), _clip),
                "Something small is added to the variance: it is used as it is.",
                _NOISE,
            )
            for small in (1e-4, 1e-5, 1e-6, 1e-7, 1e-8)
        ),
        Slip(
            _noise_times(torch.exp, lambda x: x),
            "The noise is multiplied by the variance, and nothing is clipped.",
            _NOISE,
        ),
        Slip(
            lambda mean, v, noise: (torch.sigmoid(mean) + _deviation(v) * noise).clamp(0, 1),
            "The mean goes through a sigmoid: it is a grey value already.",
            _RANGE,
        ),
        Slip(
            lambda mean, v, noise: torch.sigmoid(mean) + _deviation(v) * noise,
            "The mean goes through a sigmoid: it is a grey value already.",
            _RANGE,
        ),
        Slip(
            lambda mean, v, noise: mean.clamp(0, 1) + _deviation(v) * noise,
            "The mean is clipped before the noise: the draw is what must be clipped.",
            _RANGE,
        ),
        Slip(
            lambda mean, v, noise: (mean.clamp(0, 1) + _deviation(v) * noise).clamp(0, 1),
            "The mean is clipped before the noise too: only the draw is.",
            _RANGE,
        ),
        Slip(
            lambda mean, v, noise: (_deviation(v) * noise).clamp(0, 1),
            "The mean is missing.",
            _NOISE,
        ),
        Slip(
            lambda mean, v, noise: (mean + _deviation(v[:1]) * noise).clamp(0, 1),
            "All pictures get the first one's variances: each has its own.",
            _NOISE,
        ),
        Slip(
            lambda mean, v, noise: (mean + _deviation(v) * noise[:1]).clamp(0, 1),
            "All pictures get the first one's noise: each has its own.",
            _NOISE,
        ),
    ],
)


_KEPT_AWAY = "The draw is kept away from 0 and 1: black and white may be shown."

EDGES = Check(
    reference=lambda mean: torch.tensor([mean.numel()], dtype=mean.dtype),
    cases=lambda: [
        Case(
            {"mean": torch.tensor([[-0.5, 1.5, -2.0, 3.0]])},
            title="means outside of the range and hardly any noise",
            clue="Clipping puts what lies outside exactly on 0 or 1: see step 2.",
        )
    ],
    subject="the number of pixels, of four, that are exactly 0 or 1 is",
    look=_RANGE,
    slips=[Slip(lambda mean, n=n: torch.tensor([n]), _KEPT_AWAY, _RANGE) for n in (0.0, 2.0)],
)


def _at_edges(function: Function) -> Function:
    """Turn a draw into the number of its pixels that are exactly black or white."""

    def count(mean: Tensor) -> Tensor:
        drawn = function(mean, torch.full_like(mean, -6.0), torch.ones_like(mean))
        return ((drawn == 0) | (drawn == 1)).sum().to(mean).view(1)

    return count


def gaussian_sample_bug(function: Function) -> None:
    """Check `gaussian_pixels(mean, log_var, noise)`, a draw to be shown."""
    __tracebackhide__ = True
    run("gaussian-sample-bug", (CHECK, function), (EDGES, _at_edges(function)))
