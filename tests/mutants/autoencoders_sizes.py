"""Answers to the exercise of notebook 00 on sizes through convolutions."""

import math

import torch
from torch import nn

from coursekit import checks
from mutants import Exercise

sizes = Exercise("convolution-sizes", checks.convolution_sizes, ("sizes_through",))


def shrunk(n, k, s, p):
    return (n + 2 * p - k) // s + 1


def grown(n, k, s, p):
    return (n - 1) * s - 2 * p + k


def through(shrink=shrunk, grow=grown, pool=None):
    """Sizes by other rules."""

    def answer(size, layers):
        found = []
        for kind, k, s, p in layers:
            rule = {"conv": shrink, "pool": pool or shrink, "transposed": grow}[kind]
            size = rule(size, k, s, p)
            found.append(size)
        return found

    return answer


right = through()


def recursive(size, layers):
    if not layers:
        return []
    (kind, kernel, stride, padding), *rest = layers
    if kind == "transposed":
        size = stride * (size - 1) + kernel - 2 * padding
    else:
        size = (size + 2 * padding - (kernel - 1) - 1 + stride) // stride
    return [size, *recursive(size, rest)]


def by_torch(size, layers):
    kinds = {"conv": nn.Conv1d, "transposed": nn.ConvTranspose1d}
    x, found = torch.zeros(1, 1, size), []
    for kind, *numbers in layers:
        layer = nn.MaxPool1d(*numbers) if kind == "pool" else kinds[kind](1, 1, *numbers)
        x = layer(x)
        found.append(x.shape[-1])
    return found


sizes.right("by the formulas", right)
sizes.right("recursive, the division shifted", recursive)
sizes.right("torch's own layers", by_torch)
sizes.right(
    "floor of a true division", through(lambda n, k, s, p: math.floor((n + 2 * p - k) / s + 1))
)
sizes.right("int of a true division", through(lambda n, k, s, p: int((n + 2 * p - k) / s) + 1))


def not_fed_forward(size, layers):
    return [right(size, [layer])[0] for layer in layers]


def empties(size, layers):
    found = []
    while layers:
        size = right(size, [layers.pop(0)])[0]
        found.append(size)
    return found


def last_must_exist(size, layers):
    found = right(size, layers)
    assert found[-1] > 0
    return found


def in_loop(size, layers):
    for layer in layers:
        return right(size, [layer])
    return []


def transposed_unknown(size, layers):
    known = [layer for layer in layers if layer[0] != "transposed"]
    return right(size, known)


def pool_by_name(size, layers):
    return right(size, [("conv" if kind == "conv" else "transposed", *n) for kind, *n in layers])


def transpose_by_name(size, layers):
    return right(size, [(kind.replace("transposed", "transpose"), *n) for kind, *n in layers])


