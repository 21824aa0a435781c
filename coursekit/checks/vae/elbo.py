"""Check of `one-sample-elbo`: the bound from one reparameterised draw."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.distributions import Bernoulli, Normal

from coursekit.checks.engine import Case, Check, Function, Inputs, Slip, run
from coursekit.checks.parts import batch_slips, binary, grey, normal
from coursekit.checks.vae.bernoulli import cut_off, from_probability, guarded
from coursekit.checks.vae.divergence import divergence

Encoder = Callable[[Tensor], tuple[Tensor, Tensor]]
Decoder = Callable[[Tensor], Tensor]

MU, LOG_VAR, LOGITS = "the encoder's mu", "the encoder's log_var", "the decoder"


def _arguments(inputs: Inputs) -> tuple[Any, ...]:
    """Make a linear encoder and decoder from the weights among the inputs."""
    x = inputs["x"]

    def encode(pictures: Tensor) -> tuple[Tensor, Tensor]:
        flat = pictures.flatten(1)
        return flat @ inputs[MU], flat @ inputs[LOG_VAR]

    def decode_logits(z: Tensor) -> Tensor:
        return (z @ inputs[LOGITS]).view(-1, *x.shape[1:])

    return x, encode, decode_logits, inputs["noise"]


def _likelihood(x: Tensor, logits: Tensor) -> Tensor:
    each = Bernoulli(logits=logits, validate_args=False).log_prob(x)
    return each.flatten(1).sum(dim=1)


def _pieces(
    x: Tensor, encode: Encoder, decode_logits: Decoder, noise: Tensor
) -> tuple[Tensor, Tensor]:
    mu, log_var = encode(x)
    z = mu + torch.exp(log_var / 2) * noise
    return _likelihood(x, decode_logits(z)), divergence(mu, log_var)


def _elbo(x: Tensor, encode: Encoder, decode_logits: Decoder, noise: Tensor) -> Tensor:
    likelihood, kl = _pieces(x, encode, decode_logits, noise)
    return likelihood - kl


def _case(
    title: str,
    seed: int,
    x: Tensor,
    latents: int,
    spread: float = 1.0,
    log_var: float | None = None,
    logits: float = 1.0,
) -> Case:
    """Random weights: mu of size `spread`; log_var too, or near the value given."""
    pixels = x[0].numel()
    shapes = [(pixels, latents), (pixels, latents), (latents, pixels), (len(x), latents)]
    to_mu, to_log_var, to_logits, noise = normal(seed, *shapes, dtype=x.dtype)
    to_log_var *= spread / pixels**0.5
    if log_var is not None:
        to_log_var += 2 * log_var / pixels  # about half of the pixels are white
    inputs = {
        "x": x,
        MU: to_mu * spread / pixels**0.5,
        LOG_VAR: to_log_var,
        LOGITS: logits * to_logits,
        "noise": noise,
    }
    return Case(inputs, title)


def _cases() -> list[Case]:
    tiny = "one picture of a single white pixel, K = 1"
    large = "a decoder with logits in the hundreds"
    return [
        _case(tiny, 41, torch.ones(1, 1, 1, 1), 1, spread=0.2),
        _case("4 binary pictures of 3 x 3 pixels, K = 2", 43, binary(42, 4, 1, 3, 3), 2),
        _case("3 grey pictures with 2 channels, K = 3", 45, grey(44, 3, 2, 2, 4), 3),
        _case("5 binary pictures, K = 5, in float64", 47, binary(46, 5, 1, 2, 3).double(), 5),
        _case(large, 49, binary(48, 2, 1, 4, 4), 3, log_var=-20.0, logits=150.0),
    ]


def _scaled(scale: Function) -> Function:
    """The ELBO at a z whose noise is multiplied by something else."""

    def wrong(x: Tensor, encode: Encoder, decode_logits: Decoder, noise: Tensor) -> Tensor:
        mu, log_var = encode(x)
        z = mu + scale(log_var) * noise
        return _likelihood(x, decode_logits(z)) - divergence(mu, log_var)

    return wrong


def _combined(join: Callable[[Tensor, Tensor], Tensor]) -> Function:
    """The two terms of the ELBO, joined in another way."""
    return lambda *arguments: join(*_pieces(*arguments))


def _sampled_kl(variance_used: bool = True) -> Function:
    """The ELBO with log q(z) - log p(z) at the draw in the place of the divergence."""

    def wrong(x: Tensor, encode: Encoder, decode_logits: Decoder, noise: Tensor) -> Tensor:
        mu, log_var = encode(x)
        sigma = torch.exp(log_var / 2)
        z = mu + sigma * noise
        surplus = Normal(mu, sigma).log_prob(z) - Normal(0.0, 1.0).log_prob(z)
        kl = surplus if variance_used else Normal(mu, sigma).log_prob(z)
        return _likelihood(x, decode_logits(z)) - kl.sum(dim=1)

    return wrong


def _decoded(likelihood: Function) -> Function:
    """The ELBO with another likelihood, given x and the logits."""

    def wrong(x: Tensor, encode: Encoder, decode_logits: Decoder, noise: Tensor) -> Tensor:
        mu, log_var = encode(x)
        logits = decode_logits(mu + torch.exp(log_var / 2) * noise)
        each: Tensor = likelihood(x, logits)
        return each - divergence(mu, log_var)

    return wrong


def _other_kl(kl: Function) -> Function:
    """The ELBO with another divergence, given mu, log_var and z."""

    def wrong(x: Tensor, encode: Encoder, decode_logits: Decoder, noise: Tensor) -> Tensor:
        mu, log_var = encode(x)
        z = mu + torch.exp(log_var / 2) * noise
        each: Tensor = kl(mu, log_var, z)
        return _likelihood(x, decode_logits(z)) - each

    return wrong


_NOISE = "Look at step 4 of the derivation above: by what is the noise multiplied?"
_SIGN = "Look at step 3 of the derivation above: which term helps the bound, and which one hurts?"
_SUMS = "Look at step 5 of the derivation above: over which axes is each term summed?"
_KL = "Look at step 5 of the derivation above: which distributions does the divergence compare?"

# What the noise is multiplied by, made from log_var; and what to say to that.
_SCALES: list[tuple[Function, str]] = [
    (torch.exp, "You multiply the noise by the variance: the standard deviation is its root."),
    (lambda v: v, "You multiply the noise by log_var: that is a logarithm."),
    (lambda v: v / 2, "You multiply the noise by half of log_var: that is a logarithm."),
    (lambda v: v.abs().sqrt(), "You took log_var for the variance when scaling the noise."),
    (
        lambda v: (-v / 2).exp(),
        "The noise is divided by the standard deviation, or log_var has the wrong sign.",
    ),
    (lambda v: (2 * v).exp(), "You multiply the noise by the variance squared."),
    (lambda v: 1.0, "The noise is not multiplied by the standard deviation."),
    (
        lambda v: -torch.exp(v / 2),
        "The noise comes in with the wrong sign: its distribution is the same, but here it is "
        "given.",
    ),
]
# What is subtracted in the divergence's place, made from mu, log_var and z.
_DIVERGENCES: list[tuple[Function, str]] = [
    (
        lambda mu, v, z: divergence(mu, 2 * v),
        "In the divergence log_var is taken for the logarithm of the standard deviation.",
    ),
    (
        lambda mu, v, z: divergence(mu, v.abs().log()),
        "In the divergence log_var is taken for the variance.",
    ),
    (
        lambda mu, v, z: divergence(mu, v / 2),
        "In the divergence the standard deviation is taken for the variance.",
    ),
    (
        lambda mu, v, z: divergence(z, v),
        "The divergence is taken at z: it belongs to mu and log_var.",
    ),
    (lambda mu, v, z: divergence(0 * mu, v), "The means are left out of the divergence."),
]

CHECK = Check(
    reference=_elbo,
    cases=_cases,
    arguments=_arguments,
    slopes=(MU, LOG_VAR, LOGITS),
    look="Go through steps 3 to 5 of the derivation above: print the log-likelihood and the "
    "divergence one by one, and ask of each whether its sign and its size can be right.",
    slips=[
        Slip(
            _combined(lambda likelihood, kl: kl - likelihood),
            "That is the negative ELBO, a loss: the ELBO itself was asked, so the sign is wrong.",
            _SIGN,
        ),
        Slip(
            _combined(lambda likelihood, kl: likelihood + kl),
            "The divergence comes in with the wrong sign: it is added.",
            _SIGN,
        ),
        Slip(
            _combined(lambda likelihood, kl: -likelihood - kl),
            "The log-likelihood comes in with the wrong sign: is it a cross-entropy?",
            _SIGN,
        ),
        Slip(
            _combined(lambda likelihood, kl: likelihood),
            "The divergence from the prior is missing.",
            "Look at step 3 of the derivation above: it has two terms.",
        ),
        Slip(
            _combined(lambda likelihood, kl: -kl),
            "The log-likelihood is missing.",
            "Look at step 3 of the derivation above: it has two terms.",
        ),
        Slip(
            _combined(lambda likelihood, kl: likelihood - 2 * kl),
            "The divergence counts twice: is its factor missing?",
            _KL,
        ),
        Slip(
            _combined(lambda likelihood, kl: likelihood - kl / 2),
            "The divergence counts half of what it should.",
            _KL,
        ),
        Slip(
            _combined(lambda likelihood, kl: likelihood - kl.sum()),
            "The divergence is summed over the batch too: each picture has its own.",
            _SUMS,
        ),
        Slip(
            _combined(lambda likelihood, kl: likelihood - kl.mean()),
            "The divergence is averaged over the batch: each picture has its own.",
            _SUMS,
        ),
        Slip(
            _combined(lambda likelihood, kl: likelihood.sum() - kl),
            "The log-likelihood is summed over the batch too: each picture has its own.",
            _SUMS,
        ),
        Slip(
            _combined(lambda likelihood, kl: likelihood.mean() - kl),
            "The log-likelihood is averaged over the batch: each picture has its own.",
            _SUMS,
        ),
        Slip(
            lambda x, e, d, n: _pieces(x, e, d, n)[0] / x[0].numel() - _pieces(x, e, d, n)[1],
            "The log-likelihood is a mean over the pixels: a sum was asked.",
            _SUMS,
        ),
        Slip(
            lambda x, e, d, n: _pieces(x, e, d, n)[0].mean() / x[0].numel() - divergence(*e(x)),
            "The log-likelihood is a mean over batch and pixels: does torch average by default?",
            _SUMS,
        ),
        Slip(
            lambda x, e, d, n: _pieces(x, e, d, n)[0] - _pieces(x, e, d, n)[1] / n.shape[1],
            "The divergence is a mean over the latent dimensions: a sum was asked.",
            _SUMS,
        ),
        Slip(
            lambda x, e, d, n: (
                _pieces(x, e, d, n)[0] / x[0].numel() - divergence(*e(x)) / n.shape[1]
            ),
            "Both terms are means over their dimensions: sums were asked.",
            _SUMS,
        ),
        Slip(
            lambda x, e, d, n: _elbo(x, e, d, n) / x[0].numel(),
            "It is divided by the number of pixels: nats for each picture were asked.",
            _SUMS,
        ),
        *batch_slips(_elbo, _SUMS),
        *(Slip(_scaled(scale), what, _NOISE) for scale, what in _SCALES),
        Slip(
            _scaled(lambda v: 0.0),
            "You decode the mean: the noise is not used.",
            "Look at step 4 of the derivation above: which z is to be decoded?",
        ),
        Slip(
            lambda x, e, d, n: _likelihood(x, d(torch.exp(e(x)[1] / 2) * n)) - divergence(*e(x)),
            "The mean is missing from z.",
            _NOISE,
        ),
        Slip(
            lambda x, e, d, n: _likelihood(x, d(n)) - divergence(*e(x)),
            "You decode the noise itself: z belongs to the picture's own Gaussian.",
            _NOISE,
        ),
        Slip(
            _sampled_kl(),
            "You estimate the divergence from the draw: the closed form was asked.",
            "Look at step 5 of the derivation above: which term needs no draw?",
        ),
        Slip(
            _sampled_kl(variance_used=False),
            "The prior is missing: you subtract log q(z) alone.",
            "Look at step 3 of the derivation above: what does the divergence compare q with?",
        ),
        *(Slip(_other_kl(kl), what, _KL) for kl, what in _DIVERGENCES),
        Slip(
            _decoded(lambda x, logits: _likelihood(x, torch.sigmoid(logits))),
            "The sigmoid is applied twice: the likelihood works from the logits.",
            "What does the function of the likelihood expect, probabilities or logits?",
        ),
        *(
            Slip(
                _decoded(lambda x, logits, f=form: -(x - f(logits)).square().flatten(1).sum(1)),
                "The log-likelihood is a squared error: pixels are Bernoulli here.",
            )
            for form in (torch.sigmoid, torch.clone)
        ),
        Slip(
            _decoded(from_probability(guarded)),
            "With large logits the log-likelihood breaks down: a probability rounds to 0 or 1.",
            "Use the log-likelihood from logits of the exercise before.",
        ),
        *(
            Slip(
                _decoded(from_probability(lambda x, p, e=epsilon: guarded(x, p, e))),
                "With large logits the log-likelihood is wrong: a small constant hides that a "
                "probability rounds to 0 or 1.",
                "Use the log-likelihood from logits of the exercise before.",
            )
            for epsilon in (1e-5, 1e-6, 1e-7, 1e-8, 1e-10, 1e-12)
        ),
        Slip(
            _decoded(from_probability(cut_off)),
            "With large logits the log-likelihood is wrong: it is clamped at -100.",
            "Use the log-likelihood from logits of the exercise before.",
        ),
    ],
)


def one_sample_elbo(function: Function) -> None:
    """Check `one_sample_elbo(x, encode, decode_logits, noise) -> (B,)`."""
    __tracebackhide__ = True
    run("one-sample-elbo", (CHECK, function))
