"""Answers to the exercise of notebook 08 on the perplexity of a codebook."""

import math
from collections import Counter

import torch

from coursekit import checks
from mutants import Exercise

usage = Exercise("perplexity", checks.perplexity, ("perplexity",))


def counted(indices, codes):
    return torch.bincount(indices.flatten(), minlength=codes)


def made(
    shares=lambda counts, n: counts / n,
    entropy=lambda p: torch.special.entr(p).sum(),
    last=torch.exp,
    count=counted,
):
    """The perplexity with a part exchanged."""

    def perplexity(indices, codes):
        return float(last(entropy(shares(count(indices, codes).float(), indices.numel()))))

    return perplexity


right = made()


def by_counter(indices, codes):
    counts = Counter(indices.flatten().tolist())
    shares = [count / indices.numel() for count in counts.values()]
    return math.exp(-sum(p * math.log(p) for p in shares))


def by_one_hot(indices, codes):
    shares = torch.nn.functional.one_hot(indices.reshape(-1), codes).double().mean(dim=0)
    return torch.exp(-(shares * (shares + 1e-10).log()).sum()).item()


def by_unique(indices, codes):
    p = indices.unique(return_counts=True)[1] / indices.numel()
    return torch.prod(p.double() ** -p.double()).item()


def by_torch(indices, codes):
    counts = torch.zeros(codes).index_add_(0, indices.flatten(), torch.ones(indices.numel()))
    return torch.distributions.Categorical(probs=counts).entropy().exp().item()


def by_bits(indices, codes):
    p = counted(indices, codes).double() / indices.numel()
    return float(2 ** -torch.where(p > 0, p * p.clamp_min(1e-30).log2(), 0.0).sum())


usage.right("entr", right)
usage.right("Counter", by_counter)
usage.right("one-hot and 1e-10", by_one_hot)
usage.right("unique", by_unique)
usage.right("Categorical", by_torch)
usage.right("bits both ways", by_bits)


def plain(p):
    return -(p * p.log()).sum()


def smoothed(small):
    return lambda p: -(p * (p + small).log()).sum()


def in_place(indices, codes):
    value = right(indices.clone(), codes)
    indices += 1
    return value


def sorted_in_place(indices, codes):
    value = right(indices, codes)
    indices.copy_(indices.flatten().flip(0).view(indices.shape))
    return value


def by_rows(join):
    def perplexity(indices, codes):
        rows = indices if indices.dim() > 1 else indices[None]
        return float(join([right(row, codes) for row in rows]))

    return perplexity


def values(weights):
    """The entropy of the codes' numbers."""
    return lambda i, codes: float(torch.special.entr(weights(i.double())).sum().exp())


