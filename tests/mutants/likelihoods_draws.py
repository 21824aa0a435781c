"""Answers to the exercise of notebook 02 on a draw from Gaussian pixels, published with slips."""

import torch
import torch.nn.functional as F

from coursekit import checks
from mutants import Exercise

draws = Exercise("gaussian-sample-bug", checks.gaussian_sample_bug, ("gaussian_pixels",))


def unclipped(mean, log_var, noise):
    return mean + torch.exp(0.5 * log_var) * noise


def right(mean, log_var, noise):
    return unclipped(mean, log_var, noise).clamp(0, 1)


draws.right("as mended", right)
draws.right(
    "root of the variance, hardtanh",
    lambda mean, log_var, noise: F.hardtanh(
        torch.addcmul(mean, torch.sqrt(log_var.exp()), noise), 0.0, 1.0
    ),
)
draws.right(
    "minimum and maximum, float64 inside",
    lambda mean, log_var, noise: torch.minimum(
        torch.maximum(unclipped(mean.double(), log_var.double(), noise), torch.zeros(())),
        torch.ones((), dtype=torch.float64),
    ).to(mean.dtype),
)
draws.right("without a gradient", lambda *t: right(*t).detach())


def scaled(make, last=lambda x: x.clamp(0, 1)):
    return lambda mean, log_var, noise: last(mean + make(log_var) * noise)


def ended(last):
    return lambda *arguments: last(unclipped(*arguments))


def in_place(mean, log_var, noise):
    return mean.addcmul_(torch.exp(log_var / 2), noise).clamp_(0, 1)


def noise_in_place(mean, log_var, noise):
    noise *= torch.exp(log_var / 2)
    return (mean + noise).clamp(0, 1)


draws.wrong(
    ("published", "still the published version", scaled(torch.exp, torch.sigmoid)),
    ("deviation mended", "sigmoid after it is still there", ended(torch.sigmoid)),
    ("sigmoid mended", "multiplied by the variance", scaled(torch.exp)),
    ("sigmoid taken away only", "nothing is clipped", scaled(torch.exp, lambda x: x)),
    ("log_var", "it is a logarithm", scaled(lambda v: v)),
    ("root of log_var", "taken for the variance", scaled(lambda v: v.abs().sqrt())),
    ("half of log_var", "logarithm of the standard deviation", scaled(lambda v: v / 2)),
    ("variance squared", "variance squared", scaled(lambda v: (2 * v).exp())),
    ("divided", "divided by the standard deviation", scaled(lambda v: (-v / 2).exp())),
    ("unit noise", "not multiplied", scaled(torch.ones_like)),
    ("the mean", "not a draw", scaled(torch.zeros_like)),
    ("sign of the noise", "wrong sign", scaled(lambda v: -(v / 2).exp())),
    ("softplus", "softplus", scaled(F.softplus)),
    ("deviation at most 1/2", "above a limit", scaled(lambda v: (v / 2).exp().clamp(max=0.5))),
    ("deviation at most 1", "above a limit", scaled(lambda v: (v / 2).exp().clamp(max=1))),
    ("log_var at least -10", "below a limit", scaled(lambda v: (v.clamp(min=-10) / 2).exp())),
    ("noise up to 3", "limit the noise", lambda m, v, noise: right(m, v, noise.clamp(-3, 3))),
    ("variance plus 1e-8", "added to the variance", scaled(lambda v: (v.exp() + 1e-8).sqrt())),
    ("from 1e-6", "kept away from 0 and 1", ended(lambda x: x.clamp(1e-6, 1 - 1e-6))),
    ("not clipped", "cannot be shown", unclipped),
    ("clipped below", "those above 1", ended(lambda x: x.clamp(min=0))),
    ("rectifier", "those above 1", ended(F.relu)),
    ("clipped above", "those below 0", ended(lambda x: x.clamp(max=1))),
    ("from -1 to 1", "from -1 to 1", ended(lambda x: x.clamp(-1, 1))),
    ("absolute value", "made positive", ended(lambda x: x.abs().clamp(max=1))),
    ("wrapped round", "at the other end", ended(lambda x: x % 1)),
    ("stretched", "stretched", ended(lambda x: (x - x.min()) / (x.max() - x.min()))),
    ("tanh", "tanh", ended(torch.tanh)),
    ("black and white", "rounded to black and white", ended(lambda x: x.clamp(0, 1).round())),
    ("to 255", "from 0 to 255", ended(lambda x: (x * 255).clamp(0, 255))),
    ("levels", "torch.uint8", ended(lambda x: (x.clamp(0, 1) * 255).to(torch.uint8))),
    (
        "sigmoid of the mean",
        "The mean goes through a sigmoid",
        lambda mean, v, noise: unclipped(mean.sigmoid(), v, noise).clamp(0, 1),
    ),
    (
        "sigmoid of the mean, not clipped",
        "The mean goes through a sigmoid",
        lambda mean, v, noise: unclipped(mean.sigmoid(), v, noise),
    ),
    (
        "sigmoid, then clipped",
        "sigmoid after it is still there",
        ended(lambda x: x.sigmoid().clamp(0, 1)),
    ),
    (
        "mean clipped only",
        "clipped before the noise",
        lambda mean, v, noise: unclipped(mean.clamp(0, 1), v, noise),
    ),
    (
        "mean clipped too",
        "clipped before the noise too",
        lambda mean, v, noise: right(mean.clamp(0, 1), v, noise),
    ),
    ("no mean", "The mean is missing", lambda mean, v, noise: right(0 * mean, v, noise)),
    (
        "own noise",
        "drawn at random",
        lambda mean, v, noise: right(mean, v, torch.randn_like(mean)),
    ),
    (
        "first picture's variances",
        "first one's variances",
        lambda mean, v, noise: right(mean, v[:1], noise),
    ),
    (
        "first picture's noise",
        "first one's noise",
        lambda mean, v, noise: right(mean, v, noise[:1]),
    ),
    ("mean variance", "right value is", lambda mean, v, noise: right(mean, v.mean(), noise)),
    ("zeros", "whatever the inputs", lambda mean, v, noise: torch.zeros_like(mean)),
    ("summed", "summed", lambda *t: right(*t).flatten(1).sum(1)),
    ("flattened", "shape", lambda *t: right(*t).flatten()),
    ("in place", "in place", in_place),
    ("noise in place", "in place", noise_in_place),
)

for title in ("noise up to 3", "variance plus 1e-8", "from 1e-6"):
    draws.check_only[title] = "the probe's noise is ordinary, and small differences are let pass"

EXERCISES = [draws]
