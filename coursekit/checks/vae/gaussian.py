"""Check of `gaussian-log-density`: the log-density of a Gaussian with diagonal covariance."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.distributions import Normal

from coursekit.checks.engine import Case, Check, Function, Slip, run
from coursekit.checks.parts import batch_slips, normal

LOG_2PI = math.log(2 * math.pi)


def _gaussian(x: Tensor, mean: Tensor, log_var: Tensor) -> Tensor:
    return Normal(mean, torch.exp(log_var / 2)).log_prob(x).sum(dim=1)


def _cases() -> list[Case]:
    names = ("x", "mean", "log_var")

    def case(*values: Tensor, title: str = "", clue: str = "") -> Case:
        return Case(dict(zip(names, values, strict=True)), title, clue)

    tensor = torch.tensor
    return [
        case(tensor([[1.0, 3.0]]), tensor([[0.0, 1.0]]), tensor([[1.0, 2.0]])),
        case(tensor([[2.1]]), tensor([[2.0]]), tensor([[-1.5]])),
        case(*normal(11, (4, 7), (4, 7), (4, 7)), title="4 random rows with D = 7"),
        case(
            *normal(12, (3, 3), (3, 3), (3, 3), dtype=torch.float64),
            title="3 random rows with D = 3, in float64",
        ),
        case(
            tensor([[1e-13, 0.0], [3.0, 40.0], [0.0, 4.0]]),
            tensor([[0.0, 0.0], [1.0, -1.0], [0.0, 1.0]]),
            tensor([[-60.0, 0.0], [1.0, 60.0], [0.0, -10.0]]),
            title="log_var of 60 and of -60",
            clue="No limit on any number and no small constant belongs in the formula.",
        ),
    ]


def _terms(
    constant: float = 1.0, logs: float = 1.0, power: float = 1.0, distances: float = 1.0
) -> Function:
    """Gaussian log-density with its terms weighted, and the variance raised to a power."""

    def wrong(x: Tensor, mean: Tensor, log_var: Tensor) -> Tensor:
        squares = ((x - mean) / torch.exp(power * log_var / 2)) ** 2
        return -(constant * LOG_2PI + logs * log_var + distances * squares).sum(dim=1) / 2

    return wrong


def _as_scale(scale: Callable[[Tensor], Tensor]) -> Function:
    """Gaussian log-density with a wrong standard deviation, made from log_var."""

    def wrong(x: Tensor, mean: Tensor, log_var: Tensor) -> Tensor:
        sigma = scale(log_var)
        each = -0.5 * LOG_2PI - torch.log(sigma) - (x - mean) ** 2 / (2 * sigma**2)
        return each.sum(dim=1)

    return wrong


def _distance(f: Function) -> Function:
    def wrong(x: Tensor, mean: Tensor, log_var: Tensor) -> Tensor:
        return -(LOG_2PI + log_var + f(x, mean, log_var)).sum(dim=1) / 2

    return wrong


_STD = "The squared distance is divided by the variance, and you divide by something else: "
_CONSTANT = "How often, for D dimensions, does the constant with pi stand in step 4?"

CHECK = Check(
    reference=_gaussian,
    cases=_cases,
    slopes=("x", "mean", "log_var"),
    look="Look at step 4 of the derivation above: which of its terms stand in your code, and how "
    "often is each counted?",
    slips=[
        Slip(
            lambda *a: _gaussian(*a).exp(),
            "That is the density itself: its logarithm was asked.",
            "Look at step 2 of the derivation above: what becomes of a product?",
        ),
        Slip(
            lambda x, m, v: Normal(m, torch.exp(v / 2)).log_prob(x).exp().sum(dim=1),
            "You add densities up, without a logarithm: log-densities are what adds up.",
            "Look at steps 2 and 4 of the derivation above.",
        ),
        Slip(
            lambda x, m, v: _gaussian(x, m, v) / x.shape[1],
            "It is the mean over the dimensions: a sum was asked.",
            "Look at step 4 of the derivation above: what is done with the D log-densities?",
        ),
        *batch_slips(_gaussian),
        Slip(
            lambda *a: _gaussian(*(t[:, :2] for t in a)),
            "Only the first two dimensions are used: there may be any number.",
            "Look at step 4 of the derivation above.",
        ),
        Slip(
            lambda x, m, v: _gaussian(x, m, v) - LOG_2PI * x.shape[1] * (x.shape[1] - 1) / 2,
            "The constant is counted D times in each of the D dimensions: once is enough.",
            _CONSTANT,
        ),
        Slip(
            lambda x, m, v: _gaussian(x, m, v) + LOG_2PI * (x.shape[1] - 1) / 2,
            "The constant is counted once a row: each dimension brings its own.",
            _CONSTANT,
        ),
        Slip(_terms(constant=0), "The constant with pi is missing.", _CONSTANT),
        Slip(_terms(constant=2), "The constant with pi is twice what it should be.", _CONSTANT),
        Slip(_terms(constant=-1), "The constant with pi has the wrong sign.", _CONSTANT),
        Slip(
            _terms(constant=math.log(math.pi) / LOG_2PI),
            "The constant is off: there is a 2 beside pi.",
            _CONSTANT,
        ),
        Slip(
            _terms(distances=2),
            "The squared distance counts twice as much as it should: is a factor missing?",
            "Look at step 2 of the derivation above: in front of how many terms does the factor "
            "stand?",
        ),
        Slip(
            _terms(constant=2, logs=2),
            "The factor stands before the squared distance only: it belongs to all three terms.",
            "Look at step 2 of the derivation above: in front of how many terms does it stand?",
        ),
        Slip(_terms(logs=2), "The term with log_var alone counts twice as much as it should."),
        Slip(_terms(logs=0), "The term with log_var alone is missing."),
        Slip(_terms(logs=-1), "The term with log_var alone has the wrong sign."),
        Slip(_terms(distances=-1), "The squared distance has the wrong sign."),
        Slip(_terms(distances=0), "The distance between x and mean is missing."),
        Slip(_terms(power=-1), "You multiply by the variance where step 3 divides."),
        Slip(_terms(power=0.5), _STD + "you divide by the standard deviation."),
        Slip(_terms(power=2), _STD + "the variance is squared, as a standard deviation would be."),
        Slip(_terms(power=0), _STD + "the variance is not used at all."),
        Slip(
            _as_scale(lambda v: torch.exp(v)),
            "You took the variance for the standard deviation.",
            "Look at step 3 of the derivation above: the standard deviation is a square root.",
        ),
        Slip(
            _as_scale(lambda v: v.clone()),
            "You took log_var for the standard deviation: it is the logarithm of the variance.",
            "Look at step 3 of the derivation above.",
        ),
        Slip(
            _as_scale(lambda v: torch.sqrt(v)),
            "You took log_var for the variance: it is the logarithm of the variance.",
            "Look at step 3 of the derivation above.",
        ),
        Slip(
            _distance(lambda x, m, v: (x - m) ** 2 / v),
            "You divide by log_var: it is the logarithm of the variance.",
            "Look at step 3 of the derivation above.",
        ),
        Slip(
            _distance(lambda x, m, v: (x - m) / v.exp()),
            "The distance between x and mean is not squared.",
        ),
        Slip(
            _distance(lambda x, m, v: (x - m).abs() / v.exp()),
            "You use the absolute distance between x and mean: the squared one was asked.",
        ),
        Slip(
            _distance(lambda x, m, v: (x + m) ** 2 / v.exp()),
            "The mean is added to x: the distance is their difference.",
        ),
        Slip(
            _distance(lambda x, m, v: x**2 / v.exp()),
            "The mean is left out: the distance is that between x and mean.",
        ),
    ],
)


def gaussian_log_density(function: Function) -> None:
    """Check `gaussian_log_density(x, mean, log_var) -> (B,)`."""
    __tracebackhide__ = True
    run("gaussian-log-density", (CHECK, function))
