"""Answers to the exercise of notebook 00 on the parameters of an autoencoder."""

from itertools import pairwise

import numpy as np
import torch
from torch import nn

from coursekit import checks
from mutants import Exercise

count = Exercise(
    "autoencoder-parameters", checks.autoencoder_parameters, ("autoencoder_parameters",)
)


def widths(dims, hidden, k):
    return [dims, *hidden, k, *hidden[::-1], dims]


def right(dims, hidden, k):
    return sum(a * b + b for a, b in pairwise(widths(dims, hidden, k)))


def by_loop(dims, hidden, k):
    total, width = 0, dims
    for following in [*hidden, k, *reversed(hidden), dims]:
        total += (width + 1) * following
        width = following
    return total


def by_halves(dims, hidden, k):
    down = [dims, *hidden, k]
    weights = sum(down[i] * down[i + 1] for i in range(len(down) - 1))
    return 2 * (weights + sum(hidden)) + k + dims


def by_torch(dims, hidden, k):
    layers = [nn.Linear(a, b) for a, b in pairwise(widths(dims, hidden, k))]
    return sum(p.numel() for p in nn.Sequential(*layers).parameters())


def by_numpy(dims, hidden, k):
    sizes = np.array(widths(dims, hidden, k))
    return (sizes[:-1] + 1) @ sizes[1:]


count.right("by pairs", right)
count.right("by a loop", by_loop)
count.right("by halves", by_halves)
count.right("torch counts", by_torch)
count.right("numpy", by_numpy)


def over(layer, sizes=widths):
    """Counts layer by layer."""
    return lambda *a: sum(layer(m, n) for m, n in pairwise(sizes(*a)))


def full(m, n):
    return m * n + n


def encoder(dims, hidden, k, layer=full):
    return sum(layer(a, b) for a, b in pairwise([dims, *hidden, k]))


def decoder(dims, hidden, k, layer=full):
    return sum(layer(a, b) for a, b in pairwise([k, *hidden[::-1], dims]))


def in_place(dims, hidden, k):
    down = sum(full(a, b) for a, b in pairwise([dims, *hidden, k]))
    hidden.reverse()
    return down + sum(full(a, b) for a, b in pairwise([k, *hidden, dims]))


def appends(dims, hidden, k):
    total = right(dims, hidden, k)
    hidden.append(k)
    return total


def remembered():
    seen = []

    def answer(dims, hidden, k):
        seen.append(right(dims, hidden, k))
        return sum(seen)

    return answer


def needs_hidden(dims, hidden, k):
    total = full(dims, hidden[0]) + full(hidden[0], dims)
    for a, b in pairwise([*hidden, k]):
        total += full(a, b) + full(b, a)
    return total


def returns_early(dims, hidden, k):
    for a, b in pairwise(widths(dims, hidden, k)):
        return full(a, b)


def keeps_the_last(dims, hidden, k):
    for a, b in pairwise(widths(dims, hidden, k)):
        total = full(a, b)
    return total


def joins_a_number(dims, hidden, k):
    row = hidden + k
    return over(full, lambda *a: [dims, *row, *row[::-1], dims])(dims, hidden, k)


def off_by_one(dims, hidden, k):
    sizes = widths(dims, hidden, k)
    return sum(full(sizes[i], sizes[i + 1]) for i in range(len(sizes)))


def prints_only(dims, hidden, k):
    right(dims, hidden, k)


