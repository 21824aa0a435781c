"""Check of `optimal-variance`: a Gaussian whose one variance is the best for the whole batch."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.distributions import Normal

from coursekit.checks.engine import Case, Check, Function, Slip, run
from coursekit.checks.likelihoods.pictures import per_picture, sum_slips
from coursekit.checks.parts import grey, normal

LOG_2PI = math.log(2 * math.pi)


def _with_variance(x: Tensor, mean: Tensor, v: Tensor) -> Tensor:
    return per_picture(Normal(mean, v.sqrt().expand_as(mean)).log_prob(x))


def _optimal(x: Tensor, mean: Tensor) -> Tensor:
    return _with_variance(x, mean, (x - mean).square().mean())


def _cases() -> list[Case]:
    def case(mean: Tensor, errors: Tensor, title: str = "", clue: str = "") -> Case:
        return Case({"x": mean + errors, "mean": mean}, title, clue)

    first_worst = torch.tensor([3.0, 1.0, 0.3, 0.1]).view(4, 1, 1, 1)
    return [
        case(torch.tensor([[1.0, 0.0], [0.0, 0.0]]), torch.tensor([[1.0, 3.0], [1.0, 1.0]])),
        case(torch.tensor([[0.5, 0.25]]), torch.tensor([[0.5, -0.25]])),
        case(
            grey(31, 4, 2, 3, 3),
            0.2 * first_worst * (0.5 + normal(32, (4, 2, 3, 3))[0]),
            title="4 pictures with 2 channels of 3 x 3 pixels, some far better than others",
        ),
        case(
            grey(33, 5, 5, dtype=torch.float64),
            normal(34, (5, 5), dtype=torch.float64)[0],
            title="5 pictures of 5 pixels in a row, in float64",
        ),
        case(
            grey(35, 4, 1, 2, 6),
            0.002 * first_worst * normal(36, (4, 1, 2, 6))[0],
            title="good reconstructions, with errors of a few thousandths",
            clue="However small the errors are, nothing is to be added to the variance, and it is "
            "not to be limited.",
        ),
    ]


def _variance(make: Function) -> Function:
    """Log-densities under another variance, made from the errors."""
    return lambda x, mean: _with_variance(x, mean, make(x - mean))


def _terms(constant: float = 1.0, logs: float = 1.0, squares: float = 1.0) -> Function:
    def wrong(x: Tensor, mean: Tensor) -> Tensor:
        errors = (x - mean).square()
        v = errors.mean()
        return -per_picture(constant * LOG_2PI + logs * v.log() + squares * errors / v) / 2

    return wrong


def _by_picture(errors: Tensor) -> Tensor:
    return errors.square().mean(dim=tuple(range(1, errors.dim())), keepdim=True)


_ONE = "Look at step 3 of the derivation above: over how many values is the mean taken?"
_EACH = "Look at steps 1 and 4 of the derivation above: which term is a picture's own?"
_TERM = "Look at step 1 of the derivation above, term by term."

_SLIPS = [
    Slip(
        _variance(_by_picture),
        "Each picture has a variance of its own: one for the whole batch was asked.",
        _ONE,
    ),
    Slip(
        _variance(lambda e: e.square().mean(dim=0, keepdim=True)),
        "Each pixel has a variance of its own: one for the whole batch was asked.",
        _ONE,
    ),
    Slip(
        _variance(lambda e: e.square().sum()),
        "The variance is the sum of the squared errors: it is not divided by their number.",
        _ONE,
    ),
    Slip(
        _variance(lambda e: e.square().sum() / len(e)),
        "The sum of the squared errors is divided by the number of pictures only: there are more "
        "values than that.",
        _ONE,
    ),
    Slip(
        _variance(lambda e: e.square().sum() / e[0].numel()),
        "The sum of the squared errors is divided by the values of one picture: there are as "
        "many again in every other.",
        _ONE,
    ),
    Slip(
        _variance(lambda e: e.square().sum() / (e.numel() - 1)),
        "You divide by the number of values less one: that is unbiased, and not the maximum.",
        _ONE,
    ),
    Slip(
        _variance(lambda e: e.var()),
        "You take the variance of the errors about their own average, with one value less: errors "
        "count from the given mean.",
        "Look at step 3 of the derivation above: what is subtracted from x?",
    ),
    Slip(
        _variance(lambda e: e.var(correction=0)),
        "You take the variance of the errors about their own average: errors count from the given "
        "mean.",
        "Look at step 3 of the derivation above: what is subtracted from x?",
    ),
    Slip(
        lambda x, mean: _with_variance(x, mean, x.var(correction=0)),
        "That is the variance of the pictures, not of their errors.",
        "Look at step 3 of the derivation above: what is subtracted from x?",
    ),
    Slip(
        lambda x, mean: _with_variance(x, mean, x.var()),
        "That is the variance of the pictures, not of their errors.",
        "Look at step 3 of the derivation above: what is subtracted from x?",
    ),
    Slip(
        _variance(lambda e: e.square().mean().sqrt()),
        "The standard deviation stands where the variance is asked.",
        _TERM,
    ),
    Slip(
        _variance(lambda e: e.square().mean() ** 2),
        "The variance stands where a standard deviation is asked: was it squared once more?",
        _TERM,
    ),
    Slip(
        _variance(lambda e: e.abs().mean()),
        "The errors are not squared: their absolute values are averaged.",
        _ONE,
    ),
    Slip(
        _variance(lambda e: e.abs().mean() ** 2),
        "The mean absolute error is squared: the squares are to be averaged.",
        _ONE,
    ),
    Slip(
        _variance(lambda e: torch.ones_like(e).mean()),
        "The variance is 1 here: the best one was asked.",
        _ONE,
    ),
    Slip(
        _variance(lambda e: e.square().max()),
        "The largest squared error is taken for the variance.",
        _ONE,
    ),
    Slip(
        _variance(lambda e: e.square().median()),
        "The median of the squared errors is taken for their mean.",
        _ONE,
    ),
    Slip(
        lambda x, mean: _optimal(x, mean).mean().expand(len(x)),
        "Every picture gets the same: the squared errors that stay in the sum are each picture's "
        "own.",
        _EACH,
    ),
    Slip(_terms(constant=0), "The constant with pi is missing.", _TERM),
    Slip(_terms(constant=2), "The constant with pi is twice what it should be.", _TERM),
    Slip(_terms(logs=0), "The logarithm of the variance is missing.", _TERM),
    Slip(_terms(logs=2), "The logarithm of the variance counts twice.", _TERM),
    Slip(_terms(logs=-1), "The logarithm of the variance has the wrong sign.", _TERM),
    Slip(_terms(squares=0), "The squared errors are missing.", _EACH),
    Slip(_terms(squares=2), "The squared errors count twice: is a factor missing?", _TERM),
    Slip(_terms(squares=-1), "The squared errors have the wrong sign.", _TERM),
    Slip(
        lambda x, mean: _optimal(x, mean) + (x[0].numel() - 1) * LOG_2PI / 2,
        "The constant is counted once a picture: each of its values brings its own.",
        _TERM,
    ),
    Slip(
        lambda x, mean: (
            _optimal(x, mean)
            + (x[0].numel() - 1) * (LOG_2PI + (x - mean).square().mean().log()) / 2
        ),
        "Constant and logarithm are counted once a picture: each of its values brings its own.",
        _TERM,
    ),
    Slip(
        lambda x, mean: -per_picture((x - mean).square()),
        "That is a squared error: a log-density has more to it.",
        _TERM,
    ),
    *(
        Slip(
            _variance(lambda e, s=small: e.square().mean() + s),
            "Something small is added to the variance: the best one was asked as it is.",
            _ONE,
        )
        for small in (1e-3, 1e-4, 1e-5, 1e-6)
    ),
    *(
        Slip(
            _variance(lambda e, s=small: e.square().mean().clamp(min=s)),
            "The variance is not let below a limit: the best one was asked, however small.",
            _ONE,
        )
        for small in (1e-2, 1e-3, 1e-4, 1e-5)
    ),
    *sum_slips(_optimal, 4),
]

CHECK = Check(
    reference=_optimal,
    cases=_cases,
    look="Look at steps 3 and 4 of the derivation above: what is one number for the whole batch, "
    "and what is each picture's own?",
    slips=_SLIPS,
)

# The slope of the sum is the same with and without a gradient through the variance; that of a
# single picture is not, and both ways of writing it are right.
SLOPE = Check(
    reference=lambda x, mean: _optimal(x, mean).sum().view(1),
    cases=_cases,
    slopes=("x", "mean"),
    subject="the sum of what you return is",
    look="Follow the gradient from the result back to mean.",
    slips=[],
)


def _summed(function: Function) -> Function:
    return lambda x, mean: function(x, mean).sum().view(1)


def optimal_variance(function: Function) -> None:
    """Check `optimal_gaussian_log_prob(x, mean) -> (B,)`."""
    __tracebackhide__ = True
    run("optimal-variance", (CHECK, function), (SLOPE, _summed(function)))
