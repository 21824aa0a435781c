"""Check of `bilinear-game`: the orbit of two players on the product of their numbers."""

from __future__ import annotations

import torch
from torch import Tensor

from coursekit.checks.engine import Case, Check, Function, Slip, run
from coursekit.checks.gans.game_moves import (
    MOVES,
    ROWS,
    TURNS,
    changed,
    half_steps,
    one_moves,
    played,
    right,
)


def _cases() -> list[Case]:
    def case(
        x: float, y: float, rate: float, steps: int, alternating: bool, clue: str = ""
    ) -> Case:
        values = (x, y, rate, steps, alternating)
        names = ("x", "y", "rate", "steps", "alternating")
        return Case(dict(zip(names, values, strict=True)), clue=clue)

    rows = "The start is a row as well: with no step it is the only one."
    return [
        case(1.0, 1.0, 0.5, 1, False),
        case(1.0, 1.0, 0.5, 1, True),
        case(0.7, -1.3, 0.3, 4, False),
        case(0.7, -1.3, 0.3, 4, True),
        case(-2.0, 0.25, 0.1, 60, False),
        case(-2.0, 0.25, 0.1, 60, True),
        case(0.5, 3.0, 1.5, 3, True),
        case(0.5, 3.0, 1.5, 3, False),
        case(1.5, -0.5, 0.2, 0, False, clue=rows),
        case(1.5, -0.5, 0.2, 0, True, clue=rows),
    ]


def _repeated(points: Tensor) -> Tensor:
    return torch.cat([points[:1], points])


CHECK = Check(
    reference=right,
    cases=_cases,
    shape="(steps + 1, 2)",
    look="Play the first two steps with pencil and paper, in both ways.",
    slips=[
        *(Slip(played(once, turns), what, look) for once, turns, what, look in MOVES),
        Slip(
            one_moves(True),
            "In turns only one player moves in each step here: a step moves both.",
            TURNS,
        ),
        Slip(
            one_moves(False),
            "In turns only one player moves in each step here: a step moves both.",
            TURNS,
        ),
        Slip(half_steps, "In turns there is a row for each half of a step: one for both.", ROWS),
        Slip(changed(lambda p: p[1:]), "The start is left out: it is row 0.", ROWS),
        Slip(changed(lambda p: p[:-1]), "The last step is missing.", ROWS),
        Slip(
            lambda x, y, rate, steps, turns: right(x, y, rate, steps + 1, turns),
            "There is a step too many.",
            ROWS,
        ),
        Slip(changed(_repeated), "The start stands there twice.", ROWS),
        Slip(
            changed(lambda p: torch.cat([p[:1], p[:-1]])),
            "The start stands there twice, and the last step is missing: each row is written "
            "before the step.",
            ROWS,
        ),
        Slip(changed(lambda p: p[-1]), "That is the end alone: the whole orbit was asked.", ROWS),
        Slip(changed(lambda p: p[-1:]), "That is the end alone: the whole orbit was asked.", ROWS),
        Slip(changed(lambda p: p.T), "Rows and columns are exchanged.", ROWS),
        Slip(changed(lambda p: p.flip(1)), "The columns are exchanged: x comes first.", ROWS),
        Slip(changed(lambda p: p.flip(0)), "The rows run from the end to the start.", ROWS),
        Slip(
            changed(lambda p: p[-1:].expand(p.shape)),
            "Every row holds the end: one and the same tensor is put down each time and then "
            "changed.",
            ROWS,
        ),
        Slip(
            changed(lambda p: p[:1].expand(p.shape)),
            "Every row holds the start: nobody moves.",
            ROWS,
        ),
        Slip(
            changed(lambda p: p[:, 0] * p[:, 1]),
            "That is the game's value: the points were asked.",
            ROWS,
        ),
        Slip(
            changed(lambda p: torch.cat([p[:1], p.diff(dim=0)])),
            "Those are the steps: the points were asked.",
            ROWS,
        ),
        Slip(
            changed(lambda p: p.norm(dim=1)),
            "That is the distance from the centre: the points were asked.",
            ROWS,
        ),
        Slip(
            changed(lambda p: p / p.norm(dim=1, keepdim=True)),
            "The points are brought to length 1: they stay where they are.",
            ROWS,
        ),
        Slip(
            changed(lambda p: p.clamp(-1, 1)),
            "The points are cut off: they may go as far as they go.",
            ROWS,
        ),
        Slip(
            changed(lambda p: p.cumsum(dim=0) / torch.arange(1, len(p) + 1)[:, None]),
            "Those are averages over the orbit: the points themselves were asked.",
            ROWS,
        ),
        Slip(
            changed(lambda p: p.round()),
            "Whole numbers: is the tensor of a type without fractions?",
            ROWS,
        ),
    ],
)


def bilinear_game(function: Function) -> None:
    """Check `bilinear_orbit(x, y, rate, steps, alternating) -> (steps + 1, 2)`."""
    __tracebackhide__ = True
    run("bilinear-game", (CHECK, function))
