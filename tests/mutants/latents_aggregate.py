"""Answers to the exercise of notebook 03 on the density of the aggregate posterior."""

import math

import torch
from torch.distributions import (
    Categorical,
    Independent,
    MixtureSameFamily,
    MultivariateNormal,
    Normal,
)

from coursekit import checks
from mutants import Exercise

aggregate = Exercise("aggregate-density", checks.aggregate_density, ("aggregate_log_density",))

LOG_2PI = math.log(2 * math.pi)


def terms(z, mu, v):
    return -0.5 * (LOG_2PI + v + (z[:, None] - mu) ** 2 / v.exp())


def each(z, mu, v):
    return terms(z, mu, v).sum(dim=2)


def by_logsumexp(z, mu, v):
    return torch.logsumexp(each(z, mu, v), dim=1) - math.log(len(mu))


def by_mixture(z, mu, v):
    weights = Categorical(logits=torch.zeros(len(mu)).to(mu))
    return MixtureSameFamily(weights, Independent(Normal(mu, (v / 2).exp()), 1)).log_prob(z)


def one_by_one(z, mu, v):
    values = []
    for point in z.double():
        logs = [
            Normal(m, torch.exp(0.5 * w)).log_prob(point).sum()
            for m, w in zip(mu.double(), v.double(), strict=True)
        ]
        top = max(logs)
        values.append(top + torch.stack([(w - top).exp() for w in logs]).mean().log())
    return torch.stack(values).to(z)


def full_covariance(z, mu, v):
    gaussians = MultivariateNormal(mu.double(), torch.diag_embed(v.double().exp()))
    return gaussians.log_prob(z.double()[:, None]).logsumexp(1) - math.log(mu.shape[0])


aggregate.right("logsumexp", by_logsumexp)
aggregate.right("torch's mixture", by_mixture)
aggregate.right("one by one", one_by_one)
aggregate.right("full covariances, float64", full_covariance)


def over(join):
    return lambda z, mu, v: join(each(z, mu, v))


def with_term(term):
    return lambda z, mu, v: term(z[:, None], mu, v).sum(2).logsumexp(1) - math.log(len(mu))


def with_scale(scale):
    return with_term(lambda z, mu, v: Normal(mu, scale(v), validate_args=False).log_prob(z))


def one_gaussian(variance):
    return lambda z, mu, v: Normal(mu.mean(0), variance(mu, v).sqrt()).log_prob(z).sum(1)


def moments(mu, v):
    return v.exp().mean(0) + mu.var(0, correction=0)


def centred_in_place(z, mu, v):
    z -= mu.mean(0)
    return by_logsumexp(z, mu - mu.mean(0), v)


