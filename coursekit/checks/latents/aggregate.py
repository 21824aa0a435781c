"""Check of `aggregate-density`: the log-density of the mean of all posteriors."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.distributions import Normal

from coursekit.checks.engine import Case, Check, Function, Slip, run
from coursekit.checks.parts import batch_slips, normal


def _terms(z: Tensor, mu: Tensor, log_var: Tensor) -> Tensor:
    """Log-density of every dimension under every posterior, (B, N, K)."""
    return Normal(mu, torch.exp(log_var / 2)).log_prob(z[:, None])


def _each(z: Tensor, mu: Tensor, log_var: Tensor) -> Tensor:
    return _terms(z, mu, log_var).sum(dim=2)


def _right(z: Tensor, mu: Tensor, log_var: Tensor) -> Tensor:
    return torch.logsumexp(_each(z, mu, log_var), dim=1) - math.log(len(mu))


def _cases() -> list[Case]:
    def case(*values: Tensor, title: str = "", clue: str = "") -> Case:
        return Case(dict(zip(("z", "mu", "log_var"), values, strict=True)), title, clue)

    tensor = torch.tensor
    z, mu, log_var = normal(154, (4, 2), (5, 2), (5, 2))
    far = (
        "Densities this far from all posteriors cannot be held as numbers, only their logarithms "
        "can: what can be taken out of the sum first?"
    )
    wide = "No limit on any number and no small constant belongs in the formula."
    return [
        case(tensor([[1.0]]), tensor([[0.0], [2.0]]), tensor([[0.0], [1.0]])),
        case(*normal(151, (4, 3), (6, 3), (6, 3)), title="B = 4, N = 6 posteriors, K = 3"),
        case(*normal(152, (5, 4), (1, 4), (1, 4)), title="B = 5, a single posterior, K = 4"),
        case(
            *normal(153, (3, 2), (3, 2), (3, 2), dtype=torch.float64),
            title="B = N = 3, K = 2, in float64",
        ),
        case(12 * z, mu, log_var, title="z at some distance from all posteriors", clue=far),
        case(200 * z, mu, log_var, title="z far from all posteriors", clue=far),
        case(
            mu[:3] + tensor([0.0, 1e-4]),
            mu,
            log_var * tensor([1.0, 0.0]) + tensor([30.0, -16.0]),
            title="log_vars of about 30 and -16",
            clue=wide,
        ),
    ]


def _over(join: Function) -> Function:
    """Another way to make one number for each z of the (B, N) log-densities."""
    return lambda z, mu, log_var: join(_each(z, mu, log_var))


def _scaled(scale: Function) -> Function:
    """The density where log_var is read as something else."""

    def wrong(z: Tensor, mu: Tensor, log_var: Tensor) -> Tensor:
        each = Normal(mu, scale(log_var), validate_args=False).log_prob(z[:, None])
        return torch.logsumexp(each.sum(dim=2), dim=1) - math.log(len(mu))

    return wrong


def _weighted(constant: float = 1.0, logs: float = 1.0, squares: float = 1.0) -> Function:
    """The density whose three terms are weighted."""

    def wrong(z: Tensor, mu: Tensor, log_var: Tensor) -> Tensor:
        errors = (z[:, None] - mu).square() / log_var.exp()
        each = constant * math.log(2 * math.pi) + logs * log_var + squares * errors
        return torch.logsumexp(-each.sum(dim=2) / 2, dim=1) - math.log(len(mu))

    return wrong


def _one_gaussian(variance: Function) -> Function:
    """The log-density of a single Gaussian with the mean of all means."""

    def wrong(z: Tensor, mu: Tensor, log_var: Tensor) -> Tensor:
        return Normal(mu.mean(dim=0), variance(mu, log_var).sqrt()).log_prob(z).sum(dim=1)

    return wrong


def _naive(double: bool = False, epsilon: float = 0.0) -> Function:
    """The densities themselves are averaged."""

    def wrong(z: Tensor, mu: Tensor, log_var: Tensor) -> Tensor:
        each = _each(z, mu, log_var)
        each = each.double() if double else each
        return torch.log(each.exp().mean(dim=1) + epsilon)

    return wrong


_MIXED = (
    "Which distribution does a z have whose picture was picked at random: one Gaussian, or one "
    "out of N?"
)
_LOG = "In which order come the mean over the posteriors and the logarithm?"
_COUNT = "How many posteriors are averaged, and where does that number end up under a logarithm?"
_FAR = "Near the posteriors it is right; far away the densities themselves are 0 in floating point"
_LARGEST = "Which term can be taken out of the sum, so that the largest one left is 1?"
_LIMITS: tuple[float, ...] = (
    -30.0,
    -50.0,
    -80.0,
    -87.0,
    -88.0,
    -100.0,
    -103.0,
    -200.0,
    -500.0,
    -700.0,
    -745.0,
)
_LIMITS += (-1e3, -1e4)
_GAUSSIAN = "Write down the log-density of one diagonal Gaussian: which term do you not find again?"

CHECK = Check(
    reference=_right,
    cases=_cases,
    look=f"{_LOG} {_COUNT}",
    slips=[
        Slip(
            _over(lambda e: e.mean(dim=1)),
            "That is the mean of the logarithms: the logarithm of the mean density was asked.",
            _LOG,
        ),
        Slip(
            _over(lambda e: torch.logsumexp(e, dim=1)),
            "The densities are added up and not averaged: the factor of one over N is forgotten.",
            _COUNT,
        ),
        Slip(
            _over(lambda e: torch.logsumexp(e, dim=1) / e.shape[1]),
            "You divide the logarithm by N: the density is what is divided.",
            _COUNT,
        ),
        Slip(
            _over(lambda e: torch.logsumexp(e, dim=1) + math.log(e.shape[1])),
            "The number of posteriors comes in with the wrong sign.",
            _COUNT,
        ),
        Slip(
            _over(lambda e: torch.logsumexp(e, dim=1) - e.shape[1]),
            "You subtract the number of posteriors itself from a logarithm.",
            _COUNT,
        ),
        Slip(
            _over(lambda e: torch.logsumexp(e, dim=1) - 2 * math.log(e.shape[1])),
            "The number of posteriors is divided out twice.",
            _COUNT,
        ),
        Slip(
            _over(lambda e: torch.logsumexp(e, dim=1) - math.log(len(e))),
            "You divide by the number of points z: the mean is over the posteriors.",
            _COUNT,
        ),
        Slip(
            lambda z, mu, v: torch.logsumexp(_each(z, mu, v), dim=1) - math.log(mu.shape[1]),
            "You divide by the number of dimensions: the mean is over the posteriors.",
            _COUNT,
        ),
        Slip(
            lambda z, mu, v: (torch.logsumexp(_terms(z, mu, v), dim=1) - math.log(len(mu))).sum(
                dim=1
            ),
            "The posteriors are mixed in each dimension by itself: one posterior belongs to a "
            "whole z, so the dimensions are summed first.",
            "Which axis must be gone before the posteriors are averaged?",
        ),
        Slip(
            _one_gaussian(lambda mu, v: v.exp().mean(dim=0)),
            "That is ONE Gaussian, at the mean of all means: a mixture of N was asked.",
            _MIXED,
        ),
        Slip(
            _one_gaussian(lambda mu, v: v.mean(dim=0).exp()),
            "That is ONE Gaussian, at the mean of all means: a mixture of N was asked.",
            _MIXED,
        ),
        Slip(
            _one_gaussian(
                lambda mu, v: v.exp().mean(dim=0) + mu.square().mean(dim=0) - mu.mean(dim=0) ** 2
            ),
            "That is ONE Gaussian with the mixture's mean and variance: a mixture has more than "
            "one hill.",
            _MIXED,
        ),
        Slip(
            _one_gaussian(lambda mu, v: torch.ones_like(mu[0])),
            "That is ONE Gaussian, at the mean of all means: a mixture of N was asked.",
            _MIXED,
        ),
        Slip(
            lambda z, mu, v: Normal(0.0, 1.0).log_prob(z).sum(dim=1),
            "That is the log-density of the prior: the aggregate of the posteriors was asked.",
            _MIXED,
        ),
        Slip(
            _over(lambda e: e.amax(dim=1)),
            "Only the posterior with the largest density counts in yours, and it is not weighted: "
            "all of them count.",
            _LOG,
        ),
        Slip(
            _over(lambda e: e.amax(dim=1) - math.log(e.shape[1])),
            "Only the posterior with the largest density counts in yours: all of them do.",
            _LOG,
        ),
        Slip(
            _over(lambda e: e.sum(dim=1)), "You multiply the densities: their mean was asked.", _LOG
        ),
        Slip(
            _over(lambda e: e[:, 0]),
            "Only the first posterior is used: all of them count.",
            _LOG,
        ),
        Slip(
            lambda z, mu, v: Normal(mu, torch.exp(v / 2)).log_prob(z).sum(dim=1),
            "Every z meets one posterior only: each z is to be put into all of them.",
            "Which shapes have z and mu, and what must they be for every z to meet every mu?",
        ),
        *batch_slips(_right),
        Slip(
            lambda z, mu, v: torch.logsumexp(_terms(z, mu, v).mean(dim=2), 1) - math.log(len(mu)),
            "It is the mean over the dimensions: a sum was asked, they are independent.",
            _GAUSSIAN,
        ),
        Slip(
            _scaled(torch.exp),
            "The variance is used as a standard deviation: which is the exponential of log_var?",
            _GAUSSIAN,
        ),
        Slip(
            _scaled(lambda v: (-v / 2).exp()),
            "log_var comes in with the wrong sign.",
            _GAUSSIAN,
        ),
        Slip(
            _scaled(lambda v: v.abs().sqrt()),
            "log_var is used as the variance: it is its logarithm.",
            _GAUSSIAN,
        ),
        Slip(
            _scaled(torch.ones_like),
            "The variances are not used: each posterior has its own.",
            _GAUSSIAN,
        ),
        Slip(_weighted(constant=0), "The constant with pi is missing.", _GAUSSIAN),
        Slip(_weighted(logs=0), "The logarithm of the variance is missing.", _GAUSSIAN),
        Slip(_weighted(logs=2), "The logarithm of the variance counts twice.", _GAUSSIAN),
        Slip(_weighted(squares=2), "The squared distance counts twice.", _GAUSSIAN),
        Slip(
            _weighted(constant=0, logs=0),
            "Only the squared distances are there: a density has a normaliser.",
            _GAUSSIAN,
        ),
        Slip(
            _over(lambda e: torch.exp(torch.logsumexp(e, dim=1) - math.log(e.shape[1]))),
            "That is the density itself: its logarithm was asked.",
            _LOG,
        ),
        Slip(
            lambda z, mu, v: -_right(z, mu, v),
            "It has the right size and the wrong sign.",
            _GAUSSIAN,
        ),
        Slip(_naive(), f"{_FAR}.", _LARGEST),
        Slip(_naive(double=True), f"{_FAR}: more digits do not help there.", _LARGEST),
        *(
            Slip(
                _naive(double, epsilon),
                f"{_FAR}: a small constant hides that, and gives wrong numbers.",
                _LARGEST,
            )
            for double in (False, True)
            for epsilon in (1e-6, 1e-7, 1e-8, 1e-9, 1e-10, 1e-12, 1e-20, 1e-30)
        ),
        *(
            Slip(
                _over(lambda e, m=limit: e.clamp(min=m).exp().mean(dim=1).log()),
                "You clamp the log-densities: far away they are far below any limit.",
                _LARGEST,
            )
            for limit in _LIMITS
        ),
        *(
            Slip(
                lambda z, mu, v, m=limit: _right(z, mu, v).clamp(min=m),
                "You clamp the result: far away the logarithm is far below any limit, and it is "
                "the right answer there.",
                _LARGEST,
            )
            for limit in _LIMITS
        ),
        *(
            Slip(
                _over(lambda e, m=limit: e.clamp(min=m).logsumexp(dim=1) - math.log(e.shape[1])),
                "You clamp the log-densities: far away they are far below any limit.",
                _LARGEST,
            )
            for limit in _LIMITS
        ),
        Slip(
            _over(lambda e: e.max() + torch.log(torch.exp(e - e.max()).mean(dim=1))),
            "You take out the largest term of all z: each z needs its own.",
            _LARGEST,
        ),
    ],
)


def aggregate_density(function: Function) -> None:
    """Check `aggregate_log_density(z, mu, log_var) -> (B,)`."""
    __tracebackhide__ = True
    run("aggregate-density", (CHECK, function))
