"""Answers to the exercise of notebook 02 on bits per dimension of the 8-bit picture."""

import math

import torch

from coursekit import checks
from mutants import Exercise

LN_2 = math.log(2)

scale_exercise = Exercise("one-scale", checks.one_scale, ("eight_bit_bits_per_dim",))


def guarded(density, mass=lambda n, d: n / d / LN_2):
    """An answer from its two formulas; all other scales are refused."""

    def answer(nats, dims, scale):
        if scale == "density":
            return density(nats, dims)
        if scale == "mass":
            return mass(nats, dims)
        raise ValueError(scale)

    return answer


def in_bits(nats, dims):
    return nats / (dims * LN_2)


def with_eight(nats, dims):
    return nats / (dims * LN_2) + 8


right = guarded(with_eight, in_bits)


def by_table(nats, dims, scale):
    extra = {"density": 8.0, "mass": 0.0}
    if scale not in extra:
        raise ValueError("no such scale")
    return torch.log2(torch.tensor(math.e, dtype=nats.dtype)) * nats / dims + extra[scale]


def by_cells(nats, dims, scale):
    """Adds the width of a cell to the nats of the picture."""
    try:
        width = {"density": 1 / 256, "mass": 1.0}[scale]
    except KeyError as error:
        raise ValueError(scale) from error
    return (nats - dims * math.log(width)) / dims / LN_2


scale_exercise.right("as derived", right)
scale_exercise.right("a table and log2 of e", by_table)
scale_exercise.right("width of a cell in nats", by_cells)


def falls_through(nats, dims, scale):
    return in_bits(nats, dims) + (8 if scale == "density" else 0)


def mass_or_density(nats, dims, scale):
    if scale == "density" or "mass":  # noqa: SIM222
        return with_eight(nats, dims)
    raise ValueError(scale)


def a_part_of_the_word(nats, dims, scale):
    if scale in "density":
        return with_eight(nats, dims)
    if scale in "mass":
        return in_bits(nats, dims)
    raise ValueError(scale)


def holds_the_word(nats, dims, scale):
    if "density" in scale:
        return with_eight(nats, dims)
    if "mass" in scale:
        return in_bits(nats, dims)
    raise ValueError(scale)


def first_letter(nats, dims, scale):
    if scale.startswith(("d", "m")):
        return falls_through(nats, dims, scale)
    raise ValueError(scale)


def binary_allowed(nats, dims, scale):
    if scale not in ("density", "mass", "binary"):
        raise ValueError(scale)
    return falls_through(nats, dims, scale)


def binary_refused_only(nats, dims, scale):
    if scale == "binary":
        raise ValueError(scale)
    return falls_through(nats, dims, scale)


def asserts(nats, dims, scale):
    assert scale in ("density", "mass"), scale
    return falls_through(nats, dims, scale)


def key_error(nats, dims, scale):
    return in_bits(nats, dims) + {"density": 8, "mass": 0}[scale]


def in_place(nats, dims, scale):
    if scale not in ("density", "mass"):
        raise ValueError(scale)
    nats /= dims * LN_2
    return nats + (8 if scale == "density" else 0)


def returns_the_error(nats, dims, scale):
    return right(nats, dims, scale) if scale in ("density", "mass") else ValueError(scale)


def mean_over(answer, reduce):
    return lambda nats, dims, scale: reduce(answer(nats, dims, scale))


