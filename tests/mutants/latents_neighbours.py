"""Answers to the exercise of notebook 03 on a published search for nearest neighbours."""

import torch
from sklearn.neighbors import NearestNeighbors

from coursekit import checks
from mutants import Exercise

neighbours = Exercise("neighbours-bug", checks.neighbours_bug, ("nearest_training",))


def differences(samples, train, kind=torch.float32):
    return samples.flatten(1).to(kind)[:, None] - train.flatten(1).to(kind)[None]


def squares(samples, train):
    return differences(samples, train).square().sum(dim=2)


def by_differences(samples, train):
    return squares(samples, train).argmin(dim=1)


def by_loops(samples, train):
    found = []
    for sample in samples.int():
        errors = [int(((sample - picture) ** 2).sum()) for picture in train.int()]
        found.append(errors.index(min(errors)))
    return torch.tensor(found)


def by_scikit_learn(samples, train):
    search = NearestNeighbors(n_neighbors=1).fit(train.flatten(1).double().numpy())
    found = search.kneighbors(samples.flatten(1).double().numpy(), return_distance=False)
    return torch.from_numpy(found[:, 0]).long()


neighbours.right("differences", by_differences)
neighbours.right(
    "cdist",
    lambda s, t: torch.cdist(s.flatten(1).double(), t.flatten(1).double()).argmin(1),
)
neighbours.right("loops", by_loops)
neighbours.right("scikit-learn", by_scikit_learn)
neighbours.right(
    "scaled to [0, 1], topk",
    lambda s, t: (-((s[:, None] / 255 - t[None] / 255) ** 2).flatten(2).mean(2)).topk(1)[1][:, 0],
)


def wrapped(samples, train):
    return (samples[:, None] - train[None]).flatten(2)


def least(apart):
    return lambda s, t: apart(s, t).argmin(dim=1)


def most(apart):
    return lambda s, t: apart(s, t).argmax(dim=1)


def cosines(s, t):
    return torch.cosine_similarity(
        s.flatten(1).double()[:, None], t.flatten(1).double()[None], dim=2
    )


def skipping(limit):
    """The nearest of those that are farther than some limit."""

    def wrong(s, t):
        apart = squares(s, t)
        return torch.where(apart < limit, torch.inf, apart).argmin(dim=1)

    return wrong


def multiplied_out(s, t):
    s, t = s.flatten(1).float(), t.flatten(1).float()
    return s.square().sum(1)[:, None] + t.square().sum(1) - 2 * s @ t.T


def few_digits(kind, unit=1):
    def apart(s, t):
        s, t = s.flatten(1).to(kind) / unit, t.flatten(1).to(kind) / unit
        return (s[:, None] - t[None]).square().sum(dim=2)

    return least(apart)


def filled(s, t):
    found = torch.zeros(len(s))
    for b, index in enumerate(by_differences(s, t)):
        found[b] = index
    return found


def white_in_place(s, t):
    found = by_differences(s, t)
    t[t > 200] = 255
    return found


