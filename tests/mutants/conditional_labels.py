"""Answers to the exercise of notebook 05 on one-hot labels."""

import torch
import torch.nn.functional as F

from coursekit import checks
from mutants import Exercise

one_hot = Exercise("one-hot", checks.one_hot, ("one_hot",))


def guarded(answer):
    """Refuses labels that are no class, and leaves the rest to an answer."""

    def whole(labels, classes):
        if labels.min() < 0 or labels.max() > classes - 1:
            raise ValueError(f"a label is not among 0, ..., {classes - 1}")
        return answer(labels, classes)

    return whole


def by_eye(labels, classes):
    return torch.eye(classes)[labels]


def by_loop(labels, classes):
    found = []
    for label in labels.tolist():
        if not 0 <= label < classes:
            raise ValueError(label)
        found.append([1.0 if label == place else 0.0 for place in range(classes)])
    return torch.tensor(found)


def by_torch(labels, classes):
    try:
        return F.one_hot(labels, classes).to(torch.get_default_dtype())
    except RuntimeError as error:
        raise ValueError("no such class") from error


one_hot.right("rows of the unit matrix", guarded(by_eye))
one_hot.right("loop", by_loop)
one_hot.right("torch's own, its error turned", by_torch)
one_hot.right(
    "compared with all classes",
    guarded(lambda labels, classes: (labels.unsqueeze(1) == torch.arange(classes)).float()),
)
one_hot.right(
    "scatter",
    guarded(
        lambda labels, classes: torch.zeros(len(labels), classes).scatter_(1, labels[:, None], 1.0)
    ),
)


def refusing(bad):
    """Right for good labels; refuses only where `bad` says so."""

    def answer(labels, classes):
        if bad(labels, classes):
            raise ValueError("no such class")
        return by_eye(labels.clamp(-classes, classes - 1), classes)

    return answer


def assigned_to_columns(labels, classes):
    rows = torch.zeros(len(labels), classes)
    rows[:, labels] = 1
    return rows


def clamps_in_place(labels, classes):
    return guarded(by_eye)(labels.clamp_(max=classes - 1), classes)


def moved_in_place(labels, classes):
    rows = guarded(by_eye)(labels, classes)
    labels += 1
    return rows


def asserts(labels, classes):
    assert (labels >= 0).all() and (labels < classes).all()
    return by_eye(labels, classes)


def course_error(labels, classes):
    if (labels < 0).any() or (labels >= classes).any():
        raise KeyError("no such class")
    return by_eye(labels, classes)


def gives_the_error_back(labels, classes):
    if (labels < 0).any() or (labels >= classes).any():
        return ValueError("no such class")
    return by_eye(labels, classes)


def gives_nothing(labels, classes):
    if (labels >= 0).all() and (labels < classes).all():
        return by_eye(labels, classes)
    return None


def prints(labels, classes):
    if (labels < 0).any() or (labels >= classes).any():
        print(end="")
    return by_eye(labels % classes, classes)


