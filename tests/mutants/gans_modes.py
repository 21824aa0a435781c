"""Answers to the exercise of notebook 07 on the modes that are covered."""

import math

import numpy as np
import torch

from coursekit import checks
from mutants import Exercise

modes = Exercise("modes-covered", checks.modes_covered, ("modes_covered",))


def distances(points, centres):
    return (points[:, None] - centres).square().sum(2).sqrt()


def near(apart, radius):
    return apart <= radius


def tally(apart, counts):
    return torch.bincount(apart.argmin(1)[counts], minlength=apart.shape[1])


def made(
    distances=distances,
    inside=near,
    each=tally,
    covered=lambda each, least: int((each >= least).sum()),
    share=lambda apart, counts: counts.float().mean().item(),
):
    """The right answer, with a part replaced."""

    def modes_covered(points, centres, radius, least):
        apart = distances(points, centres)
        counts = inside(apart.amin(1), radius)
        return covered(each(apart, counts), least), share(apart, counts)

    return modes_covered


right = made()


def by_cdist(points, centres, radius, least):
    distance, owner = torch.cdist(points, centres, compute_mode="donot_use_mm_for_euclid_dist").min(
        dim=1
    )
    counts = distance <= radius
    numbers = owner[counts].unique(return_counts=True)[1]
    return (numbers >= least).sum().item(), counts.sum().item() / len(points)


def one_by_one(points, centres, radius, least):
    each, total = [0] * len(centres), 0
    for x, y in points.tolist():
        apart = [math.hypot(x - a, y - b) for a, b in centres.tolist()]
        nearest = min(range(len(apart)), key=apart.__getitem__)
        if apart[nearest] <= radius:
            each[nearest] += 1
            total += 1
    return sum(n >= least for n in each), total / len(points)


def by_one_hot(points, centres, radius, least):
    apart = torch.linalg.vector_norm(points[:, None, :] - centres[None], dim=-1)
    belongs = torch.nn.functional.one_hot(apart.argmin(1), len(centres)).bool()
    hits = belongs & (apart <= radius)
    return [int((hits.sum(0) >= least).sum()), float(hits.any(1).double().mean())]


def in_numpy(points, centres, radius, least):
    apart = np.linalg.norm(points.numpy()[:, None] - centres.numpy(), axis=2)
    counts = apart.min(axis=1) <= radius
    each = np.bincount(apart.argmin(axis=1)[counts], minlength=len(centres))
    return np.sum(each >= least), counts.mean()


def one_centre_at_a_time(points, centres, radius, least):
    owner = distances(points.double(), centres.double()).argmin(1)
    covered, hits = 0, 0
    for k, centre in enumerate(centres.double()):
        mine = points.double()[owner == k] - centre
        n = int((mine.pow(2).sum(1) <= radius**2).sum())
        covered, hits = covered + (n >= least), hits + n
    return covered, hits / len(points)


modes.right("bincount", right)
modes.right("cdist and unique", by_cdist)
modes.right("one by one", one_by_one)
modes.right("one-hot", by_one_hot)
modes.right("numpy", in_numpy)
modes.right("one centre at a time", one_centre_at_a_time)


def within_any(apart, radius):
    return apart <= radius


def several(points, centres, radius, least):
    """Each point counts at every centre within reach, for the centres."""
    inside = distances(points, centres) <= radius
    return int((inside.sum(0) >= least).sum()), inside.any(1).float().mean().item()


def several_everywhere(points, centres, radius, least):
    inside = distances(points, centres) <= radius
    return int((inside.sum(0) >= least).sum()), inside.sum().item() / len(points)


def share_of_several(points, centres, radius, least):
    inside = distances(points, centres) <= radius
    return right(points, centres, radius, least)[0], inside.sum().item() / len(points)


def first_in_reach(points, centres, radius, least):
    inside = distances(points, centres) <= radius
    owner = inside.int().argmax(1)[inside.any(1)]
    each = torch.bincount(owner, minlength=len(centres))
    return int((each >= least).sum()), inside.any(1).float().mean().item()


def all_of_near_centres(points, centres, radius, least):
    apart = distances(points, centres)
    each = torch.bincount(apart.argmin(1), minlength=len(centres))
    reached = apart.amin(0) <= radius
    share = (apart.amin(1) <= radius).float().mean().item()
    return int(((each >= least) & reached).sum()), share


