"""Answers to the exercise of notebook 05 on the quadrants of a picture that are seen."""

import numpy as np
import torch

from coursekit import checks
from mutants import Exercise

masks = Exercise("quadrant-masks", checks.quadrant_masks, ("quadrant_mask",))


def guarded(answer, bad=lambda k, h, w: k not in (1, 2, 3) or h % 2 or w % 2):
    """Refuses what is bad, and leaves the rest to an answer."""

    def whole(observed, height, width):
        if bad(observed, height, width):
            raise ValueError("1 to 3 quadrants of a picture with even sides")
        return answer(observed, height, width)

    return whole


def quarters(height, width, cut=None):
    """The four quarters by name, as slices."""
    rows, columns = cut or (height // 2, width // 2)
    top, bottom = slice(0, rows), slice(rows, None)
    left, right = slice(0, columns), slice(columns, None)
    return {
        "ll": (bottom, left),
        "ul": (top, left),
        "lr": (bottom, right),
        "ur": (top, right),
    }


def ordered(*names, cut=None):
    """Masks whose quarters come in the order of their names."""

    def answer(observed, height, width):
        seen = torch.zeros(height, width, dtype=torch.bool)
        where = quarters(height, width, cut and cut(height, width))
        for name in names[:observed]:
            seen[where[name]] = True
        return seen

    return answer


sliced = ordered("ll", "ul", "lr")


def by_coordinates(observed, height, width):
    rows = torch.arange(height).view(-1, 1).expand(height, width)
    columns = torch.arange(width).expand(height, width)
    low, left = rows >= height / 2, columns < width / 2
    return [low & left, left, left | low][observed - 1]


def by_blocks(observed, height, width):
    small = {1: [[0, 0], [1, 0]], 2: [[1, 0], [1, 0]], 3: [[1, 0], [1, 1]]}[observed]
    return torch.kron(torch.tensor(small), torch.ones(height // 2, width // 2)).bool()


def by_hidden(observed, height, width):
    if observed < 1 or observed > 3 or observed % 1:
        raise ValueError(observed)
    if (height | width) & 1:
        raise ValueError("odd")
    seen = torch.ones((height, width), dtype=torch.bool)
    hidden = ["ur", "lr", "ul"][: 4 - observed]
    for name in hidden:
        seen[quarters(height, width)[name]] = False
    return seen


masks.right("slices", guarded(sliced))
masks.right("coordinates", guarded(by_coordinates))
masks.right("blocks", guarded(by_blocks))
masks.right("what is hidden", by_hidden)


def alone(observed, height, width):
    seen = torch.zeros(height, width, dtype=torch.bool)
    seen[quarters(height, width)[["ll", "ul", "lr"][observed - 1]]] = True
    return seen


def lists(observed, height, width):
    return sliced(observed, height, width).tolist()


def of(change):
    return guarded(lambda k, h, w: change(sliced(k, h, w)))


def asserted(observed, height, width):
    assert observed in (1, 2, 3) and height % 2 == 0 and width % 2 == 0
    return sliced(observed, height, width)


def by_thresholds(observed, height, width):
    seen = sliced(1, height, width)
    seen[: height // 2, : width // 2] = observed >= 2
    seen[height // 2 :, width // 2 :] = observed >= 3
    return seen


def sides_exchanged(observed, height, width):
    seen = torch.zeros(width, height, dtype=torch.bool)
    for name in ("ll", "ul", "lr")[:observed]:
        seen[quarters(height, width)[name]] = True
    return seen


def outside(k):
    return k < 1 or k > 3


masks.wrong(
    (
        "between two numbers",
        "lies between",
        guarded(by_thresholds, lambda k, h, w: outside(k) or h % 2 or w % 2),
    ),
    (
        "number cut off",
        "lies between",
        guarded(
            lambda k, h, w: sliced(int(k), h, w),
            lambda k, h, w: outside(int(k)) or h % 2 or w % 2,
        ),
    ),
    ("sides exchanged when made", "axes are exchanged", guarded(sides_exchanged)),
    (
        "sides that 4 does not divide refused",
        "refuse a case that is allowed",
        guarded(sliced, lambda k, h, w: k not in (1, 2, 3) or h % 4 or w % 2),
    ),
    ("all seen", "whatever the inputs", of(torch.ones_like)),
    ("nothing seen", "whatever the inputs", of(torch.zeros_like)),
    ("seen and hidden exchanged", "Seen and hidden", of(torch.logical_not)),
    ("above and below", "Above and below", guarded(ordered("ul", "ll", "ur"))),
    ("left and right", "Left and right", guarded(ordered("lr", "ur", "ll"))),
    ("columns first", "Rows and columns are exchanged", guarded(ordered("ur", "ul", "lr"))),
    ("turned half round", "upper right one here", guarded(ordered("ur", "lr", "ul"))),
    ("second and third", "second quarter and the third", guarded(ordered("ll", "lr", "ul"))),
    ("upper right last", "third quarter is the wrong", guarded(ordered("ll", "ul", "ur"))),
    ("counterclockwise", "counterclockwise", guarded(ordered("ll", "lr", "ur"))),
    ("reading order", "reading order", guarded(ordered("ul", "ur", "ll"))),
    ("clockwise", "clockwise", guarded(ordered("ul", "ur", "lr"))),
    ("first and second", "first quarter and the second", guarded(ordered("ul", "ll", "lr"))),
    ("across", "lies across", guarded(ordered("ll", "ur", "ul"))),
    ("across, then right", "lies across", guarded(ordered("ll", "ur", "lr"))),
    ("last alone", "stay seen", guarded(alone)),
    ("transposed", "Rows and columns", of(lambda m: m.T)),
    ("height and width", "Height and width", guarded(lambda k, h, w: sliced(k, w, h))),
    (
        "cut at half of the height",
        "same place",
        guarded(ordered("ll", "ul", "lr", cut=lambda h, w: (h // 2, h // 2))),
    ),
    (
        "cut at half of the width",
        "not square",
        guarded(ordered("ll", "ul", "lr", cut=lambda h, w: (w // 2, w // 2))),
    ),
    (
        "cuts exchanged",
        "not square",
        guarded(ordered("ll", "ul", "lr", cut=lambda h, w: (w // 2, h // 2))),
    ),
    (
        "cut at 14",
        "It is right on",
        guarded(ordered("ll", "ul", "lr", cut=lambda h, w: (14, 14))),
    ),
    (
        "cut one row late",
        "right value is",
        guarded(ordered("ll", "ul", "lr", cut=lambda h, w: (h // 2 + 1, w // 2))),
    ),
    ("one quarter always", "ever seen", guarded(lambda k, h, w: sliced(1, h, w))),
    (
        "one too many",
        "too many",
        guarded(lambda k, h, w: ordered("ll", "ul", "lr", "ur")(k + 1, h, w)),
    ),
    ("one too few", "too few", guarded(lambda k, h, w: sliced(k - 1, h, w))),
    ("28 always", "28 x 28", guarded(lambda k, h, w: sliced(k, 28, 28))),
    ("floats", "Tensor of torch.float32", of(torch.Tensor.float)),
    ("ints", "Tensor of torch.int64", of(torch.Tensor.long)),
    ("bytes", "Tensor of torch.uint8", of(torch.Tensor.byte)),
    ("numpy", "numpy", of(lambda m: m.numpy())),
    ("numpy from the start", "numpy", of(lambda m: np.array(m.tolist()))),
    ("lists", "type list", guarded(lists)),
    ("with a channel", "axis for channels", of(lambda m: m[None])),
    ("as a picture of a batch", "axes for pictures", of(lambda m: m[None, None])),
    ("flat", "axis is missing", of(torch.flatten)),
    ("places", "Tensor of torch.int64", of(lambda m: m.flatten().nonzero()[:, 0])),
    ("nothing refused", "nothing would be left", ordered("ll", "ul", "lr", "ur")),
    (
        "4 allowed",
        "nothing would be left",
        guarded(ordered("ll", "ul", "lr", "ur"), lambda k, h, w: k < 1 or k > 4 or h % 2 or w % 2),
    ),
    (
        "0 allowed",
        "nothing would be seen",
        guarded(sliced, lambda k, h, w: k < 0 or k > 3 or h % 2 or w % 2),
    ),
    (
        "too few allowed",
        "nothing would be seen",
        guarded(sliced, lambda k, h, w: k > 3 or h % 2 or w % 2),
    ),
    (
        "negative allowed",
        "too few or too many",
        guarded(sliced, lambda k, h, w: k == 0 or k > 3 or h % 2 or w % 2),
    ),
    (
        "only 4 refused",
        "too few or too many",
        guarded(
            lambda k, h, w: sliced(min(k, 3), h, w),
            lambda k, h, w: k < 1 or k == 4 or h % 2 or w % 2,
        ),
    ),
    ("odd sides allowed", "cannot be halved", guarded(sliced, lambda k, h, w: k not in (1, 2, 3))),
    (
        "only the height looked at",
        "cannot be halved",
        guarded(sliced, lambda k, h, w: k not in (1, 2, 3) or h % 2),
    ),
    (
        "only the width looked at",
        "cannot be halved",
        guarded(sliced, lambda k, h, w: k not in (1, 2, 3) or w % 2),
    ),
    (
        "both odd only",
        "cannot be halved",
        guarded(sliced, lambda k, h, w: k not in (1, 2, 3) or (h % 2 and w % 2)),
    ),
    (
        "odd product",
        "cannot be halved",
        guarded(sliced, lambda k, h, w: k not in (1, 2, 3) or h * w % 2),
    ),
    (
        "odd sum",
        "cannot be halved",
        guarded(sliced, lambda k, h, w: k not in (1, 2, 3) or (h + w) % 2),
    ),
    (
        "not square refused",
        "stops with ValueError",
        guarded(sliced, lambda k, h, w: k not in (1, 2, 3) or h != w or h % 2),
    ),
    ("table alone", "KeyError", guarded(by_blocks, lambda k, h, w: h % 2 or w % 2)),
    ("asserts", "AssertionError", asserted),
    (
        "None returned",
        "nothing (None)",
        lambda k, h, w: sliced(k, h, w) if k in (1, 2, 3) else None,
    ),
    ("prints only", "return", guarded(lambda k, h, w: print(end=""))),
)


EXERCISES = [masks]
