"""Answers to the exercise of notebook 03 on latents that predict a factor."""

import numpy as np
import torch
from scipy.stats import pearsonr, spearmanr

from coursekit import checks
from mutants import Exercise

factors = Exercise("factor-prediction", checks.factor_prediction, ("squared_correlations",))


def centred(z, factor):
    return z - z.mean(dim=0), (factor - factor.mean())[:, None]


def by_sums(z, factor):
    a, b = centred(z, factor)
    below = a.square().sum(0) * b.square().sum()
    above = (a * b).sum(0).square()
    return torch.where(below > 0, above / torch.where(below > 0, below, 1), 0)


def by_cosine(z, factor):
    a, b = centred(z, factor)
    a = a / torch.where(a.norm(dim=0) > 0, a.norm(dim=0), 1)
    return (b[:, 0] / b.norm() @ a).square()


def by_matrix(z, factor):
    both = torch.cat([z, factor[:, None]], dim=1).T
    return torch.corrcoef(both)[-1, :-1].nan_to_num(0.0) ** 2


def by_scipy(z, factor):
    values = [
        pearsonr(column, factor.double().numpy()).statistic ** 2 if np.ptp(column) > 0 else 0.0
        for column in z.double().numpy().T
    ]
    return torch.tensor(values)


def by_moments(z, factor):
    z, factor = z.double(), factor.double()[:, None]
    joint = (z * factor).mean(0) - z.mean(0) * factor.mean()
    squares = z.var(0, correction=0) * factor.var(correction=0)
    return torch.where(squares > 1e-20, joint**2 / squares, 0.0)


factors.right("sums", by_sums)
factors.right("cosine", by_cosine)
factors.right("torch's matrix", by_matrix)
factors.right("scipy", by_scipy)
factors.right("moments, float64", by_moments)


def parts(z, factor, correction=0):
    a, b = centred(z, factor)
    n = len(z) - correction
    return (a * b).sum(0) / n, a.square().sum(0) / n, b.square().sum() / n


def made(make, correction=0):
    """Something else made of covariance and variances, 0 where a latent is constant."""

    def wrong(z, factor):
        joint, latents, wanted = parts(z, factor, correction)
        return torch.where(latents > 0, make(joint, latents, wanted), 0.0)

    return wrong


def mixed_counts(first, second):
    def wrong(z, factor):
        joint = parts(z, factor, first)[0]
        _, latents, wanted = parts(z, factor, second)
        return torch.where(latents > 0, joint**2 / (latents * wanted), 0.0)

    return wrong


def by_ranks(z, factor):
    values = [
        spearmanr(column, factor.numpy()).statistic ** 2 if np.ptp(column) > 0 else 0.0
        for column in z.numpy().T
    ]
    return torch.tensor(values).to(z)


def not_centred(z, factor):
    return (torch.cosine_similarity(z, factor[:, None], dim=0) ** 2).nan_to_num(0.0)


def factor_not_centred(z, factor):
    return not_centred(z - z.mean(0), factor)


def sums(z, factor):
    a, b = centred(z, factor)
    return (a * b).sum(0), a.square().sum(0), b.square().sum()


def one_pass(z, factor):
    joint = (z * factor[:, None]).mean(0) - z.mean(0) * factor.mean()
    latents = z.square().mean(0) - z.mean(0).square()
    wanted = factor.square().mean() - factor.mean().square()
    return (joint.square() / (latents * wanted)).nan_to_num(0.0)


def factor_keeps_its_mean(z, factor):
    a = z - z.mean(0)
    s = a.square().mean(0).sqrt()
    g = torch.where(s > 0, s, 1)
    return ((a * factor[:, None]).mean(0) / g / factor.std(unbiased=False)).square()


def in_place(z, factor):
    z -= z.mean(0)
    return by_sums(z, factor)