count.wrong(
    ("zero", "whatever the inputs", lambda *a: 0),
    ("weights only", "biases are missing", over(lambda m, n: m * n)),
    ("biases only", "weights are missing", over(lambda m, n: n)),
    ("one bias a layer", "one bias for a layer", over(lambda m, n: m * n + 1)),
    ("biases on both sides", "inputs too", over(lambda m, n: m * n + m + n)),
    ("widths added", "are added", over(lambda m, n: m + n)),
    ("weights twice", "counted twice", over(lambda m, n: 2 * m * n)),
    ("encoder only", "encoder alone", encoder),
    ("decoder only", "decoder alone", decoder),
    ("twice the encoder", "twice the encoder", lambda *a: 2 * encoder(*a)),
    ("twice the decoder", "twice the decoder", lambda *a: 2 * decoder(*a)),
    (
        "tied weights",
        "share",
        lambda *a: encoder(*a) + decoder(*a, layer=lambda m, n: n),
    ),
    (
        "decoder without biases",
        "decoder's biases",
        lambda *a: encoder(*a) + decoder(*a, layer=lambda m, n: m * n),
    ),
    (
        "encoder without biases",
        "encoder's biases",
        lambda *a: encoder(*a, layer=lambda m, n: m * n) + decoder(*a),
    ),
    (
        "decoder's biases of the inputs",
        "not as many biases",
        lambda *a: encoder(*a) + decoder(*a, layer=lambda m, n: m * n + m),
    ),
    ("no bias for the code", "code's biases are missing", lambda d, h, k: right(d, h, k) - k),
    ("no bias for the picture", "last layer", lambda d, h, k: right(d, h, k) - d),
    ("a bias for the input", "no layer makes it", lambda d, h, k: right(d, h, k) + d),
    ("hidden biases only", "Only the hidden layers", lambda d, h, k: right(d, h, k) - d - k),
    ("code's biases twice", "counted twice", lambda d, h, k: right(d, h, k) + k),
    (
        "two heads, as in a VAE",
        "VAE",
        lambda d, h, k: right(d, h, k) + full([d, *h][-1], k),
    ),
    ("hidden not reversed", "reversed", over(full, lambda d, h, k: [d, *h, k, *h, d])),
    ("code left out", "code is left out", over(full, lambda d, h, k: [d, *h, *h[::-1], d])),
    ("code to code", "layer too many", over(full, lambda d, h, k: [d, *h, k, k, *h[::-1], d])),
    ("no last layer", "last layer is missing", over(full, lambda *a: widths(*a)[:-1])),
    ("no first layer", "first layer is missing", over(full, lambda *a: widths(*a)[1:])),
    ("neither", "first and the last layer", over(full, lambda *a: widths(*a)[1:-1])),
    ("no hidden layers", "hidden layers are left out", over(full, lambda d, h, k: [d, k, d])),
    (
        "first hidden layer only",
        "Only the first hidden",
        over(full, lambda d, h, k: [d, *h[:1], k, *h[:1], d]),
    ),
    (
        "slice that loses one",
        "do not mirror",
        over(full, lambda d, h, k: [d, *h, k, *h[-2::-1], d]),
    ),
    (
        "range that loses one",
        "last hidden layer is missing",
        over(full, lambda d, h, k: [d, *h, k, *[h[i] for i in range(len(h) - 1, 0, -1)], d]),
    ),
    ("units", "units", lambda *a: sum(widths(*a))),
    ("layers", "right answer is", lambda *a: len(widths(*a)) - 1),
    ("doubled", "twice what it should be", lambda *a: 2 * right(*a)),
    ("one too many", "too large by 1", lambda *a: right(*a) + 1),
    ("negative", "wrong sign", lambda *a: -right(*a)),
    ("empty list forgotten", "Without hidden layers", needs_hidden),
    ("return in the loop", "first layer alone", returns_early),
    ("not added up", "last layer alone", keeps_the_last),
    ("index off by one", "your code stops", off_by_one),
    ("a number joined to a list", "your code stops", joins_a_number),
    ("hidden reversed in place", "in place", in_place),
    ("hidden appended to", "in place", appends),
    ("remembered", "remembered", remembered()),
    ("float", "whole number", lambda *a: right(*a) / 1),
    ("text", "object of type str", lambda *a: f"{right(*a):,}"),
    ("list", "object of type list", lambda *a: [right(*a)]),
    ("tensor", "object of type Tensor", lambda *a: torch.tensor(right(*a))),
    ("prints only", "return", prints_only),
    ("true", "bool", lambda *a: bool(right(*a))),
    ("in millions", "whole number", lambda *a: right(*a) / 1e6),
)


def both(pairs):
    """Counts both ways over pairs made from the encoder's row of widths."""
    return lambda d, h, k: sum(full(m, n) + full(n, m) for m, n in pairs([d, *h, k]))


SAME = "the same widths"

count.wrong(
    ("a dict of neighbours", SAME, both(lambda row: dict(pairwise(row)).items())),
    ("a dict, filled from the code on", SAME, both(lambda row: dict(pairwise(row[::-1])).items())),
    (
        "neighbours by index",
        SAME,
        both(lambda row: [(m, row[row.index(m) + 1]) for m in row[:-1]]),
    ),
    ("a set of the encoder's pairs", SAME, both(lambda row: set(pairwise(row)))),
    ("a set of pairs", SAME, lambda *a: sum(full(m, n) for m, n in set(pairwise(widths(*a))))),
    ("repeated widths dropped", SAME, lambda d, h, k: right(d, list(dict.fromkeys(h)), k)),
    ("layers that keep the width left out", SAME, over(lambda m, n: full(m, n) if m != n else 0)),
    ("three hidden layers", "first few hidden", lambda d, h, k: right(d, h[:3], k)),
    ("two hidden layers", "first few hidden", lambda d, h, k: right(d, h[:2], k)),
)

DISTINCT = "the probe's widths rarely repeat"
count.check_only |= {a.title: DISTINCT for a in count.mutants if a.keyword == SAME}
count.check_only["tensor"] = "the probe takes whatever is a whole number"

EXERCISES = [count]
