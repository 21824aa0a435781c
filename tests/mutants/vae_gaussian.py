"""Answers to the exercise of notebook 01 on the Gaussian log-density."""

import math

import torch
from torch.distributions import Independent, Normal

from coursekit import checks
from mutants import Exercise

PI = math.pi
LOG_2PI = math.log(2 * PI)

gaussian = Exercise("gaussian-log-density", checks.gaussian_log_density, ("gaussian_log_density",))


def squares(x, m, v):
    return (x - m) ** 2 / v.exp()


def gaussian_each(x, m, v):
    return -0.5 * (LOG_2PI + v + squares(x, m, v))


def gaussian_right(x, m, v):
    return gaussian_each(x, m, v).sum(1)


gaussian.right("by terms", gaussian_right)
gaussian.right(
    "torch.distributions",
    lambda x, m, v: Independent(Normal(m, (0.5 * v).exp()), 1).log_prob(x),
)
gaussian.right(
    "constants apart, einsum",
    lambda x, m, v: (
        -0.5 * x.shape[-1] * LOG_2PI
        - 0.5 * v.sum(-1)
        - 0.5 * torch.einsum("bd,bd,bd->b", x - m, x - m, (-v).exp())
    ),
)
gaussian.right(
    "float64 inside, transposed",
    lambda x, m, v: (
        (-(LOG_2PI + v + squares(x, m, v)).double() / 2).T.contiguous().T.sum(1).float()
    ),
)
gaussian.right(
    "a loop over rows",
    lambda x, m, v: torch.stack(
        [
            -0.5 * (LOG_2PI + c + ((a - b) * (-c / 2).exp()) ** 2).sum()
            for a, b, c in zip(x, m, v, strict=True)
        ]
    ),
)


def gaussian_in_place(x, m, v):
    x.sub_(m)
    return -0.5 * (LOG_2PI + v + x**2 / v.exp()).sum(1)


def gaussian_restored(x, m, v):
    out = -0.5 * (LOG_2PI + v + squares(x, m, v)).sum(1)
    v.data.exp_()
    return out


def gaussian_terms(sum_of_terms):
    return lambda x, m, v: sum_of_terms(x, m, v).sum(1)


