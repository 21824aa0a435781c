"""Check of `conditional-elbo`: the bound on log p(x|c) from one reparameterised draw."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor
from torch.distributions import Bernoulli

from coursekit.checks.conditional.gaussians import (
    DIVERGENCES,
    LATENTS,
    LOOK_KL,
    LOOK_NOISE,
    LOOK_TERMS,
    deviation,
    divergences,
    drawn,
)
from coursekit.checks.engine import Case, Check, Function, Inputs, Slip, run
from coursekit.checks.parts import batch_slips, binary, normal
from coursekit.checks.vae.bernoulli import cut_off, from_probability, guarded

ENCODER, DECODER, PRIOR = "the encoder", "the decoder", "the prior"
OFFSET = 0.4  # of the prior


def _arguments(inputs: Inputs) -> tuple[Any, ...]:
    """Make a linear encoder, decoder and prior from the weights among the inputs.

    The prior has an offset, so that a condition of zeros is another mistake than N(0, I).
    """

    def encode(x: Tensor, c: Tensor) -> tuple[Tensor, ...]:
        return (torch.cat([x, c], dim=1) @ inputs[ENCODER]).chunk(2, dim=1)

    def decode_logits(z: Tensor, c: Tensor) -> Tensor:
        logits: Tensor = torch.cat([z, c], dim=1) @ inputs[DECODER]
        return logits

    def prior(c: Tensor) -> tuple[Tensor, ...]:
        return (c @ inputs[PRIOR] + OFFSET).chunk(2, dim=1)

    for function in (encode, decode_logits, prior):
        function.__qualname__ = function.__name__  # as an error's message calls it
    return inputs["x"], inputs["c"], encode, decode_logits, prior, inputs["noise"]


def _pixels(x: Tensor, logits: Tensor) -> Tensor:
    return Bernoulli(logits=logits, validate_args=False).log_prob(x)


def _difference(pixels: Tensor, latents: Tensor) -> Tensor:
    return pixels.sum(dim=1) - latents.sum(dim=1)


def _bound(
    latent: Function = drawn,
    kl: Function = divergences,
    join: Callable[[Tensor, Tensor], Tensor] = _difference,
    likelihood: Callable[[Tensor, Tensor], Tensor] = _pixels,
    seen: Function = lambda x, c: (x, c),
    told: Function = lambda z, c: (z, c),
    known: Function = lambda c: c,
) -> Function:
    """The bound, or what becomes of it with another part.

    Args:
        latent: makes z from the encoder's mu and log_var, the prior's, and the noise.
        kl: makes each latent's divergence from the same, with z in place of the noise.
        join: makes the bound from the pixels' log-probabilities and the latents' divergences.
        likelihood: makes the former from x and the logits.
        seen: what the encoder is given, from x and c.
        told: what the decoder is given, from z and c.
        known: what the prior is given, from c.
    """

    def bound(
        x: Tensor, c: Tensor, encode: Function, decode: Function, prior: Function, noise: Tensor
    ) -> Tensor:
        gaussians = (*encode(*seen(x, c)), *prior(known(c)))
        z = latent(*gaussians, noise)
        return join(likelihood(x, decode(*told(z, c))), kl(*gaussians, z))

    return bound


_elbo = _bound()


def _case(title: str, seed: int, x: Tensor, c: Tensor, latents: int, large: bool = False) -> Case:
    """Random weights; `large`: logits in the hundreds and small variances."""
    pixels, told = x.shape[1], c.shape[1]
    shapes = [
        (pixels + told, 2 * latents),
        (latents + told, pixels),
        (told, 2 * latents),
        (len(x), latents),
    ]
    encoder, decoder, prior, noise = normal(seed, *shapes, dtype=x.dtype)
    encoder /= (pixels / 2) ** 0.5
    if large:
        decoder *= 150
        encoder[:, latents:] -= 16 / pixels
    inputs = {"x": x, "c": c, ENCODER: encoder, DECODER: decoder, PRIOR: prior, "noise": noise}
    clue = "encode takes x and c, decode_logits z and c, prior c alone."
    return Case(inputs, title, clue)


def _narrow() -> Case:
    """Priors with variances around e to the -8, the encoder's answers as they are elsewhere."""
    case = _case(
        "4 pictures whose priors are narrow", 221, binary(222, 4, 5), torch.eye(3)[[1, 0, 2, 1]], 2
    )
    case.inputs[PRIOR][:, 2:] -= 8
    clue = (
        "Where the condition tells much, the prior's log-variance is around -8: is it limited, or "
        "something added to a variance?"
    )
    return replace(case, clue=clue)


