"""The second half of `affine-coupling`: the logarithm of the determinant."""

from __future__ import annotations

from torch import Tensor

from coursekit.checks.engine import Check, Function, Slip
from coursekit.checks.flows.coupling_values import NETWORK, Moved, arguments, cases
from coursekit.checks.parts import batch_slips


def logs(made: Moved) -> Function:
    """The logdet, from the same parts."""

    def logdet(x: Tensor, mask: Tensor, network: Function, inverse: bool) -> Tensor:
        alpha, m = network(x[:, mask])
        return made(x[:, ~mask], alpha, m, inverse)

    return logdet


_logdet = logs(lambda x, alpha, m, inverse: (alpha if inverse else -alpha).sum(dim=1))

LOOK_LOG = "Look at step 4 above: what is the derivative of a changed entry, and of a kept one?"

# What the logdet is made of, from the changed entries, alpha, m and inverse; and what to say.
_LOGDETS: list[tuple[Moved, str]] = [
    (
        lambda x, a, m, i: (-a if i else a).sum(dim=1),
        "The sign is wrong, in both directions: is the map stretched or squeezed where alpha is "
        "positive?",
    ),
    (
        lambda x, a, m, i: a.sum(dim=1),
        "On the way from x to z the sign is wrong: the logdet is that of the direction asked for.",
    ),
    (
        lambda x, a, m, i: -a.sum(dim=1),
        "On the way from z to x the sign is wrong: that is the logdet of the other direction.",
    ),
    (lambda x, a, m, i: (a if i else -a).mean(dim=1), "It is a mean: a sum was asked."),
    (lambda x, a, m, i: (a if i else -a).prod(dim=1), "It is a product: a sum was asked."),
    (
        lambda x, a, m, i: (a if i else -a).exp().sum(dim=1),
        "The derivatives are summed: their logarithms were to be.",
    ),
    (
        lambda x, a, m, i: (a if i else -a).exp().prod(dim=1),
        "That is the determinant itself: its logarithm was asked.",
    ),
    (
        lambda x, a, m, i: (m if i else -m).sum(dim=1),
        "The sum is over m: a shift stretches nothing.",
    ),
    (
        lambda x, a, m, i: ((a + m) if i else -(a + m)).sum(dim=1),
        "m is in the sum too: a shift stretches nothing.",
    ),
    (lambda x, a, m, i: a.abs().sum(dim=1), "The sizes of alpha are summed: signs count."),
    (lambda x, a, m, i: -a.abs().sum(dim=1), "The sizes of alpha are summed: signs count."),
    (
        lambda x, a, m, i: (a if i else -a)[:, 0],
        "Only the first of the changed entries counts: each brings its own.",
    ),
    (
        lambda x, a, m, i: (a if i else -a)[:, -1],
        "Only the last of the changed entries counts: each brings its own.",
    ),
    (
        lambda x, a, m, i: (a if i else -a).sum(dim=1) * 2,
        "It is twice what it should be.",
    ),
    (
        lambda x, a, m, i: (a if i else -a).sum(dim=1) / 2,
        "It is half of what it should be: alpha is no log-variance.",
    ),
    (
        lambda x, a, m, i: (a if i else -a).amax(dim=1),
        "Only the largest of the changed entries counts: each brings its own.",
    ),
    (
        lambda x, a, m, i: (a * x if i else -a * x).sum(dim=1),
        "Each alpha is multiplied by its entry: the derivative does not know the entry.",
    ),
]

LOGDET = Check(
    reference=_logdet,
    cases=cases,
    arguments=arguments,
    slopes=("x", NETWORK),
    subject="y is right, and your logdet is",
    look=LOOK_LOG,
    slips=[
        *(Slip(logs(made), what, LOOK_LOG) for made, what in _LOGDETS),
        Slip(
            lambda x, *a: _logdet(x, *a) / x.shape[1],
            "It is divided by the number of entries: a sum was asked.",
            LOOK_LOG,
        ),
        *batch_slips(_logdet, LOOK_LOG),
    ],
)
