"""Check of `importance-bound`: the logarithm of a mean of weights that are given as logarithms."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from coursekit.checks.engine import Case, Check, Function, Slip, run
from coursekit.checks.parts import batch_slips, normal

_SPREAD = (
    "Within one picture the weights can differ by hundreds of nats: only the largest may be taken "
    "out."
)


def bound(log_w: Tensor) -> Tensor:
    """Work out the right values: the largest weight is taken out first."""
    largest = log_w.detach().amax(dim=0)
    return largest + torch.log(torch.exp(log_w - largest).mean(dim=0))


def _cases() -> list[Case]:
    def case(log_w: Tensor, title: str = "", clue: str = "") -> Case:
        return Case({"log_w": log_w}, title, clue)

    offsets = torch.tensor([-1000.0, 500.0, -300.0])
    apart = [[-3000.0, 0.0, -400.0], [0.0, -400.0, -1000.0], [-2500.0, -1000.0, 0.0]]
    dominant = torch.full((50_000, 1), -300.0, dtype=torch.float64)
    dominant[1234] = 0.0
    far = "Weights of e to the -1000 cannot be held as numbers, only their logarithms can: step 3."
    return [
        case(torch.tensor([[0.0], [1.0]])),
        case(2 * normal(52, (5, 3))[0], title="5 samples for each of 3 pictures"),
        case(normal(51, (1, 3))[0], title="a single sample for each of 3 pictures"),
        case(
            2 * normal(53, (4, 4), dtype=torch.float64)[0] - 90,
            title="4 samples for each of 4 pictures, in float64",
        ),
        case(
            offsets + 2 * normal(54, (6, 3))[0],
            title="log weights around -1000, 500 and -300",
            clue=far,
        ),
        case(torch.tensor([[0.0, -300.0], [-300.0, 0.0]]), clue=_SPREAD),
        case(torch.tensor(apart), title="log weights from 0 to -3000 in one picture", clue=_SPREAD),
        Case(
            {"log_w": dominant},
            title="50000 samples, all log weights -300 but one of 0",
            clue="A single weight counts here: nothing else may be added to it, however small.",
            tolerance=1e-6,
        ),
    ]


def _mean(log_w: Tensor) -> Tensor:
    return torch.log(torch.exp(log_w).mean(dim=0))


def _shifted(by: Function, double: bool = False) -> Function:
    """The mean of the weights with something else than the largest taken out."""

    def wrong(log_w: Tensor) -> Tensor:
        log_w = log_w.double() if double else log_w
        shift: Tensor = by(log_w)
        return shift + _mean(log_w - shift)

    return wrong


def _constant(log_w: Tensor, of_mean: float, of_sum: float = 0.0) -> Tensor:
    """The bound with a small constant under the logarithm, the largest weight taken out."""
    largest = log_w.amax(dim=0)
    mean = torch.exp(log_w - largest).mean(dim=0)
    return largest + torch.log(mean + of_mean + of_sum / len(log_w))


_FAR = (
    "With ordinary weights it is right; where log weights are near -1000, or large, the weights "
    "themselves are 0 or infinite in floating point"
)
_LARGEST = "Look at step 3 of the derivation above: what is to be done before the exponential?"
_COUNT = "Look at step 4 of the derivation above: where does the number of samples stand?"

CHECK = Check(
    reference=bound,
    cases=_cases,
    slopes=("log_w",),
    look="Look at step 4 of the derivation above: which of its three parts is not in your code?",
    slips=[
        Slip(
            lambda w: w.mean(dim=0),
            "That is the mean of the logarithms: the logarithm of the mean was asked.",
            "Look at step 2 of the derivation above: in which order come mean and logarithm?",
        ),
        Slip(
            lambda w: torch.logsumexp(w, dim=0),
            "That is the logarithm of the sum of the weights: a mean was asked, so how many "
            "samples are there?",
            _COUNT,
        ),
        Slip(
            lambda w: torch.logsumexp(w, dim=0) / len(w),
            "You divide the logarithm by the number of samples: the sum of weights is what is "
            "divided.",
            _COUNT,
        ),
        Slip(
            lambda w: torch.logsumexp(w, dim=0) - len(w),
            "You subtract the number of samples itself from a logarithm.",
            _COUNT,
        ),
        Slip(
            lambda w: torch.logsumexp(w, dim=0) + math.log(len(w)),
            "The number of samples comes in with the wrong sign.",
            _COUNT,
        ),
        Slip(
            lambda w: bound(w) - math.log(len(w)),
            "The number of samples is divided out twice: a mean divides already.",
            _COUNT,
        ),
        Slip(
            lambda w: torch.logsumexp(w, dim=0) - math.log(w.shape[1]),
            "You divide by the number of pictures: the mean is over the samples.",
            _COUNT,
        ),
        Slip(
            lambda w: bound(w.T),
            "You averaged over the pictures: samples are along the first axis.",
            "Which axis of log_w is the samples', according to the docstring?",
        ),
        Slip(
            lambda w: bound(w.reshape(-1, 1)).expand(w.shape[1]),
            "You averaged over the pictures too: each picture has a bound of its own.",
            "Which axis of log_w is the samples', according to the docstring?",
        ),
        *batch_slips(bound),
        Slip(lambda w: w.sum(dim=0), "You add the logarithms up: the weights are what is summed."),
        Slip(
            lambda w: w.exp().mean(dim=0),
            "That is the mean weight itself: its logarithm was asked.",
            "Look at step 2 of the derivation above.",
        ),
        Slip(
            lambda w: w.amax(dim=0),
            "That is the largest log weight alone: the others count too.",
        ),
        Slip(
            lambda w: w.amax(dim=0) - math.log(len(w)),
            "Of all weights you use the largest alone: the others count too.",
        ),
        Slip(lambda w: w[0], "You use the first sample alone: all of them count."),
        Slip(lambda w: w.median(dim=0).values, "That is a median: a mean was asked."),
        Slip(
            lambda w: bound(w) - w.amax(dim=0),
            "The largest weight that was taken out is not put back.",
            "Look at step 4 of the derivation above: what is added again?",
        ),
        Slip(
            lambda w: bound(w) - 2 * w.amax(dim=0),
            "The largest weight is put back with the wrong sign.",
            "Look at step 4 of the derivation above: what is added again?",
        ),
        Slip(
            lambda w: w.max() + _mean(w - w.max()),
            "You take out the largest weight of all pictures: pictures differ, each needs its own.",
            _LARGEST,
        ),
        Slip(_mean, f"{_FAR}.", _LARGEST),
        Slip(
            lambda w: _mean(w.double()),
            f"{_FAR}: more digits do not help there.",
            _LARGEST,
        ),
        *(
            Slip(_shifted(by, double), _SPREAD, _LARGEST)
            for double in (False, True)
            for by in (
                lambda w: w.amin(dim=0),
                lambda w: w.mean(dim=0),
                lambda w: w.median(dim=0).values,
                lambda w: w[0],
                lambda w: w[-1],
            )
        ),
        *(
            Slip(
                lambda w, m=of_mean, s=of_sum: _constant(w, m, s),
                "A small constant stands under the logarithm: once the largest weight is taken "
                "out none is needed, and where one weight of many counts it gives wrong numbers.",
                "How small can the mean weight get, once the largest weight is 1?",
            )
            for of_mean, of_sum in (
                *((epsilon, 0.0) for epsilon in (1e-3, 1e-4, 1e-5, 1e-6, 1e-7, 1e-8)),
                *((0.0, epsilon) for epsilon in (1e-2, 1e-3)),
            )
        ),
        *(
            Slip(
                lambda w, e=epsilon: torch.log(w.exp().mean(dim=0) + e),
                f"{_FAR}: a small constant hides that, and gives wrong numbers.",
                _LARGEST,
            )
            for epsilon in (1e-6, 1e-7, 1e-8, 1e-10, 1e-12, 1e-20, 1e-30)
        ),
    ],
)


def importance_bound(function: Function) -> None:
    """Check `importance_bound(log_w) -> (B,)`, with log_w of shape (S, B)."""
    __tracebackhide__ = True
    run("importance-bound", (CHECK, function))
