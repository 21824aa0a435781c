"""Answers to the exercise of notebook 02 on a categorical distribution over bins of levels."""

import math

import torch
import torch.nn.functional as F
from torch.distributions import Categorical

from coursekit import checks
from mutants import Exercise

bins = Exercise("categorical-bins", checks.categorical_bins, ("binned_log_prob",))


def bin_of(v, k):
    return v // (256 // k)


def pick(table, index):
    return table.gather(-1, index.unsqueeze(-1)).squeeze(-1)


def each(v, logits, log_inside):
    index = bin_of(v, logits.shape[-1])
    return pick(F.log_softmax(logits, dim=-1), index) + log_inside[v]


def right(v, logits, log_inside):
    return each(v, logits, log_inside).sum(1)


def by_cross_entropy(v, logits, log_inside):
    index = bin_of(v, logits.shape[2])
    loss = F.cross_entropy(logits.permute(0, 2, 1), index, reduction="none")
    return log_inside.take(v).sum(-1) - loss.sum(-1)


def by_levels(v, logits, log_inside):
    """Spread the log-masses out over the 256 levels first."""
    k = logits.shape[-1]
    mass = logits - logits.logsumexp(-1, keepdim=True)
    of_levels = mass.repeat_interleave(256 // k, dim=-1) + log_inside
    return pick(of_levels, v).sum(1)


def by_distribution(v, logits, log_inside):
    index = (v * logits.shape[-1]) >> 8
    return Categorical(logits=logits).log_prob(index).sum(1) + log_inside[v].sum(1)


def by_one_hot(v, logits, log_inside):
    k = logits.shape[-1]
    chosen = F.one_hot(torch.div(v, 256 // k, rounding_mode="floor"), k).to(logits.dtype)
    return torch.einsum("bdk,bdk->b", chosen, logits.log_softmax(2)) + log_inside[v].sum(1)


bins.right("as derived", right)
bins.right("cross-entropy", by_cross_entropy)
bins.right("all levels first", by_levels)
bins.right("torch.distributions", by_distribution)
bins.right("one-hot", by_one_hot)
bins.right(
    "255 and a clamp, which comes to the same",
    lambda v, logits, log_inside: (
        pick(
            logits.log_softmax(-1),
            (v / 255 * logits.shape[-1]).long().clamp(max=logits.shape[-1] - 1),
        )
        + log_inside[v]
    ).sum(1),
)


def binned(rule):
    return lambda v, logits, log_inside: (
        pick(F.log_softmax(logits, dim=-1), rule(v, logits.shape[-1])) + log_inside[v]
    ).sum(1)


def massed(make):
    return lambda v, logits, log_inside: (
        pick(make(logits), bin_of(v, logits.shape[-1])) + log_inside[v]
    ).sum(1)


def shared(make):
    def answer(v, logits, log_inside):
        k = logits.shape[-1]
        return (pick(F.log_softmax(logits, dim=-1), bin_of(v, k)) + make(v, log_inside, k)).sum(1)

    return answer


def in_place(v, logits, log_inside):
    logits -= logits.logsumexp(-1, keepdim=True)
    return (pick(logits, bin_of(v, logits.shape[-1])) + log_inside[v]).sum(1)


def levels_in_place(v, logits, log_inside):
    out = right(v, logits, log_inside)
    v //= 2
    return out


def wrapped(change):
    return lambda *arguments: change(right(*arguments))


bins.wrong(
    ("divided by k", "a bin's width was asked", binned(lambda v, k: (v // k).clamp(max=k - 1))),
    ("divided by k, not clamped", "stops with", binned(lambda v, k: v // k)),
    ("remainder", "remainder", binned(lambda v, k: v % k)),
    ("255 for 256", "stops with", binned(lambda v, k: v * k // 255)),
    (
        "rounded to the nearest",
        "half as wide",
        binned(lambda v, k: (v * (k - 1) / 255).round().long()),
    ),
    ("stretched", "only level 255", binned(lambda v, k: (v * (k - 1) / 255).long())),
    (
        "rounded",
        "whole part",
        binned(lambda v, k: (v / (256 // k)).round().long().clamp(max=k - 1)),
    ),
    ("from the bright end", "bright end", binned(lambda v, k: k - 1 - bin_of(v, k))),
    ("counted from 1", "counted from 1", binned(lambda v, k: (bin_of(v, k) - 1) % k)),
    ("64 levels always", "64 levels wide", binned(lambda v, k: (v // 64).clamp(max=k - 1))),
    ("four bins always", "64 levels wide", binned(lambda v, k: v // 64)),
    ("the level itself", "stops with", binned(lambda v, k: v)),
    ("no softmax", "1 in all", massed(lambda a: a)),
    ("no logarithm", "its logarithm was asked", massed(lambda a: a.softmax(-1))),
    ("softmax over pixels", "over the pixels", massed(lambda a: F.log_softmax(a, dim=1))),
    ("softmax over pictures", "over the pictures", massed(lambda a: F.log_softmax(a, dim=0))),
    ("softmax twice", "applied twice", massed(lambda a: a.softmax(-1).log_softmax(-1))),
    (
        "cross-entropy of probabilities",
        "applied twice",
        lambda v, logits, log_inside: (
            log_inside[v].sum(1)
            - F.cross_entropy(
                logits.softmax(-1).mT, bin_of(v, logits.shape[-1]), reduction="none"
            ).sum(1)
        ),
    ),
    ("a loss", "is it a loss", massed(lambda a: -a.log_softmax(-1))),
    ("sigmoids", "sigmoid of its own", massed(F.logsigmoid)),
    ("probability first", "rounds to 0", massed(lambda a: a.softmax(-1).log())),
    ("epsilon 1e-8", "something added to it", massed(lambda a: (a.softmax(-1) + 1e-8).log())),
    (
        "clamped probability",
        "something added to it",
        massed(lambda a: a.softmax(-1).clamp(min=1e-12).log()),
    ),
    ("clamped logits", "right value is", massed(lambda a: a.clamp(-20, 20).log_softmax(-1))),
    ("exp overflows", "overflows", massed(lambda a: a - a.exp().sum(-1, keepdim=True).log())),
    ("no log_inside", "left out", shared(lambda v, inside, k: 0.0)),
    ("equal shares", "equal share", shared(lambda v, inside, k: math.log(k / 256))),
    (
        "log_inside by bin",
        "looked up by the bin",
        shared(lambda v, inside, k: inside[bin_of(v, k)]),
    ),
    (
        "log_inside by place",
        "place in the bin",
        shared(lambda v, inside, k: inside[v % (256 // k)]),
    ),
    ("log_inside subtracted", "subtracted", shared(lambda v, inside, k: -inside[v])),
    ("share without logarithm", "not its logarithm", shared(lambda v, inside, k: inside[v].exp())),
    ("log_inside twice", "log_inside counts twice", shared(lambda v, inside, k: 2 * inside[v])),
    (
        "log_inside once a picture",
        "once for a picture",
        shared(lambda v, inside, k: inside[v].mean(1, keepdim=True) / v.shape[1]),
    ),
    (
        "log_inside of the first pixel",
        "right value is",
        shared(lambda v, inside, k: inside[v[:, :1]]),
    ),
    ("mean over pixels", "mean over the pixels", lambda *t: each(*t).mean(1)),
    (
        "torch's default reduction",
        "stops with",
        lambda v, logits, log_inside: -F.cross_entropy(logits, bin_of(v, logits.shape[-1])),
    ),
    (
        "mean of the loss",
        "right value is",
        lambda v, logits, log_inside: (
            log_inside[v].sum(1) - F.cross_entropy(logits.mT, bin_of(v, logits.shape[-1]))
        ),
    ),
    ("sum over all", "over the batch", lambda *t: each(*t).sum()),
    ("total for each", "over the batch", wrapped(lambda out: out.sum().expand(len(out)))),
    ("first picture for all", "first one's", wrapped(lambda out: out[:1].expand(len(out)))),
    (
        "first picture's logits",
        "Only the first row",
        lambda v, logits, log_inside: right(v, logits[:1].expand_as(logits), log_inside),
    ),
    ("wrong axis", "wrong axis", lambda *t: each(*t).sum(0)),
    ("no sum", "Nothing was summed", each),
    ("keepdim", "axis of length 1", lambda *t: each(*t).sum(1, keepdim=True)),
    ("sign", "the sign is wrong", wrapped(torch.neg)),
    ("no log at all", "probability or density itself", wrapped(torch.exp)),
    ("bits", "bits", wrapped(lambda out: out / math.log(2))),
    ("zeros", "whatever the inputs", wrapped(lambda out: torch.zeros(len(out)))),
    ("detached", "no gradient", wrapped(torch.detach)),
    ("item", "no gradient", wrapped(lambda out: torch.tensor([t.item() for t in out]))),
    (
        "normaliser detached",
        "gradient that reaches logits is wrong",
        massed(lambda a: a - a.logsumexp(-1, keepdim=True).detach()),
    ),
    ("in place", "in place", in_place),
    ("levels changed", "in place", levels_in_place),
    ("single precision only", "precision", wrapped(lambda out: out @ torch.eye(len(out)))),
)
bins.check_only["single precision only"] = "the probe is in single precision"

EXERCISES = [bins]