one_hot.wrong(
    ("zeros", "whatever the inputs", guarded(lambda y, k: torch.zeros(len(y), k))),
    ("label as a number", "not an amount", guarded(lambda y, k: y[:, None].float().repeat(1, k))),
    ("label as a float", "themselves, as floats", guarded(lambda y, k: y.float())),
    ("label as a column", "column of floats", guarded(lambda y, k: y.float()[:, None])),
    ("number in its place", "stands its number", guarded(lambda y, k: by_eye(y, k) * y[:, None])),
    ("exchanged", "Zeros and ones", guarded(lambda y, k: 1 - by_eye(y, k))),
    ("minus one elsewhere", "hold -1", guarded(lambda y, k: 2 * by_eye(y, k) - 1)),
    ("thermometer", "orders the classes", guarded(lambda y, k: torch.ones(k, k).tril()[y])),
    (
        "thermometer without its own",
        "orders the classes",
        guarded(lambda y, k: torch.ones(k, k).tril(-1)[y]),
    ),
    ("counted from 1", "to the left", guarded(lambda y, k: by_eye(y - 1, k))),
    (
        "counted from 1, 0 nowhere",
        "to the left",
        guarded(lambda y, k: (torch.arange(1, k + 1) == y[:, None]).float()),
    ),
    ("one to the right", "to the right", guarded(lambda y, k: by_eye((y + 1) % k, k))),
    ("from the right", "from the right", guarded(lambda y, k: by_eye(y, k).flip(1))),
    ("batch turned", "turned round", guarded(lambda y, k: by_eye(y, k).flip(0))),
    ("transposed", "exchanged: each label has a row", guarded(lambda y, k: by_eye(y, k).T)),
    ("counts", "how often", guarded(lambda y, k: by_eye(y, k).sum(0))),
    ("all in one row", "single row", guarded(lambda y, k: by_eye(y, k).amax(0))),
    ("columns assigned", "in every row", guarded(assigned_to_columns)),
    ("first for all", "first label's", guarded(lambda y, k: by_eye(y[:1], k).repeat(len(y), 1))),
    (
        "row's own number",
        "own number says",
        guarded(lambda y, k: torch.eye(len(y), k)),
    ),
    ("as long as needed", "largest label needs", lambda y, k: guarded(by_eye)(y, int(y.max()) + 1)),
    ("torch's own guess", "floating-point", guarded(lambda y, k: F.one_hot(y))),
    ("ten classes", "10 places", guarded(lambda y, k: by_eye(y, 10))),
    ("one class too many", "too many", guarded(lambda y, k: by_eye(y, k + 1))),
    ("double", "Tensor of torch.float64", guarded(lambda y, k: by_eye(y, k).double())),
    ("half", "Tensor of torch.float16", guarded(lambda y, k: by_eye(y, k).half())),
    ("ints", "floating-point", guarded(lambda y, k: F.one_hot(y, k))),
    ("bools", "floating-point", guarded(lambda y, k: y[:, None] == torch.arange(k))),
    ("nested lists", "type list", guarded(lambda y, k: by_eye(y, k).tolist())),
    ("an axis left over", "axis of length 1", guarded(lambda y, k: by_eye(y, k)[:, None])),
    ("softened", "right value is", guarded(lambda y, k: 0.9 * by_eye(y, k) + 0.1 / k)),
    ("doubled", "right value is", guarded(lambda y, k: 2 * by_eye(y, k))),
    ("clamped in place", "no ValueError", clamps_in_place),
    ("labels changed", "in place", moved_in_place),
    ("nothing refused", "no ValueError", refusing(lambda y, k: False)),
    ("only negative ones refused", "beyond the last", refusing(lambda y, k: (y < 0).any())),
    ("only large ones refused", "-1 means the last", refusing(lambda y, k: (y >= k).any())),
    ("classes itself allowed", "equals classes", refusing(lambda y, k: y.max() > k or y.min() < 0)),
    ("-1 allowed", "-1 means the last", refusing(lambda y, k: y.max() >= k or y.min() < -1)),
    ("first label only", "all labels", refusing(lambda y, k: not 0 <= y[0] < k)),
    ("last label only", "all labels", refusing(lambda y, k: not 0 <= y[-1] < k)),
    ("if all are bad", "all labels", refusing(lambda y, k: (y < 0).all() or (y >= k).all())),
    (
        "magnitudes only",
        "-1 means the last",
        refusing(lambda y, k: (y.abs() >= k).any()),
    ),
    ("sum in range", "all labels", refusing(lambda y, k: not 0 <= y.float().mean() < k)),
    ("limit of 4", "stops with ValueError", refusing(lambda y, k: y.max() > 4 or y.min() < 0)),
    ("modulo", "no ValueError", lambda y, k: by_eye(y % k, k)),
    ("indexing alone", "IndexError", by_eye),
    ("torch alone", "RuntimeError", lambda y, k: F.one_hot(y, k).float()),
    ("assert", "AssertionError", asserts),
    ("KeyError", "KeyError", course_error),
    ("error returned", "raised, not returned", gives_the_error_back),
    ("None returned", "nothing (None)", gives_nothing),
    ("printed only", "no ValueError", prints),
    ("no return", "return", guarded(lambda y, k: print(end=""))),
    ("good ones refused", "stops with ValueError", refusing(lambda y, k: y.max() >= k - 1)),
)

EXERCISES = [one_hot]
