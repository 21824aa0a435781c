"""Answers to the exercise of notebook 02 on the optimal variance of a batch."""

import math

import torch
from torch.distributions import Independent, Normal

from coursekit import checks
from mutants import Exercise

LOG_2PI = math.log(2 * math.pi)

optimal = Exercise("optimal-variance", checks.optimal_variance, ("optimal_gaussian_log_prob",))


def total(values):
    return values.flatten(1).sum(1)


def under(x, mean, v):
    return total(-0.5 * (LOG_2PI + torch.log(v) + (x - mean) ** 2 / v))


def right(x, mean):
    return under(x, mean, (x - mean).square().mean())


def variance(make):
    return lambda x, mean: under(x, mean, make(x - mean))


def by_pieces(x, mean):
    squares = (x - mean).flatten(1).square().sum(1)
    dims = x[0].numel()
    v = squares.sum() / (len(x) * dims)
    return -dims / 2 * (LOG_2PI + v.log()) - squares / (2 * v)


def by_distribution(x, mean):
    sigma = torch.nn.functional.mse_loss(mean, x).sqrt()
    return Independent(Normal(mean, sigma), x.dim() - 1).log_prob(x)


def detached(x, mean):
    return under(x, mean, (x - mean).square().mean().detach())


optimal.right("as derived", right)
optimal.right("sums of squares", by_pieces)
optimal.right("torch.distributions", by_distribution)
optimal.right("variance detached: the same slope of the sum", detached)
optimal.right("float64 inside", lambda x, mean: right(x.double(), mean.double()).to(x.dtype))


def terms(constant=1.0, logs=1.0, squares=1.0):
    def wrong(x, mean):
        errors = (x - mean) ** 2
        v = errors.mean()
        return -0.5 * total(constant * LOG_2PI + logs * v.log() + squares * errors / v)

    return wrong


def in_place(x, mean):
    x -= mean
    return right(x, 0 * x)


def constants_once(x, mean):
    v = (x - mean).square().mean()
    return -0.5 * (LOG_2PI + v.log()) - total((x - mean) ** 2) / (2 * v)


def sums_in(x, mean):
    """The sum's own closed form, the same for each picture."""
    v = (x - mean).square().mean()
    return (-x[0].numel() / 2 * (LOG_2PI + v.log() + 1)).expand(len(x))


