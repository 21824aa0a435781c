"""Check of `ema-codebook`: moving averages of counts and sums, and the codebook made of them."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from coursekit.checks.engine import Check, Function, Slip, run
from coursekit.checks.flows.answers import Several
from coursekit.checks.vqvae.averages import (
    COUNTS,
    SMOOTH,
    SUMS,
    book,
    cases,
    mean_vector,
    members,
    new_codebook,
    new_counts,
    new_sums,
    orders,
    smoothed,
    totals,
)
from coursekit.checks.vqvae.precision import precision

ROWS = "Print the shapes of the sums and of the counts: along which axis do the codes lie?"


def _total_of(total: Callable[..., float | Tensor]) -> Function:
    """The codebook with another total in the smoothing."""

    def codebook(*a: Tensor) -> Tensor:
        counts, whole, k, epsilon = new_counts(*a), total(*a), len(a[0]), a[5]
        return new_sums(*a) / (whole * (counts + epsilon) / (whole + k * epsilon))[:, None]

    return codebook


CODEBOOK = Check(
    reference=new_codebook,
    cases=cases,
    subject="your codebook is",
    shape="(K, D)",
    look=f"{SMOOTH} {ROWS}",
    slips=[
        *orders((new_sums, "sums")),
        Slip(
            book(lambda s, c, e: s / c[:, None]),
            "The sums are divided by the counts as they are: they are smoothed first, which shows "
            "where a code has had few vectors, or none.",
            SMOOTH,
        ),
        Slip(
            book(lambda s, c, e: s / c.clamp(min=e)[:, None]),
            "Small counts are raised to epsilon: all of them are smoothed.",
            SMOOTH,
        ),
        Slip(
            book(lambda s, c, e: s / (c + e)[:, None]),
            "Epsilon is added and the total is not brought back: the smoothed counts have the same "
            "sum as the counts.",
            SMOOTH,
        ),
        Slip(
            book(lambda s, c, e: s / ((c + e) / (c.sum() + len(c) * e))[:, None]),
            "The smoothed counts are shares: they are still to be multiplied by the total.",
            SMOOTH,
        ),
        Slip(
            book(lambda s, c, e: s / ((c + e) / (c.sum() + e) * c.sum())[:, None]),
            "Epsilon is added to each of the K counts, so their total grows by K times as much.",
            SMOOTH,
        ),
        Slip(
            book(lambda s, c, e: s / ((c + e) / (c.sum() + s.shape[1] * e) * c.sum())[:, None]),
            "Epsilon is counted D times in the total: there are K counts.",
            SMOOTH,
        ),
        Slip(
            book(lambda s, c, e: s / ((c + e) / c.sum() * c.sum())[:, None]),
            "The total after adding epsilon is larger than that of the counts.",
            SMOOTH,
        ),
        Slip(
            book(lambda s, c, e: s / ((c + e) / (c.sum() + len(c) * e) * (c.sum() + e))[:, None]),
            "What is multiplied at the end is the total of the counts, without epsilon.",
            SMOOTH,
        ),
        Slip(
            book(lambda s, c, e: s / (c / (c.sum() + len(c) * e) * c.sum())[:, None]),
            "Epsilon is missing above the line: each count gets it.",
            SMOOTH,
        ),
        *(
            Slip(
                _total_of(total),
                "The total is that of the NEW counts.",
                SMOOTH,
            )
            for total in (
                lambda *a: a[0].sum(),
                lambda *a: len(a[2]),
                lambda *a: members(a[2], a[3], len(a[0])).sum() + a[0].sum(),
            )
        ),
        Slip(
            lambda *a: a[1] / smoothed(new_counts(*a), a[5])[:, None],
            "The OLD sums are divided: the codebook is made from the new ones.",
            SMOOTH,
        ),
        Slip(
            lambda *a: new_sums(*a) / smoothed(a[0], a[5])[:, None],
            "The sums are divided by the OLD counts: both have taken the step.",
            SMOOTH,
        ),
        Slip(
            lambda *a: a[1] / smoothed(a[0], a[5])[:, None],
            "That is the codebook before the step: make it from the new averages.",
            SMOOTH,
        ),
        Slip(
            lambda *a: new_sums(*a) / smoothed(members(a[2], a[3], len(a[0])), a[5])[:, None],
            "The sums are divided by the batch's counts: the moving average of them was asked.",
            SMOOTH,
        ),
        Slip(
            lambda *a: totals(a[2], a[3], len(a[0])) / smoothed(new_counts(*a), a[5])[:, None],
            "The batch's sums are divided: the moving average of them was asked.",
            SMOOTH,
        ),
        Slip(
            lambda *a: mean_vector(a[2], a[3], len(a[0])),
            "Those are the means of this batch's vectors: the codebook is made from the averages.",
            SMOOTH,
        ),
        Slip(
            book(lambda s, c, e: s * smoothed(c, e)[:, None]),
            "The sums are multiplied by the counts: a mean is a sum divided by a count.",
            SMOOTH,
        ),
        Slip(
            book(lambda s, c, e: s / smoothed(c, e).sum()),
            "The sums are divided by the total: each code has a count of its own.",
            SMOOTH,
        ),
        Slip(
            book(lambda s, c, e: s / smoothed(c, 1e-5)[:, None]),
            "Epsilon is always 0.00001: take the one that is given.",
            SMOOTH,
        ),
        Slip(
            lambda *a: new_codebook(*a).flip(0),
            "The codes come in the reverse order.",
            ROWS,
        ),
    ],
)

ANSWER = Several(
    ("counts", "sums", "codebook"),
    ("(K,)", "(K, D)", "(K, D)"),
    lambda inputs: [inputs["counts"].shape, inputs["sums"].shape, inputs["sums"].shape],
)


def ema_codebook(function: Function) -> None:
    """Check `ema_step(counts, sums, z, indices, decay, epsilon)`, the new averages and codes."""
    __tracebackhide__ = True
    parts = ANSWER.parts(function, (COUNTS, SUMS, CODEBOOK))
    run("ema-codebook", *parts, precision(function))
