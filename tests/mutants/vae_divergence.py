"""Answers to the exercise of notebook 01 on the divergence from the standard normal."""

import numpy as np
import torch
from torch.distributions import Normal, kl_divergence

from coursekit import checks
from mutants import Exercise

kl = Exercise("kl-standard-normal", checks.kl_standard_normal, ("kl_standard_normal",))


def kl_each(mu, v):
    return 0.5 * (mu**2 + v.exp() - 1 - v)


def kl_right(mu, v):
    return kl_each(mu, v).sum(1)


kl.right("as derived", kl_right)
kl.right(
    "torch.distributions",
    lambda mu, v: kl_divergence(Normal(mu, (v / 2).exp()), Normal(0.0, 1.0)).sum(-1),
)
kl.right(
    "norm and expm1",
    lambda mu, v: (
        torch.einsum("bk,bk->b", mu, mu) / 2 + (torch.expm1(v) - v).mean(1) * v.shape[1] / 2
    ),
)
kl.right(
    "standard deviations, float64 inside",
    lambda mu, v: (
        (mu.double().pow(2) + (v / 2).exp().double().pow(2)).sum(1) / 2
        - 0.5 * mu.shape[1]
        - (v / 2).exp().double().log().sum(1)
    ),
)


def kl_in_place(mu, v):
    return 0.5 * (mu.pow_(2) + v.exp() - 1 - v).sum(1)


def kl_writes(mu, v):
    out = kl_right(mu, v)
    mu.data[0, 0] = 0.0
    return out


