"""Check of `label-free-density`: a conditional density mixed over its labels."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor

from coursekit.checks.engine import Case, Check, Function, Slip, run
from coursekit.checks.parts import batch_slips, normal

NEVER = -math.inf


def _log_sum(terms: Tensor) -> Tensor:
    """The logarithm of a sum of what is given as logarithms, over the first axis."""
    largest = terms.detach().amax(dim=0)
    return largest + torch.log(torch.exp(terms - largest).sum(dim=0))


def _right(log_p: Tensor, log_prior: Tensor) -> Tensor:
    return _log_sum(log_p + log_prior[:, None])


def _prior(*shares: float, dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.tensor(shares, dtype=dtype).log()


def _cases() -> list[Case]:
    def case(log_p: Tensor, log_prior: Tensor, title: str = "", clue: str = "") -> Case:
        return Case({"log_p": log_p, "log_prior": log_prior}, title, clue)

    tensor = torch.tensor
    three, four = normal(641, (3, 4), (4, 4))
    double = normal(642, (5, 2), dtype=torch.float64)[0]
    far = tensor([-3000.0, 3000.0, 700.0, -90.0])
    kept = "A density of e to the -3000 cannot be held as a number, only its logarithm: step 3."
    never = (
        "A label of probability 0 adds nothing, however large the density is that it would give: "
        "the logarithm of its prior is minus infinity, and may stay that."
    )
    apart = tensor([[-3000.0, 0.0, 3000.0], [0.0, -900.0, 2000.0], [-2500.0, -3000.0, 0.0]])
    return [
        case(tensor([[-1.0], [-2.0]]), _prior(0.25, 0.75)),
        case(2 * three, _prior(0.5, 0.2, 0.3), title="3 labels, 4 pictures"),
        case(2 * four, _prior(0.1, 0.2, 0.3, 0.4), title="4 labels, 4 pictures"),
        case(three[:1], _prior(1.0), title="a single label, 4 pictures"),
        case(
            double - 3,
            _prior(0.05, 0.15, 0.3, 0.1, 0.4, dtype=torch.float64),
            title="5 labels, 2 pictures, in float64",
        ),
        case(
            far + 2 * three,
            _prior(0.6, 0.3, 0.1),
            title="log_p around -3000, 3000, 700 and -90",
            clue=kept,
        ),
        case(
            apart,
            _prior(0.2, 0.3, 0.5),
            title="log_p from -3000 to 3000 in one picture",
            clue="Within one picture the densities can differ by thousands of nats: only the "
            "largest may be taken out.",
        ),
        case(
            four + tensor([[0.0], [1.0], [3000.0], [2.0]]),
            _prior(0.5, 0.25, 0.0, 0.25),
            title="4 labels of which one has the prior 0, and by far the largest log_p",
            clue=never,
        ),
        case(
            three - 3000,
            tensor([math.log(0.5), math.log(0.5), NEVER]),
            title="log_p around -3000, the last label's prior is 0",
            clue=never,
        ),
        case(
            three - 3,
            tensor([0.0, -1000.0, -2000.0]),
            title="labels whose priors are e to the -1000 and less",
            clue="Priors may be too small to be held as numbers: they come as logarithms.",
        ),
    ]


def _rare_cases() -> list[Case]:
    """Make the cases in which a label that is rare counts most."""
    prior = torch.tensor([-1e-4, -9.2, -30.0])
    log_p = torch.tensor(
        [[-3000.0, -3000.0, 2000.0, 1.0], [-2900.0, -3100.0, 2011.0, 9.2], [-3000.0, -2900, 0, 31]]
    )
    clue = "A rare label whose density is large enough is the whole answer: every label counts."
    inputs = {"log_p": log_p, "log_prior": prior}
    return [Case(inputs, "3 labels, two of them rare: log_prior = -0.0001, -9.2 and -30", clue)]


def _of(join: Callable[[Tensor, Tensor], Tensor]) -> Function:
    """The logarithm of a sum with other terms."""
    return lambda log_p, log_prior: torch.logsumexp(join(log_p, log_prior), dim=0)


def _then(reduce: Callable[[Tensor], Tensor]) -> Function:
    """What another function makes of the right terms."""
    return lambda log_p, log_prior: reduce(log_p + log_prior[:, None])


def _shifted(by: Callable[[Tensor], Tensor]) -> Function:
    """The sum with something else than the largest taken out."""
    return _then(lambda t: by(t) + torch.log(torch.exp(t - by(t)).sum(dim=0)))


def _with_constant(small: float) -> Function:
    return _then(lambda t: torch.log(t.exp().sum(dim=0) + small))


_PRIOR = "Look at step 1 above: with what is each density multiplied, and what is that in logs?"
_ORDER = "Look at step 2 above: in which order come the sum and the logarithm?"
_LARGEST = "Look at step 3 above: what is taken out before the exponential, and for whom?"
_AXIS = "Which axis is the labels', according to the docstring?"
_FAR = (
    "With ordinary logs it is right; where they are near -3000 or 3000, the densities themselves "
    "are 0 or infinite in floating point"
)

_TERMS: list[tuple[Callable[[Tensor, Tensor], Tensor], str]] = [
    (
        lambda p, c: p,
        "The prior is missing: the densities are summed as if each label were certain.",
    ),
    (
        lambda p, c: p - math.log(len(p)),
        "All labels count alike: each counts with its own probability.",
    ),
    (
        lambda p, c: p + c[:, None] - math.log(len(p)),
        "You divide by the number of labels: the prior's probabilities sum to 1 already.",
    ),
    (lambda p, c: p - c[:, None], "The prior comes in with the wrong sign."),
    (
        lambda p, c: p + c[:, None].exp(),
        "A probability is added to a logarithm: in logs a product is a sum of logarithms.",
    ),
    (
        lambda p, c: p * c[:, None].exp(),
        "A logarithm is multiplied by a probability: in logs a product is a sum.",
    ),
    (lambda p, c: p * c[:, None], "The logarithms are multiplied: in logs a product is a sum."),
    (lambda p, c: p + 2 * c[:, None], "The prior counts twice."),
    (
        lambda p, c: p + c,
        "The prior is laid along the pictures: a number for each label belongs along the labels.",
    ),
    (
        lambda p, c: p + c.flip(0)[:, None],
        "The prior's labels are in the reverse order.",
    ),
    *(
        (
            lambda p, c, k=least: p + c.clamp(min=k)[:, None],
            "The prior is kept from 0: a label of probability 0 adds nothing.",
        )
        for least in (-10.0, -20.0, -50.0, -100.0, -1000.0)
    ),
    *(
        (
            lambda p, c, k=small: p + (c.exp() + k).log()[:, None],
            "Something small is added to the prior: a label of probability 0 adds nothing.",
        )
        for small in (1e-5, 1e-6, 1e-7, 1e-8, 1e-10, 1e-12, 1e-20, 1e-30)
    ),
    (
        lambda p, c: p + torch.where(c.isinf(), 0.0, c)[:, None],
        "A prior of minus infinity is taken for 0, which is the logarithm of 1.",
    ),
]

CHECK = Check(
    reference=_right,
    cases=_cases,
    slopes=("log_p",),
    look="Go through steps 1 to 3 above: what is multiplied, what is summed, and what is taken out "
    "and put back?",
    slips=[
        *(Slip(_of(join), what, _PRIOR) for join, what in _TERMS),
        *(
            Slip(
                mean,
                "That is the mean of the logarithms: the logarithm of the mean was asked.",
                _ORDER,
            )
            for mean in (
                lambda p, c: (c.exp()[:, None] * p).sum(dim=0),
                lambda p, c: p.mean(dim=0),
                _then(lambda t: t.mean(dim=0)),
            )
        ),
        Slip(_then(lambda t: t.sum(dim=0)), "The logarithms are summed: densities are.", _ORDER),
        Slip(
            _then(lambda t: t.exp().sum(dim=0)),
            "That is the density itself: its logarithm was asked.",
            _ORDER,
        ),
        Slip(
            _then(lambda t: t.amax(dim=0)),
            "That is the likeliest label's share alone: the others count too.",
            _ORDER,
        ),
        Slip(
            lambda p, c: p.amax(dim=0),
            "That is the best label's density: the label is not known, and has its price.",
            _ORDER,
        ),
        Slip(
            lambda p, c: (p + c[:, None]).gather(0, p.argmax(dim=0)[None])[0],
            "Only the label with the largest density counts: the others count too.",
            _ORDER,
        ),
        Slip(
            lambda p, c: p[c.argmax()],
            "That is the density under the commonest label: all labels count.",
            _ORDER,
        ),
        Slip(_then(lambda t: t[0]), "Only the first label counts.", _ORDER),
        Slip(
            lambda p, c: torch.logsumexp(p.reshape(p.shape[1], len(p)) + c, dim=1),
            "The axes are exchanged by a reshape: that mixes labels and pictures, and is no "
            "transpose.",
            _AXIS,
        ),
        Slip(
            _then(lambda t: torch.logsumexp(t, dim=1)),
            "You sum over the pictures: the labels are along the first axis.",
            _AXIS,
        ),
        Slip(
            _then(lambda t: torch.logsumexp(t.flatten(), dim=0).expand(t.shape[1])),
            "You sum over the pictures too: each has a density of its own.",
            _AXIS,
        ),
        Slip(
            _then(lambda t: _log_sum(t) - t.amax(dim=0)),
            "The largest term that was taken out is not put back.",
            _LARGEST,
        ),
        Slip(
            lambda p, c: _right(p, c) - torch.logsumexp(p, dim=0),
            "You divide by the sum of the densities: nothing is to be normalised.",
            _ORDER,
        ),
        *batch_slips(_right, _AXIS),
        Slip(
            lambda p, c: -_right(p, c),
            "That is the negative log-density, a loss: the log-density itself was asked.",
            "A loss and a log-density differ by a sign: which was asked?",
        ),
        Slip(
            lambda p, c: _right(p, c) / math.log(2),
            "It is in bits: nats were asked, so use the natural logarithm.",
            _ORDER,
        ),
        Slip(
            _then(lambda t: t.max() + torch.log(torch.exp(t - t.max()).sum(dim=0))),
            "You take out the largest term of all pictures: each picture needs its own.",
            _LARGEST,
        ),
        Slip(
            lambda p, c: (
                p.amax(dim=0) + ((p - p.amax(dim=0)).exp() * c.exp()[:, None]).sum(dim=0).log()
            ),
            "The largest log-density is taken out although its label may never occur: take out "
            "the largest term, with its prior.",
            _LARGEST,
        ),
        Slip(_then(lambda t: t.exp().sum(dim=0).log()), f"{_FAR}.", _LARGEST),
        Slip(
            lambda p, c: torch.log((p.exp() * c.exp()[:, None]).sum(dim=0)),
            f"{_FAR}.",
            _LARGEST,
        ),
        Slip(
            _then(lambda t: t.double().exp().sum(dim=0).log()),
            f"{_FAR}: more digits do not help there.",
            _LARGEST,
        ),
        *(
            Slip(
                _shifted(by),
                "Something else than the largest term of a picture is taken out: what is larger "
                "than that can overflow.",
                _LARGEST,
            )
            for by in (
                lambda t: t.amin(dim=0),
                lambda t: t.mean(dim=0),
                lambda t: t.median(dim=0).values,
                lambda t: t[0],
            )
        ),
        *(
            Slip(
                _with_constant(small),
                f"{_FAR}: a small constant hides that, and gives wrong numbers.",
                _LARGEST,
            )
            for small in (1e-6, 1e-7, 1e-8, 1e-10, 1e-12, 1e-20, 1e-30)
        ),
    ],
)


def _without(least: float) -> Function:
    """The sum over the labels that are not too rare."""
    return lambda p, c: _right(p[c > least], c[c > least])


RARE = replace(
    CHECK,
    cases=_rare_cases,
    slopes=(),
    slips=[
        Slip(
            _without(least),
            "Labels with a small prior are left out: one of them can be the whole answer, where "
            "its density is large enough.",
            _PRIOR,
        )
        for least in (-5.0, -20.0)
    ],
)


def label_free_density(function: Function) -> None:
    """Check `label_free_log_prob(log_p (C, B), log_prior (C,)) -> (B,)`."""
    __tracebackhide__ = True
    run("label-free-density", (CHECK, function), (RARE, function))
