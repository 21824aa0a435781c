"""Answers to the exercise of notebook 03 on attribute vectors."""

import torch

from coursekit import checks
from mutants import Exercise

attribute = Exercise("attribute-vector", checks.attribute_vector, ("attribute_vector",))


def by_mask(z, has):
    return z[has].mean(dim=0) - z[~has].mean(dim=0)


def by_weights(z, has):
    weights = has.to(z) / has.sum() - (~has).to(z) / (~has).sum()
    return weights @ z


def by_lists(z, has):
    with_it = torch.stack([row for row, yes in zip(z, has.tolist(), strict=True) if yes])
    without = torch.stack([row for row, yes in zip(z, has.tolist(), strict=True) if not yes])
    return with_it.mean(dim=0) - without.mean(dim=0)


attribute.right("mask", by_mask)
attribute.right("weights", by_weights)
attribute.right("lists", by_lists)
attribute.right(
    "where",
    lambda z, has: (
        torch.where(has[:, None], z, torch.nan).nanmean(0)
        - torch.where(has[:, None], torch.nan, z).nanmean(0)
    ),
)


def in_place(z, has):
    z -= z[~has].mean(dim=0)
    return z[has].mean(dim=0)


attribute.wrong(
    ("sign", "wrong sign", lambda z, has: z[~has].mean(0) - z[has].mean(0)),
    ("mean of those that have it", "where the others lie", lambda z, has: z[has].mean(0)),
    ("mean of those that have not", "have not the attribute", lambda z, has: z[~has].mean(0)),
    ("minus the mean of all", "mean of ALL", lambda z, has: z[has].mean(0) - z.mean(0)),
    ("mean of all first", "that of ALL", lambda z, has: z.mean(0) - z[~has].mean(0)),
    ("sums", "These are sums", lambda z, has: z[has].sum(0) - z[~has].sum(0)),
    (
        "over the number of all",
        "divided by the number of all",
        lambda z, has: (z * has[:, None] - z * ~has[:, None]).mean(0),
    ),
    ("added", "added", lambda z, has: z[has].mean(0) + z[~has].mean(0)),
    ("midway", "half", lambda z, has: by_mask(z, has) / 2),
    (
        "mask as row numbers",
        "row numbers",
        lambda z, has: z[has.long()].mean(0) - z[1 - has.long()].mean(0),
    ),
    ("medians", "medians", lambda z, has: z[has].median(0).values - z[~has].median(0).values),
    ("length 1", "length 1", lambda z, has: by_mask(z, has) / by_mask(z, has).norm()),
    ("absolute values", "signs are lost", lambda z, has: by_mask(z, has).abs()),
    (
        "squeezed",
        "squeeze takes away",
        lambda z, has: z[has.nonzero().squeeze()].mean(0) - z[(~has).nonzero().squeeze()].mean(0),
    ),
    ("first points", "first two points", lambda z, has: z[has][0] - z[~has][0]),
    ("averaged over all", "shape", lambda z, has: z[has].mean() - z[~has].mean()),
    (
        "averaged over the dimensions",
        "averaged over the latent dimensions",
        lambda z, has: (z[has].mean() - z[~has].mean()).expand(z.shape[1]),
    ),
    ("minus of a mask", "bool tensor", lambda z, has: z[has].mean(0) - z[-has].mean(0)),
    ("one minus a mask", "bool tensor", lambda z, has: z[has].mean(0) - z[1 - has].mean(0)),
    ("wrong axis", "stops with", lambda z, has: z[has].mean(1) - z[~has].mean(1)),
    ("keepdim", "axis of length 1", lambda z, has: by_mask(z, has)[None]),
    ("pairs", "stops with", lambda z, has: (z[has] - z[~has]).mean(0)),
    ("in place", "in place", in_place),
    ("zeros", "whatever the inputs", lambda z, has: torch.zeros(z.shape[1])),
    ("nothing", "return", lambda z, has: None),
)

EXERCISES = [attribute]
