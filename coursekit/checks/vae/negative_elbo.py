"""Check of `negative-elbo-bugs`: a published loss for Gaussian pixels, mended."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.distributions import Normal

from coursekit.checks.engine import Case, Check, Function, Slip, run
from coursekit.checks.parts import batch_slips, normal
from coursekit.checks.vae.divergence import divergence

LOG_2PI = math.log(2 * math.pi)


def _negative_elbo(
    x: Tensor, reconstruction: Tensor, mu: Tensor, log_var: Tensor, noise_var: float
) -> Tensor:
    likelihood = Normal(reconstruction, math.sqrt(noise_var)).log_prob(x).sum(dim=1)
    return divergence(mu, log_var) - likelihood


def _cases() -> list[Case]:
    names = ("x", "reconstruction", "mu", "log_var", "noise_var")

    def case(*values: Tensor | float, title: str = "") -> Case:
        return Case(dict(zip(names, values, strict=True)), title)

    def drawn(seed: int, batch: int, dims: int, latents: int) -> list[Tensor]:
        return normal(seed, *[(batch, dims)] * 2, *[(batch, latents)] * 2)

    tensor = torch.tensor
    x, error, mu, log_var = drawn(85, 3, 6, 3)
    return [
        case(tensor([[1.0, 3.0]]), tensor([[0.0, 1.0]]), tensor([[1.0]]), tensor([[1.0]]), 0.5),
        case(*drawn(81, 4, 6, 2), 0.1, title="4 random rows with D = 6, K = 2, noise_var = 0.1"),
        case(*drawn(82, 3, 1, 4), 2.0, title="3 random rows with D = 1, K = 4, noise_var = 2"),
        case(
            *(t.double() for t in drawn(83, 5, 5, 5)),
            1.0,
            title="5 random rows with D = K = 5, noise_var = 1, in float64",
        ),
        case(*drawn(84, 2, 9, 3), 25.0, title="2 random rows with D = 9, K = 3, noise_var = 25"),
        case(
            x,
            x + 0.001 * error,
            0.1 * mu,
            15 * log_var * torch.eye(3),
            1e-6,
            title="good reconstructions, with noise_var = 1e-6",
        ),
    ]


def _terms(
    constant: float = 1.0,
    logs: float = 1.0,
    errors: float = 1.0,
    kl: float = 1.0,
    power: float = 1.0,
    often: int = 0,
) -> Function:
    """The negative ELBO with its terms weighted; `often` counts constants D times more."""

    def wrong(
        x: Tensor, reconstruction: Tensor, mu: Tensor, log_var: Tensor, noise_var: float
    ) -> Tensor:
        dims = x.shape[1]
        squares = (x - reconstruction) ** 2 / noise_var**power
        constants = constant * LOG_2PI * (dims if often & 1 else 1)
        log_noise = logs * math.log(noise_var) * (dims if often & 2 else 1)
        pixels = (constants + log_noise + errors * squares) / 2
        return pixels.sum(dim=1) + kl * divergence(mu, log_var)

    return wrong


def _once(logs: bool) -> Function:
    """The negative ELBO with constants counted once a picture, not once a dimension."""

    def wrong(
        x: Tensor, reconstruction: Tensor, mu: Tensor, log_var: Tensor, noise_var: float
    ) -> Tensor:
        extra = LOG_2PI + (math.log(noise_var) if logs else 0.0)
        right = _negative_elbo(x, reconstruction, mu, log_var, noise_var)
        return right - (x.shape[1] - 1) * extra / 2

    return wrong


def _averaged(per_pixel: bool, constants: float, factor: float, power: float) -> Function:
    """The loss with one mean of the squared errors over batch and pixels for all pictures."""

    def wrong(
        x: Tensor, reconstruction: Tensor, mu: Tensor, log_var: Tensor, noise_var: float
    ) -> Tensor:
        error = factor * (x - reconstruction).square().mean() / noise_var**power
        dims = x.shape[1]
        rest = constants * dims / 2 * (LOG_2PI + math.log(noise_var))
        return (dims if per_pixel else 1) * error + rest + divergence(mu, log_var)

    return wrong


_PIXELS = "Look at step 2 above: what does one pixel bring, and how many pixels are there?"
_SIGNS = "Look at step 1 above: what are the signs of the two terms in the NEGATIVE ELBO?"

CHECK = Check(
    reference=_negative_elbo,
    cases=_cases,
    slopes=("x", "reconstruction", "mu", "log_var"),
    look="Look at steps 1 and 2 above, and take the loss apart: what are its three kinds of terms "
    "for one pixel?",
    slips=[
        Slip(
            _terms(kl=-1, often=1),
            "That is still the published loss: both slips are in it, one in a sign, one in how "
            "often a constant is counted.",
            "Look at steps 1 and 2 above, and put D = 1: which slip is left then?",
        ),
        Slip(
            _terms(often=1),
            "The sign is mended; the constant with pi is still counted D times in each of the D "
            "dimensions.",
            _PIXELS,
        ),
        Slip(
            _terms(kl=-1),
            "The constants are right; the divergence comes in with the wrong sign.",
            _SIGNS,
        ),
        Slip(
            _terms(kl=-1, often=3),
            "Both constants are counted D times in each dimension, and the divergence has the "
            "wrong sign.",
            _PIXELS,
        ),
        Slip(
            _terms(often=3),
            "Both constants, that with pi and that of the noise, are counted D times in each "
            "dimension.",
            _PIXELS,
        ),
        Slip(
            _terms(often=2),
            "The logarithm of the noise variance is counted D times in each dimension.",
            _PIXELS,
        ),
        Slip(
            lambda *a: -_negative_elbo(*a),
            "That is the ELBO: the negative of it was asked, so the sign is wrong.",
            _SIGNS,
        ),
        Slip(
            lambda x, r, m, v, s: 2 * divergence(m, v) - _negative_elbo(x, r, m, v, s),
            "The log-likelihood comes in with the wrong sign.",
            _SIGNS,
        ),
        Slip(_terms(kl=0), "The divergence from the prior is missing.", _SIGNS),
        Slip(_terms(kl=2), "The divergence counts twice: is its factor missing?"),
        Slip(_terms(kl=0.5), "The divergence counts half of what it should."),
        Slip(_terms(constant=0), "The constant with pi is missing.", _PIXELS),
        Slip(_terms(constant=2), "The constant with pi is twice what it should be.", _PIXELS),
        Slip(_terms(constant=-1), "The constant with pi has the wrong sign.", _PIXELS),
        Slip(_terms(logs=0), "The logarithm of the noise variance is missing.", _PIXELS),
        Slip(
            _terms(logs=2),
            "The noise variance is taken for a standard deviation in its logarithm, or counted "
            "twice.",
            _PIXELS,
        ),
        Slip(_terms(logs=-1), "The logarithm of the noise variance has the wrong sign.", _PIXELS),
        Slip(_terms(errors=2), "The squared error counts twice: is a factor missing?", _PIXELS),
        Slip(_terms(errors=-1), "The squared error has the wrong sign.", _PIXELS),
        Slip(_terms(errors=0), "The squared error is missing.", _PIXELS),
        Slip(
            _terms(logs=2, power=2),
            "The noise variance is taken for a standard deviation: it is squared already.",
            _PIXELS,
        ),
        Slip(
            _terms(power=2), "The squared error is divided by the noise variance squared.", _PIXELS
        ),
        Slip(
            _terms(power=0.5),
            "The squared error is divided by a standard deviation: noise_var is a variance.",
            _PIXELS,
        ),
        Slip(_terms(power=0), "The squared error is not divided by the noise variance.", _PIXELS),
        Slip(
            _terms(power=-1),
            "The squared error is multiplied by the noise variance: it is divided.",
            _PIXELS,
        ),
        Slip(
            _terms(power=0, logs=0),
            "The noise variance is not used: it is not always 1.",
            _PIXELS,
        ),
        Slip(
            _once(logs=False),
            "The constant with pi is counted once a picture: each pixel brings its own.",
            _PIXELS,
        ),
        Slip(
            _once(logs=True),
            "The constants are counted once a picture: each pixel brings its own.",
            _PIXELS,
        ),
        Slip(
            lambda x, r, m, v, s: (x - r).square().sum(dim=1) + divergence(m, v),
            "The squared error stands there bare: the density of the pixels has more to it.",
            _PIXELS,
        ),
        Slip(
            lambda x, r, m, v, s: (
                divergence(m, v) - Normal(r, math.sqrt(s)).log_prob(x).mean(dim=1)
            ),
            "The log-likelihood is a mean over the pixels: a sum was asked.",
            _PIXELS,
        ),
        Slip(
            lambda x, r, m, v, s: (
                divergence(m, v) / m.shape[1] - Normal(r, math.sqrt(s)).log_prob(x).sum(dim=1)
            ),
            "The divergence is a mean over the latent dimensions: a sum was asked.",
        ),
        Slip(
            lambda x, r, m, v, s: (
                divergence(m, v).sum() - Normal(r, math.sqrt(s)).log_prob(x).sum(dim=1)
            ),
            "The divergence is summed over the batch too: each picture has its own.",
        ),
        Slip(
            lambda x, r, m, v, s: divergence(m, v) - Normal(r, math.sqrt(s)).log_prob(x).sum(),
            "The log-likelihood is summed over the batch too: each picture has its own.",
        ),
        *(
            Slip(
                _averaged(per_pixel, constants, factor, power),
                "The squared error is a mean over batch and pixels: does a function of torch "
                "average by default? Each picture has a sum of its own.",
                _PIXELS,
            )
            for per_pixel in (False, True)
            for constants in (0.0, 1.0)
            for factor, power in ((0.5, 1.0), (1.0, 1.0), (1.0, 0.0), (0.5, 0.0))
        ),
        *batch_slips(_negative_elbo),
    ],
)


def negative_elbo_bugs(function: Function) -> None:
    """Check `negative_elbo(x, reconstruction, mu, log_var, noise_var) -> (B,)`."""
    __tracebackhide__ = True
    run("negative-elbo-bugs", (CHECK, function))
