"""Answers to the exercise of notebook 04 on the log-likelihood of the pixels that are seen."""

import math

import torch
import torch.nn.functional as F
from torch.distributions import Bernoulli

from coursekit import checks
from mutants import Exercise

masked = Exercise("masked-log-likelihood", checks.masked_log_likelihood, ("masked_log_likelihood",))


def each(x, a):
    return x * a - F.softplus(a)


def mended(x, a, seen):
    """Both x and the products put out where they are hidden."""
    return torch.where(seen, each(torch.where(seen, x, 0.0), a), 0.0)


def right(x, a, seen):
    return mended(x, a, seen).sum(dim=1)


def by_pictures(x, a, seen):
    rows = []
    for b in range(len(x)):
        kept = seen if seen.dim() == 1 else seen[b]
        rows.append(-F.binary_cross_entropy_with_logits(a[b][kept], x[b][kept], reduction="sum"))
    return torch.stack(rows)


def by_multiplication(x, a, seen):
    weights = seen.to(x)
    return (each(x.masked_fill(~seen, 0.0), a) * weights).sum(1)


def sure_of_black(x, a, seen):
    """A hidden pixel is black, and its logit says so."""
    x = torch.where(seen, x, torch.zeros_like(x))
    a = torch.where(seen, a, torch.full_like(a, -1e4))
    return Bernoulli(logits=a).log_prob(x).sum(-1)


masked.right("where, twice", right)
masked.right("picture by picture", by_pictures)
masked.right("mended, then multiplied", by_multiplication)
masked.right("hidden pixels that are surely black", sure_of_black)


def zeroed_in_place(x, a, seen):
    x[~seen.expand(x.shape)] = 0
    return (each(x, a) * seen).sum(1)


def logits_in_place(x, a, seen):
    a.masked_fill_(~seen, -1e4)
    return each(torch.where(seen, x, 0.0), a).sum(1)


def no_gradient(x, a, seen):
    return right(x, a.detach(), seen)


def counted(x, seen):
    return seen.expand(x.shape).sum(1)


def naive(x, a, eps=0.0):
    p = torch.sigmoid(a)
    return x * (p + eps).log() + (1 - x) * (1 - p + eps).log()


def seen_of(form):
    return lambda x, a, seen: torch.where(
        seen, form(torch.where(seen, x, torch.zeros_like(x)), a), 0.0
    ).sum(1)


