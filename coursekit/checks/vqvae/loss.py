"""Check of `vq-loss`: a published loss of a quantiser, mended."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from coursekit.checks.engine import Case, Check, Function, Slip, run
from coursekit.checks.parts import batch_slips, normal

Strengths = Callable[[float], tuple[float, float]]


def _apart(z: Tensor, z_q: Tensor) -> Tensor:
    """Mean squared difference of each picture."""
    return (z - z_q).square().flatten(1).mean(dim=1)


def _right(z: Tensor, z_q: Tensor, commitment_cost: float) -> Tensor:
    return _apart(z.detach(), z_q) + commitment_cost * _apart(z, z_q.detach())


def _cases() -> list[Case]:
    def case(cost: float, *tensors: Tensor, title: str = "", clue: str = "") -> Case:
        inputs = dict(zip(("z", "z_q"), tensors, strict=True))
        return Case({**inputs, "commitment_cost": cost}, title, clue)

    tensor = torch.tensor
    maps = [2 * t for t in normal(831, (3, 2, 2, 4), (3, 2, 2, 4))]
    square = [2 * t for t in normal(832, (3, 3), (3, 3), dtype=torch.float64)]
    return [
        case(0.25, tensor([[1.0, 2.0]]), tensor([[0.0, 4.0]])),
        case(0.25, *maps, title="3 pictures of shape (2, 2, 4), a commitment cost of 0.25"),
        case(0.6, *square, title="3 vectors with D = 3 in float64, a commitment cost of 0.6"),
        case(
            3.0,
            *(t[:, :, :1] * 2 for t in maps),
            title="3 pictures of shape (2, 1, 4), a commitment cost of 3",
            clue="A commitment cost may be larger than 1.",
        ),
        case(0.25, *(t[:1] for t in maps), title="one picture of shape (2, 2, 4), a cost of 0.25"),
        case(
            0.1,
            *(3 * t for t in normal(833, (4, 5), (4, 5))),
            title="4 vectors with D = 5, a commitment cost of 0.1",
        ),
    ]


def _all_cases() -> list[Case]:
    """With a cost of 0, where the encoder gets no gradient."""
    first, *rest = _cases()
    free = {**rest[0].inputs, "commitment_cost": 0.0}
    clue = "Without a commitment cost the first of the two terms is left."
    return [first, *rest, Case(free, "3 pictures of shape (2, 2, 4), a cost of 0", clue)]


def _value(made: Callable[[Tensor, float], Tensor]) -> Function:
    """A loss from the squared differences (B, ...) and the cost."""
    return lambda z, z_q, cost: made((z - z_q).square(), cost)


def _of(error: Callable[[Tensor, Tensor], Tensor]) -> Function:
    """The loss with another error in the place of the squared difference, (B, ...)."""
    return lambda z, z_q, cost: (1 + cost) * error(z, z_q).flatten(1).mean(dim=1)


_TERMS = "Look at steps 1 and 2 above: how many terms are there, and what stands before each?"
_MEAN = "Look at step 3 above: over which axes is the mean taken, and which one is left?"
_SG = "Look at steps 1 and 2 above: which of z and z_q may move in each term, and which may not?"

_VALUES: list[tuple[Function, str, str]] = [
    (
        _value(lambda s, c: (1 + c) * s.mean()),
        "The mean is taken over the batch too, as in the published version: each picture has a "
        "loss of its own.",
        _MEAN,
    ),
    (
        _value(lambda s, c: ((1 + c) * s.mean()).expand(len(s))),
        "The mean is taken over the batch too, as in the published version: each picture has a "
        "loss of its own.",
        _MEAN,
    ),
    (
        _value(lambda s, c: s.flatten(1).mean(dim=1)),
        "The term with the cost is missing, or the weights of the two sum to 1: it comes on top of "
        "the other one.",
        _TERMS,
    ),
    (
        _value(lambda s, c: c * s.flatten(1).mean(dim=1)),
        "One of the two terms is missing: the one without the cost.",
        _TERMS,
    ),
    (
        _value(lambda s, c: 2 * s.flatten(1).mean(dim=1)),
        "The commitment cost is not used.",
        _TERMS,
    ),
    (
        _value(lambda s, c: 2 * c * s.flatten(1).mean(dim=1)),
        "The commitment cost stands before both terms: only one of them has it.",
        _TERMS,
    ),
    (
        _value(lambda s, c: (1 - c) * s.flatten(1).mean(dim=1)),
        "The second term is subtracted: both are to be made small.",
        _TERMS,
    ),
    (
        _value(lambda s, c: -(1 + c) * s.flatten(1).mean(dim=1)),
        "The loss has the wrong sign: it is to be made small.",
        _TERMS,
    ),
    (
        _value(lambda s, c: (1 + c**2) * s.flatten(1).mean(dim=1)),
        "The commitment cost is squared: it stands outside of the square.",
        _TERMS,
    ),
    (
        _value(lambda s, c: s.flatten(1).mean(dim=1) + c),
        "The commitment cost is added: it is multiplied with the second term.",
        _TERMS,
    ),
    (
        _value(lambda s, c: s.flatten(1).mean(dim=1) * (1 + 1 / c if c else 1)),
        "You divide by the commitment cost: it is a factor.",
        _TERMS,
    ),
    (
        _value(lambda s, c: 1.25 * s.flatten(1).mean(dim=1)),
        "The commitment cost is always a quarter: take the one that is given.",
        _TERMS,
    ),
    (
        _value(lambda s, c: (1 + c) * s.flatten(1).sum(dim=1)),
        "The squares are summed: their mean was asked.",
        _MEAN,
    ),
    (
        _value(lambda s, c: (1 + c) * s.sum(dim=1).view(len(s), -1).mean(dim=1)),
        "The squares of a vector are summed, and only its places averaged: a mean over all was "
        "asked.",
        _MEAN,
    ),
    (
        _value(lambda s, c: (1 + c) * s.mean(dim=0).sum().expand(len(s))),
        "The mean is taken over the batch, and the rest is summed: it is to be the other way "
        "round, and a mean.",
        _MEAN,
    ),
    (
        _value(lambda s, c: (1 + c) * s.flatten(1).mean(dim=1).sqrt()),
        "A root is taken: the squared difference was asked.",
        _TERMS,
    ),
    (
        _value(lambda s, c: (1 + c) * s.flatten(1).sum(dim=1).sqrt()),
        "That is a distance: the mean of the squares was asked.",
        _TERMS,
    ),
    (
        _of(lambda z, z_q: (z - z_q).abs()),
        "The differences are not squared: a mean of squares was asked.",
        _TERMS,
    ),
    (
        _of(lambda z, z_q: z - z_q),
        "The differences are not squared: those of different signs cancel.",
        _TERMS,
    ),
    (
        _of(lambda z, z_q: (z + z_q).square()),
        "z and z_q are added: their difference was asked.",
        _TERMS,
    ),
    (
        _of(lambda z, z_q: z.square() - z_q.square()),
        "The squares are subtracted: the difference is to be squared.",
        _TERMS,
    ),
    (
        _of(lambda z, z_q: (z - z_q[:1]).square()),
        "Every picture is compared with the first one's codes: each has its own.",
        _TERMS,
    ),
    (
        _of(lambda z, z_q: torch.nn.functional.smooth_l1_loss(z, z_q, reduction="none")),
        "A smoothed absolute difference is taken: squares were asked.",
        _TERMS,
    ),
]

VALUE = Check(
    reference=_right,
    cases=_all_cases,
    look=f"{_TERMS} {_MEAN}",
    slips=[
        *(Slip(wrong, what, look) for wrong, what, look in _VALUES),
        *batch_slips(_right, _MEAN),
    ],
)


def _pull(strengths: Strengths) -> Function:
    """How strongly each picture's z and z_q are pulled, (B, 2)."""

    def pull(z: Tensor, z_q: Tensor, cost: float) -> Tensor:
        return torch.tensor([strengths(cost)], dtype=z.dtype).expand(len(z), 2)

    return pull


