"""Check of `conditioning-bug`: samples for a label, from a decoder that is told the label."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from coursekit.checks.conditional.labels import rows
from coursekit.checks.engine import Case, Check, Function, Inputs, Slip, run
from coursekit.checks.parts import normal

DECODER = "the decoder"


def _arguments(inputs: Inputs) -> tuple[Any, ...]:
    """Make a linear decoder from the weights among the inputs."""

    def decode_logits(z: Tensor, c: Tensor) -> Tensor:
        if isinstance(c, Tensor) and c.dtype not in (torch.float32, torch.float64):
            kind = str(c.dtype).removeprefix("torch.")
            raise TypeError(f"decode_logits multiplies: c must hold floats (float32), not {kind}.")
        logits: Tensor = torch.cat([z, c], dim=1) @ inputs[DECODER]
        return logits

    decode_logits.__qualname__ = "decode_logits"  # as an error's message calls it
    return inputs["label"], inputs["n"], decode_logits, inputs["noise"], inputs["classes"]


def _told(label: int, n: int, classes: int) -> Tensor:
    """The label's row, once for each sample."""
    return rows(torch.full((n,), label), classes).float()


def _sample(
    condition: Function = _told,
    latent: Callable[[Tensor], Tensor] = lambda noise: noise,
    last: Callable[[Tensor], Tensor] = lambda logits: 1 / (1 + torch.exp(-logits)),
    exchanged: bool = False,
) -> Function:
    """Samples with another condition (from label, n and classes), latent or last step."""

    def wrong(label: int, n: int, decode: Function, noise: Tensor, classes: int) -> Tensor:
        z, c = latent(noise), condition(label, n, classes).to(noise.dtype)
        return last(decode(c, z) if exchanged else decode(z, c))

    return wrong


def _case(
    label: int,
    n: int,
    classes: int,
    latents: int,
    seed: int,
    double: bool = False,
    far: bool = False,
) -> Case:
    """Random weights; `far`: logits in the hundreds."""
    kind = torch.float64 if double else torch.float32
    noise, decoder = normal(seed, (n, latents), (latents + classes, 5), dtype=kind)
    decoder *= 300 if far else 1
    inputs = {"label": label, "n": n, "classes": classes, "noise": noise, DECODER: decoder}
    title = f"label {label} of {classes} classes, n = {n}, K = {latents}"
    title += ", in float64" if double else ", logits in the hundreds" if far else ""
    clue = f"decode_logits takes z, here {n} x {latents}, and c, here {n} x {classes}."
    if far:
        clue = "An exponential of a logit in the hundreds is infinite: is it in a quotient?"
    return Case(inputs, title, clue)


def _cases() -> list[Case]:
    return [
        _case(2, 4, 3, 2, 242),
        _case(1, 1, 2, 1, 241),
        _case(0, 3, 3, 3, 243),
        _case(8, 6, 10, 4, 244),
        _case(3, 5, 5, 5, 245, double=True),
        _case(2, 4, 4, 3, 246, far=True),
    ]


_Z = (
    "Look at step 1 above: where does z come from when there is no picture, and how many are there?"
)
_C = "Look at step 2 above: what is one row of c, and how often does it come?"
_OUT = "Look at step 3 above: what does the decoder give, and what was asked?"

