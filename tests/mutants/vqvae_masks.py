"""Answers to the exercise of notebook 08 on what a pixel may see."""

import torch

from coursekit import checks
from mutants import Exercise

mask = Exercise("causal-mask", checks.causal_mask, ("causal_mask",))


def places(seen, own=float):
    """A mask from what is seen beside the middle, and from what the middle is."""

    def causal_mask(kernel, centre):
        half = kernel // 2
        found = torch.zeros(kernel, kernel)
        for row in range(kernel):
            for column in range(kernel):
                found[row, column] = float(seen(row - half, column - half))
        found[half, half] = own(centre)
        return found

    return causal_mask


def before(row, column):
    return row < 0 or (row == 0 and column < 0)


right = places(before)


def by_slices(kernel, centre):
    found = torch.ones(kernel, kernel)
    half = kernel // 2
    found[half, half + int(centre) :] = 0
    found[half + 1 :] = 0
    return found


def by_number(kernel, centre):
    number = torch.arange(kernel * kernel)
    last = kernel * kernel // 2
    return (number <= last if centre else number < last).double().view(kernel, kernel)


def by_comparison(kernel, centre):
    side = torch.arange(kernel) - kernel // 2
    rows, columns = side[:, None], side[None]
    seen = (rows < 0) | ((rows == 0) & (columns < 0))
    return (seen | ((rows == 0) & (columns == 0) & centre)).float()


def joined(kernel, centre):
    half = kernel // 2
    seen = kernel * half + half + bool(centre)
    return torch.cat([torch.ones(seen), torch.zeros(kernel**2 - seen)]).reshape(kernel, -1)


mask.right("places", right)
mask.right("slices", by_slices)
mask.right("raster numbers, float64", by_number)
mask.right("comparison", by_comparison)
mask.right("joined", joined)


def changed(change):
    return lambda kernel, centre: change(right(kernel, centre))


def tril(kernel, centre):
    return torch.ones(kernel, kernel).tril(0 if centre else -1)


mask.wrong(
    ("after", "AFTER", places(lambda r, c: (r, c) > (0, 0))),
    ("below", "rows below", places(lambda r, c: r > 0 or (r == 0 and c < 0))),
    ("right", "to the RIGHT", places(lambda r, c: r < 0 or (r == 0 and c > 0))),
    ("columns first", "Rows and columns", places(lambda r, c: c < 0 or (c == 0 and r < 0))),
    ("transposed", "Rows and columns", changed(lambda m: m.T)),
    ("rows above alone", "own row is missing", places(lambda r, c: r < 0)),
    ("whole row", "All of the middle row", places(lambda r, c: r <= 0)),
    ("own row alone", "Only the middle row", places(lambda r, c: r == 0 and c < 0)),
    ("column above", "own column", places(lambda r, c: (r < 0 and c == 0) or (r == 0 and c < 0))),
    ("upper left", "right of the middle is missing", places(lambda r, c: r <= 0 and c <= 0)),
    (
        "strictly upper left",
        "left of the middle is seen",
        places(lambda r, c: (r < 0 and c < 0) or (r == 0 and c < 0)),
    ),
    ("blind spot", "triangle", places(lambda r, c: (r < 0 and c <= -r) or (r == 0 and c < 0))),
    (
        "triangle above",
        "triangle over",
        places(lambda r, c: (r < 0 and abs(c) <= -r) or (r == 0 and c < 0)),
    ),
    ("one row above", "one row above", places(lambda r, c: r == -1 or (r == 0 and c < 0))),
    ("nearest left", "nearest place is seen", places(lambda r, c: r < 0 or (r == 0 and c == -1))),
    ("a row too high", "too high", places(lambda r, c: r < -1 or (r == -1 and c < 0))),
    ("a row too low", "too low", places(lambda r, c: r <= 0 or (r == 1 and c < 0))),
    (
        "not the nearest left",
        "nearest place on the left",
        places(lambda r, c: r < 0 or (r == 0 and c < -1)),
    ),
    ("one right", "right of the middle is seen", places(lambda r, c: r < 0 or (r == 0 and c <= 1))),
    ("all", "All places", places(lambda r, c: True)),
    ("all, always", "All places", places(lambda r, c: True, lambda centre: 1.0)),
    ("nothing but itself", "Nothing is seen", places(lambda r, c: False)),
    ("left columns", "all columns on the left", places(lambda r, c: c < 0)),
    ("diagonal", "along a diagonal", places(lambda r, c: r + c < 0)),
    ("centre turned round", "where it should be hidden", places(before, lambda centre: not centre)),
    ("centre always", "always seen", places(before, lambda centre: 1.0)),
    ("centre never", "never seen", places(before, lambda centre: 0.0)),
    (
        "rows above, centre never",
        "own row is missing",
        places(lambda r, c: r < 0, lambda centre: 0.0),
    ),
    ("whole row, always", "All of the middle row", places(lambda r, c: r <= 0, lambda centre: 1.0)),
    (
        "below, centre always",
        "rows below",
        places(lambda r, c: r > 0 or (r == 0 and c < 0), lambda centre: 1.0),
    ),
    ("seen and hidden", "Seen and hidden", changed(lambda m: 1 - m)),
    ("lower triangle", "lower triangle", tril),
    ("upper triangle", "upper triangle", lambda k, c: tril(k, c).T),
    (
        "upper triangle, other diagonal",
        "upper triangle",
        lambda k, c: torch.ones(k, k).triu(int(c)),
    ),
    ("logarithm", "before a softmax", changed(torch.log)),
    ("turned half", "AFTER", changed(lambda m: m.flip(0, 1))),
    ("mirrored", "to the RIGHT", changed(lambda m: m.flip(1))),
    ("upside down", "rows below", changed(lambda m: m.flip(0))),
    ("mean", "divided by its sum", changed(lambda m: m / m.sum().clamp(min=1))),
    ("3 x 3", "always 3 x 3", lambda k, c: right(3, c)),
    ("doubled", "right value", changed(lambda m: 2 * m)),
    ("minus", "wrong sign", changed(lambda m: -m)),
    ("random weights", "different answers", changed(lambda m: m * torch.rand(m.shape))),
    ("half for the middle", "right value", places(before, lambda centre: 0.5 if centre else 0.0)),
    ("zeros", "Nothing is seen", places(lambda r, c: False, lambda centre: 0.0)),
    ("bool", "torch.bool", changed(lambda m: m.bool())),
    ("whole numbers", "torch.int64", changed(lambda m: m.long())),
    ("numpy", "numpy", changed(lambda m: m.numpy())),
    ("list", "type list", changed(lambda m: m.tolist())),
    ("for a convolution", "Axes of length 1", changed(lambda m: m[None, None])),
    ("with a channel", "Axes of length 1", changed(lambda m: m[None])),
    ("flat", "in a row", changed(lambda m: m.flatten())),
    ("nothing", "nothing (None)", changed(lambda m: None)),
    ("ones", "All places", lambda k, c: torch.ones(k, k)),
    (
        "fails for 1",
        "stops",
        lambda k, c: by_slices(k, c) if k > 1 else torch.ones(k, k)[k // 2 - 2 :, 5],
    ),
    (
        "1 always seen",
        "nothing at all",
        lambda k, c: by_slices(k, c) if k > 1 else torch.ones(1, 1),
    ),
    (
        "up to 7",
        "right value",
        lambda k, c: places(lambda r, col: before(r, col) and r > -3)(k, c),
    ),
)

EXERCISES = [mask]
