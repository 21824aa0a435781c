"""Answers to the exercise of notebook 06 on bits per dimension of a flow."""

import math

import torch

from coursekit import checks
from mutants import Exercise

LN_2 = math.log(2)

bits = Exercise("bits-of-the-picture", checks.bits_of_the_picture, ("eight_bit_bits",))


def right(log_p_y, logdet, dims):
    return -(log_p_y + logdet) / (dims * LN_2) + 8


def by_cells(log_p_y, logdet, dims):
    """The log-probability of a cell first, in nats."""
    log_mass = log_p_y + logdet - dims * math.log(256)
    return -log_mass / dims / LN_2


def by_log2(log_p_y, logdet, dims):
    return 8 - math.log2(math.e) * (log_p_y / dims + logdet / dims)


def by_hand(log_p_y, logdet, dims):
    rows = [
        8 - (p + d) / dims / LN_2 for p, d in zip(log_p_y.tolist(), logdet.tolist(), strict=True)
    ]
    return torch.tensor(rows, dtype=log_p_y.dtype)


bits.right("as derived", right)
bits.right("cells in nats", by_cells)
bits.right("log2 of e", by_log2)
bits.right("one by one", by_hand)


def of(join):
    return lambda p, logdet, dims: right(join(p, logdet), 0, dims)


def plus(eight):
    return lambda p, logdet, dims: right(p, logdet, dims) - 8 + eight(dims)


def after(change):
    return lambda *a: change(right(*a))


def in_place(p, logdet, dims):
    p += logdet
    return -p / dims / LN_2 + 8


def by_shape(p, logdet, dims):
    return -(p + logdet) / (p.numel() * LN_2) + 8


bits.wrong(
    ("zeros", "whatever the inputs", after(torch.zeros_like)),
    ("logdet's sign", "logdet has the wrong sign", of(lambda p, d: p - d)),
    ("no logdet", "logdet is missing", of(lambda p, d: p)),
    ("logdet alone", "log-density of y is missing", of(lambda p, d: d)),
    ("loss for log-density", "log-density of y has the wrong", of(lambda p, d: d - p)),
    ("multiplied", "two are multiplied", of(lambda p, d: p * d)),
    ("size of the logdet", "size of the logdet", of(lambda p, d: p + d.abs())),
    ("log of the logdet", "taken twice", of(lambda p, d: p + d.abs().log())),
    ("determinant", "determinant is added", of(lambda p, d: p + d.exp())),
    ("logdet twice", "counts twice", of(lambda p, d: p + 2 * d)),
    ("logdet half", "counts half", of(lambda p, d: p + d / 2)),
    ("logdet's mean", "averaged over the batch", of(lambda p, d: p + d.mean())),
    ("logdet's sum", "summed over the batch", of(lambda p, d: p + d.sum())),
    ("first logdet", "first picture's logdet", of(lambda p, d: p + d[0])),
    ("positive logdet", "right value is", of(lambda p, d: p + d.clamp(min=0))),
    ("no 8", "bits are missing", plus(lambda d: 0)),
    ("8 subtracted", "8 has the wrong sign", plus(lambda d: -8)),
    ("8 over D", "8 is divided by the number", plus(lambda d: 8 / d)),
    ("8 for each value", "once for each value", plus(lambda d: 8 * d)),
    ("8 beside the nats", "nats of the whole picture", lambda p, d, n: (8 - p - d) / n / LN_2),
    ("8 as nats", "taken for nats", plus(lambda d: 8 / LN_2)),
    ("8 turned into nats", "turned into nats", plus(lambda d: 8 * LN_2)),
    ("256 added", "number of levels", plus(lambda d: 256)),
    ("255 cells", "not of 255", plus(lambda d: math.log2(255))),
    ("8 twice", "8 is counted twice", plus(lambda d: 16)),
    (
        "a cell once a picture",
        "8 is divided by",
        lambda p, d, n: -(p + d - math.log(256)) / n / LN_2,
    ),
    (
        "cell's sign",
        "8 has the wrong sign",
        lambda p, d, n: -(p + d + n * math.log(256)) / n / LN_2,
    ),
    ("logdet's sign, no 8", "and the 8 bits", lambda p, d, n: -(p - d) / n / LN_2),
    ("no logdet, no 8", "and so are the 8 bits", lambda p, d, n: -p / n / LN_2),
    ("nats", "one bit is not one nat", lambda p, d, n: -(p + d) / n + 8),
    ("nats, the 8 too", "the 8 bits too", lambda p, d, n: -(p + d) / n + math.log(256)),
    ("multiplied by ln 2", "to be divided", lambda p, d, n: -(p + d) * LN_2 / n + 8),
    ("base 10", "a choice between two", lambda p, d, n: -(p + d) / math.log(10) / n + 8),
    ("logdet not over D", "logdet is not divided", lambda p, d, n: -(p / n + d) / LN_2 + 8),
    ("log p not over D", "log-density is not divided", lambda p, d, n: -(p + d / n) / LN_2 + 8),
    ("logdet times D", "logdet is not divided", lambda p, d, n: -(p + n * d) / n / LN_2 + 8),
    ("logdet in nats", "logdet is left in nats", lambda p, d, n: -p / n / LN_2 - d / n + 8),
    ("log p in nats", "log-density is left in nats", lambda p, d, n: -p / n - d / n / LN_2 + 8),
    ("not over D", "not divided by the number of values", lambda p, d, n: -(p + d) / LN_2 + 8),
    (
        "bits of the whole picture",
        "bits of the whole picture",
        lambda p, d, n: -(p + d) / LN_2 + 8 * n,
    ),
    ("784 always", "as 784", lambda p, d, n: right(p, d, 784)),
    ("divided by B", "number of pictures", by_shape),
    ("sign of the nats", "bits are of its negative", lambda p, d, n: right(-p, -d, n)),
    ("sign of everything", "sign of everything", after(torch.neg)),
    ("cut off at 0", "cut off", after(lambda b: b.clamp(min=0))),
    ("cut off at 100", "cut off", after(lambda b: b.clamp(max=100))),
    ("no infinity", "cut off", after(torch.nan_to_num)),
    ("made positive", "made positive", after(torch.abs)),
    ("mean of the batch", "over the batch", after(torch.mean)),
    ("mean as a number", "a Python number", after(lambda b: b.mean().item())),
    ("a list", "type list", after(lambda b: b.tolist())),
    ("sum for each", "over the batch", after(lambda b: b.sum().expand(len(b)))),
    ("mean for each", "over the batch", after(lambda b: b.mean().expand(len(b)))),
    ("first for all", "first one's", after(lambda b: b[:1].expand(len(b)))),
    ("wrong order", "wrong order", after(lambda b: b.flip(0))),
    ("rounded", "does not change", after(lambda b: b.round())),
    ("half precision", "nearly right", lambda p, d, n: right(p.half(), d.half(), n).to(p.dtype)),
    ("torch.log of a number", "plain number", lambda p, d, n: -(p + d) / (n * torch.log(2)) + 8),
    ("math.exp of a tensor", "a Python number", lambda p, d, n: 8 - math.log2(math.exp(p + d)) / n),
    ("in place", "in place", in_place),
    ("nothing", "nothing (None)", lambda p, d, n: None),
)

bits.check_only["no infinity"] = "a probe's answers are finite numbers"

EXERCISES = [bits]
