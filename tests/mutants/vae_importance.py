"""Answers to the exercise of notebook 01 on the importance-weighted bound."""

import math

import torch

from coursekit import checks
from mutants import Exercise

importance = Exercise("importance-bound", checks.importance_bound, ("importance_bound",))


def by_hand(w):
    top = w.max(dim=0, keepdim=True).values
    return (w - top).exp().mean(0).log() + top[0]


importance.right("logsumexp", lambda w: torch.logsumexp(w, 0) - math.log(len(w)))
importance.right("largest taken out", by_hand)
importance.right("weights folded in", lambda w: (w - math.log(w.shape[0])).T.logsumexp(-1))
importance.right("one by one", lambda w: torch.logcumsumexp(w, dim=0)[-1] - math.log(w.size(0)))
importance.right("softmax", lambda w: w[0] - w.double().log_softmax(0)[0] - math.log(w.size(0)))


def in_place_shift(w):
    top = w.detach().max(0).values.clone()
    w -= top
    return w.exp().mean(0).log() + top


def shifted(by):
    return lambda w: by(w) + (w - by(w)).exp().mean(0).log()


def largest(w):
    return w.max(0).values


def with_constant(epsilon):
    return lambda w: largest(w) + ((w - largest(w)).exp().mean(0) + epsilon).log()


importance.wrong(
    ("least taken out", "only the largest", shifted(lambda w: w.min(0).values)),
    ("mean taken out", "only the largest", shifted(lambda w: w.mean(0))),
    (
        "mean taken out, float64",
        "only the largest",
        lambda w: shifted(lambda v: v.mean(0))(w.double()),
    ),
    ("median taken out", "only the largest", shifted(lambda w: w.median(0).values)),
    ("first taken out", "only the largest", shifted(lambda w: w[0])),
    ("last taken out", "only the largest", shifted(lambda w: w[-1])),
    ("1e-6 under the logarithm", "small constant stands", with_constant(1e-6)),
    ("1e-8 under the logarithm", "small constant stands", with_constant(1e-8)),
    ("max without values", "take .values", lambda w: (w - w.max(0)).exp().mean(0).log()),
    (
        "max without values, added",
        "its .values",
        lambda w: w.max(0) + (w - largest(w)).exp().mean(0).log(),
    ),
    ("top two", "right value is", lambda w: by_hand(w[:2]) + math.log(min(len(w), 2) / len(w))),
    (
        "S - 1",
        "depends on the shape",
        lambda w: torch.logsumexp(w, 0) - math.log(max(len(w) - 1, 1)),
    ),
    ("16 bits", "nearly right", lambda w: by_hand(w.half()).float()),
    ("zeros", "whatever the inputs", lambda w: torch.zeros(w.shape[1])),
    ("mean of logs", "mean of the logarithms", lambda w: w.mean(0)),
    ("sum, not mean", "a mean was asked", lambda w: torch.logsumexp(w, 0)),
    ("divided by S", "divide the logarithm", lambda w: torch.logsumexp(w, 0) / len(w)),
    ("minus S", "number of samples itself", lambda w: torch.logsumexp(w, 0) - len(w)),
    ("plus log S", "wrong sign", lambda w: torch.logsumexp(w, 0) + math.log(len(w))),
    ("minus log B", "number of pictures", lambda w: torch.logsumexp(w, 0) - math.log(w.shape[1])),
    ("log S for S = 5", "depends on the shape", lambda w: torch.logsumexp(w, 0) - math.log(5)),
    ("S = 2", "depends on the shape", lambda w: torch.logsumexp(w, 0) - math.log(2)),
    ("S divided out twice", "divided out twice", lambda w: by_hand(w) - math.log(len(w))),
    ("naive", "0 or infinite", lambda w: w.exp().mean(0).log()),
    ("naive in float64", "more digits", lambda w: w.double().exp().mean(0).log()),
    ("small constant", "small constant", lambda w: (w.exp().mean(0) + 1e-8).log()),
    ("clamped", "right value is", lambda w: w.clamp(-80, 80).exp().mean(0).log()),
    (
        "one shift for all",
        "largest weight of all pictures",
        lambda w: (w - w.max()).exp().mean(0).log() + w.max(),
    ),
    ("a fixed shift", "overflows", lambda w: (w + 90).exp().mean(0).log() - 90),
    ("shift not put back", "not put back", lambda w: (w - w.max(0).values).exp().mean(0).log()),
    (
        "shift put back with a sign",
        "put back with the wrong sign",
        lambda w: (w - w.max(0).values).exp().mean(0).log() - w.max(0).values,
    ),
    ("largest only", "largest log weight", lambda w: w.max(0).values),
    ("largest only, over S", "largest alone", lambda w: w.max(0).values - math.log(len(w))),
    ("first sample", "first sample alone", lambda w: w[0]),
    ("sum of logs", "add the logarithms", lambda w: w.sum(0)),
    ("mean weight", "mean weight itself", lambda w: w.exp().mean(0)),
    ("sign", "wrong sign", lambda w: -by_hand(w)),
    ("wrong axis", "averaged over the pictures", lambda w: by_hand(w.T)),
    ("all at once", "batch too", lambda w: torch.logsumexp(w, (0, 1)) - math.log(w.numel())),
    (
        "all at once for each",
        "over the pictures too",
        lambda w: (torch.logsumexp(w, (0, 1)) - math.log(w.numel())).repeat(w.shape[1]),
    ),
    ("mean over pictures", "batch too", lambda w: by_hand(w).mean()),
    ("first picture for all", "first one's", lambda w: by_hand(w)[:1].expand(w.shape[1])),
    ("median", "median", lambda w: w.median(0).values),
    ("bits", "bits", lambda w: by_hand(w) / math.log(2)),
    ("no reduction", "Nothing was summed", lambda w: w - math.log(len(w))),
    (
        "keepdim",
        "axis of length 1",
        lambda w: torch.logsumexp(w, 0, keepdim=True) - math.log(len(w)),
    ),
    ("detached", "no gradient", lambda w: by_hand(w).detach()),
    (
        "largest detached, rest too",
        "no gradient",
        lambda w: torch.as_tensor([float(v.detach()) for v in by_hand(w)]),
    ),
    ("in place", "in place", in_place_shift),
    ("sorted in place", "in place", lambda w: by_hand(w.copy_(w.sort(0).values))),
    ("nan", "not finite", lambda w: by_hand(w) * (w.exp().sum(0) / w.exp().sum(0)) ** 0),
)

EXERCISES = [importance]
