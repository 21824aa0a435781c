"""Answers to the exercise of notebook 02 on the continuous Bernoulli."""

import math

import torch
import torch.nn.functional as F

from coursekit import checks
from mutants import Exercise

continuous = Exercise(
    "continuous-bernoulli", checks.continuous_bernoulli, ("continuous_bernoulli_log_prob",)
)


def total(values):
    return values.flatten(1).sum(1)


def log_c(a, limit=0.1):
    near = a.abs() < limit
    square = torch.where(near, a, 0.0) ** 2
    far = torch.where(near, 1.0, a.abs())
    series = math.log(2) + square / 12 - 7 * square**2 / 1440
    return torch.where(near, series, far.log() - (far / 2).tanh().log())


def each(x, a):
    return x * a - F.softplus(a) + log_c(a)


def right(x, a):
    return total(each(x, a))


def with_c(log_normaliser):
    return lambda x, a: total(x * a - F.softplus(a) + log_normaliser(a))


def exponential(x, a):
    """The density as what it is: an exponential, falling from the end that the logit points to."""
    away = torch.where(a > 0, 1 - x, x)
    near = a.abs() < 0.03
    rate = torch.where(near, 1.0, a.abs())
    falling = rate.log() - torch.log1p(-torch.exp(-rate)) - rate * away
    small = torch.where(near, a, 0.0)
    flat = small * (x - 0.5) - small**2 / 24
    return torch.where(near, flat, falling).sum(tuple(range(1, x.dim())))


def double_inside(x, a):
    """In float64, with a series of one term very near 0."""
    wide = a.double()
    near = wide.abs() < 1e-3
    far = torch.where(near, torch.ones_like(wide), wide)
    exact = (far / torch.tanh(far / 2)).log()
    log_normaliser = torch.where(near, math.log(2) + wide.clamp(-1e-3, 1e-3) ** 2 / 12, exact)
    cross = F.binary_cross_entropy_with_logits(wide, x.double(), reduction="none")
    return (log_normaliser - cross).reshape(len(x), -1).sum(-1).to(x.dtype)


def constant_near_zero(x, a):
    """The limit itself, used very near 0 only; float32."""
    near = a.abs() < 2e-3
    far = torch.where(near, torch.full_like(a, 2e-3), a.abs())
    c = torch.where(near, math.log(2) + 0 * a, torch.log(far / torch.tanh(far / 2)))
    return total(x * a + F.logsigmoid(-a) + c)


continuous.right("as derived", right)
continuous.right("an exponential", exponential)
continuous.right("float64 inside", double_inside)
continuous.right("limit near 0", constant_near_zero)


def naive_c(a):
    return (a / torch.tanh(a / 2)).log()


def branch_nan(a):
    """Right values; the branch thrown away makes the gradient nan."""
    return torch.where(a == 0, math.log(2) + 0 * a, naive_c(a))


def by_probability(x, a):
    """The paper's formula with p, cut around 1/2 as libraries do."""
    p = torch.sigmoid(a)
    near = (p - 0.5).abs() < 1e-3
    far = torch.where(near, torch.full_like(p, 0.25), p)
    c = torch.log(2 * torch.atanh(1 - 2 * far).abs()) - torch.log((1 - 2 * far).abs())
    c = torch.where(near, math.log(2) + (4 / 3) * (p - 0.5) ** 2, c)
    return total(x * p.log() + (1 - x) * (1 - p).log() + c)


def torchs_own(x, a):
    made = torch.distributions.ContinuousBernoulli(logits=a, validate_args=False)
    return total(made.log_prob(x))


def sinh_form(x, a):
    """log of l / (2 sinh(l / 2)) and the rest; sinh overflows."""
    near = a.abs() < 0.1
    far = torch.where(near, 1.0, a)
    c = torch.where(
        near, -(torch.where(near, a, 0.0) ** 2) / 24, (far / 2 / torch.sinh(far / 2)).log()
    )
    return total((x - 0.5) * a + c)


def near(limit, series):
    """Right but for another series where |l| < limit."""
    return with_c(lambda a: torch.where(a.abs() < limit, series(a), log_c(a)))


def in_place(x, a):
    out = right(x, a)
    a.mul_(2)
    return out


