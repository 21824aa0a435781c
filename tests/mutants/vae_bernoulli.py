"""Answers to the exercise of notebook 01 on pictures with Bernoulli pixels."""

import math

import torch
import torch.nn.functional as F
from torch.distributions import Bernoulli, Independent

from coursekit import checks
from mutants import Exercise

bernoulli = Exercise(
    "bernoulli-from-logits", checks.bernoulli_from_logits, ("bernoulli_from_logits",)
)


def bernoulli_each(x, a):
    return x * a - F.softplus(a)


def bernoulli_right(x, a):
    return bernoulli_each(x, a).flatten(1).sum(1)


def by_probability(each):
    return lambda x, a: each(x, torch.sigmoid(a)).flatten(1).sum(1)


bernoulli.right("softplus", bernoulli_right)
bernoulli.right(
    "binary cross-entropy",
    lambda x, a: -F.binary_cross_entropy_with_logits(a, x, reduction="none").flatten(1).sum(1),
)
bernoulli.right(
    "two log-sigmoids",
    lambda x, a: (x * F.logsigmoid(a) + (1 - x) * F.logsigmoid(-a)).sum(tuple(range(1, x.dim()))),
)
bernoulli.right(
    "torch.distributions",
    lambda x, a: Independent(Bernoulli(logits=a, validate_args=False), a.dim() - 1).log_prob(x),
)
bernoulli.right(
    "einsum and logaddexp, float64 inside",
    lambda x, a: (
        torch.einsum("bd,bd->b", x.flatten(1).double(), a.flatten(1).double())
        - torch.logaddexp(a.double(), torch.zeros(())).reshape(len(a), -1).sum(-1)
    ),
)


def bernoulli_in_place(x, a):
    out = bernoulli_right(x, a)
    x.mul_(2)
    return out


def bernoulli_builtin_mean(x, a):
    return -F.binary_cross_entropy_with_logits(a, x)


