"""Check of `picture-elbo`: the ELBO of pictures that have a Gaussian of their own each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.distributions import Bernoulli

from coursekit.checks.engine import Case, Check, Function, Inputs, Slip, run
from coursekit.checks.parts import binary, normal
from coursekit.checks.vae import elbo
from coursekit.checks.vae.divergence import divergence

DECODER = "the decoder"
Decoder = Callable[[Tensor], Tensor]


def _arguments(inputs: Inputs) -> tuple[Any, ...]:
    """Make a linear decoder from the weights among the inputs."""

    def decode_logits(z: Tensor) -> Tensor:
        return z @ inputs[DECODER]

    return (*(inputs[name] for name in ("x", "mu", "log_var", "noise")), decode_logits)


def _right(x: Tensor, mu: Tensor, log_var: Tensor, noise: Tensor, decode: Decoder) -> Tensor:
    z = mu + torch.exp(log_var).sqrt() * noise
    likelihood = Bernoulli(logits=decode(z), validate_args=False).log_prob(x).sum(dim=1)
    return likelihood - divergence(mu, log_var)


def _case(
    title: str, seed: int, x: Tensor, latents: int, logits: float = 1.0, log_var: float = 0.0
) -> Case:
    """Random means and log-variances, the latter around the value given."""
    rows = (len(x), latents)
    mu, spread, noise, weights = normal(
        seed, rows, rows, rows, (latents, x.shape[1]), dtype=x.dtype
    )
    inputs = {"x": x, "mu": mu, "log_var": log_var + spread, "noise": noise}
    return Case({**inputs, DECODER: logits * weights}, title)


def _cases() -> list[Case]:
    large = "a decoder with logits in the hundreds"
    return [
        _case("one white pixel, K = 1", 301, torch.ones(1, 1), 1),
        _case("4 pictures of 9 pixels, K = 2", 303, binary(302, 4, 9), 2),
        _case("3 pictures of 3 pixels, K = 3", 305, binary(304, 3, 3), 3),
        _case("5 pictures of 6 pixels, K = 4, in float64", 307, binary(306, 5, 6).double(), 4),
        _case(large, 309, binary(308, 2, 16), 3, logits=150.0, log_var=-20.0),
    ]


def _adapted(wrong: Function) -> Function:
    """A wrong ELBO of an encoder and decoder, for a mean and log-variance that are given."""

    def adapted(x: Tensor, mu: Tensor, log_var: Tensor, noise: Tensor, decode: Decoder) -> Tensor:
        value: Tensor = wrong(x, lambda pictures: (mu, log_var), decode, noise)
        return value

    return adapted


_ROLES = "Which of the tensors is a mean, which a logarithm, and which one has been drawn?"

CHECK = Check(
    reference=_right,
    cases=_cases,
    arguments=_arguments,
    slopes=("mu", "log_var"),
    look="Print the log-likelihood and the divergence of one picture: which sign has each in the "
    "bound, over which axis is each summed, and by what is the noise multiplied?",
    slips=[
        *(
            Slip(
                lambda x, mu, log_var, noise, d, share=share: (
                    _right(x, noise, log_var, mu, d)
                    + share * (divergence(noise, log_var) - divergence(mu, log_var))
                ),
                "The mean and the noise are exchanged.",
                _ROLES,
            )
            for share in (0.0, 1.0)
        ),
        Slip(
            lambda x, mu, log_var, noise, d: _right(x, log_var, mu, noise, d),
            "The mean and the log-variance are exchanged.",
            _ROLES,
        ),
        Slip(
            lambda x, mu, log_var, noise, d: (
                _right(x, mu, log_var, noise, d) - (mu + torch.exp(log_var / 2) * noise).sum(1)
            ),
            "The latent itself is subtracted as well.",
            _ROLES,
        ),
        Slip(
            lambda x, mu, log_var, noise, d: _right(x, mu, log_var, noise[:1].expand_as(mu), d),
            "Every picture gets the first one's noise: each has a row of its own.",
            _ROLES,
        ),
        *(Slip(_adapted(slip.wrong), slip.what) for slip in elbo.CHECK.slips),
    ],
)


def picture_elbo(function: Function) -> None:
    """Check `picture_elbo(x, mu, log_var, noise, decode_logits) -> (B,)`."""
    __tracebackhide__ = True
    run("picture-elbo", (CHECK, function))
