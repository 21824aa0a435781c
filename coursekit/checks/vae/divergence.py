"""Check of `kl-standard-normal`: the divergence of a diagonal Gaussian from N(0, I)."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.distributions import Normal, kl_divergence

from coursekit.checks.engine import Case, Check, Function, Slip, run
from coursekit.checks.parts import batch_slips, normal


def divergence(mu: Tensor, log_var: Tensor) -> Tensor:
    """Work out the right values with torch.distributions."""
    unit = Normal(torch.zeros_like(mu), torch.ones_like(mu))
    return kl_divergence(Normal(mu, torch.exp(log_var / 2)), unit).sum(dim=1)


def _cases() -> list[Case]:
    def case(*values: Tensor, title: str = "", clue: str = "") -> Case:
        return Case(dict(zip(("mu", "log_var"), values, strict=True)), title, clue)

    tensor = torch.tensor
    four, three = (4, 7), (3, 3)
    return [
        case(tensor([[2.0, 0.0]]), tensor([[0.0, 0.0]])),
        case(tensor([[1.0]]), tensor([[1.0]])),
        case(*normal(31, four, four), title="4 random rows with K = 7"),
        case(
            *normal(32, three, three, dtype=torch.float64),
            title="3 random rows with K = 3, in float64",
        ),
        case(
            tensor([[30.0, 0.0], [0.0, -1.0], [0.05, 0.0]]),
            tensor([[-60.0, 0.0], [0.0, 40.0], [0.0, 0.1]]),
            title="log_var of 40 and of -60",
            clue="No limit on any number and no small constant belongs in the formula.",
        ),
    ]


def _terms(
    means: float = 1.0, variances: float = 1.0, ones: float = 1.0, logs: float = 1.0
) -> Function:
    """The divergence with its four terms weighted."""

    def wrong(mu: Tensor, log_var: Tensor) -> Tensor:
        variance = torch.exp(log_var)
        each = means * mu**2 + variances * variance - ones - logs * log_var
        return each.sum(dim=1) / 2

    return wrong


def _reading(variance: Function, log_variance: Function) -> Function:
    """The divergence where log_var is read as something else."""

    def wrong(mu: Tensor, log_var: Tensor) -> Tensor:
        each = mu**2 + variance(log_var) - 1 - log_variance(log_var)
        return each.sum(dim=1) / 2

    return wrong


def _reverse(mu: Tensor, log_var: Tensor) -> Tensor:
    unit = Normal(torch.zeros_like(mu), torch.ones_like(mu))
    return kl_divergence(unit, Normal(mu, torch.exp(log_var / 2))).sum(dim=1)


_UNUSED = "Look at step 5 of the derivation above: which of its symbols have you not used?"
_READ = "Look at step 5 of the derivation above: which of its symbols is the network's log_var?"

CHECK = Check(
    reference=divergence,
    cases=_cases,
    slopes=("mu", "log_var"),
    look="Compare signs and factors term by term with step 5 of the derivation above.",
    slips=[
        Slip(
            lambda mu, v: -divergence(mu, v),
            "It has the right size and the wrong sign: a divergence is never negative.",
        ),
        Slip(
            lambda mu, v: divergence(mu, v) / mu.shape[1],
            "It is the mean over the dimensions: a sum was asked.",
            "Look at step 6 of the derivation above.",
        ),
        *batch_slips(divergence),
        Slip(
            lambda mu, v: divergence(mu[:, :2], v[:, :2]),
            "Only the first two dimensions are used: there may be any number.",
            "Look at step 6 of the derivation above.",
        ),
        Slip(
            _terms(variances=2, ones=2, logs=2),
            "The factor stands before the squared mean only: it belongs to all four terms.",
        ),
        Slip(
            _reading(lambda v: v, lambda v: v.log()),
            "You took log_var for the variance: it is the variance's logarithm.",
            _READ,
        ),
        Slip(
            _reading(lambda v: v, lambda v: v),
            "You took log_var for the variance in one place: it is the variance's logarithm.",
            _READ,
        ),
        Slip(
            _reading(lambda v: v**2, lambda v: (v**2).log()),
            "You took log_var for the standard deviation: it is the logarithm of the variance.",
            _READ,
        ),
        Slip(
            _reading(lambda v: v**2, lambda v: v),
            "You took log_var for the standard deviation in one place: it is the logarithm of "
            "the variance.",
            _READ,
        ),
        Slip(
            _reading(lambda v: (2 * v).exp(), lambda v: 2 * v),
            "You took log_var for the logarithm of the standard deviation: it is the variance's.",
            _READ,
        ),
        Slip(
            _reading(lambda v: (2 * v).exp(), lambda v: v),
            "The variance is squared, as a standard deviation would be.",
            _READ,
        ),
        Slip(
            _reading(lambda v: (v / 2).exp(), lambda v: v),
            "You took the standard deviation for the variance.",
            _READ,
        ),
        Slip(
            _reading(lambda v: (v / 2).exp(), lambda v: v / 2),
            "You took the standard deviation for the variance.",
            _READ,
        ),
        Slip(
            _reading(lambda v: (-v).exp(), lambda v: v),
            "You divide by the variance where it stands on its own: the sign of log_var is wrong.",
            _READ,
        ),
        Slip(
            _reading(lambda v: (-v).exp(), lambda v: -v),
            "The sign of log_var is wrong: you took it for the logarithm of the precision.",
            _READ,
        ),
        Slip(
            _reverse,
            "That is the divergence the other way round: the surplus is averaged over q.",
            "Look at step 1 of the derivation above: which distribution is z drawn from?",
        ),
        Slip(_terms(means=0), "The means are left out.", _UNUSED),
        Slip(
            _terms(variances=0),
            "The variance itself is missing: only its logarithm is there.",
            _UNUSED,
        ),
        Slip(_terms(ones=0), "In each dimension a constant is missing.", _UNUSED),
        Slip(_terms(ones=-1), "In each dimension a constant has the wrong sign."),
        Slip(_terms(logs=0), "The logarithm of the variance is missing.", _UNUSED),
        Slip(_terms(logs=-1), "The logarithm of the variance has the wrong sign."),
        Slip(_terms(logs=2), "The logarithm of the variance counts twice as much as it should."),
        Slip(_terms(logs=0.5), "The logarithm of the variance counts half of what it should."),
        Slip(_terms(means=-1), "The squared mean has the wrong sign."),
        Slip(_terms(means=2), "The squared mean counts twice: the factor stands before all terms."),
        Slip(_terms(variances=2), "The variance counts twice: the factor stands before all terms."),
        Slip(_terms(ones=2), "The constant counts twice: the factor stands before all terms."),
        Slip(
            lambda mu, v: (mu**2 + v.exp() - v).sum(dim=1) / 2 - 0.5,
            "The constant is counted once a row: each dimension brings its own.",
            "Look at step 6 of the derivation above: which terms are added up?",
        ),
        Slip(
            lambda mu, v: divergence(mu.abs().sqrt(), v),
            "You use the absolute value of the means: their squares were asked.",
        ),
        Slip(
            lambda mu, v: (mu + v.exp() - 1 - v).sum(dim=1) / 2,
            "The means are not squared.",
        ),
        Slip(
            lambda mu, v: (mu.sum(dim=1) ** 2 + (v.exp() - 1 - v).sum(dim=1)) / 2,
            "You square the sum of the means: it is the squares that are summed.",
            "Look at step 6 of the derivation above: which terms are added up?",
        ),
        *(
            Slip(
                lambda mu, v, m=limit: divergence(mu, v.clamp(-m, m)),
                "You clamp log_var: any real number is allowed.",
            )
            for limit in (2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 10.0)
        ),
    ],
)


def kl_standard_normal(function: Function) -> None:
    """Check `kl_standard_normal(mu, log_var) -> (B,)`."""
    __tracebackhide__ = True
    run("kl-standard-normal", (CHECK, function))