_PUBLISHED = "That is still the published gradient"
# What z and what z_q get, in multiples of the mean square's own gradient, at a cost c.
_PULLS: list[tuple[Strengths, str, str]] = [
    (
        lambda c: (1 + c, 1 + c),
        f"{_PUBLISHED}: without a stop-gradient both terms pull at both tensors.",
        _SG,
    ),
    (
        lambda c: (1.0, c),
        "The stop-gradients are there, and the cost stands on the wrong term, as in the published "
        "version (or both stand on the wrong tensor): the codes now get the small share.",
        _SG,
    ),
    (
        lambda c: (c, 1 + c),
        "The term with the cost still moves the codes: only the other one is to do that.",
        _SG,
    ),
    (
        lambda c: (1 + c, 1.0),
        "The term without the cost still moves the encoder: only the other one is to do that.",
        _SG,
    ),
    (
        lambda c: (1.0, 1 + c),
        "A stop-gradient is missing, and the cost stands on the wrong term.",
        _SG,
    ),
    (
        lambda c: (1 + c, c),
        "A stop-gradient is missing, and the cost stands on the wrong term.",
        _SG,
    ),
    (
        lambda c: (0.0, 1 + c),
        "Both terms hold z still: the encoder gets no gradient, so nothing commits it.",
        _SG,
    ),
    (
        lambda c: (1 + c, 0.0),
        "Both terms hold z_q still: no gradient reaches the codes, so the codebook never moves.",
        _SG,
    ),
    (
        lambda c: (c, 0.0),
        "No gradient reaches the codes: which term moves them, and what is held still in it?",
        _SG,
    ),
    (
        lambda c: (0.0, 1.0),
        "The encoder gets no gradient: which term commits it, and what is held still in it?",
        _SG,
    ),
    (lambda c: (1.0, 0.0), "The codes get no gradient, and the encoder all of it.", _SG),
    (lambda c: (0.0, c), "The encoder gets no gradient, and the codes the small share.", _SG),
    (
        lambda c: (0.0, 0.0),
        "No gradient reaches anything: both tensors are held still in both terms, or the "
        "calculation left torch (.item(), numpy, no_grad).",
        _SG,
    ),
]