usage.wrong(
    ("entropy", "exponential is missing", made(last=lambda h: h)),
    ("bits", "entropy in bits", made(last=lambda h: h / math.log(2))),
    ("2 to the nats", "base has to be the same", made(last=lambda h: 2**h)),
    ("e to the bits", "base has to be the same", made(last=lambda h: math.exp(h / math.log(2)))),
    ("base 10", "base 10", made(last=lambda h: math.exp(h / math.log(10)))),
    ("sign", "turned over", made(last=lambda h: torch.exp(-h))),
    ("negative entropy", "without the exponential", made(last=lambda h: -h)),
    (
        "mean over the codes",
        "averaged over the codes",
        made(entropy=lambda p: torch.special.entr(p).mean()),
    ),
    (
        "mean over the codes that occur",
        "codes that occur: the",
        made(entropy=lambda p: torch.special.entr(p[p > 0]).mean()),
    ),
    (
        "1e-6 in the logarithm",
        "It is nearly right",
        made(entropy=smoothed(1e-6)),
    ),
    ("mean of logarithms", "averaged with equal", made(entropy=lambda p: -p[p > 0].log().mean())),
    ("sum of logarithms", "without weights", made(entropy=lambda p: -p[p > 0].log().sum())),
    ("codes in use", "count the codes that occur", lambda i, k: float(len(i.unique()))),
    ("codes", "size of the codebook", lambda i, k: float(k)),
    ("squares", "squared shares", made(entropy=lambda p: 1 / p.square().sum(), last=float)),
    ("largest share", "most frequent", made(entropy=lambda p: 1 / p.max(), last=float)),
    ("share of the codebook", "divided by the size", lambda i, k: right(i, k) / k),
    (
        "entropy's share",
        "share of the largest possible",
        lambda i, k: math.log(right(i, k)) / math.log(k),
    ),
    ("0 log 0", "not a number", made(entropy=plain)),
    ("counts", "make shares", made(shares=lambda c, n: c)),
    ("divided by the codes", "divided by the size", made(shares=lambda c, n: c / len(c))),
    ("divided by the largest", "largest of them", made(shares=lambda c, n: c / c.max())),
    (
        "divided by the pictures",
        "length of the first axis",
        lambda i, k: float(torch.special.entr(counted(i, k) / len(i)).sum().exp()),
    ),
    ("softmax of counts", "softmax of the counts", made(shares=lambda c, n: c.softmax(0))),
    ("softmax of numbers", "only its name", values(lambda i: i.softmax(-1))),
    ("numbers as counts", "only its name", values(lambda i: i / i.sum().clamp(min=1))),
    ("mean of pictures", "then averaged", by_rows(lambda rows: sum(rows) / len(rows))),
    ("sum of pictures", "then summed", by_rows(sum)),
    ("first picture", "first picture's", by_rows(lambda rows: rows[0])),
    (
        "geometric mean of pictures",
        "entropy is worked out",
        by_rows(lambda rows: math.exp(sum(map(math.log, rows)) / len(rows))),
    ),
    (
        "without code 0",
        "Code 0 is left out",
        made(
            count=lambda i, k: counted(i, k)[1:],
            shares=lambda c, n: c / c.sum().clamp(min=1),
        ),
    ),
    ("one added", "One is added", made(shares=lambda c, n: (c + 1) / (n + len(c)))),
    *(
        (f"{small} in the logarithm", "not small enough", made(entropy=smoothed(small)))
        for small in (0.1, 0.01, 1e-3, 1e-4, 1e-5)
    ),
    *(
        (
            f"{small} added to the counts",
            "not small enough",
            made(shares=lambda c, n, e=small: (c + e) / (c + e).sum()),
        )
        for small in (0.1, 0.01, 1e-3)
    ),
    (
        "shares at least 1e-3",
        "right value",
        made(entropy=lambda p: plain(p.clamp(min=1e-3))),
    ),
    (
        "rare codes left out",
        "Rare codes",
        made(entropy=lambda p: torch.special.entr(p[p > 1e-3]).sum()),
    ),
    ("rounded", "is rounded: a", lambda i, k: float(round(right(i, k)))),
    ("rounded down", "rounded down", lambda i, k: float(math.floor(right(i, k) + 1e-6))),
    ("flat only", "stops", made(count=lambda i, k: torch.bincount(i, minlength=k))),
    (
        "512 codes",
        "stops",
        lambda i, k: float(
            torch.distributions.Categorical(
                probs=torch.zeros(4).index_add_(0, i.flatten(), torch.ones(i.numel()))
            )
            .entropy()
            .exp()
        ),
    ),
    (
        "one picture's numel",
        "right value",
        lambda i, k: float(torch.special.entr(counted(i, k) / i[0].numel()).sum().exp()),
    ),
    ("indices in place", "in place", in_place),
    ("order in place", "in place", sorted_in_place),
    ("tensor", "a tensor of shape ()", lambda i, k: torch.tensor(right(i, k))),
    ("row", "a tensor of shape (1,)", lambda i, k: torch.tensor([right(i, k)])),
    ("int", "an int", lambda i, k: round(right(i, k))),
    ("list", "type list", lambda i, k: [right(i, k)]),
    ("nothing", "nothing (None)", lambda i, k: None),
    ("one", "whatever the inputs", lambda i, k: 1.0),
    ("drawn", "different answers", lambda i, k: right(i, k) + torch.rand(()).item()),
)

LENIENT = "the probe takes whatever float() makes a number of"
usage.check_only = {"tensor": LENIENT, "row": LENIENT}

EXERCISES = [usage]
