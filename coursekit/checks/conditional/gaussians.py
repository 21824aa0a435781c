"""What `conditional-elbo` has to do with Gaussians: the divergence, the draw, and wrong forms."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.distributions import Normal, kl_divergence

from coursekit.checks.engine import Function

LOOK_NOISE = "Look at step 2 above: which Gaussian is z drawn from, and what is the noise times?"
LOOK_KL = "Look at step 4 above: which two Gaussians are compared, and in which order?"
LOOK_READ = "Look at step 4 above: what do the networks give, a variance or its logarithm?"
LOOK_TERMS = "Try the divergence by itself on the numbers of step 4: both must come out, and the 0."


def deviation(log_var: Tensor) -> Tensor:
    """Standard deviation."""
    return torch.exp(log_var / 2)


def divergences(mu: Tensor, v: Tensor, mu_p: Tensor, v_p: Tensor, z: Tensor) -> Tensor:
    """KL(q || p) of each latent, (B, K)."""
    return kl_divergence(Normal(mu, deviation(v)), Normal(mu_p, deviation(v_p)))


def drawn(mu: Tensor, v: Tensor, mu_p: Tensor, v_p: Tensor, noise: Tensor) -> Tensor:
    """Draw z from q(z|x, c)."""
    return mu + deviation(v) * noise


def _terms(
    ratio: Function = lambda v, v_p: v - v_p,
    shift: Function = lambda d, v, v_p: d.square() / v_p.exp(),
    ratios: float = 1.0,
    logs: float = 1.0,
    ones: float = 1.0,
    factor: float = 0.5,
) -> Function:
    """Each latent's divergence from its four terms, some of them changed."""

    def wrong(mu: Tensor, v: Tensor, mu_p: Tensor, v_p: Tensor, z: Tensor) -> Tensor:
        apart: Tensor = ratio(v, v_p)
        moved: Tensor = shift(mu - mu_p, v, v_p)
        return factor * (ratios * apart.exp() + moved - ones - logs * (v - v_p))

    return wrong


def _reading(read: Callable[[Tensor], Tensor], both: bool = True) -> Function:
    """Each latent's divergence where log_var, both or the prior's alone, is taken for another."""
    return lambda mu, v, mu_p, v_p, z: divergences(mu, read(v) if both else v, mu_p, read(v_p), z)


def _surplus(mu: Tensor, v: Tensor, mu_p: Tensor, v_p: Tensor, z: Tensor) -> Tensor:
    q, p = Normal(mu, deviation(v)), Normal(mu_p, deviation(v_p))
    return q.log_prob(z) - p.log_prob(z)