factors.wrong(
    ("covariance", "covariances", made(lambda j, v, w: j)),
    ("covariance, N - 1", "covariances", made(lambda j, v, w: j, 1)),
    ("covariance squared", "squared covariances", made(lambda j, v, w: j**2)),
    ("covariance squared, N - 1", "squared covariances", made(lambda j, v, w: j**2, 1)),
    ("not squared", "their squares", made(lambda j, v, w: j / (v * w).sqrt())),
    ("absolute", "absolute", made(lambda j, v, w: (j / (v * w).sqrt()).abs())),
    ("variance for deviation", "by the variances", made(lambda j, v, w: (j / (v * w)) ** 2)),
    (
        "variance for deviation, N - 1",
        "by the variances",
        made(lambda j, v, w: (j / (v * w)) ** 2, 1),
    ),
    (
        "nan for a constant",
        "gives nan",
        lambda z, f: (lambda j, v, w: j**2 / (v * w))(*parts(z, f)),
    ),
    (
        "torch's matrix, nan",
        "not a number",
        lambda z, f: torch.stack(
            [torch.corrcoef(torch.stack([column, f]))[0, 1] ** 2 for column in z.T]
        ),
    ),
    (
        "not squared, nan",
        "right value is",
        lambda z, f: torch.corrcoef(torch.cat([z, f[:, None]], 1).T)[-1, :-1],
    ),
    ("slope", "slope of a line", made(lambda j, v, w: j / v)),
    ("slope the other way", "slope of a line", made(lambda j, v, w: j / w)),
    ("slope squared", "slope of a line", made(lambda j, v, w: (j / v) ** 2)),
    ("N over N - 1", "too small, the more so", mixed_counts(0, 1)),
    ("N - 1 over N", "too large, the more so", mixed_counts(1, 0)),
    (
        "sum over deviations",
        "not divided by the number",
        lambda z, f: by_sums(z, f) * len(z) ** 2,
    ),
    ("not explained", "NOT explained", made(lambda j, v, w: 1 - j**2 / (v * w))),
    ("not centred", "means are not subtracted", not_centred),
    ("factor not centred", "means are not subtracted", factor_not_centred),
    (
        "latents not centred",
        "means are not subtracted",
        lambda z, f: not_centred(z, f - f.mean()),
    ),
    ("adds up to 1", "add up to 1", lambda z, f: by_sums(z, f) / by_sums(z, f).sum()),
    ("ranks", "ranks", by_ranks),
    (
        "constant gives 1",
        "A constant latent gives 1",
        lambda z, f: torch.where(z.amax(0) > z.amin(0), by_sums(z, f), 1.0),
    ),
    ("small constant", "small constant", made(lambda j, v, w: j**2 / (v * w + 1e-8))),
    (
        "large constant",
        "right value is",
        made(lambda j, v, w: (j / ((v * w).sqrt() + 1e-3)) ** 2),
    ),
    (
        "small latents taken for constant",
        "taken for a constant one",
        lambda z, f: torch.where(z.std(0) > 1e-3, by_sums(z, f), 0.0),
    ),
    (
        "small latents taken for constant, 1e-4",
        "taken for a constant one",
        lambda z, f: torch.where(z.std(0) < 1e-4, 0.0, by_sums(z, f)),
    ),
    ("tiny constant", "small constant", made(lambda j, v, w: j**2 / (v * w + 1e-12))),
    (
        "tiny constant, sums",
        "small constant",
        lambda z, f: (lambda j, v, w: j**2 / (v * w + 1e-12))(*sums(z, f)),
    ),
    ("one pass", "digits are lost", lambda z, f: one_pass(z, f)),
    ("one pass, clamped", "digits are lost", lambda z, f: one_pass(z, f).clamp(0, 1)),
    ("factor keeps its mean", "does not give 0", factor_keeps_its_mean),
    ("best only", "shape", lambda z, f: by_sums(z, f).max()),
    (
        "mean for all",
        "averaged over the latent",
        lambda z, f: by_sums(z, f).mean().expand(z.shape[1]),
    ),
    (
        "first latent for all",
        "right value is",
        lambda z, f: by_sums(z[:, :1], f).expand(z.shape[1]),
    ),
    ("rounded", "right value is", lambda z, f: by_sums(z, f).round(decimals=2)),
    ("whole matrix", "shape", lambda z, f: torch.corrcoef(z.T).nan_to_num(0.0) ** 2),
    ("broadcast", "stops with", lambda z, f: ((z - z.mean(0)) * (f - f.mean())).mean(0) ** 2),
    ("in place", "in place", in_place),
    ("zeros", "whatever the inputs", lambda z, f: torch.zeros(z.shape[1])),
)

factors.check_only |= {
    "tiny constant, sums": "the constant is felt only by latents smaller than those of the probe"
}

EXERCISES = [factors]