PULL = Check(
    reference=_pull(lambda c: (c, 1.0)),
    cases=_cases,
    subject="of the mean square's own gradient your loss gives z and z_q this many times:",
    shape="(B, 2)",
    look=_SG,
    slips=[Slip(_pull(strengths), what, look) for strengths, what, look in _PULLS],
)


def _pulling(function: Function) -> Function:
    """How strongly z and z_q are pulled, in the place of the loss."""

    def pull(z: Tensor, z_q: Tensor, cost: float) -> Tensor:
        leaves = [t.detach().clone().requires_grad_() for t in (z, z_q)]
        value = function(*(leaf.clone() for leaf in leaves), cost)
        own = torch.autograd.grad(_apart(*leaves).sum(), leaves)
        if not value.requires_grad:
            return torch.zeros(len(z), 2, dtype=z.dtype)
        slopes = torch.autograd.grad(value.sum(), leaves, allow_unused=True)
        strengths = [
            torch.zeros(len(z), dtype=z.dtype)
            if slope is None
            else (slope * mine).flatten(1).sum(dim=1) / mine.square().flatten(1).sum(dim=1)
            for slope, mine in zip(slopes, own, strict=True)
        ]
        return torch.stack(strengths, dim=1)

    return pull


SLOPES = Check(
    reference=_right,
    cases=_cases,
    slopes=("z", "z_q"),
    look=_SG,
    slips=(),
)


def vq_loss(function: Function) -> None:
    """Check `vq_loss(z, z_q, commitment_cost) -> (B,)`."""
    __tracebackhide__ = True
    run("vq-loss", (VALUE, function), (PULL, _pulling(function)), (SLOPES, function))
