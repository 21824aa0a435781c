"""Check of `mixture-prior`: log-density and draws of a mixture of Gaussians, both mended."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.distributions import Categorical, Independent, MixtureSameFamily, Normal

from coursekit.checks.engine import Case, Check, Function, Slip, run
from coursekit.checks.parts import batch_slips, normal
from coursekit.checks.vae import mixture_draws


def _log_prob(z: Tensor, logits: Tensor, means: Tensor, log_vars: Tensor) -> Tensor:
    components = Independent(Normal(means, torch.exp(log_vars / 2)), 1)
    return MixtureSameFamily(Categorical(logits=logits), components).log_prob(z)


def _density_cases() -> list[Case]:
    def case(*values: Tensor, title: str = "", clue: str = "") -> Case:
        return Case(
            dict(zip(("z", "logits", "means", "log_vars"), values, strict=True)), title, clue
        )

    tensor = torch.tensor
    far = (
        "Far from all components their densities are 0 in floating point, their logarithms are not."
    )
    return [
        case(
            tensor([[1.0, 1.0]]),
            tensor([0.0, 1.0]),
            tensor([[0.0, 0.0], [2.0, 2.0]]),
            tensor([[0.0, 0.0], [1.0, 1.0]]),
        ),
        case(
            *normal(61, (4, 3), (5,), (5, 3), (5, 3)),
            title="4 random z with K = 3 and C = 5 components",
        ),
        case(*normal(62, (3, 2), (1,), (1, 2), (1, 2)), title="3 random z and a single component"),
        case(
            *normal(63, (4, 4), (4,), (4, 4), (4, 4), dtype=torch.float64),
            title="4 random z with K = 4 and C = 4 components, in float64",
        ),
        case(
            300 * normal(64, (3, 6))[0],
            100 * normal(65, (3,))[0],
            *normal(66, (3, 6), (3, 6)),
            title="z far from all components, with K = 6",
            clue=far,
        ),
    ]


def _each(z: Tensor, means: Tensor, scale: Tensor) -> Tensor:
    """Log-density of each dimension under each component, (B, C, K)."""
    constant = math.log(2 * math.pi) / 2
    return -0.5 * ((z[:, None] - means) / scale) ** 2 - torch.log(scale) - constant


def _by_scale(scale: Callable[[Tensor], Tensor]) -> Function:
    """The mixture with a wrong standard deviation, made from log_vars."""

    def wrong(z: Tensor, logits: Tensor, means: Tensor, log_vars: Tensor) -> Tensor:
        density = _each(z, means, scale(log_vars)).sum(dim=2)
        return torch.logsumexp(torch.log_softmax(logits, dim=0) + density, dim=1)

    return wrong


def _by_parts(join: Callable[[Tensor, Tensor], Tensor]) -> Function:
    """Joins logits (C,) and log-densities of the dimensions (B, C, K) in another way."""

    def wrong(z: Tensor, logits: Tensor, means: Tensor, log_vars: Tensor) -> Tensor:
        return join(logits, _each(z, means, torch.exp(log_vars / 2)))

    return wrong


def _underflowing(epsilon: float) -> Function:
    """The mixture of the densities themselves, with a small constant under the logarithm."""

    def join(logits: Tensor, each: Tensor) -> Tensor:
        return torch.log(each.sum(dim=2).exp() @ torch.softmax(logits, 0) + epsilon)

    return _by_parts(join)


def _mix(weights: Tensor, density: Tensor) -> Tensor:
    return torch.logsumexp(weights + density, dim=1)


_WEIGHTS = (
    "Look at step 3 of the derivation above: what becomes of the logits before they are added?"
)
_TINY = "What did you do about tiny weights in the exercise on the importance bound?"
_ORDER = (
    "Look at steps 2 and 3 of the derivation above: which comes first, dimensions or components?"
)

CHECK = Check(
    reference=_log_prob,
    cases=_density_cases,
    slopes=("z", "logits", "means", "log_vars"),
    subject="mixture_log_prob returns",
    look=_ORDER,
    slips=[
        Slip(
            _by_parts(
                lambda logits, each: torch.logsumexp(
                    torch.log_softmax(logits, 0)[:, None] + each, dim=1
                ).sum(dim=1)
            ),
            "The components are mixed in each dimension apart: one component is drawn for the "
            "whole vector.",
            _ORDER,
        ),
        Slip(
            _by_parts(
                lambda logits, each: torch.logsumexp(each, dim=1).sum(dim=1) - math.log(len(logits))
            ),
            "The components are mixed in each dimension apart, and their weights are left out.",
            _ORDER,
        ),
        Slip(
            _by_parts(
                lambda logits, each: torch.logsumexp(
                    (torch.log_softmax(logits, 0)[:, None] + each).sum(dim=2), dim=1
                )
            ),
            "The weight of a component is counted once a dimension: it is one for the whole "
            "vector.",
            _ORDER,
        ),
        Slip(
            _by_parts(
                lambda logits, each: _mix(torch.log_softmax(logits, 0)[:, None], each.sum(dim=2))
            ),
            "Weights of shape (C, 1) and densities of shape (B, C) were broadcast to (C, C): after "
            "the sum over dimensions the weights need shape (C,).",
            "Print the shapes of the two tensors that you add: which axis is the components'?",
        ),
        Slip(
            _by_parts(lambda logits, each: _mix(torch.log_softmax(logits, 0), each.mean(dim=2))),
            "It takes the mean over the dimensions: a sum was asked.",
            "Look at step 2 of the derivation above.",
        ),
        Slip(
            _by_parts(lambda logits, each: _mix(logits, each.sum(dim=2))),
            "The weights do not add up to 1: logits are used as if they were log weights.",
            _WEIGHTS,
        ),
        Slip(
            _by_parts(lambda logits, each: _mix(0 * logits, each.sum(dim=2))),
            "The weights are left out: the densities are added up as they are.",
            _WEIGHTS,
        ),
        Slip(
            _by_parts(
                lambda logits, each: _mix(0 * logits - math.log(len(logits)), each.sum(dim=2))
            ),
            "All components get the same weight: the logits are not used.",
            _WEIGHTS,
        ),
        Slip(
            _by_parts(lambda logits, each: _mix(torch.softmax(logits, 0), each.sum(dim=2))),
            "Weights are added to logarithms: take the logarithm of the weights too.",
            _WEIGHTS,
        ),
        Slip(
            _by_parts(lambda logits, each: _mix(torch.log(logits.abs()), each.sum(dim=2))),
            "The logits are taken for weights: they are any real numbers.",
            _WEIGHTS,
        ),
        Slip(
            _by_parts(lambda logits, each: _mix(torch.log(logits), each.sum(dim=2))),
            "The logits are taken for weights: they are any real numbers.",
            _WEIGHTS,
        ),
        Slip(
            _by_parts(lambda logits, each: each.sum(dim=2) @ torch.softmax(logits, 0)),
            "Logarithms are averaged: a mixture averages the densities themselves.",
            "Look at step 3 of the derivation above: is the logarithm inside or outside the sum?",
        ),
        Slip(
            _by_parts(
                lambda logits, each: (torch.log_softmax(logits, 0) + each.sum(dim=2)).sum(dim=1)
            ),
            "Logarithms are added up over the components: that multiplies the densities.",
            "Look at step 3 of the derivation above: is the logarithm inside or outside the sum?",
        ),
        Slip(
            _by_parts(
                lambda logits, each: (torch.log_softmax(logits, 0) + each.sum(dim=2)).amax(dim=1)
            ),
            "Only the likeliest component counts: all of them do.",
            "Look at step 3 of the derivation above: what is done with the C densities?",
        ),
        Slip(
            _by_parts(
                lambda logits, each: _mix(torch.log_softmax(logits, 0), each.sum(dim=2)).exp()
            ),
            "That is the density itself: its logarithm was asked.",
        ),
        Slip(
            _underflowing(0.0),
            "Far from all components the densities underflow to 0: stay with logarithms.",
            _TINY,
        ),
        *(
            Slip(
                _underflowing(epsilon),
                "Far from all components the densities underflow to 0: a small constant hides it.",
                _TINY,
            )
            for epsilon in (1e-6, 1e-8, 1e-10, 1e-12, 1e-20, 1e-30)
        ),
        Slip(
            _by_scale(lambda v: v.exp()),
            "The variance is taken for the standard deviation.",
            "Look at step 4 of the derivation above: the standard deviation is a square root.",
        ),
        Slip(
            _by_scale(lambda v: v.abs().sqrt()),
            "log_vars are taken for variances: they are their logarithms.",
        ),
        Slip(
            _by_scale(lambda v: v.clone()),
            "log_vars are taken for standard deviations: they are the variances' logarithms.",
        ),
        Slip(
            _by_scale(lambda v: torch.ones_like(v)),
            "Every component has variance 1: the log_vars are not used.",
        ),
        Slip(
            _by_scale(lambda v: v[:1].expand(v.shape).div(2).exp()),
            "Every component gets the first one's variances: each has its own.",
        ),
        Slip(
            lambda z, logits, m, v: _log_prob(z, logits, m, v) + z.shape[1] * 0.9189385332,
            "The constant with pi is missing.",
        ),
        Slip(
            lambda z, logits, m, v: _log_prob(z, logits[:2], m[:2], v[:2]),
            "Only the first two components are used: there may be any number.",
        ),
        Slip(
            lambda z, logits, m, v: _log_prob(z[:, :2], logits, m[:, :2], v[:, :2]),
            "Only the first two dimensions are used: there may be any number.",
        ),
        *batch_slips(_log_prob),
    ],
)


def mixture_prior(log_prob: Function, sample: Function) -> None:
    """Check both `mixture_log_prob(z, logits, means, log_vars) -> (B,)` and `mixture_sample`.

    The second is `mixture_sample(component, noise, means, log_vars) -> (B, K)`.
    """
    __tracebackhide__ = True
    run("mixture-prior", (CHECK, log_prob), (mixture_draws.CHECK, sample))