# What stands in place of the condition, made from label, n and classes; and what to say.
_CONDITIONS: list[tuple[Function, str]] = [
    (
        lambda label, n, classes: torch.zeros(n, classes),
        "The decoder is not told the label: it gets zeros, so every label gives the same pictures.",
    ),
    (lambda label, n, classes: torch.ones(n, classes), "The decoder gets ones for every label."),
    (
        lambda label, n, classes: torch.full((n, classes), float(label)),
        "The label's number stands in every place of c: its one-hot row was asked.",
    ),
    (
        lambda label, n, classes: label * _told(label, n, classes),
        "In the label's place of c stands its number: a 1 belongs there.",
    ),
    (
        lambda label, n, classes: 1 - _told(label, n, classes),
        "Zeros and ones are exchanged in c.",
    ),
    *(
        (
            wrong,
            "The 1 in c stands one place too far to the left: labels count from 0, as places do.",
        )
        for wrong in (
            lambda label, n, classes: _told((label - 1) % classes, n, classes),
            lambda label, n, classes: _told(label - 1, n, classes),
        )
    ),
    (
        lambda label, n, classes: _told((label + 1) % classes, n, classes),
        "The 1 in c stands one place too far to the right: labels count from 0, as places do.",
    ),
    (
        lambda label, n, classes: rows(torch.arange(n) % classes, classes),
        "Every sample has another label: all n are for the one that is given.",
    ),
    (
        lambda label, n, classes: _told(label, n, classes) * (torch.arange(n) == 0)[:, None],
        "Only the first sample is told the label: each needs a row.",
    ),
    (
        lambda label, n, classes: _told(0, n, classes),
        "The label is taken for 0 always.",
    ),
    (
        lambda label, n, classes: _told(label, n, classes) / n,
        "c is divided by the number of samples: each row holds a whole 1.",
    ),
]
# How z is made from the noise; and what to say.
_LATENTS: list[tuple[Callable[[Tensor], Tensor], str]] = [
    (
        lambda noise: noise[:1].expand(len(noise), -1),
        "All samples use the first row of noise: they come out alike. Each has its own.",
    ),
    (
        lambda noise: noise.mean(dim=0, keepdim=True).expand(len(noise), -1),
        "All samples use the mean of the noise: each has a row of its own.",
    ),
    (torch.zeros_like, "The prior's mean is decoded: the noise is not used."),
    (lambda noise: -noise, "The noise comes in with the wrong sign: here it is given."),
    (lambda noise: 0.5 * noise, "The noise is halved: the prior's standard deviation is 1."),
    (lambda noise: noise.exp(), "The noise goes through an exponential: z is the noise itself."),
    (
        lambda noise: noise + noise.exp().sqrt() * noise,
        "The noise is taken for an encoder's answer, and noise added to it: there is no encoder "
        "here, z is the noise itself.",
    ),
    (torch.sigmoid, "The noise goes through a sigmoid: z is the noise itself."),
    (lambda noise: noise.flip(0), "The rows of noise are used in the reverse order."),
]
# What is done with the logits; and what to say.
_LAST: list[tuple[Callable[[Tensor], Tensor], str]] = [
    (lambda logits: logits, "Those are the logits: probabilities of ink were asked."),
    (
        lambda logits: torch.sigmoid(torch.sigmoid(logits)),
        "The sigmoid is applied twice.",
    ),
    (
        lambda logits: torch.sigmoid(-logits),
        "Those are the probabilities of no ink: the logits have the wrong sign.",
    ),
    (lambda logits: logits.exp(), "An exponential of the logits is no probability."),
    (
        lambda logits: torch.softmax(logits, dim=1),
        "A softmax lets the pixels share one probability: each pixel has its own.",
    ),
    (lambda logits: torch.tanh(logits), "A tanh gives values from -1 to 1."),
    (
        lambda logits: (logits > 0).double(),
        "The pictures are rounded to ink and no ink: probabilities were asked.",
    ),
    (lambda logits: logits.clamp(0, 1), "The logits are clipped: that makes no probability."),
    (
        lambda logits: torch.sigmoid(logits).mean(dim=0, keepdim=True).expand(len(logits), -1),
        "The samples are averaged: n different pictures were asked.",
    ),
    (
        lambda logits: torch.sigmoid(logits).mean(dim=0),
        "The samples are averaged: n different pictures were asked.",
    ),
    (lambda logits: torch.sigmoid(logits)[:1], "That is the first sample alone: n were asked."),
    (lambda logits: torch.sigmoid(logits)[0], "That is the first sample alone: n were asked."),
    (lambda logits: torch.sigmoid(logits).T, "Rows and columns are exchanged."),
]

CHECK = Check(
    reference=_sample(),
    cases=_cases,
    arguments=_arguments,
    shape="(n, D)",
    look="Go through steps 1 to 3 above: where z comes from, who is told the label, what comes "
    "out.",
    slips=[
        Slip(
            _sample(lambda label, n, classes: torch.zeros(n, classes), last=lambda logits: logits),
            "The decoder is not told the label, and those are the logits.",
            _C,
        ),
        *(Slip(_sample(condition), what, _C) for condition, what in _CONDITIONS),
        *(Slip(_sample(latent=latent), what, _Z) for latent, what in _LATENTS),
        *(Slip(_sample(last=last), what, _OUT) for last, what in _LAST),
        Slip(
            _sample(exchanged=True),
            "The decoder's arguments are exchanged: z comes first.",
            _C,
        ),
        Slip(
            lambda label, n, decode, noise, classes: _sample()(
                label, n, lambda z, c: decode(z + label, c), noise, classes
            ),
            "The label is added to z: the decoder is told it as c, and z is the noise itself.",
            _Z,
        ),
    ],
)


def conditioning_bug(function: Function) -> None:
    """Check `sample_for_label(label, n, decode_logits, noise, classes) -> (n, D)`."""
    __tracebackhide__ = True
    run("conditioning-bug", (CHECK, function))
