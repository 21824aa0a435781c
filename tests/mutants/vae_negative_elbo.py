"""Answers to the exercise of notebook 01 on a published loss with two slips."""

import math

import torch
import torch.nn.functional as F
from torch.distributions import Independent, Normal, kl_divergence

from coursekit import checks
from mutants import Exercise

LOG_2PI = math.log(2 * math.pi)

loss = Exercise("negative-elbo-bugs", checks.negative_elbo_bugs, ("negative_elbo",))


def kl(mu, v):
    return 0.5 * (mu**2 + v.exp() - 1 - v).sum(1)


def loss_by_terms(x, r, mu, v, s):
    log_likelihood = (-0.5 * (math.log(2 * math.pi * s) + (x - r) ** 2 / s)).sum(1)
    return -log_likelihood + kl(mu, v)


def loss_by_distributions(x, r, mu, v, s):
    log_likelihood = Independent(Normal(r, s**0.5), 1).log_prob(x)
    unit = Normal(torch.zeros_like(mu), torch.ones_like(mu))
    return kl_divergence(Normal(mu, torch.exp(v / 2)), unit).sum(1) - log_likelihood


def loss_constants_apart(x, r, mu, v, s):
    dims = x.shape[1]
    errors = torch.einsum("bd,bd->b", x - r, x - r) / (2 * s)
    return kl(mu, v) + errors + dims / 2 * LOG_2PI + dims * math.log(math.sqrt(s))


loss.right("by terms", loss_by_terms)
loss.right("torch.distributions", loss_by_distributions)
loss.right("constants apart", loss_constants_apart)
loss.right("float64 inside", lambda *a: loss_by_terms(*(t.double() for t in a[:4]), a[4]).to(a[0]))


def published(sign=1.0, often=True, noise_often=False):
    """The loss as published, with one slip or both."""

    def negative_elbo(x, r, mu, v, s):
        dims = x.shape[1]
        constant = (dims if often else 1) * LOG_2PI + (dims if noise_often else 1) * math.log(s)
        log_likelihood = (-0.5 * (constant + (x - r) ** 2 / s)).sum(1)
        return -(log_likelihood + sign * kl(mu, v))

    return negative_elbo


def loss_with(pixel, divergence=kl):
    return lambda x, r, mu, v, s: pixel(x, r, s).sum(1) + divergence(mu, v)


def loss_in_place(x, r, mu, v, s):
    r.sub_(x)
    return (0.5 * (LOG_2PI + math.log(s) + r**2 / s)).sum(1) + kl(mu, v)


def half(x, r, s):
    return 0.5 * (LOG_2PI + math.log(s) + (x - r) ** 2 / s)