neighbours.wrong(
    ("as published", "both slips", most(lambda s, t: wrapped(s, t).float().square().sum(2))),
    ("as published, squares too", "both slips", most(lambda s, t: wrapped(s, t).square().sum(2))),
    (
        "smallest now, wrapped",
        "wrap around at 256",
        least(lambda s, t: wrapped(s, t).float().square().sum(2)),
    ),
    (
        "smallest now, all in bytes",
        "wrap around at 256",
        least(lambda s, t: wrapped(s, t).square().sum(2)),
    ),
    (
        "absolute value of bytes",
        "wrap around at 256",
        least(lambda s, t: wrapped(s, t).abs().sum(2)),
    ),
    ("argmax", "LARGEST", most(squares)),
    (
        "int8",
        "int8 ends",
        least(lambda s, t: differences(s, t, torch.int8).float().square().sum(2)),
    ),
    ("int16", "int16 holds", least(lambda s, t: differences(s, t, torch.int16).square().sum(2))),
    (
        "squares in bytes",
        "or their squares, are still",
        least(lambda s, t: differences(s, t).abs().byte().square().sum(2)),
    ),
    ("absolute", "absolute differences", least(lambda s, t: differences(s, t).abs().sum(2))),
    (
        "largest difference",
        "largest difference",
        least(lambda s, t: differences(s, t).abs().amax(2)),
    ),
    ("sum, then square", "cancel", least(lambda s, t: differences(s, t).sum(2).square())),
    ("no square", "cancel", least(lambda s, t: differences(s, t).sum(2))),
    ("cosine", "most similar direction", most(cosines)),
    (
        "inner product",
        "inner product",
        most(lambda s, t: s.flatten(1).float() @ t.flatten(1).float().T),
    ),
    (
        "pixels that differ",
        "count the pixels",
        least(lambda s, t: (differences(s, t) != 0).sum(2)),
    ),
    (
        "binary",
        "made binary",
        least(lambda s, t: ((s > 127)[:, None] != (t > 127)[None]).flatten(2).sum(2)),
    ),
    ("first channel", "first channel", lambda s, t: by_differences(s[:, :1], t[:, :1])),
    ("first pixel", "first pixel", lambda s, t: by_differences(s[:, :1, :1, :1], t[:, :1, :1, :1])),
    ("counted from 1", "counted from 1", lambda s, t: by_differences(s, t) + 1),
    ("the other way round", "other way round", lambda s, t: by_differences(t, s)),
    ("wrong axis", "other way round", lambda s, t: squares(s, t).argmin(dim=0)),
    ("all together", "shape", lambda s, t: squares(s, t).argmin()),
    ("second nearest", "second nearest", lambda s, t: squares(s, t).argsort(1)[:, 1]),
    (
        "copies skipped",
        "you skip it",
        lambda s, t: squares(s, t).masked_fill(squares(s, t) == 0, torch.inf).argmin(dim=1),
    ),
    ("nearly copies skipped", "you skip it", skipping(1e-3)),
    ("bfloat16", "too few digits", few_digits(torch.bfloat16)),
    ("float16", "too few digits", few_digits(torch.float16)),
    ("float16 in units of the range", "few digits", few_digits(torch.float16, 255)),
    ("multiplied out, float32", "multiplied out", least(multiplied_out)),
    (
        "multiplied out, scaled",
        "multiplied out",
        lambda s, t: (
            (s.flatten(1) / 255).square().sum(1)[:, None]
            + (t.flatten(1) / 255).square().sum(1)
            - 2 * (s.flatten(1) / 255) @ (t.flatten(1) / 255).T
        ).argmin(dim=1),
    ),
    (
        "int16 to the end",
        "nor the sum",
        least(lambda s, t: differences(s, t, torch.int16).square().sum(2, dtype=torch.int16)),
    ),
    (
        "differences cut off",
        "cut off",
        least(lambda s, t: differences(s, t).clamp(min=0).square().sum(2)),
    ),
    ("pairs", "training picture number b", lambda s, t: torch.arange(len(s)) % len(t)),
    ("first for all", "first one's", lambda s, t: by_differences(s, t)[:1].expand(len(s))),
    ("the distance", "torch.float32", lambda s, t: squares(s, t).amin(1)),
    ("min without indices", "type min", lambda s, t: squares(s, t).min(1)),
    ("floats", "torch.float32", filled),
    ("int32", "torch.int32", lambda s, t: by_differences(s, t).int()),
    ("the picture", "torch.uint8", lambda s, t: t[by_differences(s, t)]),
    ("a list", "type list", lambda s, t: by_differences(s, t).tolist()),
    ("keepdim", "axis of length 1", lambda s, t: squares(s, t).argmin(1, keepdim=True)),
    ("norm of bytes", "stops with", least(lambda s, t: wrapped(s, t).norm(dim=2))),
    ("in place", "in place", white_in_place),
    ("zeros", "whatever the inputs", lambda s, t: torch.zeros(len(s), dtype=torch.long)),
)
# A grader reads 3.0 as 3; whole numbers of another type index the training pictures all the same.
neighbours.check_only = {"int32": "the pictures that it finds are the right ones"}

neighbours.check_only |= {
    "bfloat16": "rounding that finds the right pictures in the probe",
    "float16": "rounding that finds the right pictures in the probe",
    "float16 in units of the range": "rounding that finds the right pictures in the probe",
}

EXERCISES = [neighbours]