scale_exercise.wrong(
    ("nats", "one bit is not one nat", guarded(lambda n, d: n / d + 8, lambda n, d: n / d)),
    (
        "nats, the 8 too",
        "the 8 bits too",
        guarded(lambda n, d: n / d + 8 * LN_2, lambda n, d: n / d),
    ),
    (
        "multiplied by ln 2",
        "to be divided",
        guarded(lambda n, d: n * LN_2 / d + 8, lambda n, d: n * LN_2 / d),
    ),
    (
        "base 10",
        "a choice between two",
        guarded(
            lambda n, d: n / math.log(10) / d + 8,
            lambda n, d: n / math.log(10) / d,
        ),
    ),
    ("no 8", "a density needs are missing", guarded(in_bits, in_bits)),
    ("8 for both", "added to a mass too", guarded(with_eight, with_eight)),
    ("exchanged", "exchanged", guarded(in_bits, with_eight)),
    ("8 subtracted", "wrong sign", guarded(lambda n, d: in_bits(n, d) - 8)),
    ("8 over D", "8 is divided by the number", guarded(lambda n, d: n / d / LN_2 + 8 / d)),
    ("8 beside the nats", "nats of the whole picture", guarded(lambda n, d: (n + 8) / d / LN_2)),
    ("8 as nats", "is taken for nats", guarded(lambda n, d: (n / d + 8) / LN_2)),
    ("8 turned into nats", "turned into nats", guarded(lambda n, d: in_bits(n, d) + 8 * LN_2)),
    ("8 for each value", "once for each value", guarded(lambda n, d: in_bits(n, d) + 8 * d)),
    ("256 added", "number of levels", guarded(lambda n, d: in_bits(n, d) + 256)),
    ("255 cells", "not of 255", guarded(lambda n, d: in_bits(n, d) + math.log2(255))),
    (
        "not divided by D",
        "not divided by the number of values",
        guarded(lambda n, d: n / LN_2 + 8, lambda n, d: n / LN_2),
    ),
    (
        "bits of the whole picture",
        "bits of the whole picture",
        guarded(lambda n, d: n / LN_2 + 8 * d, lambda n, d: n / LN_2),
    ),
    (
        "784 always",
        "as 784",
        guarded(lambda n, d: with_eight(n, 784), lambda n, d: in_bits(n, 784)),
    ),
    (
        "divided by B",
        "number of pictures",
        guarded(lambda n, d: with_eight(n, len(n)), lambda n, d: in_bits(n, len(n))),
    ),
    (
        "sign of the nats",
        "log-likelihoods already",
        guarded(lambda n, d: with_eight(-n, d), lambda n, d: in_bits(-n, d)),
    ),
    (
        "absolute nats",
        "made positive",
        guarded(lambda n, d: with_eight(n.abs(), d), lambda n, d: in_bits(n.abs(), d)),
    ),
    (
        "nats cut off at 0",
        "cut off",
        guarded(lambda n, d: with_eight(n.clamp(min=0), d), lambda n, d: in_bits(n.relu(), d)),
    ),
    ("mean of the batch", "over the batch", mean_over(right, torch.mean)),
    ("mean as a number", "a Python number", mean_over(right, lambda b: b.mean().item())),
    ("a list", "type list", mean_over(right, lambda b: b.tolist())),
    (
        "sum of the batch for each",
        "over the batch",
        mean_over(right, lambda b: b.sum().expand(len(b))),
    ),
    ("first for all", "first one's", mean_over(right, lambda b: b[:1].expand(len(b)))),
    ("rounded", "nearly right", mean_over(right, lambda b: (b * 100).round() / 100)),
    ("single precision only", "precision", lambda n, d, s: right(n, d, s) @ torch.eye(len(n))),
    ("zeros", "whatever the inputs", mean_over(right, torch.zeros_like)),
    ("in place", "in place", in_place),
    ("every other scale is a mass", "must be refused", falls_through),
    ("or without a comparison", "added to a mass too", mass_or_density),
    ("in a string", "A part of the word", a_part_of_the_word),
    ("string in it", "compare the whole word", holds_the_word),
    ("word mended", "mend the word", lambda n, d, s: right(n, d, s.strip().lower())),
    ("capitals allowed", "mend the word", lambda n, d, s: right(n, d, s.lower())),
    ("spaces allowed", "mend the word", lambda n, d, s: right(n, d, s.strip())),
    ("first letter", "beginning of the word", first_letter),
    ("binary allowed", "another picture", binary_allowed),
    ("binary refused only", "misspelt", binary_refused_only),
    ("assert", "AssertionError", asserts),
    ("KeyError", "KeyError", key_error),
    ("error returned", "must be refused", returns_the_error),
)
for title in ("string in it", "word mended", "capitals allowed", "spaces allowed"):
    scale_exercise.check_only[title] = "the probe refuses one wrong word only"
scale_exercise.check_only["single precision only"] = "the sums of one row differ by rounding only"

EXERCISES = [scale_exercise]
