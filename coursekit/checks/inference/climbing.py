"""Gradient ascent on the ELBO of a Gaussian, by the chain rule on paper, and its wrong forms."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy, softplus

from coursekit.checks.engine import Function, Slip
from coursekit.checks.vae.bernoulli import cut_off, guarded

Decoder = Callable[[Tensor], Tensor]
Size = Callable[[Tensor], float]


def _one(x: Tensor) -> float:
    return 1.0


@dataclass(frozen=True)
class Way:
    """How the steps are made; the defaults are the right way.

    Args:
        push: weight of the log-likelihood's gradient, from x.
        pull: weight of the divergence's gradient, from x.
        half: the noise is multiplied by e to the power half * log_var.
        length: what a step is multiplied by besides lr, from its number, counted from 0.
        turn: what is made of a gradient before the step.
        carry: share of the last step's gradient that is added to this one's.
        alternate: whether log_var's gradient is taken after mu has moved.
        through: whether a gradient flows through the noise's scale.
        moves: whether mu and whether log_var moves.
        likelihood: log p of each pixel, from x and the logits.
    """

    push: Size = _one
    pull: Size = _one
    half: float = 0.5
    length: Callable[[int], float] = lambda t: 1.0
    turn: Callable[[Tensor], Tensor] = lambda slope: slope
    carry: float = 0.0
    alternate: bool = False
    through: bool = True
    moves: tuple[bool, bool] = (True, True)
    likelihood: Callable[[Tensor, Tensor], Tensor] = lambda x, logits: x * logits - softplus(logits)


RIGHT = Way()


def _push(x: Tensor, decode: Decoder, z: Tensor, way: Way) -> Tensor:
    """Gradient of log p(x|z) with respect to z."""
    with torch.enable_grad():
        z = z.detach().requires_grad_()
        (slope,) = torch.autograd.grad(way.likelihood(x, decode(z)).sum(), [z])
    return slope


def slopes(
    x: Tensor, decode: Decoder, mu: Tensor, log_var: Tensor, noise: Tensor, way: Way = RIGHT
) -> tuple[Tensor, Tensor]:
    """Gradients of the ELBO with respect to mu and log_var."""
    scale = torch.exp(way.half * log_var)
    push = way.push(x) * _push(x, decode, mu + scale * noise, way)
    to_mu = push - way.pull(x) * mu
    to_log_var = -way.pull(x) * (torch.exp(log_var) - 1) / 2
    if way.through:
        to_log_var = to_log_var + way.half * push * noise * scale
    return to_mu, to_log_var


def climb(
    x: Tensor,
    decode: Decoder,
    mu: Tensor,
    log_var: Tensor,
    noises: Tensor,
    lr: float,
    way: Way = RIGHT,
) -> tuple[Tensor, Tensor]:
    """Take a step for each row of noises; return the mu and log_var that are reached."""
    mu, log_var = mu.detach(), log_var.detach()
    carried = [torch.zeros_like(mu), torch.zeros_like(mu)]
    for t, noise in enumerate(noises):
        rate = lr * way.length(t)
        found = slopes(x, decode, mu, log_var, noise, way)
        carried = [way.carry * old + way.turn(new) for old, new in zip(carried, found, strict=True)]
        if way.moves[0]:
            mu = mu + rate * carried[0]
        if way.alternate:
            carried[1] = slopes(x, decode, mu, log_var, noise, way)[1]
        if way.moves[1]:
            log_var = log_var + rate * carried[1]
    return mu, log_var


def adam(
    x: Tensor,
    decode: Decoder,
    mu: Tensor,
    log_var: Tensor,
    noises: Tensor,
    lr: float,
    moves: tuple[bool, bool] = (True, True),
) -> tuple[Tensor, Tensor]:
    """Take Adam's steps in place of the plain ones."""
    psi = [mu.detach().clone(), log_var.detach().clone()]
    stepper = torch.optim.Adam(psi, lr=lr, maximize=True)
    for noise in noises:
        for value, slope in zip(psi, slopes(x, decode, psi[0], psi[1], noise), strict=True):
            value.grad = slope
        if not moves[1]:
            psi[1].grad = None
        stepper.step()
    return psi[0], psi[1]


def _size(x: Tensor) -> float:
    return 1.0 / len(x)


_SIGN = "Is the ELBO to grow or to shrink, and what does your step do to it? Print it."
SUM = "If one picture stands in the batch twice, does any step change? It must not."
TERMS = "The ELBO has two terms, and each has a gradient: print them one by one for one step."
STABLE = "Which function of torch works from the logits, and never forms the probability?"
PLAIN = "Plain ascent: the number before the gradient is lr, always, and nothing is remembered."


def _torch_cut_off(x: Tensor, p: Tensor) -> Tensor:
    """Log-probability of each pixel by torch's own function of the probability."""
    return -binary_cross_entropy(p, x, reduction="none")


