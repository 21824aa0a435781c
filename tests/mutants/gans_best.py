"""Answers to the exercise of notebook 07 on the best discriminator."""

import math

import torch
import torch.nn.functional as F

from coursekit import checks
from mutants import Exercise

best = Exercise("optimal-discriminator", checks.optimal_discriminator, ("optimal_discriminator",))


def right(log_p, log_q):
    return torch.sigmoid(log_p - log_q)


def by_log_sum(log_p, log_q):
    return torch.exp(log_p - torch.logaddexp(log_p, log_q))


def by_softmax(log_p, log_q):
    return F.softmax(torch.stack([log_p, log_q], dim=-1), dim=-1)[..., 0]


def by_ratio(log_p, log_q):
    return 1 / (1 + (log_q - log_p).exp())


def by_largest(log_p, log_q):
    largest = torch.maximum(log_p, log_q)
    p, q = (log_p - largest).exp(), (log_q - largest).exp()
    return p / (p + q)


def in_double(log_p, log_q):
    return torch.special.expit(log_p.double() - log_q.double())


def one_by_one(log_p, log_q):
    values = []
    for a, b in zip(log_p.flatten().tolist(), log_q.flatten().tolist(), strict=True):
        if a > b:
            values.append(1 / (1 + math.exp(b - a)))
        else:
            values.append(math.exp(a - b) / (1 + math.exp(a - b)))
    return torch.tensor(values, dtype=log_p.dtype).view(log_p.shape)


def by_tanh(log_p, log_q):
    return 0.5 + 0.5 * torch.tanh((log_p - log_q) / 2)


best.right("sigmoid", right)
best.right("log of the sum", by_log_sum)
best.right("softmax", by_softmax)
best.right("one over one plus the ratio", by_ratio)
best.right("largest taken out", by_largest)
best.right("double precision", in_double)
best.right("one by one", one_by_one)
best.right("hyperbolic tangent", by_tanh)


def of(change):
    return lambda p, q: change(p - q)


def after(change):
    return lambda p, q: change(right(p, q))


def plain(p, q, small=0.0):
    return p.exp() / (p.exp() + q.exp() + small)


def without(taken):
    return lambda p, q: plain(p - taken(p, q), q - taken(p, q))


def in_place(p, q):
    p -= q
    return torch.sigmoid(p)


def q_in_place(p, q):
    return torch.sigmoid(q.neg_().add_(p))


def by_comparison(p, q):
    return torch.where(p > q, torch.ones_like(p), torch.zeros_like(p))


def half_precision(p, q):
    return torch.sigmoid(p.half() - q.half()).to(p.dtype)


def drawn(p, q):
    return right(p, q) + 0.1 * torch.randn_like(p)


def of_minus_infinity(replacement):
    return lambda p, q: right(p.nan_to_num(neginf=replacement), q.nan_to_num(neginf=replacement))


