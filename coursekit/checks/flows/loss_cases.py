"""The ordinary cases of `flow-loss-bug`: a published loss of a flow on 8-bit pictures, mended."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import product
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from coursekit.checks.engine import Case, Check, Function, Inputs, Slip
from coursekit.checks.parts import batch_slips, grey, normal

FLOW, BASE = "the flow", "the base"
KEPT = "the logdet that the flow keeps"
LN_256 = math.log(256)
WAVES, CELLS = 0.6, 1 / 200  # how much the flow's slope varies, and over which distance
Seen = Callable[[Tensor, Tensor], Tensor]
Join = Callable[[Tensor, Tensor, Tensor], Tensor]


def bent(x: Tensor) -> Tensor:
    """A map of [0, 1] whose slope varies from cell to cell, so that the noise is seen."""
    return x + WAVES * CELLS * torch.sin(x / CELLS)


def _arguments(inputs: Inputs) -> tuple[Any, ...]:
    """Make a flow, a bent map of each value, and a base from what is among the inputs."""
    shape = inputs["v"].shape

    def forward(x: Tensor) -> tuple[Tensor, Tensor]:
        if x.shape[1:] != shape[1:]:  # not a ValueError, which would pass for the student's own
            one = ", ".join(str(size) for size in shape[1:])
            raise RuntimeError(f"forward takes pictures of shape (B, {one}), not {tuple(x.shape)}")
        stretch, shift = inputs[FLOW].unbind()
        flat = x.flatten(1)
        slopes = 1 + WAVES * torch.cos(flat / CELLS)
        logdet = inputs[KEPT] if KEPT in inputs else (stretch + slopes.log()).sum(dim=1)
        return stretch.exp() * bent(flat) + shift, logdet

    def base_log_prob(z: Tensor) -> Tensor:
        apart = z - inputs[BASE]
        return (logsigmoid(apart) + logsigmoid(-apart)).sum(dim=1)

    for function in (forward, base_log_prob):
        function.__qualname__ = function.__name__  # as an error's message calls it
    return inputs["v"], inputs["noise"], forward, base_log_prob


def seen_at(v: Tensor, noise: Tensor) -> Tensor:
    """Put each level at its place in [0, 1], by the noise."""
    return torch.lerp(v.to(noise), v.to(noise) + 1, noise) / 256


def _nats(base: Tensor, logdet: Tensor, cells: Tensor) -> Tensor:
    return cells - base - logdet


def _turned(base: Tensor, logdet: Tensor, cells: Tensor) -> Tensor:
    return cells - base + logdet


def _cells(v: Tensor) -> float:
    return v[0].numel() * LN_256


def made_loss(
    seen: Seen = seen_at,
    join: Join = _nats,
    cells: Callable[[Tensor], float] = _cells,
) -> Function:
    """The loss, or what becomes of it with another part.

    Args:
        seen: makes what the flow is given, from v and the noise.
        join: makes the loss from the base's log-density, the logdet and the cells' nats.
        cells: makes these, from v.
    """

    def loss(v: Tensor, noise: Tensor, forward: Function, base_log_prob: Function) -> Tensor:
        z, logdet = forward(seen(v, noise))
        return join(base_log_prob(z), logdet, torch.tensor(cells(v)).to(logdet))

    return loss


_right = made_loss()


def _cases() -> list[Case]:
    def case(
        seed: int, *shape: int, title: str, clue: str = "", dtype: Any = torch.float32
    ) -> Case:
        v = (256 * grey(seed, *shape)).to(torch.uint8)
        dims = v[0].numel()
        flow, base = normal(seed + 1, (2, dims), (dims,), dtype=dtype)
        inputs = {"v": v, "noise": grey(seed + 2, *shape, dtype=dtype), FLOW: flow, BASE: base}
        return Case(inputs, title, clue)

    one = {
        "v": torch.tensor([[[[200]]]], dtype=torch.uint8),
        "noise": torch.tensor([[[[0.75]]]]),
        FLOW: torch.tensor([[1.5], [-2.0]]),
        BASE: torch.tensor([0.5]),
    }
    near = torch.tensor([0.5, 0.52]).view(2, 1, 1, 1)
    sharp = {
        "v": torch.full((2, 1, 1, 1), 128, dtype=torch.uint8),
        "noise": near,
        FLOW: torch.tensor([[9.0], [-math.exp(9) * bent((128 + near[0].view(1)) / 256).item()]]),
        BASE: torch.tensor([0.0]),
    }
    dark = case(675, 3, 1, 3, 4, title="3 pictures of 3 x 4 pixels, nearly all black or white")
    black = torch.where(dark.inputs["v"] < 100, 0, 255).to(torch.uint8)
    edges = "Black and white are levels like the others: x is not cut off there, and v is uint8."
    return [
        Case(one, "one picture of a single pixel of level 200, with noise of 0.75"),
        case(651, 4, 1, 3, 3, title="4 pictures of 3 x 3 pixels"),
        case(
            655,
            3,
            2,
            2,
            4,
            title="3 pictures with 2 channels of 2 x 4 pixels",
            clue="Every value of every channel lies in a cell of its own.",
        ),
        case(
            661,
            6,
            3,
            2,
            1,
            title="6 pictures with 3 channels of 2 x 1 pixels, in float64",
            dtype=torch.float64,
        ),
        Case({**dark.inputs, "v": black}, dark.title, edges),
        Case(
            sharp,
            "2 pictures of a single pixel, and a flow that knows their level all too well",
            "With a single draw of the noise the value may come out below 0, and stays as it is.",
        ),
    ]


LOOK_X = (
    "A level is a cell of [0, 1] and not a point: without noise a density can grow without limit "
    "at 256 points. So how wide is the cell of v, and where in it does the noise put x? (v is "
    "uint8: whole numbers of that type begin again at 0 after 255.)"
)
_P = (
    "The base says the log-density at z, and the flow's log-determinant is that of the map from x "
    "to z: by the change of variables, do the two count the same way, or against each other?"
)
_CELL = (
    "The mass of a level is the density times the volume of its cell, which is one in 256 wide in "
    "each of a picture's values: how many nats does that add to the loss, for each of them?"
)


# What the flow is given, from v and the noise; what to say.
_LEFT_OUT = "The noise is left out: a density is fitted to points"
_SEEN: list[tuple[Seen, str]] = [
    (lambda v, u: v.to(u) / 255, f"{_LEFT_OUT}, and it can grow there without limit."),
    (lambda v, u: v.to(u) / 256, f"{_LEFT_OUT}, and it can grow there without limit."),
    (
        lambda v, u: (v.to(u) + u) / 255,
        "You divide by 255: a cell is one of 256, and x can come out larger than 1.",
    ),
    (
        lambda v, u: v.to(u) / 255 + u / 256,
        "The levels are divided by 255 and the noise by 256: there are gaps between the cells.",
    ),
    (lambda v, u: v.to(u) / 256 + u, "The noise is as wide as the whole range, not as a cell."),
    (lambda v, u: v.to(u) / 255 + u, "The noise is as wide as the whole range, not as a cell."),
    (lambda v, u: v.to(u) + u, "x runs from 0 to 256: the flow is to see it from 0 to 1."),
    (lambda v, u: (v.to(u) - u) / 256, "The noise is subtracted: a cell begins at its level."),
    (
        lambda v, u: (v.to(u) + u - 0.5) / 256,
        "The noise is centred: a cell begins at its level, so that x stays in [0, 1].",
    ),
    (
        lambda v, u: (v.to(u) + 0.5) / 256,
        "The middle of each cell is used in place of the noise: those are points again.",
    ),
    (lambda v, u: u, "The levels are not used: the flow sees noise."),
    (
        lambda v, u: (v.to(u) + u[:1]) / 256,
        "Every picture gets the first one's noise: each has its own.",
    ),
    (
        lambda v, u: (v.to(u) + 1 - u) / 256,
        "The noise is turned round in its cell: here it is given as it is to be used.",
    ),
    (
        lambda v, u: (v.to(u) + u) / 128 - 1,
        "x runs from -1 to 1: the cells are twice as wide as they are to be.",
    ),
    (
        lambda v, u: (v.to(u) + u.round()) / 256,
        "The noise is rounded: those are points again.",
    ),
    (
        lambda v, u: (v.to(u) + u) / 257,
        "A cell is one of 256: you divide by another number.",
    ),
]
# How the loss is joined, from the base's log-density, the logdet and the cells' nats.
_JOINS: list[tuple[Join, str, str]] = [
    (
        lambda b, d, c: c - b + d,
        "The logdet has the wrong sign: it belongs to the log-density of x, as z's own does.",
        _P,
    ),
    (
        lambda b, d, c: -b - d,
        "That is the loss of x, a density: the picture's cell is missing.",
        _CELL,
    ),
    (
        lambda b, d, c: -c - b - d,
        "The cell's nats have the wrong sign: a picture holds less than its density.",
        _CELL,
    ),
    (
        lambda b, d, c: b + d - c,
        "That is the log-likelihood of the picture: its negative, a loss, was asked.",
        _P,
    ),
    (
        lambda b, d, c: b + d + c,
        "The log-density is added: a loss falls where it grows.",
        _P,
    ),
    (lambda b, d, c: c - b, "The logdet is missing: that would be the density at z.", _P),
    (lambda b, d, c: c - d, "The base's log-density is missing.", _P),
    (lambda b, d, c: c + b - d, "The base's log-density has the wrong sign.", _P),
    (lambda b, d, c: c - b - 2 * d, "The logdet counts twice.", _P),
    (lambda b, d, c: 2 * c - b - d, "The cell counts twice.", _CELL),
    (
        lambda b, d, c: c - b - d.exp(),
        "The determinant is added, not its logarithm.",
        _P,
    ),
    (
        lambda b, d, c: c - b - d.mean(),
        "The logdet is averaged over the batch: each picture has its own.",
        _P,
    ),
    (
        lambda b, d, c: c - b - d.sum(),
        "The logdet is summed over the batch: each picture has its own.",
        _P,
    ),
    (
        lambda b, d, c: c - b.mean() - d,
        "The base's log-density is averaged over the batch: each picture has its own.",
        _P,
    ),
    (
        lambda b, d, c: c - b.exp() - d,
        "The base's density is subtracted, not its logarithm.",
        _P,
    ),
]
_CELLS: list[tuple[Callable[[Tensor], float], str]] = [
    (lambda v: LN_256, "The cell counts once: each value of a picture has one."),
    (lambda v: 8.0 * v[0].numel(), "The cell is counted in bits: nats were asked."),
    (lambda v: 8.0, "The cell is counted in bits, and once: nats were asked, for each value."),
    (lambda v: v[0].numel() * math.log(255), "A cell is one of 256, not of 255."),
    (lambda v: 256.0 * v[0].numel(), "The number of levels stands there without a logarithm."),
    (lambda v: v.numel() * LN_256, "The cells of all pictures are counted for each."),
    (lambda v: v[0, 0].numel() * LN_256, "The cells of one channel are counted: there are more."),
    (lambda v: len(v) * LN_256, "You count the pictures: the values of one were meant."),
    (lambda v: v.shape[1] * LN_256, "You count the channels: the values of a picture were meant."),
    (lambda v: v.shape[-1] * LN_256, "You count the columns: the values of a picture were meant."),
    (lambda v: 784 * LN_256, "The number of values stands there as 784: take it from v."),
]


def _remaining() -> list[Slip]:
    """The published slips where two or three of them are still there."""
    slips = []
    noise = [
        ("", seen_at),
        ("the noise", lambda v, u: v.to(u) / 255),
        ("the noise", lambda v, u: v.to(u) / 256),
        ("the 255", lambda v, u: (v.to(u) + u) / 255),
    ]
    for (at_x, seen), sign, cell in product(noise, (True, False), (True, False)):
        named = [at_x, "" if sign else "the logdet's sign", "" if cell else "the cells"]
        found = [name for name in named if name]
        if len(found) < 2:
            continue
        slips.append(
            Slip(
                made_loss(seen, _nats if sign else _turned, _cells if cell else lambda v: 0.0),
                f"Of the published slips these are still there: {', '.join(found)}.",
                LOOK_X if at_x else _P,
            )
        )
    return slips[::-1]


CHECK = Check(
    reference=_right,
    cases=_cases,
    arguments=_arguments,
    slopes=(FLOW, BASE),
    look="Three things are to be mended: what the flow sees of a level, how its density is made of "
    "what the flow and the base answer, and what the volume of a cell does to the loss.",
    slips=[
        *_remaining(),
        *(Slip(made_loss(seen), what, LOOK_X) for seen, what in _SEEN),
        *(Slip(made_loss(join=join), what, look) for join, what, look in _JOINS),
        *(Slip(made_loss(cells=cells), what, _CELL) for cells, what in _CELLS),
        Slip(
            lambda v, *a: _right(v, *a) / v[0].numel(),
            "It is divided by the number of values: nats for each picture were asked.",
            _CELL,
        ),
        Slip(
            lambda v, *a: _right(v, *a) / math.log(2),
            "It is in bits: nats were asked, so use the natural logarithm.",
            _CELL,
        ),
        Slip(
            lambda v, *a: _right(v, *a) / v[0].numel() / math.log(2),
            "Those are bits per dimension: nats for each picture were asked.",
            _CELL,
        ),
        Slip(
            lambda v, *a: _right(v, *a).clamp(min=0),
            "Negative values are cut off: a loss that comes out negative is to be seen.",
            _P,
        ),
        *batch_slips(_right, "Over which axis do the two functions sum already?"),
    ],
)