bernoulli.wrong(
    (
        "logits clamped at 1000",
        "rounds to 0 or 1",
        lambda x, a: bernoulli_right(x, a.clamp(-1e3, 1e3)),
    ),
    ("first channel", "right value is", lambda x, a: bernoulli_each(x, a)[:, :1].flatten(1).sum(1)),
    (
        "large logits without a gradient",
        "gradient that reaches logits is wrong",
        lambda x, a: bernoulli_right(x, torch.where(a.abs() < 50, a, a.detach())),
    ),
    (
        "a branch that overflows",
        "not finite",
        lambda x, a: torch.where(a < 30, x * a - (1 + a.exp()).log(), x * a - a).flatten(1).sum(1),
    ),
    ("zeros", "whatever the inputs", lambda x, a: torch.zeros(len(x))),
    ("sign", "the sign is wrong", lambda x, a: -bernoulli_right(x, a)),
    ("no log", "probability itself", lambda x, a: bernoulli_right(x, a).exp()),
    ("twice", "twice", lambda x, a: 2 * bernoulli_right(x, a)),
    (
        "mean over pixels",
        "mean over the pixels",
        lambda x, a: bernoulli_each(x, a).flatten(1).mean(1),
    ),
    ("torch's default reduction", "over the batch", bernoulli_builtin_mean),
    (
        "total for each",
        "summed over the batch",
        lambda x, a: bernoulli_each(x, a).sum().expand(len(x)),
    ),
    ("first picture for all", "first one's", lambda x, a: bernoulli_right(x, a)[:1].repeat(len(x))),
    ("last axis only", "still to be summed", lambda x, a: bernoulli_each(x, a).sum(-1)),
    ("axis 1 only", "still to be summed", lambda x, a: bernoulli_each(x, a).sum(1)),
    (
        "axes 1, 2, 3 always",
        "their number may vary",
        lambda x, a: bernoulli_each(x, a).sum((1, 2, 3)),
    ),
    (
        "reshaped to 784",
        "take it from the inputs",
        lambda x, a: bernoulli_each(x, a).view(-1, 784).sum(1),
    ),
    ("wrong axis", "wrong axis", lambda x, a: bernoulli_each(x, a).flatten(1).sum(0)),
    ("keepdim", "axis of length 1", lambda x, a: bernoulli_right(x, a)[:, None]),
    (
        "no second term",
        "weighted by 1 - x",
        by_probability(lambda x, p: x * p.log()),
    ),
    (
        "no softplus",
        "does not depend on x",
        lambda x, a: (x * a).flatten(1).sum(1),
    ),
    ("softplus only", "term with x is missing", lambda x, a: -F.softplus(a).flatten(1).sum(1)),
    (
        "softplus added",
        "softplus has the wrong sign",
        lambda x, a: (x * a + F.softplus(a)).flatten(1).sum(1),
    ),
    (
        "softplus of the negative logit",
        "Inside the softplus",
        lambda x, a: (x * a - F.softplus(-a)).flatten(1).sum(1),
    ),
    ("sign of the logits", "exchanged", lambda x, a: bernoulli_right(x, -a)),
    ("x turned round", "exchanged", lambda x, a: bernoulli_right(1 - x, a) * 1.0),
    ("sigmoid twice", "sigmoid is applied twice", lambda x, a: bernoulli_right(x, a.sigmoid())),
    (
        "no sigmoid",
        "sigmoid is missing",
        lambda x, a: (x * a.log() + (1 - x) * (1 - a).log()).flatten(1).sum(1),
    ),
    (
        "naive",
        "rounds to 0 or 1",
        by_probability(lambda x, p: x * p.log() + (1 - x) * (1 - p).log()),
    ),
    (
        "epsilon 1e-8",
        "small constant",
        by_probability(lambda x, p: x * (p + 1e-8).log() + (1 - x) * (1 - p + 1e-8).log()),
    ),
    (
        "epsilon 1e-3",
        "right value is",
        by_probability(lambda x, p: x * (p + 1e-3).log() + (1 - x) * (1 - p + 1e-3).log()),
    ),
    (
        "clamped probability",
        "a clamp",
        by_probability(
            lambda x, p: -F.binary_cross_entropy(p.clamp(1e-6, 1 - 1e-6), x, reduction="none")
        ),
    ),
    (
        "torch's loss of probabilities",
        "-100",
        by_probability(lambda x, p: -F.binary_cross_entropy(p, x, reduction="none")),
    ),
    ("clamped logits", "clamp the logits", lambda x, a: bernoulli_right(x, a.clamp(-30, 30))),
    (
        "nan mended by 0",
        "probability that rounds",
        by_probability(lambda x, p: (x * p.log() + (1 - x) * (1 - p).log()).nan_to_num(0, 0, 0)),
    ),
    (
        "exp overflows",
        "overflow",
        lambda x, a: (x * a - (1 + a.exp()).log()).flatten(1).sum(1),
    ),
    ("rectifier", "rectifier", lambda x, a: (x * a - a.relu()).flatten(1).sum(1)),
    ("rounded", "binary pictures only", lambda x, a: bernoulli_right(x.round(), a)),
    ("binary by index", "binary pictures only", lambda x, a: bernoulli_right((x > 0).float(), a)),
    (
        "binary by product",
        "two logarithms",
        by_probability(lambda x, p: (x * p + (1 - x) * (1 - p)).log()),
    ),
    (
        "distribution that wants binary x",
        "grey",
        lambda x, a: Bernoulli(logits=a).log_prob(x).flatten(1).sum(1),
    ),
    ("squared error", "squared error", by_probability(lambda x, p: -((x - p) ** 2))),
    ("bits", "bits", lambda x, a: bernoulli_right(x, a) / math.log(2)),
    ("absolute value", "sign", lambda x, a: bernoulli_right(x, a).abs()),
    ("detached", "no gradient", lambda x, a: bernoulli_right(x, a).detach()),
    ("item", "no gradient", lambda x, a: torch.tensor([v.item() for v in bernoulli_right(x, a)])),
    ("in place", "in place", bernoulli_in_place),
    ("single precision only", "precision", lambda x, a: bernoulli_right(x, a) @ torch.eye(len(x))),
    ("integer", "torch.int64", lambda x, a: bernoulli_right(x, a).long()),
)

bernoulli.check_only["single precision only"] = "the probe is in single precision"

EXERCISES = [bernoulli]