continuous.wrong(
    ("plain Bernoulli", "normaliser is missing", lambda x, a: total(x * a - F.softplus(a))),
    (
        "torch's cross-entropy",
        "normaliser is missing",
        lambda x, a: -total(F.binary_cross_entropy_with_logits(a, x, reduction="none")),
    ),
    ("integral for its inverse", "one over it", with_c(lambda a: -log_c(a))),
    ("no logarithm of C", "its logarithm is what adds up", with_c(lambda a: log_c(a).exp())),
    ("half of C", "half of what it should be", with_c(lambda a: log_c(a) - math.log(2))),
    ("twice C", "twice what it should be", with_c(lambda a: log_c(a) + math.log(2))),
    ("tanh of the whole logit", "half of the logit", with_c(lambda a: log_c(2 * a) - math.log(2))),
    ("C in bits", "in bits", with_c(lambda a: log_c(a) / math.log(2))),
    ("naive at 0", "0 over 0", with_c(naive_c)),
    (
        "logarithm of a negative logit",
        "logarithm of what is not positive",
        with_c(lambda a: a.log() - (a / 2).tanh().log()),
    ),
    ("thrown-away branch", "gradient that reaches logits is not finite", with_c(branch_nan)),
    (
        "nan mended afterwards",
        "gradient that reaches logits is not finite",
        with_c(lambda a: torch.nan_to_num(naive_c(a), math.log(2))),
    ),
    (
        "C left out at 0",
        "its limit is not 1",
        with_c(lambda a: torch.where(a == 0, 0.0, log_c(a))),
    ),
    (
        "C taken for 1 near 0",
        "its limit is not 1",
        with_c(lambda a: torch.where(a.abs() < 0.05, 0.0, log_c(a))),
    ),
    ("nan mended by 0", "its limit is not 1", with_c(lambda a: torch.nan_to_num(naive_c(a), 0.0))),
    (
        "constant up to 1/2",
        "too far away",
        with_c(lambda a: torch.where(a.abs() < 0.5, math.log(2), log_c(a))),
    ),
    (
        "series everywhere",
        "too far away",
        with_c(lambda a: math.log(2) + a**2 / 12 - 7 * a**4 / 1440),
    ),
    (
        "series up to 2",
        "too far away",
        with_c(lambda a: torch.where(a.abs() < 2, math.log(2) + a**2 / 12, log_c(a))),
    ),
    (
        "logits moved away from 0",
        "right value is",
        with_c(lambda a: log_c(torch.where(a.abs() < 0.1, 0.1, a))),
    ),
    (
        "small constant",
        "Something small is added",
        with_c(lambda a: ((a.abs() + 1e-2) / (a.abs() / 2 + 5e-3).tanh()).log()),
    ),
    ("constant up to 0.01", "wrong near 0", near(0.01, lambda a: math.log(2) + 0 * a)),
    ("l^2/24 up to 0.01", "wrong near 0", near(0.01, lambda a: math.log(2) + a**2 / 24)),
    ("l^2/24 up to 0.1", "wrong near 0", near(0.1, lambda a: math.log(2) + a**2 / 24)),
    ("l^2/24 up to 0.2", "wrong near 0", near(0.2, lambda a: math.log(2) + a**2 / 24)),
    ("two terms up to 0.5", "wrong near 0", near(0.5, lambda a: math.log(2) + a**2 / 12)),
    ("1e-6 added", "Something small is added", with_c(lambda a: naive_c(a + 1e-6))),
    (
        "first pixel's C",
        "that of the first pixel",
        lambda x, a: total(x * a - F.softplus(a)) + log_c(a.flatten(1)[:, 0]),
    ),
    (
        "C once a picture",
        "once for a picture",
        lambda x, a: total(x * a - F.softplus(a)) + log_c(a).flatten(1).mean(1),
    ),
    ("sigmoid first", "wants the logits", lambda x, a: right(x, a.sigmoid())),
    ("exchanged", "exchanged", lambda x, a: right(x, -a)),
    ("rounded", "round x", lambda x, a: right(x.round(), a)),
    ("binary by index", "white one", lambda x, a: right((x > 0).to(x), a)),
    ("no x", "term with x is missing", lambda x, a: right(0 * x, a)),
    ("no softplus", "softplus is missing", lambda x, a: total(x * a + log_c(a))),
    (
        "softplus added",
        "softplus has the wrong sign",
        lambda x, a: total(x * a + F.softplus(a) + log_c(a)),
    ),
    ("logits clamped at 30", "clamp the logits", lambda x, a: right(x, a.clamp(-30, 30))),
    ("logits clamped at 15", "clamp the logits", lambda x, a: right(x, a.clamp(-15, 15))),
    ("probability formed", "cannot be mended", by_probability),
    ("torch's own, clamped inside", "cannot be mended", torchs_own),
    ("sinh overflows", "overflows", sinh_form),
    (
        "exp overflows",
        "overflows",
        with_c(
            lambda a: (
                log_c(a) * 0
                + torch.where(a.abs() < 0.1, log_c(a), (a * (1 + a.exp()) / (a.exp() - 1)).log())
            )
        ),
    ),
    (
        "clamped probability",
        "cannot be mended",
        lambda x, a: (
            lambda p: total(x * p.log() + (1 - x) * (1 - p).log() + log_c(torch.logit(p)))
        )(a.sigmoid().clamp(1e-6, 1 - 1e-6)),
    ),
    ("mean over pixels", "mean over the pixels", lambda x, a: each(x, a).flatten(1).mean(1)),
    ("sum over all", "over the batch", lambda x, a: each(x, a).sum()),
    ("total for each", "over the batch", lambda x, a: each(x, a).sum().repeat(len(x))),
    ("last axis only", "still to be summed", lambda x, a: each(x, a).sum(-1)),
    ("axes 1, 2, 3 always", "their number may vary", lambda x, a: each(x, a).sum((1, 2, 3))),
    ("wrong axis", "wrong axis", lambda x, a: each(x, a).flatten(1).sum(0)),
    ("keepdim", "axis of length 1", lambda x, a: right(x, a)[:, None]),
    ("first picture for all", "first one's", lambda x, a: right(x, a)[:1].repeat(len(x))),
    ("divided by B", "number of pictures", lambda x, a: right(x, a) / len(x)),
    ("sign", "the sign is wrong", lambda x, a: -right(x, a)),
    ("no log", "density itself", lambda x, a: right(x, a).exp()),
    ("zeros", "whatever the inputs", lambda x, a: torch.zeros(len(x))),
    ("detached", "no gradient", lambda x, a: right(x, a).detach()),
    (
        "C detached",
        "gradient that reaches logits is wrong",
        lambda x, a: total(x * a - F.softplus(a) + log_c(a).detach()),
    ),
    ("numpy", "numpy", lambda x, a: right(x, a).numpy()),
    ("in place", "in place", in_place),
    ("single precision only", "precision", lambda x, a: right(x, a) @ torch.eye(len(x))),
)
for title in ("constant up to 0.01", "l^2/24 up to 0.01", "1e-6 added"):
    continuous.check_only[title] = "the probe has hardly any logit that near to 0"
continuous.check_only["single precision only"] = "the probe is in single precision"

EXERCISES = [continuous]
