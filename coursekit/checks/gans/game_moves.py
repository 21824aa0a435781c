"""How the two players of the bilinear game move, and how people make them move instead."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from coursekit.checks.engine import Function

Point = tuple[float, float]
Move = Callable[[float, float, float], Point]  # x, y and rate to the next point


def rows(points: list[Point]) -> Tensor:
    """Make a tensor of points."""
    return torch.tensor(points, dtype=torch.float64)


def played(at_once: Move, in_turns: Move) -> Function:
    """The orbit with these moves."""

    def orbit(x: float, y: float, rate: float, steps: int, alternating: bool) -> Tensor:
        points = [(x, y)]
        for _ in range(steps):
            points.append((in_turns if alternating else at_once)(*points[-1], rate))
        return rows(points)

    return orbit


def _at_once(x: float, y: float, rate: float) -> Point:
    return x - rate * y, y + rate * x


def _in_turns(x: float, y: float, rate: float) -> Point:
    return x - rate * y, y + rate * (x - rate * y)


def right(x: float, y: float, rate: float, steps: int, alternating: bool) -> Tensor:
    """Powers of a matrix: what one step does to a point."""
    step = torch.tensor([[1.0, -rate], [rate, 1.0]], dtype=torch.float64)
    if alternating:
        step[1, 1] -= rate**2
    start = torch.tensor([x, y], dtype=torch.float64)
    return torch.stack([torch.matrix_power(step, n) @ start for n in range(steps + 1)])


SLOPES = "Look at step 1 above: what is the derivative with respect to x, and what to y?"
SIGNS = "Look at step 2 above: who goes down, and who goes up?"
ONCE = "Look at step 3 above: which x does the second player see when both move at once?"
TURNS = "Look at step 4 above: which x does the second player see in turns, and who moves?"
ROWS = "Look at step 5 above: how many rows are there after so many steps, and which is the first?"


def _pair(first: float, second: float) -> tuple[Move, Move]:
    """Both ways of playing, where x and y move by these multiples of rate times the other."""

    def at_once(x: float, y: float, rate: float) -> Point:
        return x + first * rate * y, y + second * rate * x

    def in_turns(x: float, y: float, rate: float) -> Point:
        new = x + first * rate * y
        return new, y + second * rate * new

    return at_once, in_turns


def _y_first(x: float, y: float, rate: float) -> Point:
    new = y + rate * x
    return x - rate * new, new


def _own(x: float, y: float, rate: float) -> Point:
    return x - rate * x, y + rate * y


def _implicit(x: float, y: float, rate: float) -> Point:
    size = 1 + rate**2
    return (x - rate * y) / size, (y + rate * x) / size


def _turned(x: float, y: float, rate: float) -> Point:
    return x * math.cos(rate) - y * math.sin(rate), y * math.cos(rate) + x * math.sin(rate)


def changed(change: Callable[[Tensor], Tensor]) -> Function:
    """The right orbit changed."""
    return lambda *a: change(right(*a))


def one_moves(x_begins: bool) -> Function:
    """In turns with only one player moving in each step."""

    def orbit(x: float, y: float, rate: float, steps: int, alternating: bool) -> Tensor:
        if not alternating:
            return right(x, y, rate, steps, False)
        points = [(x, y)]
        for n in range(steps):
            x_now, y_now = points[-1]
            if (n % 2 == 0) == x_begins:
                points.append((x_now - rate * y_now, y_now))
            else:
                points.append((x_now, y_now + rate * x_now))
        return rows(points)

    return orbit


def half_steps(x: float, y: float, rate: float, steps: int, alternating: bool) -> Tensor:
    """In turns with a row for each player's move."""
    if not alternating:
        return right(x, y, rate, steps, False)
    points = [(x, y)]
    for _ in range(steps):
        x = x - rate * y
        points.append((x, y))
        y = y + rate * x
        points.append((x, y))
    return rows(points)


MOVES: list[tuple[Move, Move, str, str]] = [
    (
        *_pair(1.0, -1.0),
        "Both signs are exchanged: x makes the product small, and y makes it large.",
        SIGNS,
    ),
    (*_pair(-1.0, -1.0), "y goes down its slope as well: it makes the product large.", SIGNS),
    (*_pair(1.0, 1.0), "x goes up its slope as well: it makes the product small.", SIGNS),
    (
        _in_turns,
        _in_turns,
        "Where both move at once, y answers to the new x: it is to see the old one.",
        ONCE,
    ),
    (
        _at_once,
        _at_once,
        "alternating is not used: in turns, y answers to the new x.",
        TURNS,
    ),
    (
        _in_turns,
        _at_once,
        "The two ways of playing are exchanged.",
        TURNS,
    ),
    (_at_once, _y_first, "In turns y moves first here: x does.", TURNS),
    (
        _y_first,
        _in_turns,
        "Where both move at once, x answers to the new y: it is to see the old one.",
        ONCE,
    ),
    (
        _y_first,
        _y_first,
        "x always answers to the new y: at once it sees the old one, and in turns x is first.",
        TURNS,
    ),
    (_own, _own, "Each moves by its own number: the derivative holds the other's.", SLOPES),
    (
        lambda x, y, rate: (x - rate * x * y, y + rate * x * y),
        lambda x, y, rate: (x - rate * x * y, y + rate * (x - rate * x * y) * y),
        "Each moves by the product: its derivative was asked.",
        SLOPES,
    ),
    (
        lambda x, y, rate: (x - y, y + x),
        lambda x, y, rate: (x - y, y + (x - y)),
        "rate is not used: a step is rate times the slope.",
        SLOPES,
    ),
    *(
        (
            lambda x, y, rate, k=k: _at_once(x, y, k),
            lambda x, y, rate, k=k: _in_turns(x, y, k),
            "rate is not used: the steps have a size of their own.",
            SLOPES,
        )
        for k in (0.5, 0.1, 0.01)
    ),
    (
        lambda x, y, rate: _at_once(x, y, rate / 2),
        lambda x, y, rate: _in_turns(x, y, rate / 2),
        "The steps are half as long as they should be.",
        SLOPES,
    ),
    (
        lambda x, y, rate: _at_once(x, y, 2 * rate),
        lambda x, y, rate: _in_turns(x, y, 2 * rate),
        "The steps are twice as long as they should be.",
        SLOPES,
    ),
    (
        lambda x, y, rate: (x - rate * y, y),
        lambda x, y, rate: (x - rate * y, y),
        "y does not move.",
        SIGNS,
    ),
    (
        lambda x, y, rate: (x, y + rate * x),
        lambda x, y, rate: (x, y + rate * x),
        "x does not move.",
        SIGNS,
    ),
    (
        lambda x, y, rate: (-rate * y, rate * x),
        lambda x, y, rate: (-rate * y, -(rate**2) * y),
        "The steps stand in place of the points: a step is added to where one is.",
        SLOPES,
    ),
    (
        _implicit,
        _in_turns,
        "That is the implicit step, whose slopes are taken where the step ends.",
        ONCE,
    ),
    (
        _turned,
        _turned,
        "You turn the point by an angle: plain steps go along a straight line.",
        SLOPES,
    ),
    (
        lambda x, y, rate: _pair(-1.0, 1.0)[0](x, y, rate),
        lambda x, y, rate: (x - rate * (y + rate * x), y + rate * x),
        "In turns y moves first here: x does.",
        TURNS,
    ),
    (
        _at_once,
        lambda x, y, rate: (x - rate * y, y + rate * (x + rate * y)),
        "In turns y answers to a new x with the wrong sign in it.",
        TURNS,
    ),
]