def touched(points, centres, radius, least):
    apart = distances(points, centres)
    reached = apart.amin(0) <= radius
    return int(reached.sum()), (apart.amin(1) <= radius).float().mean().item()


def only_at_covered(points, centres, radius, least):
    apart = distances(points, centres)
    each = tally(apart, apart.amin(1) <= radius)
    return int((each >= least).sum()), each[each >= least].sum().item() / len(points)


def whole_of_covered(points, centres, radius, least):
    apart = distances(points, centres)
    each = tally(apart, apart.amin(1) <= radius)
    everything = torch.bincount(apart.argmin(1), minlength=len(centres))
    share = everything[each >= least].sum().item() / len(points)
    return int((each >= least).sum()), share


def after(change):
    return lambda *a: change(*right(*a))


def with_centres(change):
    def modes_covered(points, centres, radius, least):
        covered, share = right(points, centres, radius, least)
        return change(covered, share, len(centres), len(points))

    return modes_covered


def changed_distances(change):
    return made(distances=lambda p, c: change(p, c))


def points_in_place(points, centres, radius, least):
    value = right(points, centres, radius, least)
    points -= centres[0]
    return value


def centres_in_place(points, centres, radius, least):
    value = right(points, centres, radius, least)
    centres *= 0
    return value


def drawn(points, centres, radius, least):
    return right(points + torch.randn_like(points), centres, radius, least)


def loop_ends_early(points, centres, radius, least):
    apart = distances(points, centres)
    each = tally(apart, apart.amin(1) <= radius)
    covered = 0
    for n in each:
        if n < least:
            break
        covered += 1
    return covered, right(points, centres, radius, least)[1]


def eight_always(points, centres, radius, least):
    apart = distances(points, centres)
    each = torch.bincount(apart.argmin(1)[apart.amin(1) <= radius], minlength=8)
    return int((each[:8] >= least).sum()), (apart.amin(1) <= radius).float().mean().item()


def own_ring(points, centres, radius, least):
    angle = 2 * math.pi * torch.arange(8) / 8
    ring = 2 * torch.stack([angle.cos(), angle.sin()], 1).to(points)
    return right(points, ring, radius, least)


def of_centres(points, centres, radius, least):
    """The nearest point of each centre, in place of the nearest centre of each point."""
    apart = distances(points, centres)
    return int((apart.amin(0) <= radius).sum()), (apart.amin(0) <= radius).float().mean().item()