kl.wrong(
    ("free bits", "No limit", lambda mu, v: kl_right(mu, v).clamp(min=0.1)),
    (
        "free bits in each dimension",
        "right value is",
        lambda mu, v: kl_each(mu, v).clamp(min=0.1).sum(1),
    ),
    ("log_var clamped at 30", "No limit", lambda mu, v: kl_right(mu, v.clamp(-30, 30))),
    ("root of the square", "not finite", lambda mu, v: kl_right((mu**2).sqrt(), v)),
    ("zeros", "whatever the inputs", lambda mu, v: torch.zeros(len(mu))),
    ("no half", "twice", lambda mu, v: 2 * kl_right(mu, v)),
    ("a quarter", "half", lambda mu, v: kl_right(mu, v) / 2),
    ("negated", "wrong sign", lambda mu, v: -kl_right(mu, v)),
    ("negated, no half", "wrong sign", lambda mu, v: -2 * kl_right(mu, v)),
    (
        "log_var as variance",
        "for the variance",
        lambda mu, v: 0.5 * (mu**2 + v - 1 - v.log()).sum(1),
    ),
    ("log_var as variance, once", "in one place", lambda mu, v: 0.5 * (mu**2 + v - 1 - v).sum(1)),
    (
        "log_var as standard deviation",
        "for the standard deviation",
        lambda mu, v: 0.5 * (mu**2 + v**2 - 1 - 2 * v.abs().log()).sum(1),
    ),
    (
        "log_var as log standard deviation",
        "logarithm of the standard deviation",
        lambda mu, v: (0.5 * (mu**2 + (2 * v).exp() - 1) - v).sum(1),
    ),
    (
        "variance squared",
        "variance is squared",
        lambda mu, v: 0.5 * (mu**2 + v.exp() ** 2 - 1 - v).sum(1),
    ),
    (
        "standard deviation as variance",
        "standard deviation for the variance",
        lambda mu, v: 0.5 * (mu**2 + (v / 2).exp() - 1 - v).sum(1),
    ),
    (
        "precision",
        "precision",
        lambda mu, v: 0.5 * (mu**2 + (-v).exp() - 1 + v).sum(1),
    ),
    (
        "the other way round",
        "other way round",
        lambda mu, v: 0.5 * ((1 + mu**2) / v.exp() - 1 + v).sum(1),
    ),
    ("mean over dimensions", "mean over the dimensions", lambda mu, v: kl_each(mu, v).mean(1)),
    ("sum over all", "over the batch", lambda mu, v: kl_each(mu, v).sum()),
    ("total for each", "summed over the batch", lambda mu, v: kl_each(mu, v).sum().repeat(len(mu))),
    ("mean of the batch", "over the batch", lambda mu, v: kl_right(mu, v).mean()),
    (
        "mean of the batch for each",
        "averaged over the batch",
        lambda mu, v: kl_right(mu, v).mean().expand(len(mu)),
    ),
    ("wrong axis", "wrong axis", lambda mu, v: kl_each(mu, v).sum(0)),
    ("no sum", "Nothing was summed", lambda mu, v: kl_each(mu, v)),
    ("right for B = 1", "over the batch", lambda mu, v: kl_each(mu, v).sum().view(1)),
    ("right for B = 1, first for all", "first one's", lambda mu, v: kl_right(mu, v)[[0] * len(mu)]),
    ("abs for square", "absolute value", lambda mu, v: 0.5 * (mu.abs() + v.exp() - 1 - v).sum(1)),
    ("no square", "not squared", lambda mu, v: 0.5 * (mu + v.exp() - 1 - v).sum(1)),
    (
        "square of the sum",
        "square the sum",
        lambda mu, v: 0.5 * (mu.sum(1) ** 2 + (v.exp() - 1 - v).sum(1)),
    ),
    ("mean-zero only", "means are left out", lambda mu, v: 0.5 * (v.exp() - 1 - v).sum(1)),
    ("unit variance only", "does not change when log_var", lambda mu, v: 0.5 * (mu**2).sum(1)),
    ("no minus one", "constant is missing", lambda mu, v: 0.5 * (mu**2 + v.exp() - v).sum(1)),
    (
        "minus one once a row",
        "once a row",
        lambda mu, v: 0.5 * ((mu**2 + v.exp() - v).sum(1) - 1),
    ),
    (
        "minus 2 for K = 2",
        "depends on the shape",
        lambda mu, v: 0.5 * (mu**2 + v.exp() - v).sum(1) - 1,
    ),
    (
        "no logarithm",
        "logarithm of the variance is missing",
        lambda mu, v: 0.5 * (mu**2 + v.exp() - 1).sum(1),
    ),
    (
        "sign of the logarithm",
        "wrong sign",
        lambda mu, v: 0.5 * (mu**2 + v.exp() - 1 + v).sum(1),
    ),
    (
        "half on the square only",
        "squared mean only",
        lambda mu, v: (0.5 * mu**2 + v.exp() - 1 - v).sum(1),
    ),
    (
        "half forgotten on the square",
        "squared mean counts twice",
        lambda mu, v: (mu**2 + 0.5 * (v.exp() - 1 - v)).sum(1),
    ),
    ("K = 2 only", "first two dimensions", lambda mu, v: kl_each(mu, v)[:, :2].sum(1)),
    ("detached", "no gradient", lambda mu, v: kl_right(mu, v).detach()),
    ("log_var detached", "no gradient reaches log_var", lambda mu, v: kl_right(mu, v.detach())),
    ("rebuilt from a list", "no gradient", lambda mu, v: torch.tensor(kl_right(mu, v).tolist())),
    (
        "variance without gradient",
        "gradient that reaches log_var is wrong",
        lambda mu, v: 0.5 * (mu**2 + v.exp().detach() - 1 - v).sum(1),
    ),
    ("numpy inside", "numpy", lambda mu, v: torch.from_numpy(np.asarray(kl_right(mu, v)))),
    ("in place", "in place", kl_in_place),
    ("writes an element", "in place", kl_writes),
    ("log_var clamped", "clamp log_var", lambda mu, v: kl_right(mu, v.clamp(-10, 10))),
    ("nan", "not a number", lambda mu, v: kl_right(mu, v) + (mu - 100).sqrt().sum(1)),
    ("Python number", "Python number", lambda mu, v: kl_right(mu, v).sum().item()),
    ("keepdim", "axis of length 1", lambda mu, v: kl_each(mu, v).sum(1, keepdim=True)),
    ("drawn", "drawn at random", lambda mu, v: kl_right(mu, v) + 0.1 * torch.randn(len(mu))),
)

EXERCISES = [kl]