gaussian.wrong(
    ("log_var clamped at 30", "No limit", lambda x, m, v: gaussian_right(x, m, v.clamp(-30, 30))),
    ("value clamped", "No limit", lambda x, m, v: gaussian_right(x, m, v).clamp(-1e3, 1e3)),
    ("never positive", "sometimes the wrong sign", lambda x, m, v: -gaussian_right(x, m, v).abs()),
    ("16 bits", "nearly right", lambda x, m, v: gaussian_each(x, m, v).bfloat16().sum(1).float()),
    ("divided by B", "number of pictures", lambda x, m, v: gaussian_right(x, m, v) / len(x)),
    ("zeros", "whatever the inputs", lambda x, m, v: torch.zeros(len(x))),
    ("zeros with a gradient", "whatever the inputs", lambda x, m, v: (0 * x * m * v).sum(1)),
    ("no log", "density itself", lambda x, m, v: gaussian_right(x, m, v).exp()),
    (
        "densities summed",
        "add densities up",
        gaussian_terms(lambda x, m, v: (-squares(x, m, v) / 2).exp() / (2 * PI * v.exp()) ** 0.5),
    ),
    ("sign", "wrong sign", lambda x, m, v: -gaussian_right(x, m, v)),
    ("no half", "twice", lambda x, m, v: 2 * gaussian_right(x, m, v)),
    (
        "half on logs only",
        "squared distance counts twice",
        gaussian_terms(lambda x, m, v: -0.5 * (LOG_2PI + v) - squares(x, m, v)),
    ),
    (
        "half on squares only",
        "squared distance only",
        gaussian_terms(lambda x, m, v: -LOG_2PI - v - squares(x, m, v) / 2),
    ),
    (
        "D log 2 pi in every dimension",
        "counted D times",
        gaussian_terms(lambda x, m, v: -0.5 * (x.shape[1] * LOG_2PI + v + squares(x, m, v))),
    ),
    (
        "constant once a row",
        "once a row",
        lambda x, m, v: -0.5 * LOG_2PI - 0.5 * (v + squares(x, m, v)).sum(1),
    ),
    (
        "no constant",
        "constant with pi is missing",
        gaussian_terms(lambda x, m, v: -0.5 * (v + squares(x, m, v))),
    ),
    (
        "log pi for log 2 pi",
        "2 beside pi",
        gaussian_terms(lambda x, m, v: -0.5 * (math.log(PI) + v + squares(x, m, v))),
    ),
    (
        "constant for D = 2",
        "how often is each constant",
        lambda x, m, v: -LOG_2PI - 0.5 * (v + squares(x, m, v)).sum(1),
    ),
    (
        "log_var as standard deviation",
        "log_var for the standard deviation",
        lambda x, m, v: Independent(Normal(m, v, validate_args=False), 1).log_prob(x),
    ),
    (
        "log_var as variance",
        "log_var for the variance",
        gaussian_terms(lambda x, m, v: -0.5 * (LOG_2PI + v.log() + (x - m) ** 2 / v)),
    ),
    (
        "divided by log_var",
        "divide by log_var",
        gaussian_terms(lambda x, m, v: -0.5 * (LOG_2PI + v + (x - m) ** 2 / v)),
    ),
    (
        "variance as standard deviation",
        "variance for the standard deviation",
        lambda x, m, v: Normal(m, v.exp()).log_prob(x).sum(1),
    ),
    (
        "divided by the standard deviation",
        "divide by the standard deviation",
        gaussian_terms(lambda x, m, v: -0.5 * (LOG_2PI + v + (x - m) ** 2 / (v / 2).exp())),
    ),
    (
        "divided by the variance squared",
        "variance is squared",
        gaussian_terms(lambda x, m, v: -0.5 * (LOG_2PI + v + ((x - m) / v.exp()) ** 2)),
    ),
    (
        "multiplied by the variance",
        "multiply by the variance",
        gaussian_terms(lambda x, m, v: -0.5 * (LOG_2PI + v + (x - m) ** 2 * v.exp())),
    ),
    (
        "no square",
        "not squared",
        gaussian_terms(lambda x, m, v: -0.5 * (LOG_2PI + v + (x - m) / v.exp())),
    ),
    (
        "absolute distance",
        "absolute distance",
        gaussian_terms(lambda x, m, v: -0.5 * (LOG_2PI + v + (x - m).abs() / v.exp())),
    ),
    (
        "mean left out",
        "mean is left out",
        lambda x, m, v: gaussian_right(x, 0 * m, v),
    ),
    (
        "log_var term left out",
        "log_var alone is missing",
        gaussian_terms(lambda x, m, v: -0.5 * (LOG_2PI + squares(x, m, v))),
    ),
    (
        "sign of log_var",
        "log_var alone has the wrong sign",
        gaussian_terms(lambda x, m, v: -0.5 * (LOG_2PI - v + squares(x, m, v))),
    ),
    ("unit variance", "does not change when log_var", lambda x, m, v: gaussian_right(x, m, 0 * v)),
    (
        "mean over dimensions",
        "mean over the dimensions",
        lambda x, m, v: (gaussian_each(x, m, v)).mean(1),
    ),
    ("sum over all", "over the batch", lambda x, m, v: gaussian_each(x, m, v).sum()),
    (
        "total for each",
        "summed over the batch",
        lambda x, m, v: gaussian_each(x, m, v).sum().repeat(len(x)),
    ),
    ("wrong axis", "wrong axis", lambda x, m, v: gaussian_each(x, m, v).sum(0)),
    ("no sum", "Nothing was summed", lambda x, m, v: gaussian_each(x, m, v)),
    ("keepdim", "axis of length 1", lambda x, m, v: gaussian_each(x, m, v).sum(1, keepdim=True)),
    (
        "first row for all",
        "first one's",
        lambda x, m, v: gaussian_right(x, m, v)[:1].repeat(len(x)),
    ),
    ("base 10", "base 10", lambda x, m, v: gaussian_right(x, m, v) / math.log(10)),
    ("in place", "in place", gaussian_in_place),
    ("log_var changed at the end", "in place", gaussian_restored),
    ("detached", "no gradient", lambda x, m, v: gaussian_right(x, m, v).detach()),
    ("log_var.data", "no gradient reaches log_var", lambda x, m, v: gaussian_right(x, m, v.data)),
    (
        "variance detached",
        "gradient that reaches log_var is wrong",
        gaussian_terms(lambda x, m, v: -0.5 * (LOG_2PI + v + squares(x, m, v.detach()))),
    ),
    (
        "log_var clamped",
        "no small constant",
        lambda x, m, v: gaussian_right(x, m, v.clamp(-10, 10)),
    ),
    (
        "variance plus epsilon",
        "No limit on any number",
        gaussian_terms(
            lambda x, m, v: (
                -0.5 * (LOG_2PI + (v.exp() + 1e-6).log() + (x - m) ** 2 / (v.exp() + 1e-6))
            )
        ),
    ),
    ("numpy", "numpy", lambda x, m, v: gaussian_right(x, m, v).detach().numpy()),
    ("a list", "type list", lambda x, m, v: gaussian_right(x, m, v).tolist()),
    ("math.exp", "single numbers", lambda x, m, v: -0.5 * (x - m) / math.exp(v)),
    ("no return", "return", lambda x, m, v: None),
    ("two arguments", "arguments", lambda x, m: x.sum(1)),
    ("D = 2 only", "first two dimensions", lambda x, m, v: gaussian_each(x, m, v)[:, :2].sum(1)),
    ("rounded", "gradient", lambda x, m, v: gaussian_right(x, m, v).mul(1e6).round().div(1e6)),
)

EXERCISES = [gaussian]
