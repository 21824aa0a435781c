"""Check of `optimal-discriminator`: the share of the data's density, from log-densities."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from coursekit.checks.engine import Case, Check, Function, Slip, run
from coursekit.checks.parts import normal

NEVER = -math.inf


def _right(log_p: Tensor, log_q: Tensor) -> Tensor:
    """Share of the first among two densities that are given as logarithms."""
    return torch.softmax(torch.stack([log_p, log_q]), dim=0)[0]


def _cases() -> list[Case]:
    def case(
        log_p: Tensor, log_q: Tensor, title: str = "", clue: str = "", tolerance: float = 1e-4
    ) -> Case:
        return Case({"log_p": log_p, "log_q": log_q}, title, clue, tolerance)

    tensor = torch.tensor
    five, double = normal(701, (2, 5)), normal(702, (2, 2, 3), dtype=torch.float64)
    cube, far = normal(703, (2, 3, 2, 2)), tensor([-3000.0, 3000.0, 700.0, -95.0, 90.0])
    (log_p, log_q), (p, q) = five[0], 2 * double[0]
    kept = "A density of e to the -3000 cannot be held as a number, only its logarithm: step 3."
    apart = "Each entry is a case of its own, and the two may be thousands of nats apart."
    ends = "Where one of the densities is 0, the answer is exactly 0 or 1: see step 4."
    return [
        case(tensor([-1.0]), tensor([-2.0])),
        case(2 * log_p, 2 * log_q, title="5 points with densities near 1"),
        case(p, q, title="2 x 3 points, in float64"),
        case(3 * cube[0][0], 3 * cube[0][1], title="3 x 2 x 2 points"),
        case(
            far + 2 * log_p,
            far + 2 * log_q,
            title="log-densities around -3000, 3000, 700, -95 and 90",
            clue=kept,
            tolerance=1e-3,
        ),
        case(
            tensor([-3000.0, 3000.0, 0.0, -2500.0, -0.5]),
            tensor([3000.0, -3000.0, -2500.0, -2499.0, 0.5]),
            title="log-densities that are up to 6000 nats apart",
            clue=apart,
            tolerance=1e-3,
        ),
        case(
            tensor([NEVER, -3.0, 2.0, -3000.0, NEVER]),
            tensor([-1.0, NEVER, 1.0, NEVER, 3000.0]),
            title="log-densities of which some are minus infinity",
            clue=ends,
        ),
    ]


def _of(change: Callable[[Tensor], Tensor]) -> Function:
    """Something else made of how far the two are apart."""
    return lambda log_p, log_q: change(log_p - log_q)


def _then(change: Callable[[Tensor], Tensor]) -> Function:
    """Something else made of the right share."""
    return lambda log_p, log_q: change(_right(log_p, log_q))


def _after(change: Callable[[Tensor], Tensor]) -> Function:
    """The right share of log-densities that were changed before."""
    return lambda log_p, log_q: _right(change(log_p), change(log_q))


def _ratio_kept(at: float) -> Function:
    return _of(lambda d: torch.sigmoid(d.clamp(-at, at)))


def _share_kept(at: float) -> Function:
    return _then(lambda share: share.clamp(at, 1 - at))


def _logs_kept(low: float, high: float) -> Function:
    return _after(lambda log: log.clamp(low, high))


def _plain(log_p: Tensor, log_q: Tensor, small: float = 0.0) -> Tensor:
    return log_p.exp() / (log_p.exp() + log_q.exp() + small)


def _without(taken: Callable[[Tensor, Tensor], Tensor]) -> Function:
    """The densities with something taken out of both before the exponential."""
    return lambda p, q: _plain(p - taken(p, q), q - taken(p, q))


_SHARE = "Look at step 1 above: which density stands above the line, and what stands below it?"
_RATIO = "Look at step 2 above: which number is left when the same is added to both?"
_ALIVE = "Look at step 3 above: at which line of yours is a number formed that cannot be held?"
_ENDS = "Look at step 4 above: which values may the answer take?"
_FAR = (
    "With ordinary logs it is right; where they are near -3000 or 3000, the densities themselves "
    "are 0 or infinite in floating point"
)

CHECK = Check(
    reference=_right,
    cases=_cases,
    shape="(...)",
    look="Go through steps 1 to 4 above: whose share it is, and what is formed on the way.",
    slips=[
        Slip(
            lambda p, q: _right(q, p),
            "That is the share of the generator's density: the probability of a real picture was "
            "asked.",
            _SHARE,
        ),
        Slip(
            _of(torch.exp),
            "That is the ratio of the two densities: the share of one in both was asked.",
            _SHARE,
        ),
        Slip(
            lambda p, q: (q - p).exp(),
            "That is the ratio of the two densities, upside down: the share of one was asked.",
            _SHARE,
        ),
        Slip(
            lambda p, q: p - q,
            "That is the logit of the answer: the probability itself was asked.",
            _SHARE,
        ),
        Slip(
            _of(torch.nn.functional.logsigmoid),
            "That is the logarithm of the answer: the probability itself was asked.",
            _SHARE,
        ),
        Slip(
            lambda p, q: p / (p + q),
            "You take the share of a logarithm in a sum of logarithms: it is the densities that "
            "are compared.",
            _SHARE,
        ),
        Slip(
            lambda p, q: _right(p, torch.zeros_like(p)),
            "log_q is not used: the generator's density counts as 1 everywhere.",
            _SHARE,
        ),
        Slip(
            lambda p, q: _right(torch.zeros_like(p), q),
            "log_p is not used: the data's density counts as 1 everywhere.",
            _SHARE,
        ),
        Slip(
            lambda p, q: torch.sigmoid(p + q),
            "The two logs are added: then both densities count for a real picture.",
            _RATIO,
        ),
        Slip(
            _of(lambda d: torch.sigmoid(2 * d)),
            "The ratio of the densities is squared: they count as they are.",
            _RATIO,
        ),
        Slip(
            _of(lambda d: torch.sigmoid(d / 2)),
            "A root of the ratio is taken: the densities count as they are.",
            _RATIO,
        ),
        Slip(
            _of(lambda d: torch.sigmoid(d / math.log(2))),
            "The logs are taken for logarithms to base 2: they are natural ones.",
            _RATIO,
        ),
        Slip(
            _of(lambda d: torch.pow(10.0, d) / (1 + torch.pow(10.0, d))),
            "The logs are taken for logarithms to base 10: they are natural ones.",
            _RATIO,
        ),
        Slip(
            _of(lambda d: (d > 0).to(d.dtype)),
            "You answer 0 or 1, by the larger density: a probability was asked.",
            _SHARE,
        ),
        Slip(
            _then(lambda share: 2 * share - 1),
            "It runs from -1 to 1: a probability lies between 0 and 1.",
            _ENDS,
        ),
        Slip(
            _of(torch.tanh),
            "It runs from -1 to 1: a probability lies between 0 and 1.",
            _ENDS,
        ),
        Slip(
            lambda p, q: p.exp(),
            "That is the density of the data alone: its share was asked.",
            _SHARE,
        ),
        Slip(
            lambda p, q: p.exp() / q.exp(),
            "That is the ratio of the two densities: the share of one in both was asked.",
            _SHARE,
        ),
        Slip(
            lambda p, q: torch.softmax(p - q, dim=0),
            "Something is normalised over the batch: each point has an answer of its own.",
            _SHARE,
        ),
        Slip(
            lambda p, q: torch.softmax(p, dim=0),
            "Something is normalised over the batch: each point has an answer of its own.",
            _SHARE,
        ),
        Slip(
            _then(lambda share: share.mean().expand_as(share)),
            "You averaged over the points: each has an answer of its own.",
            _SHARE,
        ),
        Slip(
            _then(lambda share: share.flatten()[:1].view([1] * share.dim()).expand_as(share)),
            "Every point gets the first one's answer: each needs its own calculation.",
            _SHARE,
        ),
        *(
            Slip(
                _ratio_kept(k),
                "The ratio is kept within limits: a discriminator may be as sure as it has to be.",
                _ENDS,
            )
            for k in (1.0, 2.0, 3.0, 5.0)
        ),
        *(
            Slip(
                _share_kept(k),
                "The answer is kept away from 0 and 1: it may reach both.",
                _ENDS,
            )
            for k in (0.1, 0.05, 0.01, 1e-3)
        ),
        *(
            Slip(
                _logs_kept(-k, math.inf),
                "The log-densities are cut off below: they may be as low as they are.",
                _ALIVE,
            )
            for k in (10.0, 20.0, 50.0, 80.0, 100.0, 500.0, 700.0, 1000.0)
        ),
        *(
            Slip(
                _logs_kept(-k, k),
                "The log-densities are cut off: they may be as large as they are, of either sign.",
                _ALIVE,
            )
            for k in (10.0, 20.0, 50.0, 80.0, 100.0, 500.0, 700.0, 1000.0)
        ),
        Slip(
            _without(lambda p, q: torch.maximum(p, q).max()),
            "You take out the largest log-density of all points: each point needs its own.",
            _ALIVE,
        ),
        *(
            Slip(
                _without(taken),
                "What you take out before the exponential is not the larger of the two, and what "
                "is larger than that can overflow.",
                _ALIVE,
            )
            for taken in (
                lambda p, q: q,
                torch.minimum,
                lambda p, q: (p + q) / 2,
                lambda p, q: p.mean(),
            )
        ),
        Slip(_plain, f"{_FAR}.", _ALIVE),
        Slip(
            lambda p, q: _plain(p.double(), q.double()),
            f"{_FAR}: more digits do not help there.",
            _ALIVE,
        ),
        Slip(
            lambda p, q: (p - (p.exp() + q.exp()).log()).exp(),
            f"{_FAR}, and so is their sum.",
            _ALIVE,
        ),
        Slip(
            lambda p, q: 1 / (1 + q.exp() / p.exp()),
            f"{_FAR}, and so is their ratio.",
            _ALIVE,
        ),
        *(
            Slip(
                lambda p, q, k=small: _plain(p, q, k),
                f"{_FAR}: a small constant hides that, and gives wrong numbers.",
                _ALIVE,
            )
            for small in (1e-4, 1e-5, 1e-6, 1e-7, 1e-8, 1e-10, 1e-12, 1e-20, 1e-30)
        ),
        Slip(
            lambda p, q: _plain(p, q).nan_to_num(0.0),
            f"{_FAR}: what is not a number there has been taken for 0.",
            _ALIVE,
        ),
        Slip(
            lambda p, q: _plain(p, q).nan_to_num(0.5),
            f"{_FAR}: what is not a number there has been taken for a half.",
            _ALIVE,
        ),
    ],
)


def optimal_discriminator(function: Function) -> None:
    """Check `optimal_discriminator(log_p, log_q) -> probabilities of the same shape`."""
    __tracebackhide__ = True
    run("optimal-discriminator", (CHECK, function))
