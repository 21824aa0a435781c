"""Answers to the exercise of notebook 01 on a mixture as prior: log-density and draws."""

import math

import torch
from torch.distributions import Categorical, Independent, MixtureSameFamily, Normal

from coursekit import checks
from mutants import Exercise

mixture = Exercise("mixture-prior", checks.mixture_prior, ("mixture_log_prob", "mixture_sample"))


def each(z, means, log_vars):
    """Log-density of every dimension under every component, (B, C, K)."""
    return Normal(means, (log_vars / 2).exp()).log_prob(z[:, None, :])


def log_prob(z, logits, means, log_vars):
    return torch.logsumexp(logits.log_softmax(0) + each(z, means, log_vars).sum(2), dim=1)


def log_prob_by_distributions(z, logits, means, log_vars):
    parts = Independent(Normal(means, log_vars.div(2).exp()), 1)
    return MixtureSameFamily(Categorical(logits=logits), parts).log_prob(z)


def log_prob_component_by_component(z, logits, means, log_vars):
    total = torch.full((len(z),), -math.inf, dtype=z.dtype)
    for weight, mean, v in zip(logits, means, log_vars, strict=True):
        density = -0.5 * (math.log(2 * math.pi) + v + (z - mean) ** 2 * (-v).exp())
        total = torch.logaddexp(total, weight + density.sum(-1))
    return total - logits.logsumexp(0)


def sample(component, noise, means, log_vars):
    return means[component] + (log_vars[component] / 2).exp() * noise


def sample_by_one_hot(component, noise, means, log_vars):
    picked = torch.nn.functional.one_hot(component, len(means)).to(means)
    return picked @ means + (picked @ log_vars).exp().sqrt() * noise


def sample_by_select(component, noise, means, log_vars):
    scale = torch.exp(0.5 * log_vars).index_select(0, component)
    return torch.addcmul(means.index_select(0, component), scale, noise)


mixture.right("by terms", log_prob, sample)
mixture.right("torch.distributions, one-hot", log_prob_by_distributions, sample_by_one_hot)
mixture.right("component by component", log_prob_component_by_component, sample_by_select)
mixture.right(
    "float64 inside",
    lambda *a: log_prob(*(t.double() for t in a)).to(a[0]),
    lambda c, *a: sample(c, *(t.double() for t in a)).to(a[0]),
)


def published_log_prob(z, logits, means, log_vars):
    log_weights = torch.log_softmax(logits, dim=0)[:, None]
    return torch.logsumexp(log_weights + each(z, means, log_vars), dim=1).sum(dim=1)


def published_sample(component, noise, means, log_vars):
    return means[component] + torch.exp(log_vars[component]) * noise


def weighted(join):
    """A mixture with another way to join logits and log-densities (B, C) of whole vectors."""
    return lambda z, logits, m, v: join(logits, each(z, m, v).sum(2))


def log_prob_in_place(z, logits, means, log_vars):
    logits -= logits.logsumexp(0)
    return torch.logsumexp(logits + each(z, means, log_vars).sum(2), dim=1)


def sample_in_place(component, noise, means, log_vars):
    noise *= (log_vars[component] / 2).exp()
    return means[component] + noise