aggregate.wrong(
    ("mean of logs", "mean of the logarithms", over(lambda e: e.mean(1))),
    ("1/N forgotten", "not averaged", over(lambda e: e.logsumexp(1))),
    ("logarithm over N", "divide the logarithm", over(lambda e: e.logsumexp(1) / e.shape[1])),
    ("plus log N", "wrong sign", over(lambda e: e.logsumexp(1) + math.log(e.shape[1]))),
    ("minus N", "itself", over(lambda e: e.logsumexp(1) - e.shape[1])),
    ("N divided out twice", "twice", over(lambda e: e.logsumexp(1) - 2 * math.log(e.shape[1]))),
    ("over B", "number of points", lambda z, mu, v: each(z, mu, v).logsumexp(1) - math.log(len(z))),
    (
        "over K",
        "number of dimensions",
        lambda z, mu, v: each(z, mu, v).logsumexp(1) - math.log(z.shape[1]),
    ),
    (
        "mixed per dimension",
        "each dimension by itself",
        lambda z, mu, v: (terms(z, mu, v).logsumexp(1) - math.log(len(mu))).sum(1),
    ),
    ("at the mean", "ONE Gaussian", one_gaussian(lambda mu, v: v.exp().mean(0))),
    ("at the mean, mean log_var", "ONE Gaussian", one_gaussian(lambda mu, v: v.mean(0).exp())),
    ("the same mean and variance", "ONE Gaussian with the mixture's", one_gaussian(moments)),
    ("prior", "of the prior", lambda z, mu, v: Normal(0.0, 1.0).log_prob(z).sum(1)),
    ("largest", "largest density", over(lambda e: e.amax(1))),
    ("largest over N", "largest density", over(lambda e: e.amax(1) - math.log(e.shape[1]))),
    ("sum of logs", "multiply the densities", over(lambda e: e.sum(1))),
    ("first posterior", "first posterior", over(lambda e: e[:, 0])),
    ("naive", "Near the posteriors it is right", over(lambda e: e.exp().mean(1).log())),
    (
        "naive in float64",
        "more digits",
        over(lambda e: e.double().exp().mean(1).log().to(e)),
    ),
    ("1e-8 under the logarithm", "small constant", over(lambda e: (e.exp().mean(1) + 1e-8).log())),
    ("1e-30 added", "small constant", over(lambda e: (e.exp().mean(1) + 1e-30).log())),
    ("clamped", "clamp", over(lambda e: e.clamp(min=-80).exp().mean(1).log())),
    ("result clamped", "clamp the result", lambda z, mu, v: by_logsumexp(z, mu, v).clamp(min=-1e3)),
    (
        "clamped, stable",
        "You clamp",
        over(lambda e: e.clamp(min=-1e3).logsumexp(1) - math.log(e.shape[1])),
    ),
    (
        "one shift for all",
        "each z needs its own",
        over(lambda e: (e - e.max()).exp().mean(1).log() + e.max()),
    ),
    (
        "least taken out",
        "overflows",
        over(lambda e: (e - e.amin(1, True)).exp().mean(1).log() + e.amin(1)),
    ),
    (
        "shift not put back",
        "right value is",
        over(lambda e: (e - e.amax(1, True)).exp().mean(1).log()),
    ),
    ("variance for deviation", "variance is used", with_scale(torch.exp)),
    ("log_var for deviation", "not a number", with_scale(lambda v: v)),
    ("log_var for variance", "used as the variance", with_scale(lambda v: v.abs().sqrt())),
    ("log_var with the wrong sign", "wrong sign", with_scale(lambda v: (-v / 2).exp())),
    ("variances of 1", "variances are not used", with_scale(torch.ones_like)),
    (
        "no pi",
        "constant with pi",
        with_term(lambda z, mu, v: -0.5 * (v + (z - mu) ** 2 / v.exp())),
    ),
    (
        "no log_var",
        "logarithm of the variance is missing",
        with_term(lambda z, mu, v: -0.5 * (LOG_2PI + (z - mu) ** 2 / v.exp())),
    ),
    (
        "log_var without half",
        "counts twice",
        with_term(lambda z, mu, v: -0.5 * (LOG_2PI + (z - mu) ** 2 / v.exp()) - v),
    ),
    (
        "squares without half",
        "squared distance counts twice",
        with_term(lambda z, mu, v: -0.5 * (LOG_2PI + v) - (z - mu) ** 2 / v.exp()),
    ),
    (
        "no normaliser",
        "normaliser",
        with_term(lambda z, mu, v: -0.5 * (z - mu) ** 2 / v.exp()),
    ),
    (
        "absolute distance",
        "right value is",
        with_term(lambda z, mu, v: -0.5 * (LOG_2PI + v + (z - mu).abs() / v.exp())),
    ),
    (
        "mean over dimensions",
        "mean over the dimensions",
        lambda z, mu, v: terms(z, mu, v).mean(2).logsumexp(1) - math.log(len(mu)),
    ),
    ("log_var limited", "right value is", lambda z, mu, v: by_logsumexp(z, mu, v.clamp(-10, 10))),
    ("density", "density itself", lambda z, mu, v: by_logsumexp(z, mu, v).exp()),
    ("sign", "wrong sign", lambda z, mu, v: -by_logsumexp(z, mu, v)),
    ("bits", "in bits", lambda z, mu, v: by_logsumexp(z, mu, v) / math.log(2)),
    (
        "its own posterior",
        "meets one posterior",
        lambda z, mu, v: Normal(mu, (v / 2).exp()).log_prob(z).sum(1),
    ),
    ("summed over the batch", "over the batch", over(lambda e: (e.logsumexp(1)).sum())),
    ("averaged over z", "(6,)", over(lambda e: e.logsumexp(0) - math.log(len(e)))),
    ("first z for all", "first one's", lambda z, mu, v: by_logsumexp(z, mu, v)[:1].expand(len(z))),
    ("no reduction", "shape", over(lambda e: e - math.log(e.shape[1]))),
    ("zeros", "whatever the inputs", lambda z, mu, v: torch.zeros(len(z))),
    ("in place", "in place", centred_in_place),
)

EXERCISES = [aggregate]