sizes.wrong(
    ("nothing", "0 numbers, not 1", lambda size, layers: []),
    ("not fed forward", "picture's own size", not_fed_forward),
    ("begins with the input", "begins with", lambda n, layers: [n, *right(n, layers)]),
    ("before each layer", "before each layer", lambda n, layers: [n, *right(n, layers)][:-1]),
    ("last only", "last size alone", lambda n, layers: [n, *right(n, layers)][-1:]),
    ("last as a number", "a list of whole numbers", lambda n, layers: [n, *right(n, layers)][-1]),
    ("return in the loop", "first size alone", in_loop),
    ("reverse order", "reverse order", lambda n, layers: right(n, layers)[::-1]),
    ("pixels", "number of pixels", lambda n, layers: [m * m for m in right(n, layers)]),
    ("pairs", "holds (28, 28), a tuple", lambda n, layers: [(m, m) for m in right(n, layers)]),
    ("the input's size always", "leaves the size", through(grow=lambda n, *a: n)),
    ("nothing changes", "No layer changes", lambda n, layers: [n for _ in layers]),
    ("floats", "One slash", through(lambda n, k, s, p: (n + 2 * p - k) / s + 1)),
    (
        "floor as a float",
        "One slash",
        through(lambda n, k, s, p: float((n + 2 * p - k) // s + 1)),
    ),
    ("ceil", "rounded up", through(lambda n, k, s, p: math.ceil((n + 2 * p - k) / s) + 1)),
    ("round", "nearest", through(lambda n, k, s, p: round((n + 2 * p - k) / s) + 1)),
    ("no plus one", "one place too few", through(lambda n, k, s, p: (n + 2 * p - k) // s)),
    (
        "plus one inside",
        "before the division",
        through(lambda n, k, s, p: (n + 2 * p - k + 1) // s),
    ),
    ("padding once", "counts once", through(lambda n, k, s, p: (n + p - k) // s + 1)),
    ("no padding", "padding of convolution", through(lambda n, k, s, p: (n - k) // s + 1)),
    ("padding's sign", "wrong sign", through(lambda n, k, s, p: (n - 2 * p - k) // s + 1)),
    ("no stride", "stride of convolution", through(lambda n, k, s, p: n + 2 * p - k + 1)),
    ("no kernel", "kernel of convolution", through(lambda n, k, s, p: (n + 2 * p) // s)),
    ("over the stride", "only divides", through(lambda n, k, s, p: n // s)),
    ("over the stride, up", "only divides", through(lambda n, k, s, p: -(-n // s))),
    ("kernel as stride", "where the stride", through(lambda n, k, s, p: (n + 2 * p - k) // k + 1)),
    (
        "stride and padding exchanged",
        "Stride and padding are exchanged",
        lambda n, layers: (
            right(n, [(kind, k, p, s) for kind, k, s, p in layers])
            if all(p for *_, p in layers)
            else through(lambda n, k, s, p: shrunk(n, k, p, s))(n, layers)
        ),
    ),
    (
        "kernel and stride exchanged",
        "Kernel and stride are exchanged",
        through(lambda n, k, s, p: shrunk(n, s, k, p)),
    ),
    ("kernel less one", "one less", through(lambda n, k, s, p: (n + 2 * p - (k - 1)) // s + 1)),
    ("same padding always", "keeps the size", through(lambda n, *a: n)),
    (
        "pooling by its kernel",
        "kernel for its stride",
        through(pool=lambda n, k, s, p: (n + 2 * p - k) // k + 1),
    ),
    ("pooling divides", "divides by its kernel", through(pool=lambda n, k, s, p: n // k)),
    ("pooling by its stride", "divides by its stride", through(pool=lambda n, k, s, p: n // s)),
    ("pooling halves", "halves", through(pool=lambda n, *a: n // 2)),
    (
        "pooling without padding",
        "leaves its padding",
        through(pool=lambda n, k, s, p: (n - k) // s + 1),
    ),
    (
        "pooling up",
        "whole window",
        through(pool=lambda n, k, s, p: math.ceil((n + 2 * p - k) / s) + 1),
    ),
    ("pooling keeps", "Pooling leaves the size", through(pool=lambda n, *a: n)),
    ("transposed as a convolution", "other way", through(grow=shrunk)),
    ("transposed, n steps", "too wide", through(grow=lambda n, k, s, p: n * s - 2 * p + k)),
    ("transposed multiplies", "only multiplies", through(grow=lambda n, k, s, p: n * s)),
    ("transposed, no padding", "left out", through(grow=lambda n, k, s, p: (n - 1) * s + k)),
    (
        "transposed, padding once",
        "counts once",
        through(grow=lambda n, k, s, p: (n - 1) * s - p + k),
    ),
    (
        "transposed, padding's sign",
        "wrong sign",
        through(grow=lambda n, k, s, p: (n - 1) * s + 2 * p + k),
    ),
    ("transposed, no kernel", "kernel of a", through(grow=lambda n, k, s, p: (n - 1) * s - 2 * p)),
    ("transposed, plus one", "too wide by one", through(grow=lambda *a: grown(*a) + 1)),
    ("transposed, minus one", "too narrow by one", through(grow=lambda *a: grown(*a) - 1)),
    (
        "transposed, turned round",
        "turned round",
        through(grow=lambda n, k, s, p: (n + 2 * p - k) * s + 1),
    ),
    ("transposed left out", "0 numbers, not 2", transposed_unknown),
    ("pooling as transposed", "right answer is", pool_by_name),
    ("another name", "your code stops", transpose_by_name),
    ("needs a layer", "Without layers", last_must_exist),
    ("layers emptied", "in place", empties),
    ("tuple", "a tuple", lambda n, layers: tuple(right(n, layers))),
    ("generator", "object of type generator", lambda n, layers: (m for m in right(n, layers))),
    ("tensor", "object of type Tensor", lambda n, layers: torch.tensor(right(n, layers))),
    ("prints only", "return", lambda n, layers: print(end="")),
    ("one too many", "too large by 1", lambda n, layers: [m + 1 for m in right(n, layers)]),
)


def same(n, k, s, p):
    """Any padding is taken for one that keeps the size."""
    return -(-n // s) if p else (n - k) // s + 1


def kept(n, k, s, p):
    return n if s == 1 and p else shrunk(n, k, s, p)


def never_larger(n, k, s, p):
    return min(shrunk(n, k, s, p), n)


ANY = "any padding for one that keeps"

sizes.wrong(
    ("same padding", ANY, through(same)),
    ("same padding, convolution only", ANY, through(same, pool=shrunk)),
    ("same padding, pooling only", ANY, through(pool=same)),
    ("padding keeps where the stride is 1", ANY, through(kept)),
    ("the same, convolution only", ANY, through(kept, pool=shrunk)),
    ("never larger", "never let grow", through(never_larger)),
    ("convolution never larger", "never let grow", through(never_larger, pool=shrunk)),
    ("pooling never larger", "never let grow", through(pool=never_larger)),
    (
        "convolution over the stride",
        "only divides by its stride",
        through(lambda n, k, s, p: n // s, pool=shrunk),
    ),
    (
        "over the stride where padded",
        ANY,
        through(lambda n, k, s, p: n // s if p else shrunk(n, k, s, 0), pool=shrunk),
    ),
    (
        "pooling divides where its windows do not overlap",
        "kernel and stride are equal",
        through(pool=lambda n, k, s, p: n // s if s == k else shrunk(n, k, s, p)),
    ),
    (
        "pooling rounds",
        "Pooling rounds the division to the nearest",
        through(pool=lambda n, k, s, p: round((n + 2 * p - k) / s) + 1),
    ),
    (
        "transposed, one pixel",
        "single pixel",
        through(grow=lambda n, k, s, p: grown(n, k, s, p) if n > 1 else k),
    ),
)

SEQUENCES = "the probe looks at the numbers, not at what holds them"
sizes.check_only |= {"tuple": SEQUENCES, "generator": SEQUENCES, "tensor": SEQUENCES}

LARGE = "the probe's pictures are large and its padding is small"
sizes.check_only |= {
    title: LARGE
    for title in (
        "never larger",
        "convolution never larger",
        "pooling never larger",
        "pooling divides where its windows do not overlap",
        "transposed, one pixel",
    )
}

EXERCISES = [sizes]