best.wrong(
    ("zeros", "whatever the inputs", lambda p, q: torch.zeros_like(p)),
    ("a half", "whatever the inputs", lambda p, q: torch.full_like(p, 0.5)),
    ("share of q", "generator's density", lambda p, q: torch.sigmoid(q - p)),
    ("share of q, softmax", "generator's density", lambda p, q: by_softmax(q, p)),
    ("ratio", "is the ratio of", of(torch.exp)),
    ("ratio of densities", "is the ratio of", lambda p, q: p.exp() / q.exp()),
    ("ratio upside down", "upside down", lambda p, q: (q - p).exp()),
    ("logit", "the logit of the answer", lambda p, q: p - q),
    ("logarithm", "the logarithm of the answer", lambda p, q: F.logsigmoid(p - q)),
    ("log of the sum", "the logarithm of the answer", lambda p, q: p - torch.logaddexp(p, q)),
    ("logs for densities", "share of a logarithm", lambda p, q: p / (p + q)),
    ("p alone", "log_q is not used", lambda p, q: torch.sigmoid(p)),
    ("q alone", "log_p is not used", lambda p, q: torch.sigmoid(-q)),
    ("density of p", "density of the data alone", lambda p, q: p.exp()),
    ("sum of the logs", "logs are added", lambda p, q: torch.sigmoid(p + q)),
    ("ratio squared", "is squared", of(lambda d: torch.sigmoid(2 * d))),
    (
        "densities squared",
        "is squared",
        lambda p, q: torch.softmax(2 * torch.stack([p, q]), 0)[0],
    ),
    ("root of the ratio", "A root of the ratio", of(lambda d: torch.sigmoid(d / 2))),
    ("base 2", "base 2", lambda p, q: torch.sigmoid((p - q) / math.log(2))),
    ("base 10", "base 10", lambda p, q: 10.0 ** (p - q) / (1 + 10.0 ** (p - q))),
    ("hard decision", "0 or 1, by the larger", by_comparison),
    ("rounded", "0 or 1, by the larger", after(torch.round)),
    ("from -1 to 1", "from -1 to 1", after(lambda share: 2 * share - 1)),
    ("tanh", "from -1 to 1", of(torch.tanh)),
    ("softmax over the batch", "over the batch", of(lambda d: torch.softmax(d, dim=0))),
    ("softmax of p", "over the batch", lambda p, q: torch.softmax(p, dim=0)),
    ("mean for all", "averaged over the points", after(lambda d: d.mean().expand_as(d))),
    ("mean", "reduced over the batch", after(torch.mean)),
    ("a number", "a Python number", after(lambda d: d.mean().item())),
    ("flattened", "An axis is missing", after(torch.flatten)),
    ("an axis too many", "axis of length 1", after(lambda d: d.unsqueeze(-1))),
    ("both shares", "Something is still", lambda p, q: torch.stack([p, q], -1).softmax(-1)),
    ("list", "type list", after(lambda d: d.tolist())),
    ("numpy", "numpy", after(lambda d: d.numpy())),
    ("plain", "are 0 or infinite", plain),
    ("plain in double", "more digits", lambda p, q: plain(p.double(), q.double()).to(p)),
    ("log of the plain sum", "so is their sum", lambda p, q: (p - (p.exp() + q.exp()).log()).exp()),
    ("one plus a plain ratio", "so is their ratio", lambda p, q: 1 / (1 + q.exp() / p.exp())),
    ("plus 1e-8", "small constant", lambda p, q: plain(p, q, 1e-8)),
    ("plus 1e-12", "small constant", lambda p, q: plain(p, q, 1e-12)),
    ("nan for 0", "taken for 0", lambda p, q: plain(p, q).nan_to_num(0.0)),
    ("nan for a half", "taken for a half", lambda p, q: plain(p, q).nan_to_num(0.5)),
    (
        "ratio of exponentials",
        "not the larger of the two",
        lambda p, q: (p - q).exp() / (1 + (p - q).exp()),
    ),
    ("q taken out", "not the larger of the two", without(lambda p, q: q)),
    ("smaller taken out", "not the larger of the two", without(torch.minimum)),
    ("mean taken out", "not the larger of the two", without(lambda p, q: (p + q) / 2)),
    ("largest of all", "of all points", without(lambda p, q: torch.maximum(p, q).max())),
    ("logs at least -100", "cut off below", lambda p, q: right(p.clamp(-100), q.clamp(-100))),
    ("logs within 80", "cut off", lambda p, q: right(p.clamp(-80, 80), q.clamp(-80, 80))),
    ("ratio within 5", "kept within limits", of(lambda d: torch.sigmoid(d.clamp(-5, 5)))),
    ("away from the ends", "kept away from 0 and 1", after(lambda d: d.clamp(0.01, 0.99))),
    ("minus infinity for 0", "right value is", of_minus_infinity(0.0)),
    ("minus infinity for -1", "right value is", of_minus_infinity(-1.0)),
    ("half precision", "right value is", half_precision),
    ("drawn", "drawn at random", drawn),
    ("p in place", "log_p in place", in_place),
    ("q in place", "log_q in place", q_in_place),
    ("first for all", "first one's", after(lambda d: d.flatten()[0] + 0 * d)),
    ("turned round", "right value is", after(lambda d: d.flip(0))),
    ("size of the difference", "right value is", of(lambda d: torch.sigmoid(d.abs()))),
    ("square of the share", "right value is", after(torch.square)),
    ("nothing", "nothing (None)", lambda p, q: None),
)

best.check_only["numpy"] = "the right numbers, in an array that the probe can write down too"

EXERCISES = [best]
