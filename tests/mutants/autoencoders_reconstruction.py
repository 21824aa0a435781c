"""Answers to the exercise of notebook 00 on the error of a reconstruction."""

import torch
import torch.nn.functional as F

from coursekit import checks
from mutants import Exercise

error = Exercise("reconstruction-error", checks.reconstruction_error, ("reconstruction_error",))


def right(x, encode, decode):
    return (decode(encode(x)) - x).square().flatten(1).mean(dim=1)


def by_loss(x, encode, decode):
    return F.mse_loss(decode(encode(x)), x, reduction="none").mean(dim=(1, 2, 3))


def row_by_row(x, encode, decode):
    return torch.stack([((decode(encode(one[None])) - one) ** 2).mean() for one in x])


def by_sum(x, encode, decode):
    return ((x - decode(encode(x))) ** 2).sum((1, 2, 3)) / x[0].numel()


def by_squares(x, encode, decode):
    r = decode(encode(x))
    return (r * r - 2 * r * x + x * x).mean(-1).mean(-1).mean(-1)


error.right("as described", right)
error.right("torch's loss, not reduced", by_loss)
error.right("picture by picture", row_by_row)
error.right("sum over numel", by_sum)
error.right("squares multiplied out, axis by axis", by_squares)
error.right("float64 inside", lambda x, e, d: right(x, e, d).double().to(x))


def pixels(each):
    """An error from x and reconstruction, both (B, D)."""
    return lambda x, e, d: each(x.flatten(1), d(e(x)).flatten(1))


def without_gradient(x, encode, decode):
    with torch.no_grad():
        return right(x, encode, decode)


def in_place(x, encode, decode):
    r = decode(encode(x))
    return x.sub_(r).square().flatten(1).mean(1)


def prints_only(x, encode, decode):
    right(x, encode, decode)


def adds_noise(x, encode, decode):
    return right(x + 0.1 * torch.randn_like(x), encode, decode)