# What stands in the divergence's place, made from both Gaussians and z; what to say; a hint.
DIVERGENCES: list[tuple[Function, str, str]] = [
    (
        lambda m, v, mp, vp, z: divergences(m, v, 0 * mp, 0 * vp, z),
        "The divergence compares with N(0, I): here the prior depends on the condition.",
        LOOK_KL,
    ),
    (
        lambda m, v, mp, vp, z: divergences(mp, vp, 0 * m, 0 * v, z),
        "The divergence compares the prior with N(0, I): the encoder's answer is missing in it.",
        LOOK_KL,
    ),
    (
        lambda m, v, mp, vp, z: divergences(mp, vp, m, v, z),
        "Prior and posterior are exchanged in the divergence: it is averaged over q.",
        LOOK_KL,
    ),
    (
        _surplus,
        "You estimate the divergence from the draw: the closed form was asked.",
        "Look at step 4 above: which term of the bound needs no draw?",
    ),
    (
        lambda m, v, mp, vp, z: -Normal(mp, deviation(vp)).log_prob(z),
        "The prior is evaluated at the draw, and q is missing: the divergence has a closed form.",
        LOOK_KL,
    ),
    (
        lambda m, v, mp, vp, z: Normal(m, deviation(v)).log_prob(z),
        "The prior is missing: log q at the draw alone is subtracted.",
        LOOK_KL,
    ),
    (
        lambda m, v, mp, vp, z: divergences(m, v, 0 * mp, vp, z),
        "The prior's mean is left out of the divergence.",
        LOOK_KL,
    ),
    (
        lambda m, v, mp, vp, z: divergences(m, v, mp, 0 * vp, z),
        "The prior's variance is left out of the divergence: it need not be 1.",
        LOOK_KL,
    ),
    (
        lambda m, v, mp, vp, z: divergences(z, v, mp, vp, z),
        "The divergence is taken at z: it belongs to the encoder's mu and log_var.",
        LOOK_KL,
    ),
    (
        _terms(shift=lambda d, v, vp: d.square()),
        "The squared distance of the means is not measured in the prior's variance.",
        LOOK_TERMS,
    ),
    (
        _terms(shift=lambda d, v, vp: d.square() / v.exp()),
        "The squared distance of the means is divided by the encoder's variance: the prior's "
        "belongs there.",
        LOOK_TERMS,
    ),
    (
        _terms(shift=lambda d, v, vp: d.square() / (vp / 2).exp()),
        "The squared distance of the means is divided by the prior's standard deviation: its "
        "variance belongs there.",
        LOOK_TERMS,
    ),
    (
        _terms(shift=lambda d, v, vp: d / vp.exp()),
        "The distance of the means is not squared.",
        LOOK_TERMS,
    ),
    (
        _terms(shift=lambda d, v, vp: d.abs() / vp.exp()),
        "The distance of the means is not squared.",
        LOOK_TERMS,
    ),
    (_terms(shift=lambda d, v, vp: 0 * d), "The means are left out of the divergence.", LOOK_TERMS),
    (
        _terms(shift=lambda d, v, vp: d.square() * vp.exp()),
        "The squared distance of the means is multiplied by the prior's variance.",
        LOOK_TERMS,
    ),
    (
        _terms(ratio=lambda v, vp: vp - v),
        "In the divergence the quotient of the variances stands upside down.",
        LOOK_TERMS,
    ),
    (
        _terms(ratio=lambda v, vp: v),
        "In the divergence the encoder's variance is not divided by the prior's.",
        LOOK_TERMS,
    ),
    (
        _terms(ratio=lambda v, vp: (v - vp) / 2),
        "In the divergence the standard deviations are divided, in place of the variances.",
        LOOK_TERMS,
    ),
    (_terms(logs=-1), "The logarithm in the divergence has the wrong sign.", LOOK_TERMS),
    (_terms(logs=0), "The logarithm in the divergence is missing.", LOOK_TERMS),
    (_terms(logs=2), "The logarithm in the divergence counts twice.", LOOK_TERMS),
    (
        _terms(logs=0.5),
        "The logarithm in the divergence counts half of what it should.",
        LOOK_TERMS,
    ),
    (_terms(ratios=0), "The quotient of the variances is missing in the divergence.", LOOK_TERMS),
    (
        _terms(ones=0),
        "A constant is missing in each latent's divergence: equal Gaussians must give 0.",
        LOOK_TERMS,
    ),
    (
        _terms(ones=-1),
        "A constant has the wrong sign in each latent's divergence: equal Gaussians must give 0.",
        LOOK_TERMS,
    ),
    (
        _reading(lambda v: v.abs().log()),
        "In the divergence log_var is taken for the variance, of both Gaussians.",
        LOOK_READ,
    ),
    (
        _reading(lambda v: 2 * v),
        "In the divergence log_var is taken for the logarithm of the standard deviation.",
        LOOK_READ,
    ),
    (
        _reading(lambda v: v / 2),
        "In the divergence the standard deviations are taken for the variances.",
        LOOK_READ,
    ),
    (
        _reading(lambda v: v.abs().log(), both=False),
        "In the divergence the prior's log_var is taken for its variance.",
        LOOK_READ,
    ),
    (
        _reading(lambda v: 2 * v, both=False),
        "In the divergence the prior's log_var is taken for the logarithm of its standard "
        "deviation.",
        LOOK_READ,
    ),
    (
        lambda m, v, mp, vp, z: divergences(m, v, mp, vp, z)[:1].expand(len(m), -1),
        "Every picture gets the first one's divergence: each has its own.",
        LOOK_KL,
    ),
]
# How z is drawn, from both Gaussians and the noise; and what to say to that.
LATENTS: list[tuple[Function, str]] = [
    (
        lambda m, v, mp, vp, n: mp + deviation(vp) * n,
        "z is drawn from the prior: the bound averages over the encoder's answer.",
    ),
    (
        lambda m, v, mp, vp, n: m + v.exp() * n,
        "You multiply the noise by the variance: the standard deviation is its root.",
    ),
    (
        lambda m, v, mp, vp, n: m + v * n,
        "You multiply the noise by log_var: that is a logarithm.",
    ),
    (
        lambda m, v, mp, vp, n: m + (v / 2) * n,
        "You multiply the noise by half of log_var: that is a logarithm.",
    ),
    (
        lambda m, v, mp, vp, n: m + v.abs().sqrt() * n,
        "You took log_var for the variance when scaling the noise.",
    ),
    (
        lambda m, v, mp, vp, n: m + (-v / 2).exp() * n,
        "The noise is divided by the standard deviation.",
    ),
    (lambda m, v, mp, vp, n: m + n, "The noise is not multiplied by the standard deviation."),
    (
        lambda m, v, mp, vp, n: m - deviation(v) * n,
        "The noise is subtracted: its distribution is the same, but here it is given, and added.",
    ),
    (lambda m, v, mp, vp, n: m, "You decode the encoder's mean: the noise is not used."),
    (lambda m, v, mp, vp, n: mp, "You decode the prior's mean: z belongs to the encoder."),
    (
        lambda m, v, mp, vp, n: n,
        "You decode the noise itself: z belongs to the picture's own Gaussian.",
    ),
    (lambda m, v, mp, vp, n: deviation(v) * n, "The mean is missing from z."),
    (
        lambda m, v, mp, vp, n: m + deviation(vp) * n,
        "The noise is multiplied by the prior's standard deviation: the encoder's was asked.",
    ),
    (
        lambda m, v, mp, vp, n: m + mp + deviation(v) * n,
        "The prior's mean is added to z: the encoder's answer holds all that is needed.",
    ),
    (
        lambda m, v, mp, vp, n: m + deviation(v) * n[:1],
        "Every picture gets the first one's noise: each has a draw of its own.",
    ),
]