mixture.mutants.append(
    type(mixture.rights[0])(
        "as published",
        {"mixture_log_prob": published_log_prob, "mixture_sample": published_sample},
        "in each dimension apart",
    )
)
mixture.wrong(
    ("density as published", "in each dimension apart", published_log_prob),
    (
        "mixed per dimension, no weights",
        "weights are left out",
        lambda z, logits, m, v: each(z, m, v).logsumexp(1).sum(1) - math.log(len(m)),
    ),
    (
        "weight once a dimension",
        "counted once a dimension",
        lambda z, logits, m, v: (
            (logits.log_softmax(0)[:, None] + each(z, m, v)).sum(2).logsumexp(1)
        ),
    ),
    ("zeros", "whatever the inputs", lambda z, *a: torch.zeros(len(z))),
    (
        "mean over dimensions",
        "mean over the dimensions",
        lambda z, logits, m, v: (logits.log_softmax(0) + each(z, m, v).mean(2)).logsumexp(1),
    ),
    ("raw logits", "do not add up to 1", weighted(lambda a, d: (a + d).logsumexp(1))),
    (
        "weights of shape (C, 1)",
        "broadcast to (C, C)",
        weighted(lambda a, d: (a.log_softmax(0)[:, None] + d).logsumexp(1)),
    ),
    ("no weights", "weights are left out", weighted(lambda a, d: d.logsumexp(1))),
    (
        "equal weights",
        "same weight",
        weighted(lambda a, d: d.logsumexp(1) - math.log(d.shape[1])),
    ),
    (
        "weights not logarithms",
        "logarithm of the weights",
        weighted(lambda a, d: (a.softmax(0) + d).logsumexp(1)),
    ),
    ("log of logits", "taken for weights", weighted(lambda a, d: (a.log() + d).logsumexp(1))),
    ("logs averaged", "Logarithms are averaged", weighted(lambda a, d: (a.softmax(0) * d).sum(1))),
    (
        "logs added",
        "multiplies the densities",
        weighted(lambda a, d: (a.log_softmax(0) + d).sum(1)),
    ),
    ("largest", "likeliest", weighted(lambda a, d: (a.log_softmax(0) + d).max(1).values)),
    (
        "density itself",
        "density itself",
        weighted(lambda a, d: (a.softmax(0) * d.exp()).sum(1)),
    ),
    ("naive", "underflow", weighted(lambda a, d: (a.softmax(0) * d.exp()).sum(1).log())),
    (
        "naive with a constant",
        "small constant",
        weighted(lambda a, d: ((a.softmax(0) * d.exp()).sum(1) + 1e-10).log()),
    ),
    ("sign", "wrong sign", lambda *a: -log_prob(*a)),
    (
        "softmax over pictures",
        "right value is",
        weighted(lambda a, d: (a.log_softmax(0) + d).log_softmax(0).logsumexp(1)),
    ),
    (
        "summed over pictures",
        "wrong axis",
        weighted(lambda a, d: (a.log_softmax(0) + d).logsumexp(0)),
    ),
    ("components apart", "still to be summed", weighted(lambda a, d: a.log_softmax(0) + d)),
    ("one number", "over the batch", lambda *a: log_prob(*a).sum()),
    ("total for each", "summed over the batch", lambda *a: log_prob(*a).sum().repeat(len(a[0]))),
    ("first for all", "first one's", lambda *a: log_prob(*a)[:1].repeat(len(a[0]))),
    (
        "variance as standard deviation",
        "variance is taken",
        lambda z, logits, m, v: log_prob(z, logits, m, 2 * v),
    ),
    (
        "log_vars as variances",
        "must be positive",
        lambda z, logits, m, v: log_prob(z, logits, m, v.abs().log()),
    ),
    (
        "log_vars as variances, by hand",
        "taken for variances",
        lambda z, logits, m, v: (
            logits.log_softmax(0)
            - 0.5 * (math.log(2 * math.pi) + v.abs().log() + (z[:, None] - m) ** 2 / v.abs()).sum(2)
        ).logsumexp(1),
    ),
    ("unit variances", "variance 1", lambda z, logits, m, v: log_prob(z, logits, m, 0 * v)),
    (
        "first variances for all",
        "first one's variances",
        lambda z, logits, m, v: log_prob(z, logits, m, v[:1].expand_as(v)),
    ),
    (
        "no constant",
        "constant with pi",
        lambda z, logits, m, v: log_prob(z, logits, m, v) + 0.5 * math.log(2 * math.pi) * len(z[0]),
    ),
    (
        "two components",
        "first two components",
        lambda z, logits, m, v: log_prob(z, logits[:2], m[:2], v[:2]),
    ),
    (
        "K = 2",
        "first two dimensions",
        lambda z, logits, m, v: log_prob(z[:, :2], logits, m[:, :2], v[:, :2]),
    ),
    ("detached", "no gradient", lambda *a: log_prob(*a).detach()),
    (
        "logits detached",
        "no gradient reaches logits",
        lambda z, logits, m, v: log_prob(z, logits.detach(), m, v),
    ),
    ("in place", "in place", log_prob_in_place),
)
mixture.wrong(
    ("draws as published", "multiplied by the variance", published_sample),
    ("zeros", "whatever the inputs", lambda c, n, m, v: torch.zeros_like(n)),
    ("log_vars as scale", "they are logarithms", lambda c, n, m, v: m[c] + v[c] * n),
    ("half as scale", "logarithm of the standard", lambda c, n, m, v: m[c] + v[c] / 2 * n),
    ("counted from 1", "counted from 1", lambda c, n, m, v: sample(c - 1, n, m, v)),
    ("log_vars clamped", "No limit", lambda c, n, m, v: sample(c, n, m, v.clamp(-10, 10))),
    ("variance squared", "squared", lambda c, n, m, v: m[c] + (2 * v[c]).exp() * n),
    ("root of log_vars", "for variances", lambda c, n, m, v: m[c] + v[c].abs().sqrt() * n),
    ("precision", "divided by", lambda c, n, m, v: m[c] + n / (v[c] / 2).exp()),
    ("no scale", "not multiplied", lambda c, n, m, v: m[c] + n),
    ("no noise", "noise is not used", lambda c, n, m, v: m[c]),
    ("no mean", "mean is missing", lambda c, n, m, v: (v[c] / 2).exp() * n),
    ("noise subtracted", "wrong sign", lambda c, n, m, v: m[c] - (v[c] / 2).exp() * n),
    ("first component", "first component", lambda c, n, m, v: m[0] + (v[0] / 2).exp() * n),
    (
        "one component for all",
        "component of the first",
        lambda c, n, m, v: m[c[0]] + (v[c[0]] / 2).exp() * n,
    ),
    (
        "variances of the first",
        "first component's variances",
        lambda c, n, m, v: m[c] + (v[0] / 2).exp() * n,
    ),
    (
        "averaged",
        "components are averaged",
        lambda c, n, m, v: m.mean(0) + (v.mean(0) / 2).exp() * n,
    ),
    (
        "its own noise",
        "drawn at random",
        lambda c, n, m, v: m[c] + (v[c] / 2).exp() * torch.randn(n.shape),
    ),
    (
        "its own component",
        "drawn at random",
        lambda c, n, m, v: sample(torch.randint(len(m), c.shape), n, m, v),
    ),
    (
        "a component for each dimension",
        "right value is",
        lambda c, n, m, v: torch.stack(
            [sample(c.roll(k), n, m, v)[:, k] for k in range(n.shape[1])], dim=1
        ),
    ),
    ("all components", "still to be summed", lambda c, n, m, v: m + (v / 2).exp() * n[:, None]),
    ("summed", "An axis is missing", lambda c, n, m, v: sample(c, n, m, v).sum(1)),
    ("detached", "no gradient", lambda c, n, m, v: sample(c, n, m, v).detach()),
    (
        "Normal.sample",
        "drawn at random",
        lambda c, n, m, v: Normal(m[c], (v[c] / 2).exp()).sample(),
    ),
    (
        "log_vars detached",
        "no gradient reaches log_vars",
        lambda c, n, m, v: sample(c, n, m, v.detach()),
    ),
    ("in place", "in place", sample_in_place),
    name="mixture_sample",
)

EXERCISES = [mixture]