def _of_probability(
    x: Tensor, logits: Tensor, likelihood: Callable[[Tensor, Tensor], Tensor]
) -> Tensor:
    return likelihood(x, torch.sigmoid(logits))


def _cut(x: Tensor, logits: Tensor, most: float) -> Tensor:
    return RIGHT.likelihood(x, logits.clamp(-most, most))


_PROBABILITY: list[Callable[[Tensor, Tensor], Tensor]] = [
    guarded,
    cut_off,
    _torch_cut_off,
    *(partial(guarded, epsilon=10.0**-digits) for digits in (4, 5, 6, 7, 8, 10, 12)),
]

# Wrong ways, what to say to them, and where to look.
_WAYS: list[tuple[Way, str, str]] = [
    (
        Way(length=lambda t: -1.0),
        "That is descent: the steps go down the ELBO, which is to grow.",
        _SIGN,
    ),
    (
        Way(push=lambda x: -1.0),
        "The log-likelihood comes in with the wrong sign: is it a cross-entropy?",
        _SIGN,
    ),
    (
        Way(pull=lambda x: -1.0),
        "The divergence comes in with the wrong sign: it is added.",
        _SIGN,
    ),
    (
        Way(push=_size, pull=_size),
        "You average over the batch, so the step depends on how many pictures there are: each is "
        "on its own.",
        SUM,
    ),
    (
        Way(push=lambda x: 1.0 / x.numel(), pull=_size),
        "You average over batch and pixels: does torch average by default?",
        SUM,
    ),
    (
        Way(push=lambda x: 1.0 / x.numel()),
        "The log-likelihood is a mean over batch and pixels: does torch average by default?",
        SUM,
    ),
    (
        Way(push=lambda x: 1.0 / x.shape[1]),
        "The log-likelihood is a mean over the pixels: a sum was asked.",
        TERMS,
    ),
    (
        Way(push=_size),
        "The log-likelihood is averaged over the batch: each picture is on its own.",
        SUM,
    ),
    (
        Way(pull=_size),
        "The divergence is averaged over the batch: each picture is on its own.",
        SUM,
    ),
    (
        Way(pull=lambda x: float(len(x))),
        "The divergence of all pictures is counted once for each of them: each has its own.",
        SUM,
    ),
    (Way(pull=lambda x: 0.0), "The divergence from the prior is missing.", TERMS),
    (Way(pull=lambda x: 2.0), "The divergence counts twice: is its factor missing?", TERMS),
    (Way(pull=lambda x: 0.5), "The divergence counts half.", TERMS),
    (
        Way(push=lambda x: 0.0),
        "The log-likelihood moves nothing: does its gradient stop at a z that was detached, or "
        "drawn without a gradient?",
        TERMS,
    ),
    (
        Way(carry=1.0),
        "The gradients pile up from step to step: something sets them back to nothing, or should.",
        "What does .backward() do with a .grad that is already there?",
    ),
    *(
        (Way(carry=share), "The steps have momentum: plain ones were asked.", PLAIN)
        for share in (0.5, 0.9, 0.99)
    ),
    (
        Way(turn=torch.sign),
        "Only the sign of the gradient is used: its size matters.",
        PLAIN,
    ),
    *(
        (Way(turn=turn), "The gradient is brought to length 1: its size matters.", PLAIN)
        for turn in (
            lambda slope: slope / slope.norm(),
            lambda slope: slope / slope.norm(dim=1, keepdim=True),
        )
    ),
    *(
        (
            Way(turn=partial(torch.clamp, min=-limit, max=limit)),
            "The gradient is cut off: plain ascent takes it as it is.",
            PLAIN,
        )
        for limit in (0.1, 0.5, 1.0)
    ),
    (
        Way(length=lambda t: 1.0 / (t + 1)),
        "The steps get shorter: each has the size lr.",
        PLAIN,
    ),
    (
        Way(length=lambda t: 2.0),
        "The steps are twice as long as asked: is there a factor before the gradient besides lr?",
        PLAIN,
    ),
    (
        Way(length=lambda t: 0.5),
        "The steps are half as long as asked: is there a factor before the gradient besides lr?",
        PLAIN,
    ),
    *(
        (
            Way(likelihood=partial(_of_probability, likelihood=likelihood)),
            "Where logits are large the slope is lost: a probability rounds to 0 or 1, or the "
            "logits are cut off. Work with the logits as they are.",
            STABLE,
        )
        for likelihood in _PROBABILITY
    ),
    *(
        (
            Way(likelihood=partial(_cut, most=most)),
            "The logits are cut off: take them as they are, however large.",
            STABLE,
        )
        for most in (5.0, 10.0, 20.0, 30.0, 50.0)
    ),
]


def way_slips(by: Callable[[Way], Function]) -> list[Slip]:
    """Make the slips of an exercise from its own form of the ascent."""
    return [Slip(by(way), what, look) for way, what, look in _WAYS]
