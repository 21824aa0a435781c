"""The perplexity of `perplexity` worked out another way, and what people write in its place."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from coursekit.checks.engine import Function


def _counts(indices: Tensor, codes: int) -> Tensor:
    return torch.bincount(indices.flatten(), minlength=codes).double()


def _shares(indices: Tensor, codes: int) -> Tensor:
    return _counts(indices, codes) / indices.numel()


def _entropy(shares: Tensor) -> Tensor:
    """The entropy in nats; xlogy says that 0 times the logarithm of 0 is 0."""
    return -torch.xlogy(shares, shares).sum()


def right(indices: Tensor, codes: int) -> Tensor:
    """Give the perplexity, (1,)."""
    return _entropy(_shares(indices, codes)).exp().view(1)


def _of(value: Callable[[Tensor], Tensor]) -> Function:
    """Another value, made from the shares of all codes."""
    return lambda indices, codes: value(_shares(indices, codes)).double().view(1)


def _rows(join: Callable[[Tensor], Tensor]) -> Function:
    """The perplexities of the rows, joined."""

    def wrong(indices: Tensor, codes: int) -> Tensor:
        rows = indices if indices.dim() > 1 else indices[None]
        return join(torch.cat([right(row, codes) for row in rows])).view(1)

    return wrong


def _smoothing(small: float) -> Function:
    """Something small added to each share, within the logarithm."""
    return _of(lambda shares: torch.exp(-(shares * torch.log(shares + small)).sum()))


def _added(small: float) -> Function:
    """Something small added to each count."""

    def wrong(indices: Tensor, codes: int) -> Tensor:
        counts = _counts(indices, codes) + small
        return _entropy(counts / counts.sum()).exp().view(1)

    return wrong


def _common(least: float) -> Function:
    """Rare codes left out."""
    return _of(lambda shares: _entropy(shares * (shares > least)).exp())


def _undivided(total: Callable[[Tensor], Tensor]) -> Function:
    """The formula with counts divided by something else than their sum."""

    def wrong(indices: Tensor, codes: int) -> Tensor:
        counts = _counts(indices, codes)
        return _entropy(counts / total(counts)).exp().view(1)

    return wrong


SHARES = "Look at step 1 above: how often does each code occur, and out of how many?"
ENTROPY = "Look at step 2 above, and work it out for two codes that occur equally often."
_POWER = "Look at step 3 above: what does the number say where n codes occur equally often?"

WRONG: list[tuple[Function, str, str]] = [
    (_of(_entropy), "That is the entropy in nats: the exponential is missing.", _POWER),
    (
        _of(lambda p: _entropy(p) / torch.tensor(2.0).log()),
        "That is the entropy in bits: a number of codes was asked.",
        _POWER,
    ),
    (
        _of(lambda p: 2 ** _entropy(p)),
        "The entropy is in nats, and 2 is raised to it: the base has to be the same in both.",
        _POWER,
    ),
    (
        _of(lambda p: (_entropy(p) / torch.tensor(2.0).log()).exp()),
        "The entropy is in bits, and the exponential is that of nats: the base has to be the same "
        "in both.",
        _POWER,
    ),
    (
        _of(lambda p: (_entropy(p) / torch.tensor(10.0).log()).exp()),
        "The entropy has the logarithm to base 10, and the exponential is that of nats.",
        _POWER,
    ),
    (
        _of(lambda p: (-_entropy(p)).exp()),
        "It is turned over: the entropy has the wrong sign in the exponential.",
        ENTROPY,
    ),
    (
        _of(lambda p: -_entropy(p)),
        "That is the entropy with the wrong sign, and without the exponential.",
        ENTROPY,
    ),
    (
        _of(lambda p: (_entropy(p) / len(p)).exp()),
        "The terms are averaged over the codes: the entropy is their sum.",
        ENTROPY,
    ),
    (
        _of(lambda p: (_entropy(p) / (p > 0).sum()).exp()),
        "The terms are averaged over the codes that occur: the entropy is their sum.",
        ENTROPY,
    ),
    (
        _of(lambda p: (-p[p > 0].log().mean()).exp()),
        "The logarithms are averaged with equal weights: each counts by its code's share.",
        ENTROPY,
    ),
    (
        _of(lambda p: (-p[p > 0].log().sum()).exp()),
        "The logarithms are summed without weights: each counts by its code's share.",
        ENTROPY,
    ),
    (
        _of(lambda p: (p > 0).sum()),
        "You count the codes that occur at all: how often each does matters.",
        ENTROPY,
    ),
    (
        lambda indices, codes: torch.tensor([float(codes)]),
        "That is the size of the codebook, whatever is used of it.",
        SHARES,
    ),
    (
        _of(lambda p: 1 / p.square().sum()),
        "That is one over the sum of the squared shares: it counts codes too, but by another "
        "formula.",
        ENTROPY,
    ),
    (_of(lambda p: 1 / p.max()), "Only the most frequent code counts in it.", ENTROPY),
    (
        _of(lambda p: _entropy(p).exp() / len(p)),
        "It is divided by the size of the codebook: a number of codes was asked, not a share.",
        _POWER,
    ),
    (
        _of(lambda p: _entropy(p) / torch.tensor(float(len(p))).log()),
        "That is the entropy as a share of the largest possible one: a number of codes was asked.",
        _POWER,
    ),
    (
        _of(lambda p: torch.exp(-(p * p.log()).sum())),
        "A code that never occurs gives 0 times minus infinity, and that is not a number.",
        ENTROPY,
    ),
    (
        _undivided(lambda counts: torch.tensor(1.0)),
        "The counts themselves stand in the entropy: make shares of them, which sum to 1.",
        SHARES,
    ),
    (
        _undivided(lambda counts: torch.tensor(float(len(counts)))),
        "The counts are divided by the size of the codebook: out of how many were they counted?",
        SHARES,
    ),
    (
        _undivided(lambda counts: counts.max()),
        "The counts are divided by the largest of them: shares sum to 1.",
        SHARES,
    ),
    (
        lambda indices, codes: _entropy(_counts(indices, codes) / len(indices)).exp().view(1),
        "The counts are divided by the length of the first axis: all numbers of indices count.",
        SHARES,
    ),
    (
        lambda indices, codes: _entropy(_counts(indices, codes).softmax(dim=0)).exp().view(1),
        "A softmax of the counts gives no shares: divide by their sum.",
        SHARES,
    ),
    (
        lambda indices, codes: _entropy(indices.double().softmax(-1)).exp().view(1),
        "The numbers of the codes stand in the entropy: a code's number is only its name.",
        SHARES,
    ),
    (
        lambda indices, codes: (
            _entropy(indices.double() / indices.sum().clamp(min=1)).exp().view(1)
        ),
        "The numbers of the codes stand in the entropy: a code's number is only its name.",
        SHARES,
    ),
    (
        _rows(torch.mean),
        "Each picture's perplexity is worked out and then averaged: all codes are counted "
        "together.",
        SHARES,
    ),
    (
        _rows(lambda rows: rows.log().mean().exp()),
        "Each picture's entropy is worked out and then averaged: all codes are counted together.",
        SHARES,
    ),
    *(
        (
            _common(least),
            "Rare codes are left out: only those that do not occur at all add nothing.",
            ENTROPY,
        )
        for least in (1e-3, 1e-2)
    ),
    (
        _common(1e-4),
        "It is nearly right: is something small added to the shares or in the logarithm, or are "
        "very rare codes left out? The shares are taken as they are.",
        ENTROPY,
    ),
    (
        _rows(lambda rows: rows[0]),
        "Only the first picture's codes are counted.",
        SHARES,
    ),
    (
        _rows(torch.sum),
        "Each picture's perplexity is worked out and then summed: all codes are counted together.",
        SHARES,
    ),
    (
        lambda indices, codes: (
            _entropy(_counts(indices, codes)[1:] / _counts(indices, codes)[1:].sum().clamp(min=1))
            .exp()
            .view(1)
        ),
        "Code 0 is left out: the first code is one like the others.",
        SHARES,
    ),
    (
        _added(1.0),
        "One is added to each count: nothing was to be smoothed.",
        SHARES,
    ),
    (
        lambda indices, codes: right(indices, codes).round(),
        "It is rounded: a perplexity need not be a whole number.",
        _POWER,
    ),
    (
        lambda indices, codes: (right(indices, codes) + 1e-6).floor(),
        "It is rounded down: a perplexity need not be a whole number.",
        _POWER,
    ),
    *(
        (
            wrong(small),
            "Something is added that is not small enough: where few codes of many are used, or a "
            "code hardly ever, it shows.",
            ENTROPY,
        )
        for wrong in (_smoothing, _added)
        for small in (1e-1, 1e-2, 1e-3, 1e-4, 1e-5)
    ),
]