def _alike() -> Case:
    """Two pictures; of the first, all empty, the encoder says what the prior says."""
    x, c = binary(223, 2, 3), torch.eye(2)
    x[0] = 0
    case = _case("2 pictures, the first with q(z|x, c) = p(z|c)", 224, x, c, 2)
    case.inputs[ENCODER][3] = case.inputs[PRIOR][0] + OFFSET
    return replace(case, clue="Two equal Gaussians are 0 nats apart: has the divergence a floor?")


def _cases() -> list[Case]:
    classes = torch.eye(3)[[2, 0, 0, 1]]
    part = binary(213, 3, 4)
    whole = torch.cat([part, binary(214, 3, 6)], dim=1)
    five = torch.eye(5, dtype=torch.float64)[[4, 1, 1, 0, 3]]
    one = torch.ones(1, 1)
    return [
        _case("one picture of a single inked pixel, K = 1", 211, one, one, 1),
        _case("4 pictures of 9 pixels with 3 classes, K = 2", 212, binary(215, 4, 9), classes, 2),
        _case("3 pictures of which 4 pixels are the condition, K = 3", 216, whole, part, 3),
        _case(
            "5 pictures with 5 classes, K = 5, in float64",
            217,
            binary(218, 5, 6, dtype=torch.float64),
            five,
            5,
        ),
        _case(
            "a decoder with logits in the hundreds", 219, binary(220, 2, 16), classes[:2], 3, True
        ),
        _narrow(),
        _alike(),
    ]


_TOLD = "Look at steps 1, 3 and 4 above: which of the three networks are told the condition?"
_PIXELS = "Look at step 3 above: what does the decoder give, and over what is summed?"
_SIGN = "Look at step 5 above: which of the two terms helps the bound, and which one hurts?"
_EACH = "Look at step 5 above: what does it say about each picture, and about the batch?"
_SUMS = "Look at steps 3 and 4 above: over what is added up, and is anything averaged?"


# How the two terms are joined, from (B, D) and (B, K); what to say; a hint.
_JOINS: list[tuple[Callable[[Tensor, Tensor], Tensor], str, str]] = [
    (
        lambda p, k: k.sum(1) - p.sum(1),
        "That is the negative bound, a loss: the bound itself was asked, so the sign is wrong.",
        _SIGN,
    ),
    (
        lambda p, k: p.sum(1) + k.sum(1),
        "The divergence comes in with the wrong sign: it is added.",
        _SIGN,
    ),
    (
        lambda p, k: -p.sum(1) - k.sum(1),
        "The log-likelihood comes in with the wrong sign: is it a cross-entropy?",
        _SIGN,
    ),
    (lambda p, k: p.sum(1), "The divergence from the prior is missing.", _SIGN),
    (lambda p, k: -k.sum(1), "The log-likelihood is missing.", _SIGN),
    (lambda p, k: p.sum(1) - 2 * k.sum(1), "The divergence counts twice.", LOOK_TERMS),
    (lambda p, k: p.sum(1) - k.sum(1) / 2, "The divergence counts half.", LOOK_TERMS),
    (lambda p, k: p.mean(1) - k.sum(1), "The log-likelihood is a mean over the pixels.", _PIXELS),
    (lambda p, k: p.sum(1) - k.mean(1), "The divergence is a mean over the latents.", LOOK_KL),
    (lambda p, k: p.mean(1) - k.mean(1), "Both terms are means: sums were asked.", _SUMS),
    (
        lambda p, k: p.sum(1) - k.sum(),
        "The divergence is summed over the batch too: each picture has its own.",
        _EACH,
    ),
    (
        lambda p, k: p.sum(1) - k.sum(1).mean(),
        "The divergence is averaged over the batch: each picture has its own.",
        _EACH,
    ),
    (
        lambda p, k: p.sum() - k.sum(1),
        "The log-likelihood is summed over the batch too: each picture has its own.",
        _EACH,
    ),
    (
        lambda p, k: p.mean() - k.sum(1),
        "The log-likelihood is a mean over batch and pixels: does torch average by default?",
        _PIXELS,
    ),
    (
        lambda p, k: p.sum(1).mean() - k.sum(1),
        "The log-likelihood is averaged over the batch: each picture has its own.",
        _EACH,
    ),
]
# Who is told what, in place of the right one; and what to say.
_CONDITIONS: list[tuple[Function, str]] = [
    (_bound(told=lambda z, c: (z, 0 * c)), "The decoder is not told the condition: it gets zeros."),
    (_bound(seen=lambda x, c: (x, 0 * c)), "The encoder is not told the condition: it gets zeros."),
    (_bound(known=lambda c: 0 * c), "The prior is not told the condition: it gets zeros."),
    (
        _bound(told=lambda z, c: (z, torch.ones_like(c))),
        "The decoder gets ones in place of the condition.",
    ),
    (_bound(told=lambda z, c: (c, z)), "The decoder's arguments are exchanged: z comes first."),
    (_bound(seen=lambda x, c: (c, x)), "The encoder's arguments are exchanged: x comes first."),
    (
        _bound(told=lambda z, c: (c, z), seen=lambda x, c: (c, x)),
        "The arguments of encoder and decoder are exchanged: the condition comes second.",
    ),
    (_bound(seen=lambda x, c: (0 * x, c)), "The encoder does not see the picture: it gets zeros."),
    (
        _bound(told=lambda z, c: (z, c[:1].expand(len(c), -1))),
        "The decoder is told the first picture's condition for all.",
    ),
    (
        _bound(known=lambda c: c.mean(dim=0, keepdim=True).expand(len(c), -1)),
        "The prior is told the batch's mean condition: each picture has its own.",
    ),
]
_PROBABILITY = (
    "With large logits the log-likelihood is wrong: a probability rounds to 0 or 1, and what is "
    "done about that hides it."
)