modes.wrong(
    ("nothing found", "covered is", lambda p, c, r, n: (0, 0.0)),
    ("edge left out", "exactly the radius is left", made(inside=lambda d, r: d < r)),
    ("radius not used", "radius is not used", made(inside=lambda d, r: d >= 0)),
    ("outside", "outside of the radius", made(inside=lambda d, r: d > r)),
    ("squares against radius", "Squared distances", made(inside=lambda d, r: d**2 <= r)),
    ("square of the radius", "square of the radius", made(inside=lambda d, r: d <= r**2)),
    ("diameter", "radius is doubled", made(inside=lambda d, r: d <= 2 * r)),
    ("half the radius", "radius is halved", made(inside=lambda d, r: d <= r / 2)),
    (
        "taxi",
        "distances are added",
        changed_distances(lambda p, c: (p[:, None] - c).abs().sum(2)),
    ),
    (
        "largest coordinate",
        "larger of the two coordinates",
        changed_distances(lambda p, c: (p[:, None] - c).abs().amax(2)),
    ),
    (
        "no root",
        "Squared distances",
        changed_distances(lambda p, c: (p[:, None] - c).square().sum(2)),
    ),
    (
        "mean of squares",
        "squares are averaged",
        changed_distances(lambda p, c: (p[:, None] - c).square().mean(2)),
    ),
    (
        "root mean square",
        "squares are averaged",
        changed_distances(lambda p, c: (p[:, None] - c).square().mean(2).sqrt()),
    ),
    (
        "first coordinate",
        "first coordinate",
        changed_distances(lambda p, c: (p[:, :1] - c[:, 0]).abs()),
    ),
    (
        "lengths",
        "lengths are compared",
        changed_distances(lambda p, c: (p.norm(dim=1)[:, None] - c.norm(dim=1)).abs()),
    ),
    (
        "signs of the coordinates",
        "covered is",
        changed_distances(lambda p, c: (p[:, None] - c).sum(2).abs()),
    ),
    ("every centre in reach", "every centre within reach", several),
    ("every centre in reach, twice", "every centre within reach", several_everywhere),
    ("share of every centre", "once for every centre", share_of_several),
    ("first in reach", "first centre within reach", first_in_reach),
    ("least exceeded", "exactly `least` points", made(covered=lambda e, n: int((e > n).sum()))),
    ("least not used", "least is not used", made(covered=lambda e, n: int((e >= 1).sum()))),
    ("least less one", "a point too few", made(covered=lambda e, n: int((e >= n - 1).sum()))),
    ("uncovered", "not covered are counted", made(covered=lambda e, n: int((e < n).sum()))),
    (
        "points of the covered",
        "points at covered centres",
        made(covered=lambda e, n: int(e[e >= n].sum())),
    ),
    ("points that count", "points that count are", made(covered=lambda e, n: int(e.sum()))),
    ("all centres", "how many centres there are", made(covered=lambda e, n: len(e))),
    (
        "share of the centres",
        "a Python number, an int",
        made(covered=lambda e, n: (e >= n).float().mean().item()),
    ),
    (
        "which ones",
        "your covered is a list",
        made(covered=lambda e, n: (e >= n).nonzero().flatten().tolist()),
    ),
    ("all of near centres", "those too far away as well", all_of_near_centres),
    ("touched", "least is not used", touched),
    ("loop ends early", "covered is", loop_ends_early),
    ("nearest point of each centre", "least is not used", of_centres),
    (
        "all points at their centres",
        "covered is",
        made(each=lambda apart, counts: tally(apart, counts | True)),
    ),
    ("own ring", "covered is", own_ring),
    ("eight always", "covered is", eight_always),
    (
        "both edges",
        "Both edges",
        made(inside=lambda d, r: d < r, covered=lambda e, n: int((e > n).sum())),
    ),
    ("number of points", "how many points count", made(share=lambda a, c: float(c.sum()))),
    ("percent", "in percent", after(lambda covered, share: (covered, 100 * share))),
    ("the others", "do not count", after(lambda covered, share: (covered, 1 - share))),
    ("points at covered centres", "Only the points at covered", only_at_covered),
    ("all of the covered", "All points of the covered", whole_of_covered),
    (
        "share of covered centres",
        "share of the centres",
        with_centres(lambda covered, share, m, n: (covered, covered / m)),
    ),
    (
        "over the centres",
        "number of centres",
        with_centres(lambda covered, share, m, n: (covered, share * n / m)),
    ),
    (
        "over the pairs",
        "number of pairs",
        with_centres(lambda covered, share, m, n: (covered, share / m)),
    ),
    (
        "rounded",
        "share is",
        after(lambda covered, share: (covered, round(share, 1))),
    ),
    ("whole share", "share is", after(lambda covered, share: (covered, share // 1))),
    ("exchanged", "a Python number, an int", after(lambda covered, share: (share, covered))),
    (
        "exchanged by force",
        "it comes first",
        after(lambda covered, share: (np.int64(covered) * 0 + covered, float(covered))),
    ),
    ("one", "one thing", after(lambda covered, share: covered)),
    ("three", "3 things", after(lambda covered, share: (covered, share, 0))),
    ("nothing", "nothing (None)", after(lambda covered, share: None)),
    (
        "tensors",
        "is a tensor",
        after(lambda covered, share: (torch.tensor(covered), torch.tensor(share))),
    ),
    (
        "share as a tensor",
        "your share is a tensor",
        after(lambda covered, share: (covered, torch.tensor(share))),
    ),
    ("a float", "your covered is a float", after(lambda covered, share: (float(covered), share))),
    ("a bool", "your covered is a bool", after(lambda covered, share: (covered > 0, share))),
    ("points in place", "points in place", points_in_place),
    ("centres in place", "centres in place", centres_in_place),
    ("drawn", "covered is", drawn),
)
NUMBERS = "the right numbers, of another kind, which the probe turns into floats"
modes.check_only |= dict.fromkeys(("tensors", "share as a tensor", "a float"), NUMBERS)

EXERCISES = [modes]
