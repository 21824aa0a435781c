"""Check of `categorical-bins`: a categorical over bins of levels, and a share inside each bin."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.distributions import Categorical

from coursekit.checks.engine import Case, Check, Function, Slip, run
from coursekit.checks.likelihoods.pictures import levels, sum_slips
from coursekit.checks.parts import normal


def _bin(v: Tensor, k: int) -> Tensor:
    return torch.div(v * k, 256, rounding_mode="floor")


def _binned(v: Tensor, logits: Tensor, log_inside: Tensor) -> Tensor:
    mass = Categorical(logits=logits).log_prob(_bin(v, logits.shape[-1]))
    return (mass + log_inside[v]).sum(dim=1)


def _shares(seed: int, k: int, dtype: torch.dtype = torch.float32) -> Tensor:
    """Log-shares of the levels in their bins, very uneven."""
    (drawn,) = normal(seed, (k, 256 // k), dtype=dtype)
    return torch.log_softmax(1.5 * drawn, dim=1).flatten()


def _cases() -> list[Case]:
    def case(v: Tensor, logits: Tensor, log_inside: Tensor, title: str, clue: str = "") -> Case:
        return Case({"v": v, "logits": logits, "log_inside": log_inside}, title, clue)

    large = torch.tensor([[[200.0, -200.0], [-200.0, 200.0]], [[0.0, 300.0], [-150.0, 0.0]]])
    edges = torch.tensor([[0, 63, 64, 127, 128, 191, 192, 255]])
    return [
        case(
            edges,
            normal(51, (1, 8, 4))[0],
            _shares(52, 4),
            "the first and the last level of each of 4 bins",
            "Put level 63, 64 and 255 into step 1 by hand.",
        ),
        case(
            levels(53, 3, 5),
            2 * normal(54, (3, 5, 8))[0],
            _shares(55, 8),
            "3 pictures of 5 pixels, in 8 bins",
        ),
        case(
            levels(56, 4, 4),
            normal(57, (4, 4, 16), dtype=torch.float64)[0],
            _shares(58, 16, torch.float64),
            "4 pictures of 4 pixels, in 16 bins, in float64",
        ),
        case(
            torch.tensor([[0], [100], [255]]),
            normal(60, (3, 1, 256))[0],
            torch.zeros(256),
            "3 pictures of one pixel, with a bin for each of the 256 levels",
        ),
        case(
            levels(61, 2, 2),
            large,
            _shares(62, 2),
            "2 bins, with logits of 200 and -200",
            "A probability that rounds to 0 cannot be mended afterwards: see step 2.",
        ),
    ]


def _picked(bins: Callable[[Tensor, int], Tensor]) -> Function:
    """The log-probability with another rule for the bin."""

    def wrong(v: Tensor, logits: Tensor, log_inside: Tensor) -> Tensor:
        index = bins(v, logits.shape[-1])
        mass = torch.log_softmax(logits, dim=-1).gather(-1, index[..., None])
        return (mass[..., 0] + log_inside[v]).sum(dim=1)

    return wrong


def _mass(make: Callable[[Tensor], Tensor]) -> Function:
    """The log-probability with other numbers in place of the log-masses of the bins."""

    def wrong(v: Tensor, logits: Tensor, log_inside: Tensor) -> Tensor:
        index = _bin(v, logits.shape[-1])[..., None]
        return (make(logits).gather(-1, index)[..., 0] + log_inside[v]).sum(dim=1)

    return wrong


def _guarded(added: float, least: float) -> Function:
    """The log-probability with something added under the logarithm, or with a lower limit."""
    return _mass(lambda a: (torch.softmax(a, dim=-1) + added).clamp(min=least).log())


def _inside(make: Callable[[Tensor, Tensor, int], Tensor]) -> Function:
    """The log-probability with something else added for the level in its bin."""

    def wrong(v: Tensor, logits: Tensor, log_inside: Tensor) -> Tensor:
        k = logits.shape[-1]
        mass = Categorical(logits=logits).log_prob(_bin(v, k))
        return (mass + make(v, log_inside, k)).sum(dim=1)

    return wrong


_BIN = "Look at step 1 of the derivation above, and put levels 0, 64 and 255 in for k = 4."
_SOFTMAX = "Look at step 2 of the derivation above: over which axis are the bins' masses 1 in all?"
_GUARDED = (
    "With ordinary logits it is right; with large ones the probability rounds to 0, and something "
    "added to it, or a limit below which it may not fall, gives wrong numbers."
)
_LEVEL = "Look at step 3 of the derivation above: what is added, and how is it looked up?"

CHECK = Check(
    reference=_binned,
    cases=_cases,
    slopes=("logits",),
    look="Look at steps 1 to 3 of the derivation above: is it the bin, its mass, or what is added "
    "inside it?",
    slips=[
        Slip(
            _picked(lambda v, k: (v // k).clamp(max=k - 1)),
            "The level is divided by the number of bins: a bin's width was asked there.",
            _BIN,
        ),
        Slip(
            _picked(lambda v, k: v % k),
            "The bin is the remainder: neighbouring levels share a bin.",
            _BIN,
        ),
        Slip(
            _picked(lambda v, k: (v * (k - 1) / 255).round().long()),
            "The bin is rounded to the nearest: the first and the last are half as wide then.",
            _BIN,
        ),
        Slip(
            _picked(lambda v, k: (v * (k - 1) / 255).long()),
            "The bin is stretched so that only level 255 is in the last one.",
            _BIN,
        ),
        Slip(
            _picked(lambda v, k: (v / (256 // k)).round().long().clamp(max=k - 1)),
            "The bin is rounded: it is the whole part that counts.",
            _BIN,
        ),
        Slip(
            _picked(lambda v, k: k - 1 - _bin(v, k)),
            "The bins are counted from the bright end.",
            _BIN,
        ),
        Slip(
            _picked(lambda v, k: (_bin(v, k) - 1) % k),
            "The bins are counted from 1: the first one is number 0.",
            _BIN,
        ),
        Slip(
            _picked(lambda v, k: (_bin(v, k) + 1).clamp(max=k - 1)),
            "The bins are counted from 1: the first one is number 0.",
            _BIN,
        ),
        Slip(
            _picked(lambda v, k: (v // 64).clamp(max=k - 1)),
            "The bins are 64 levels wide here: take their number from logits.",
            _BIN,
        ),
        Slip(
            _mass(lambda a: a),
            "The logits are taken for logarithms of probabilities: these must be 1 in all.",
            _SOFTMAX,
        ),
        Slip(
            _mass(lambda a: torch.softmax(a, dim=-1)),
            "The probability of the bin is added: its logarithm was asked.",
            _SOFTMAX,
        ),
        Slip(
            _mass(lambda a: torch.log_softmax(a, dim=1)),
            "The softmax runs over the pixels: it belongs to the bins of one pixel.",
            _SOFTMAX,
        ),
        Slip(
            _mass(lambda a: torch.log_softmax(a, dim=0)),
            "The softmax runs over the pictures: it belongs to the bins of one pixel.",
            _SOFTMAX,
        ),
        Slip(
            _mass(lambda a: torch.log_softmax(torch.softmax(a, dim=-1), dim=-1)),
            "The softmax is applied twice: does the function that you call apply it itself?",
            _SOFTMAX,
        ),
        Slip(
            _mass(lambda a: -torch.log_softmax(a, dim=-1)),
            "The log-probability of the bin has the wrong sign: is it a loss?",
            _SOFTMAX,
        ),
        Slip(
            _mass(lambda a: torch.nn.functional.logsigmoid(a)),
            "Each bin has a sigmoid of its own: one of the bins is chosen, so a softmax.",
            _SOFTMAX,
        ),
        Slip(
            _mass(lambda a: torch.softmax(a, dim=-1).log()),
            "With ordinary logits it is right; with large ones the probability rounds to 0 and "
            "its logarithm is lost.",
            "Look at step 2 of the derivation above: torch has a function for both in one.",
        ),
        *(
            Slip(
                _guarded(small, 0.0),
                _GUARDED,
                "Look at step 2 of the derivation above: torch has a function for both in one.",
            )
            for small in (1e-4, 1e-5, 1e-6, 1e-7, 1e-8, 1e-10, 1e-12, 1e-20)
        ),
        *(
            Slip(
                _guarded(0.0, small),
                _GUARDED,
                "Look at step 2 of the derivation above: torch has a function for both in one.",
            )
            for small in (1e-4, 1e-6, 1e-7, 1e-8, 1e-10, 1e-12)
        ),
        Slip(
            _inside(lambda v, inside, k: torch.zeros(v.shape)),
            "log_inside is left out: that is the mass of the whole bin, not of one level.",
            _LEVEL,
        ),
        Slip(
            _inside(lambda v, inside, k: torch.full(v.shape, -math.log(256 // k))),
            "Each level gets an equal share of its bin: log_inside says what the shares are.",
            _LEVEL,
        ),
        Slip(
            _inside(lambda v, inside, k: inside[_bin(v, k)]),
            "log_inside is looked up by the bin: it has an entry for each level.",
            _LEVEL,
        ),
        Slip(
            _inside(lambda v, inside, k: inside[v % (256 // k)]),
            "log_inside is looked up by the place in the bin: it has an entry for each level.",
            _LEVEL,
        ),
        Slip(
            _inside(lambda v, inside, k: -inside[v]),
            "log_inside is subtracted: two probabilities are multiplied.",
            _LEVEL,
        ),
        Slip(
            _inside(lambda v, inside, k: inside[v].exp()),
            "The share itself is added, not its logarithm.",
            _LEVEL,
        ),
        Slip(
            _inside(lambda v, inside, k: 2 * inside[v]),
            "log_inside counts twice.",
            _LEVEL,
        ),
        Slip(
            _inside(lambda v, inside, k: inside[v].mean(dim=1, keepdim=True) / v.shape[1]),
            "log_inside counts once for a picture: each pixel has its own.",
            _LEVEL,
        ),
        *sum_slips(_binned, 4),
    ],
)


def categorical_bins(function: Function) -> None:
    """Check `binned_log_prob(v, logits, log_inside) -> (B,)`."""
    __tracebackhide__ = True
    run("categorical-bins", (CHECK, function))