def _read(per_picture: Function) -> Function:
    """The bound with another log-likelihood, (B,), from x and the logits."""
    return _bound(likelihood=lambda x, logits: per_picture(x, logits)[:, None])


def _squared_error(form: Callable[[Tensor], Tensor]) -> Callable[[Tensor, Tensor], Tensor]:
    return lambda x, logits: -(x - form(logits)).square()


def _with_constant(epsilon: float) -> Function:
    return from_probability(lambda x, p: guarded(x, p, epsilon))


CHECK = Check(
    reference=_elbo,
    cases=_cases,
    arguments=_arguments,
    slopes=(ENCODER, DECODER, PRIOR),
    look="Go through steps 1 to 5 above: print the log-likelihood and the divergence one by one, "
    "and ask of each who was told the condition, and whether sign and size can be right.",
    slips=[
        *(Slip(_bound(join=join), what, look) for join, what, look in _JOINS),
        *batch_slips(_elbo, _EACH),
        Slip(
            lambda x, *a: _elbo(x, *a) / x.shape[1],
            "It is divided by the number of pixels: nats for each picture were asked.",
            _SUMS,
        ),
        *(Slip(wrong, what, _TOLD) for wrong, what in _CONDITIONS),
        *(Slip(_bound(kl=kl), what, look) for kl, what, look in DIVERGENCES),
        *(Slip(_bound(latent=latent), what, LOOK_NOISE) for latent, what in LATENTS),
        Slip(
            _bound(
                latent=lambda m, v, mp, vp, n: mp + deviation(vp) * n,
                kl=lambda m, v, mp, vp, z: divergences(mp, vp, m, v, z),
            ),
            "Prior and posterior are exchanged throughout: z is drawn from the encoder's answer.",
            LOOK_KL,
        ),
        Slip(
            _bound(likelihood=lambda x, logits: _pixels(x, torch.sigmoid(logits))),
            "The sigmoid is applied twice: the log-likelihood works from the logits.",
            _PIXELS,
        ),
        *(
            Slip(
                _bound(likelihood=_squared_error(form)),
                "The log-likelihood is a squared error: pixels are Bernoulli here.",
                _PIXELS,
            )
            for form in (torch.sigmoid, torch.clone)
        ),
        Slip(
            _read(from_probability(guarded)),
            "With large logits the log-likelihood breaks down: a probability rounds to 0 or 1.",
            _PIXELS,
        ),
        *(
            Slip(_read(_with_constant(e)), _PROBABILITY, _PIXELS)
            for e in (1e-5, 1e-6, 1e-7, 1e-8, 1e-10, 1e-12)
        ),
        Slip(_read(from_probability(cut_off)), _PROBABILITY, _PIXELS),
    ],
)


def conditional_elbo(function: Function) -> None:
    """Check `conditional_elbo(x, c, encode, decode_logits, prior, noise) -> (B,)`."""
    __tracebackhide__ = True
    run("conditional-elbo", (CHECK, function))