error.wrong(
    ("zeros", "whatever the inputs", lambda x, e, d: torch.zeros(len(x))),
    ("compares x with x", "whatever the inputs", lambda x, e, d: (x - x).flatten(1).mean(1)),
    ("torch's default mean", "default", lambda x, e, d: F.mse_loss(d(e(x)), x)),
    ("mean over all", "averaged over the batch", lambda x, e, d: right(x, e, d).mean()),
    ("sum over all", "Everything is summed", lambda x, e, d: (d(e(x)) - x).square().sum()),
    (
        "sum over a picture",
        "You summed over a picture's values",
        lambda x, e, d: (d(e(x)) - x).square().flatten(1).sum(1),
    ),
    (
        "default mean for each",
        "averaged over the batch",
        lambda x, e, d: F.mse_loss(d(e(x)), x).repeat(len(x)),
    ),
    (
        "total for each",
        "summed over the batch",
        lambda x, e, d: right(x, e, d).sum().repeat(len(x)),
    ),
    (
        "sum over numel of the batch",
        "number of pictures",
        lambda x, e, d: (d(e(x)) - x).square().flatten(1).sum(1) / x.numel(),
    ),
    ("first picture for all", "first one's", lambda x, e, d: right(x[:1], e, d).repeat(len(x))),
    ("last axis only", "still to be summed", lambda x, e, d: (d(e(x)) - x).square().mean(-1)),
    ("channels only", "still to be summed", lambda x, e, d: (d(e(x)) - x).square().mean(1)),
    (
        "one channel assumed",
        "still to be summed",
        lambda x, e, d: (d(e(x)) - x).square().mean((2, 3)),
    ),
    ("not reduced", "Nothing was summed", lambda x, e, d: (d(e(x)) - x).square()),
    ("wrong axis", "wrong axis", pixels(lambda x, r: (r - x).square().mean(0))),
    ("keepdim", "axis of length 1", pixels(lambda x, r: (r - x).square().mean(1, keepdim=True))),
    ("absolute", "absolute difference", pixels(lambda x, r: (r - x).abs().mean(1))),
    ("no square", "cancel", pixels(lambda x, r: (r - x).mean(1))),
    ("no square, the other way", "cancel", pixels(lambda x, r: (x - r).mean(1))),
    ("square of the mean", "square the mean", pixels(lambda x, r: (r - x).mean(1) ** 2)),
    ("root", "root is taken", pixels(lambda x, r: (r - x).square().mean(1).sqrt())),
    ("norm", "length of the difference", pixels(lambda x, r: (r - x).norm(dim=1))),
    ("difference of squares", "subtract the squares", pixels(lambda x, r: (r**2 - x**2).mean(1))),
    ("sum of the two", "added", pixels(lambda x, r: (r + x).square().mean(1))),
    ("x left out", "only the reconstruction", pixels(lambda x, r: r.square().mean(1))),
    ("product", "multiplied", pixels(lambda x, r: (x * r).mean(1))),
    ("reconstruction clamped", "clamped", lambda x, e, d: right(x, e, lambda z: d(z).clamp(0, 1))),
    ("sigmoid again", "sigmoid", lambda x, e, d: right(x, e, lambda z: d(z).sigmoid())),
    (
        "cross-entropy",
        "cross-entropy",
        pixels(lambda x, r: F.binary_cross_entropy_with_logits(r, x, reduction="none").mean(1)),
    ),
    (
        "cross-entropy of probabilities",
        "your code stops",
        pixels(lambda x, r: F.binary_cross_entropy(r, x, reduction="none").mean(1)),
    ),
    ("over 784", "784", pixels(lambda x, r: (r - x).square().sum(1) / 784)),
    ("over 28 x 28", "A size stands there", lambda x, e, d: right(x.view(-1, 1, 28, 28), e, d)),
    (
        "over D - 1",
        "one less",
        lambda x, e, d: (d(e(x)) - x).square().flatten(1).sum(1) / (x[0].numel() - 1),
    ),
    (
        "variance of the difference",
        "right value is",
        pixels(lambda x, r: (r - x).var(1, correction=0)),
    ),
    (
        "over height and width",
        "sum over the channels",
        lambda x, e, d: (d(e(x)) - x).square().sum((1, 2, 3)) / (x.shape[2] * x.shape[3]),
    ),
    (
        "first channel",
        "first channel",
        lambda x, e, d: (d(e(x)) - x)[:, 0].square().mean((1, 2)),
    ),
    (
        "over the code's size",
        "size of the code",
        lambda x, e, d: (d(e(x)) - x).square().flatten(1).sum(1) / e(x).shape[1],
    ),
    ("largest", "largest", pixels(lambda x, r: (r - x).square().amax(1))),
    ("median", "right value is", pixels(lambda x, r: (r - x).square().median(1).values)),
    ("median and positions", "object of type", pixels(lambda x, r: (r - x).square().median(1))),
    ("halved", "half of", lambda x, e, d: right(x, e, d) / 2),
    ("negated", "wrong sign", lambda x, e, d: -right(x, e, d)),
    ("through both twice", "twice", lambda x, e, d: right(x, lambda p: e(d(e(p))), d)),
    ("code against x", "your code stops", lambda x, e, d: (e(x) - x).square().flatten(1).mean(1)),
    ("decoder first", "your code stops", lambda x, e, d: right(x, d, e)),
    ("flattened for the encoder", "your code stops", lambda x, e, d: right(x.flatten(1), e, d)),
    (
        "encoder not called",
        "your code stops",
        lambda x, e, d: (d(e) - x).square().flatten(1).mean(1),
    ),
    ("detached", "no gradient", lambda x, e, d: right(x, e, d).detach()),
    ("no_grad", "no gradient", without_gradient),
    ("item", "no gradient", lambda x, e, d: torch.tensor([v.item() for v in right(x, e, d)])),
    (
        "encoder frozen",
        "no gradient reaches the encoder",
        lambda x, e, d: right(x, lambda p: e(p).detach(), d),
    ),
    (
        "root and square",
        "not finite",
        lambda x, e, d: (d(e(x)) - x).square().flatten(1).mean(1).sqrt() ** 2,
    ),
    ("in place", "in place", in_place),
    ("prints only", "return", prints_only),
    ("noise added", "drawn at random", adds_noise),
    ("list", "object of type list", lambda x, e, d: list(right(x, e, d))),
    ("numpy", "numpy", lambda x, e, d: right(x, e, d).detach().numpy()),
    ("rounded", "right value is", lambda x, e, d: right(x, e, d).mul(100).round() / 100),
    ("doubled", "twice", lambda x, e, d: 2 * right(x, e, d)),
    ("constant added", "constant", lambda x, e, d: right(x, e, d) + 0.01),
)

error.wrong(
    (
        "code clamped",
        "code is clamped",
        lambda x, e, d: right(x, lambda p: e(p).clamp(-3, 3), d),
    ),
    (
        "code clamped at 10",
        "code is clamped",
        lambda x, e, d: right(x, lambda p: F.hardtanh(e(p), -10, 10), d),
    ),
    (
        "code clamped at 7",
        "may be any number",
        lambda x, e, d: right(x, lambda p: e(p).clamp(-7, 7), d),
    ),
)

RARE = "the probe's codes are small"
error.check_only |= {
    title: RARE for title in ("code clamped", "code clamped at 10", "code clamped at 7")
}

EXERCISES = [error]