loss.wrong(
    ("free bits", "right value is", loss_with(half, lambda mu, v: kl(mu, v).clamp(min=0.5))),
    ("never negative", "right value is", lambda *a: loss_by_terms(*a).clamp(min=0)),
    ("absolute value", "sometimes the wrong sign", lambda *a: loss_by_terms(*a).abs()),
    ("noise limited", "right value is", lambda *a: loss_by_terms(*a[:4], max(a[4], 0.01))),
    (
        "log_var clamped",
        "right value is",
        lambda x, r, mu, v, s: loss_by_terms(x, r, mu, v.clamp(-5, 5), s),
    ),
    ("as published", "both slips", published()),
    ("sign mended only", "sign is mended", published(sign=-1.0)),
    ("constant mended only", "divergence comes in with the wrong sign", published(often=False)),
    ("both constants D times", "Both constants", published(sign=-1.0, noise_often=True)),
    ("all wrong", "wrong sign", published(noise_often=True)),
    ("zeros", "whatever the inputs", lambda x, *a: torch.zeros(len(x))),
    ("the ELBO", "That is the ELBO", lambda *a: -loss_by_terms(*a)),
    (
        "the other sign changed",
        "log-likelihood comes in with the wrong sign",
        lambda x, r, mu, v, s: 2 * kl(mu, v) - loss_by_terms(x, r, mu, v, s),
    ),
    ("no KL", "divergence from the prior is missing", loss_with(half, lambda mu, v: 0.0)),
    ("KL twice", "divergence counts twice", loss_with(half, lambda mu, v: 2 * kl(mu, v))),
    (
        "no constant",
        "constant with pi is missing",
        loss_with(lambda x, r, s: 0.5 * (math.log(s) + (x - r) ** 2 / s)),
    ),
    (
        "constant once a row",
        "once a picture",
        lambda x, r, mu, v, s: (
            0.5 * LOG_2PI + (0.5 * (math.log(s) + (x - r) ** 2 / s)).sum(1) + kl(mu, v)
        ),
    ),
    (
        "both constants once a row",
        "once a picture",
        lambda x, r, mu, v, s: (
            0.5 * (LOG_2PI + math.log(s)) + (0.5 * (x - r) ** 2 / s).sum(1) + kl(mu, v)
        ),
    ),
    (
        "no log of the noise",
        "noise variance is missing",
        loss_with(lambda x, r, s: 0.5 * (LOG_2PI + (x - r) ** 2 / s)),
    ),
    (
        "log of the noise, sign",
        "noise variance has the wrong sign",
        loss_with(lambda x, r, s: 0.5 * (LOG_2PI - math.log(s) + (x - r) ** 2 / s)),
    ),
    (
        "log of the noise without half",
        "taken for a standard deviation",
        loss_with(lambda x, r, s: 0.5 * (LOG_2PI + (x - r) ** 2 / s) + math.log(s)),
    ),
    (
        "noise as standard deviation",
        "taken for a standard deviation",
        lambda x, r, mu, v, s: kl(mu, v) - Normal(r, s).log_prob(x).sum(1),
    ),
    (
        "errors over the standard deviation",
        "divided by a standard deviation",
        loss_with(lambda x, r, s: 0.5 * (LOG_2PI + math.log(s) + (x - r) ** 2 / s**0.5)),
    ),
    (
        "errors over the variance squared",
        "variance squared",
        loss_with(lambda x, r, s: 0.5 * (LOG_2PI + math.log(s) + ((x - r) / s) ** 2)),
    ),
    (
        "errors times the noise",
        "multiplied by the noise",
        loss_with(lambda x, r, s: 0.5 * (LOG_2PI + math.log(s) + (x - r) ** 2 * s)),
    ),
    (
        "errors not scaled",
        "not divided",
        loss_with(lambda x, r, s: 0.5 * (LOG_2PI + math.log(s) + (x - r) ** 2)),
    ),
    ("noise of 1", "not always 1", loss_with(lambda x, r, s: 0.5 * (LOG_2PI + (x - r) ** 2))),
    (
        "errors without half",
        "squared error counts twice",
        loss_with(lambda x, r, s: 0.5 * (LOG_2PI + math.log(s)) + (x - r) ** 2 / s),
    ),
    (
        "torch's default mean, alone",
        "mean over batch and pixels",
        lambda x, r, mu, v, s: F.mse_loss(r, x) + kl(mu, v),
    ),
    (
        "torch's default mean, over the noise",
        "mean over batch and pixels",
        lambda x, r, mu, v, s: F.mse_loss(r, x) / (2 * s) + kl(mu, v),
    ),
    (
        "torch's default mean, with constants",
        "mean over batch and pixels",
        lambda x, r, mu, v, s: (
            0.5 * (x.shape[1] * math.log(2 * math.pi * s) + F.mse_loss(r, x) / s) + kl(mu, v)
        ),
    ),
    (
        "torch's default mean in each pixel",
        "mean over batch and pixels",
        loss_with(lambda x, r, s: 0.5 * (LOG_2PI + math.log(s) + F.mse_loss(r, x) / s + 0 * x)),
    ),
    ("squared error alone", "bare", loss_with(lambda x, r, s: (x - r) ** 2)),
    (
        "absolute error",
        "right value is",
        loss_with(lambda x, r, s: 0.5 * (LOG_2PI + math.log(s) + (x - r).abs() / s)),
    ),
    (
        "mean over pixels",
        "mean over the pixels",
        lambda x, r, mu, v, s: half(x, r, s).mean(1) + kl(mu, v),
    ),
    (
        "mean over latents",
        "mean over the latent",
        loss_with(half, lambda mu, v: kl(mu, v) / mu.shape[1]),
    ),
    (
        "KL of the batch",
        "divergence is summed over the batch",
        loss_with(half, lambda mu, v: kl(mu, v).sum()),
    ),
    (
        "pixels of the batch",
        "log-likelihood is summed over the batch",
        lambda x, r, mu, v, s: half(x, r, s).sum() + kl(mu, v),
    ),
    ("mean of the batch", "over the batch", lambda *a: loss_by_terms(*a).mean()),
    ("first picture for all", "first one's", lambda *a: loss_by_terms(*a)[:1].repeat(len(a[0]))),
    ("broadcast", "broadcast", lambda x, r, mu, v, s: half(x, r, s) + kl(mu, v)[:, None, None]),
    ("twice", "twice", lambda *a: 2 * loss_by_terms(*a)),
    ("detached", "no gradient", lambda *a: loss_by_terms(*a).detach()),
    (
        "reconstruction detached",
        "no gradient reaches reconstruction",
        lambda x, r, mu, v, s: loss_by_terms(x, r.detach(), mu, v, s),
    ),
    (
        "log_var detached",
        "no gradient reaches log_var",
        lambda x, r, mu, v, s: loss_by_terms(x, r, mu, v.detach(), s),
    ),
    ("in place", "in place", loss_in_place),
    (
        "torch.log of a float",
        "plain number",
        lambda x, r, mu, v, s: half(x, r, s).sum(1) + torch.log(s),
    ),
    (
        "D = 2",
        "depends on the shape",
        lambda x, r, mu, v, s: (
            LOG_2PI + (0.5 * (math.log(s) + (x - r) ** 2 / s)).sum(1) + kl(mu, v)
        ),
    ),
)

EXERCISES = [loss]
