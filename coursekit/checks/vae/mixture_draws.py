"""The second half of the check of `mixture-prior`: draws from a mixture of Gaussians."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from coursekit.checks.engine import Case, Check, Function, Slip
from coursekit.checks.parts import normal

_SCALE = "Look at step 4 of the derivation above: what does the noise have to be multiplied by?"


def _draw(component: Tensor, noise: Tensor, means: Tensor, log_vars: Tensor) -> Tensor:
    return torch.addcmul(means[component], torch.exp(log_vars / 2)[component], noise)


def _draw_cases() -> list[Case]:
    def case(component: list[int], *values: Tensor, title: str = "", clue: str = "") -> Case:
        noise, means, log_vars = values
        inputs = {
            "component": torch.tensor(component),
            "noise": noise,
            "means": means,
            "log_vars": log_vars,
        }
        return Case(inputs, title, clue)

    tensor = torch.tensor
    return [
        case([1], tensor([[1.0]]), tensor([[0.0], [2.0]]), tensor([[0.0], [2.0]])),
        case(
            [3, 0, 0, 2, 4],
            *normal(71, (5, 3), (5, 3), (5, 3)),
            title="5 draws with K = 3 and C = 5 components",
        ),
        case(
            [1, 0, 1],
            *normal(72, (3, 3), (2, 3), (2, 3), dtype=torch.float64),
            title="3 draws with K = 3 and C = 2 components, in float64",
        ),
        case(
            [0, 1],
            tensor([[1.0, -3.0], [0.5, 4.0]]),
            tensor([[0.0, 1.0], [2.0, 0.0]]),
            tensor([[20.0, -20.0], [0.0, -1.0]]),
            title="log_vars of 20 and of -20",
            clue="No limit on any number belongs in the formula.",
        ),
    ]


def _noise_times(scale: Callable[[Tensor], Tensor]) -> Function:
    """Draws whose noise is multiplied by something else."""
    return lambda c, noise, means, log_vars: means[c] + scale(log_vars)[c] * noise


CHECK = Check(
    reference=_draw,
    cases=_draw_cases,
    slopes=("noise", "means", "log_vars"),
    subject="mixture_sample returns",
    shape="(B, K)",
    look=_SCALE,
    slips=[
        Slip(
            _noise_times(lambda v: v.exp()),
            "The noise is multiplied by the variance: the standard deviation is its square root.",
            _SCALE,
        ),
        Slip(
            _noise_times(lambda v: v),
            "The noise is multiplied by log_vars: they are logarithms.",
            _SCALE,
        ),
        Slip(
            _noise_times(lambda v: v / 2),
            "The noise is multiplied by the logarithm of the standard deviation.",
            _SCALE,
        ),
        Slip(
            _noise_times(lambda v: (2 * v).exp()),
            "The noise is multiplied by the variance squared.",
            _SCALE,
        ),
        Slip(
            _noise_times(lambda v: v.abs().sqrt()),
            "log_vars are taken for variances: they are their logarithms.",
            _SCALE,
        ),
        Slip(
            _noise_times(lambda v: (-v / 2).exp()),
            "The noise is divided by the standard deviation, or log_vars have the wrong sign.",
            _SCALE,
        ),
        Slip(
            _noise_times(lambda v: torch.ones_like(v)),
            "The noise is not multiplied by the standard deviation.",
            _SCALE,
        ),
        Slip(
            _noise_times(lambda v: torch.zeros_like(v)),
            "The noise is not used: every draw is its component's mean.",
            _SCALE,
        ),
        Slip(
            _noise_times(lambda v: -(v / 2).exp()),
            "The noise comes in with the wrong sign: its distribution is the same, but here the "
            "noise is given.",
            _SCALE,
        ),
        Slip(
            lambda c, noise, means, v: (v / 2).exp()[c] * noise,
            "The component's mean is missing.",
            _SCALE,
        ),
        Slip(
            lambda c, noise, means, v: means[:1] + (v[:1] / 2).exp() * noise,
            "Every draw comes from the first component: component says which one it is.",
            "What is stored in component, and how is a row of means picked by it?",
        ),
        Slip(
            lambda c, noise, means, v: _draw(c - 1, noise, means, v),
            "The components are counted from 1: the first one is number 0.",
            "What is stored in component, and how is a row of means picked by it?",
        ),
        Slip(
            lambda c, noise, means, v: means[c[:1]] + (v[c[:1]] / 2).exp() * noise,
            "Every draw comes from the component of the first: each has its own.",
            "What is stored in component, and how is a row of means picked by it?",
        ),
        Slip(
            lambda c, noise, means, v: means[c] + (v[: len(c)] / 2).exp() * noise,
            "The variances are not picked by component, the means are.",
            "What is stored in component, and how is a row of means picked by it?",
        ),
        Slip(
            lambda c, noise, means, v: means[c] + (v[:1] / 2).exp() * noise,
            "Every draw has the first component's variances: each component has its own.",
            "What is stored in component, and how is a row of means picked by it?",
        ),
        Slip(
            lambda c, noise, means, v: means[: len(c)] + (v[: len(c)] / 2).exp() * noise,
            "Draw number b comes from component number b: component says which one it is.",
            "What is stored in component, and how is a row of means picked by it?",
        ),
        Slip(
            lambda c, noise, means, v: means.mean(0) + (v.mean(0) / 2).exp() * noise,
            "The components are averaged: each draw comes from one of them.",
            "Look at step 1 of the derivation above.",
        ),
    ],
)
