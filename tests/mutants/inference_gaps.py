"""Answers to the exercise of notebook 04 on the two parts of the inference gap."""

import torch

from coursekit import checks
from mutants import Exercise

gaps = Exercise("two-gaps", checks.two_gaps, ("two_gaps",))


def right(encoder, optimised, log_p):
    return log_p - optimised, optimised - encoder


def changed(change):
    def two_gaps(encoder, optimised, log_p):
        return tuple(change(gap) for gap in right(encoder, optimised, log_p))

    return two_gaps


def from_the_whole(encoder, optimised, log_p):
    amortisation = torch.sub(optimised, encoder)
    return [(log_p - encoder) - amortisation, amortisation]


gaps.right("differences", right)
gaps.right("from the whole gap", from_the_whole)
gaps.right("torch.diff", lambda e, o, p: torch.stack([e, o, p]).diff(dim=0).flip(0).unbind())


def in_place(e, o, p):
    p -= o
    return p, o - e


gaps.wrong(
    ("exchanged", "are exchanged", lambda e, o, p: (o - e, p - o)),
    ("signs turned", "Both gaps have the wrong sign", lambda e, o, p: (o - p, e - o)),
    ("exchanged and turned", "exchanged, and both", lambda e, o, p: (e - o, o - p)),
    ("first turned", "approximation gap has the wrong sign", lambda e, o, p: (o - p, o - e)),
    ("second turned", "amortisation gap has the wrong sign", lambda e, o, p: (p - o, e - o)),
    ("whole gap first", "In the first place stands the whole", lambda e, o, p: (p - e, o - e)),
    ("whole gap second", "In the second place stands the whole", lambda e, o, p: (p - o, p - e)),
    ("whole gap and the other", "In the first place", lambda e, o, p: (p - e, p - o)),
    ("the numbers themselves", "differences were asked", lambda e, o, p: (o, e)),
    ("added", "are added", lambda e, o, p: (p + o, o + e)),
    ("absolute values", "absolute value", changed(torch.abs)),
    ("cut off at 0", "cut off", changed(lambda gap: gap.clamp(min=0))),
    ("means", "over the batch", changed(torch.mean)),
    ("means for all", "averaged over the batch", changed(lambda gap: gap.mean().expand_as(gap))),
    ("sums", "over the batch", changed(torch.sum)),
    ("first picture for all", "first one's", changed(lambda gap: gap[:1].expand_as(gap))),
    ("as ratios", "ratios", changed(torch.exp)),
    (
        "as shares",
        "shares of the whole",
        lambda e, o, p: ((p - o) / (p - e), (o - e) / (p - e)),
    ),
    ("numbers", "a Python number", lambda e, o, p: ((p - o).mean().item(), (o - e).mean().item())),
    ("one tensor", "one thing", lambda e, o, p: torch.stack(right(e, o, p))),
    ("the whole as well", "3 things", lambda e, o, p: (*right(e, o, p), p - e)),
    ("nothing", "nothing (None)", lambda e, o, p: None),
    ("column", "axis of length 1", changed(lambda gap: gap[:, None])),
    ("in place", "in place", in_place),
    ("zeros", "whatever the inputs", changed(torch.zeros_like)),
)
gaps.check_only = {"one tensor": "its two rows are the right gaps, and can be unpacked"}

EXERCISES = [gaps]