optimal.wrong(
    (
        "a variance for each picture",
        "Each picture has a variance",
        variance(lambda e: e.flatten(1).square().mean(1).view(-1, *[1] * (e.dim() - 1))),
    ),
    (
        "a variance for each pixel",
        "Each pixel has a variance",
        variance(lambda e: e.square().mean(0)),
    ),
    ("sum for mean", "not divided by their number", variance(lambda e: e.square().sum())),
    ("divided by B", "number of pictures only", variance(lambda e: e.square().sum() / len(e))),
    ("divided by D", "values of one picture", variance(lambda e: e.square().sum() / e[0].numel())),
    ("unbiased", "less one", variance(lambda e: e.square().sum() / (e.numel() - 1))),
    ("torch.var", "about their own average", variance(lambda e: e.var())),
    (
        "torch.var without correction",
        "about their own average",
        variance(lambda e: e.var(correction=0)),
    ),
    ("variance of x", "variance of the pictures", lambda x, mean: under(x, mean, x.var())),
    (
        "standard deviation",
        "standard deviation stands",
        variance(lambda e: e.square().mean().sqrt()),
    ),
    (
        "variance for deviation",
        "squared once more",
        lambda x, mean: total(Normal(mean, (x - mean).square().mean()).log_prob(x)),
    ),
    ("absolute errors", "errors are not squared", variance(lambda e: e.abs().mean())),
    ("absolute errors, squared", "mean absolute error", variance(lambda e: e.abs().mean() ** 2)),
    ("unit variance", "The variance is 1", lambda x, mean: under(x, mean, torch.ones(()))),
    ("largest error", "largest squared error", variance(lambda e: e.square().max())),
    ("median", "median", variance(lambda e: e.square().median())),
    ("closed form of the sum", "Every picture gets the same", sums_in),
    ("no constant", "constant with pi is missing", terms(constant=0.0)),
    ("constant twice", "constant with pi is twice", terms(constant=2.0)),
    ("no logarithm", "logarithm of the variance is missing", terms(logs=0.0)),
    ("logarithm twice", "counts twice", terms(logs=2.0)),
    ("sign of the logarithm", "logarithm of the variance has the wrong sign", terms(logs=-1.0)),
    ("no squares", "squared errors are missing", terms(squares=0.0)),
    ("squares twice", "squared errors count twice", terms(squares=2.0)),
    ("sign of the squares", "squared errors have the wrong sign", terms(squares=-1.0)),
    ("constants once a picture", "counted once a picture", constants_once),
    ("squared error", "That is a squared error", lambda x, mean: -total((x - mean) ** 2)),
    ("epsilon 1e-6", "Something small is added", variance(lambda e: e.square().mean() + 1e-6)),
    ("epsilon 1e-3", "Something small is added", variance(lambda e: e.square().mean() + 1e-3)),
    ("limit 1e-4", "not let below a limit", variance(lambda e: e.square().mean().clamp(min=1e-4))),
    (
        "axes 1, 2, 3 always",
        "their number may vary",
        lambda x, mean: -0.5 * (LOG_2PI + (x - mean) ** 2).sum((1, 2, 3)),
    ),
    (
        "D from axis 1",
        "depends on the shape",
        lambda x, mean: right(x, mean) + 0.5 * (x[0].numel() - x.shape[1]) * LOG_2PI,
    ),
    ("mean over values", "mean over the pixels", lambda x, mean: right(x, mean) / x[0].numel()),
    ("sum over all", "over the batch", lambda x, mean: right(x, mean).sum()),
    (
        "mean of the batch",
        "Every picture gets the same",
        lambda x, mean: right(x, mean).mean().repeat(len(x)),
    ),
    ("first picture for all", "first one's", lambda x, mean: right(x, mean)[:1].repeat(len(x))),
    (
        "right for B = 1",
        "right value is",
        lambda x, mean: under(x, mean, (x - mean)[:1].square().mean()),
    ),
    ("no sum", "Nothing was summed", lambda x, mean: Normal(mean, 0.1).log_prob(x)),
    ("sign", "the sign is wrong", lambda x, mean: -right(x, mean)),
    ("no half", "twice", lambda x, mean: 2 * right(x, mean)),
    ("no log", "density itself", lambda x, mean: right(x, mean).exp()),
    ("zeros", "whatever the inputs", lambda x, mean: torch.zeros(len(x))),
    ("detached", "no gradient", lambda x, mean: right(x, mean).detach()),
    ("mean detached", "no gradient reaches mean", lambda x, mean: right(x, mean.detach())),
    (
        "slope twice",
        "gradient that reaches",
        lambda x, mean: (
            under(x, mean, (x - mean).square().mean()) * 2
            - under(x, mean, (x - mean).square().mean()).detach()
        ),
    ),
    ("item", "no gradient", lambda x, mean: torch.tensor([t.item() for t in right(x, mean)])),
    (
        "math.log",
        "gradient",
        lambda x, mean: (
            -0.5 * x[0].numel() * (LOG_2PI + math.log(((x - mean) ** 2).mean()))
            - total(((x - mean) ** 2).detach()) / (2 * ((x - mean) ** 2).mean().detach())
        ),
    ),
    ("in place", "in place", in_place),
    ("single precision only", "precision", lambda x, mean: right(x, mean) @ torch.eye(len(x))),
)
optimal.check_only["single precision only"] = "the probe is in single precision"

EXERCISES = [optimal]