masked.wrong(
    ("zeros", "whatever the inputs", lambda x, a, seen: torch.zeros(len(x))),
    ("multiplied by the mask", "0 times nan", lambda x, a, seen: (each(x, a) * seen).sum(1)),
    (
        "cross-entropy times the mask",
        "0 times nan",
        lambda x, a, seen: (
            -(F.binary_cross_entropy_with_logits(a, x, reduction="none") * seen).sum(1)
        ),
    ),
    (
        "where after the product",
        "gradient that reaches logits is nan",
        lambda x, a, seen: torch.where(seen, each(x, a), 0.0).sum(1),
    ),
    (
        "nan_to_num after the product",
        "gradient that reaches logits is nan",
        lambda x, a, seen: (each(x, a).nan_to_num() * seen).sum(1),
    ),
    (
        "masked_fill after the cross-entropy",
        "gradient that reaches logits is nan",
        lambda x, a, seen: (
            -F.binary_cross_entropy_with_logits(a, x, reduction="none").masked_fill(~seen, 0).sum(1)
        ),
    ),
    (
        "nan_to_num, then multiplied",
        "Only nan is put out of x, and then",
        lambda x, a, seen: (
            -(F.binary_cross_entropy_with_logits(a, x.nan_to_num(), reduction="none") * seen).sum(1)
        ),
    ),
    (
        "nan replaced, then multiplied",
        "Only nan is put out of x, and then",
        lambda x, a, seen: (
            -(
                F.binary_cross_entropy_with_logits(
                    a, torch.where(x.isnan(), 0.0, x), reduction="none"
                )
                * seen
            ).sum(1)
        ),
    ),
    ("logits cut off", "logits are cut off", lambda x, a, seen: right(x, a.clamp(-50, 50), seen)),
    ("bits", "in bits", lambda x, a, seen: right(x, a, seen) / math.log(2)),
    ("mask not used", "mask is not used", lambda x, a, seen: each(x, a).sum(1)),
    (
        "nan put out, mask not used",
        "Only nan is put out",
        lambda x, a, seen: each(x.nan_to_num(), a).sum(1),
    ),
    ("nansum", "Only what is nan", lambda x, a, seen: each(x, a).nansum(1)),
    ("turned round", "turned round", lambda x, a, seen: (each(x, a) * ~seen).sum(1)),
    (
        "turned round, where",
        "turned round",
        lambda x, a, seen: torch.where(seen, 0.0, each(x.nan_to_num(), a)).sum(1),
    ),
    (
        "hidden counted as black",
        "counted as black",
        lambda x, a, seen: each(torch.where(seen, x, 0.0), a).sum(1),
    ),
    (
        "hidden multiplied out of x",
        "counted as black",
        lambda x, a, seen: each(x * seen, a).sum(1),
    ),
    (
        "hidden counted with a logit of 0",
        "equally likely",
        lambda x, a, seen: each(torch.where(seen, x, 0.0), torch.where(seen, a, 0.0)).sum(1),
    ),
    (
        "hidden counted as grey",
        "counted as grey",
        lambda x, a, seen: each(torch.where(seen, x, 0.5), a).sum(1),
    ),
    (
        "mean over the seen",
        "mean over the seen",
        lambda x, a, seen: right(x, a, seen) / counted(x, seen),
    ),
    (
        "mean over the seen, at least 1",
        "mean over the seen",
        lambda x, a, seen: right(x, a, seen) / counted(x, seen).clamp(min=1),
    ),
    (
        "mean over all",
        "divide by the number of pixels",
        lambda x, a, seen: mended(x, a, seen).mean(1),
    ),
    (
        "scaled up",
        "scaled up",
        lambda x, a, seen: right(x, a, seen) * x.shape[1] / counted(x, seen).clamp(min=1),
    ),
    ("cross-entropy", "sign is wrong", lambda x, a, seen: -right(x, a, seen)),
    (
        "first mask for all",
        "first one's mask",
        lambda x, a, seen: right(x, a, seen if seen.dim() == 1 else seen[:1]),
    ),
    (
        "mask along the wrong axis",
        "wrong axis",
        lambda x, a, seen: right(x, a, seen[:, None] if seen.dim() == 1 else seen),
    ),
    (
        "needs a mask for each picture",
        "stops with",
        lambda x, a, seen: torch.stack(
            [right(x[b : b + 1], a[b : b + 1], seen[b, :])[0] for b in range(len(x))]
        ),
    ),
    ("all pixels in one row", "own axis", lambda x, a, seen: each(x[seen], a[seen])),
    (
        "one number for all",
        "over the batch",
        lambda x, a, seen: mended(x, a, seen).sum(),
    ),
    ("mean over the batch", "over the batch", lambda x, a, seen: right(x, a, seen).mean()),
    (
        "first picture for all",
        "first one's",
        lambda x, a, seen: right(x, a, seen)[:1].expand(len(x)),
    ),
    ("per pixel", "Nothing was summed", mended),
    ("sigmoid twice", "sigmoid is applied twice", seen_of(lambda x, a: each(x, a.sigmoid()))),
    ("black and white exchanged", "are exchanged", seen_of(lambda x, a: each(x, -a))),
    ("squared error", "squared error", seen_of(lambda x, a: -((x - a.sigmoid()) ** 2))),
    ("white pixels only", "black pixels", seen_of(lambda x, a: x * F.logsigmoid(a))),
    ("product alone", "does not depend on x", seen_of(lambda x, a: x * a)),
    ("from the probability", "rounds to 0 or 1", seen_of(naive)),
    ("with a small constant", "rounds to 0 or 1", seen_of(lambda x, a: naive(x, a, 1e-8))),
    (
        "torch's own, from the probability",
        "rounds to 0 or 1",
        seen_of(lambda x, a: -F.binary_cross_entropy(a.sigmoid(), x, reduction="none")),
    ),
    ("x in place", "in place", zeroed_in_place),
    ("logits in place", "in place", logits_in_place),
    ("no gradient", "no gradient reaches logits", no_gradient),
)
# The probe hides nan alone.
masked.check_only = {
    "nan_to_num, then multiplied": "the probe hides nan alone",
    "nan replaced, then multiplied": "the probe hides nan alone",
}

EXERCISES = [masked]
