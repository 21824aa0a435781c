"""Answers to the exercise of notebook 07 on the bilinear game."""

import math

import torch

from coursekit import checks
from mutants import Exercise

game = Exercise("bilinear-game", checks.bilinear_game, ("bilinear_orbit",))


def at_once(x, y, rate):
    return x - rate * y, y + rate * x


def in_turns(x, y, rate):
    x = x - rate * y
    return x, y + rate * x


def played(once=at_once, turns=in_turns, make=lambda points: torch.tensor(points)):
    def bilinear_orbit(x, y, rate, steps, alternating):
        points = [(float(x), float(y))]
        for _ in range(steps):
            points.append((turns if alternating else once)(*points[-1], rate))
        return make(points)

    return bilinear_orbit


right = played()


def by_matrix(x, y, rate, steps, alternating):
    step = torch.tensor([[1.0, -rate], [rate, 1.0 - (rate**2 if alternating else 0.0)]])
    orbit = torch.empty(steps + 1, 2)
    orbit[0] = torch.tensor([x, y])
    for n in range(steps):
        orbit[n + 1] = step @ orbit[n]
    return orbit


def by_autograd(x, y, rate, steps, alternating):
    players = [torch.tensor(start, dtype=torch.float64, requires_grad=True) for start in (x, y)]
    rows = [torch.stack(players).detach().clone()]
    for _ in range(steps):
        if alternating:
            for player, sign in zip(players, (-1, 1), strict=True):
                (slope,) = torch.autograd.grad(players[0] * players[1], player)
                player.data += sign * rate * slope
        else:
            down, up = torch.autograd.grad(players[0] * players[1], players)
            players[0].data -= rate * down
            players[1].data += rate * up
        rows.append(torch.stack(players).detach().clone())
    return torch.stack(rows)


def in_columns(x, y, rate, steps, alternating):
    xs, ys = [x], [y]
    for _ in range(steps):
        xs.append(xs[-1] - rate * ys[-1])
        ys.append(ys[-1] + rate * xs[-1 if alternating else -2])
    return torch.tensor([xs, ys], dtype=torch.float64).T


game.right("list of points", right)
game.right("a matrix", by_matrix)
game.right("autograd", by_autograd)
game.right("two columns", in_columns)


def pair(first, second):
    def once(x, y, rate):
        return x + first * rate * y, y + second * rate * x

    def turns(x, y, rate):
        x = x + first * rate * y
        return x, y + second * rate * x

    return played(once, turns)


def y_first(x, y, rate):
    y = y + rate * x
    return x - rate * y, y


def own(x, y, rate):
    return x - rate * x, y + rate * y


def by_value(x, y, rate):
    return x - rate * x * y, y + rate * x * y


def after(change):
    return lambda *a: change(right(*a))


def one_moves(first):
    def bilinear_orbit(x, y, rate, steps, alternating):
        if not alternating:
            return right(x, y, rate, steps, alternating)
        points = [(x, y)]
        for n in range(steps):
            x, y = points[-1]
            x, y = (x - rate * y, y) if n % 2 == first else (x, y + rate * x)
            points.append((x, y))
        return torch.tensor(points)

    return bilinear_orbit


def half_steps(x, y, rate, steps, alternating):
    if not alternating:
        return right(x, y, rate, steps, alternating)
    points = [(x, y)]
    for _ in range(steps):
        x = x - rate * y
        points.append((x, y))
        y = y + rate * x
        points.append((x, y))
    return torch.tensor(points)


def written_before(x, y, rate, steps, alternating):
    points = [(x, y)]
    for _ in range(steps):
        points.append((x, y))
        x, y = (in_turns if alternating else at_once)(x, y, rate)
    return torch.tensor(points)


def same_tensor(x, y, rate, steps, alternating):
    point, points = torch.tensor([x, y]), []
    for n in range(steps + 1):
        points.append(point)
        if n < steps:
            new = (in_turns if alternating else at_once)(*point.tolist(), rate)
            point[0], point[1] = new
    return torch.stack(points)


def fixed(rate):
    return lambda x, y, given, steps, turns: right(x, y, rate, steps, turns)


def scaled(by):
    return lambda x, y, rate, steps, turns: right(x, y, by * rate, steps, turns)


def turned(x, y, rate):
    return x * math.cos(rate) - y * math.sin(rate), y * math.cos(rate) + x * math.sin(rate)


def implicit(x, y, rate):
    return (x - rate * y) / (1 + rate**2), (y + rate * x) / (1 + rate**2)


def shrinking(x, y, rate, steps, alternating):
    points = [(x, y)]
    for n in range(steps):
        points.append((in_turns if alternating else at_once)(*points[-1], rate / (n + 1)))
    return torch.tensor(points)


def always_a_step(x, y, rate, steps, alternating):
    return right(x, y, rate, max(steps, 1), alternating)


def whole_numbers(points):
    return torch.tensor([[int(x), int(y)] for x, y in points])


game.wrong(
    ("zeros", "whatever the inputs", after(torch.zeros_like)),
    ("signs exchanged", "Both signs", pair(1.0, -1.0)),
    ("both go down", "y goes down", pair(-1.0, -1.0)),
    ("both go up", "x goes up", pair(1.0, 1.0)),
    ("always in turns", "is to see the old one", played(in_turns, in_turns)),
    ("always at once", "alternating is not used", played(at_once, at_once)),
    ("exchanged", "ways of playing are exchanged", played(in_turns, at_once)),
    ("y first in turns", "y moves first", played(turns=y_first)),
    ("x answers at once", "x answers to the new y", played(once=y_first)),
    ("y first always", "x always answers", played(y_first, y_first)),
    ("own numbers", "its own number", played(own, own)),
    (
        "by the product",
        "moves by the product",
        played(
            by_value,
            lambda x, y, rate: (x - rate * x * y, y + rate * (x - rate * x * y) * y),
        ),
    ),
    ("no rate", "rate is not used", fixed(1.0)),
    ("rate 0.1", "rate is not used", fixed(0.1)),
    ("rate 0.01", "rate is not used", fixed(0.01)),
    ("half the rate", "half as long", scaled(0.5)),
    ("twice the rate", "twice as long", scaled(2.0)),
    ("y stays", "y does not move", played(*2 * [lambda x, y, rate: (x - rate * y, y)])),
    ("x stays", "x does not move", played(*2 * [lambda x, y, rate: (x, y + rate * x)])),
    (
        "steps for points",
        "in place of the points",
        played(
            lambda x, y, rate: (-rate * y, rate * x),
            lambda x, y, rate: (-rate * y, rate * (-rate * y)),
        ),
    ),
    ("implicit", "implicit", played(once=implicit)),
    ("turned", "turn the point", played(turned, turned)),
    (
        "new x with a wrong sign",
        "wrong sign in it",
        played(turns=lambda x, y, rate: (x - rate * y, y + rate * (x + rate * y))),
    ),
    ("x moves, then y", "only one player", one_moves(0)),
    ("y moves, then x", "only one player", one_moves(1)),
    ("half steps", "each half of a step", half_steps),
    ("rate falls", "right value is", shrinking),
    ("no start", "start is left out", after(lambda p: p[1:])),
    ("no end", "last step is missing", after(lambda p: p[:-1])),
    ("a step too many", "step too many", lambda x, y, r, n, t: right(x, y, r, n + 1, t)),
    ("start twice", "stands there twice", after(lambda p: torch.cat([p[:1], p]))),
    ("written before the step", "before the step", written_before),
    ("the end", "the end alone", after(lambda p: p[-1])),
    ("the end in a row", "the end alone", after(lambda p: p[-1:])),
    ("transposed", "Rows and columns", after(lambda p: p.T)),
    ("columns exchanged", "columns are exchanged", after(lambda p: p.flip(1))),
    ("backwards", "from the end to the start", after(lambda p: p.flip(0))),
    ("one tensor", "one and the same tensor", same_tensor),
    ("nobody moves", "nobody moves", after(lambda p: p[:1].expand(p.shape))),
    ("values", "the game's value", after(lambda p: p.prod(dim=1))),
    ("steps", "Those are the steps", after(lambda p: torch.cat([p[:1], p.diff(dim=0)]))),
    ("distances", "distance from the centre", after(lambda p: p.norm(dim=1))),
    ("unit length", "length 1", after(lambda p: p / p.norm(dim=1, keepdim=True))),
    ("cut off", "cut off", after(lambda p: p.clamp(-1, 1))),
    (
        "averages",
        "averages over the orbit",
        after(lambda p: p.cumsum(0) / torch.arange(1, len(p) + 1)[:, None]),
    ),
    ("always a step", "of shape (2, 2)", always_a_step),
    ("rounded", "Whole numbers", after(torch.round)),
    ("integers", "floating-point", played(make=whole_numbers)),
    ("a list", "type list", played(make=lambda points: points)),
    ("an array", "numpy", after(lambda p: p.numpy())),
    (
        "a row of steps only",
        "right value is",
        lambda x, y, r, n, t: right(x, y, r, 0, t) + torch.zeros(n + 1, 1) + r,
    ),
    (
        "three columns",
        "of shape (2, 3)",
        after(lambda p: torch.cat([p, p[:, :1] * p[:, 1:]], dim=1)),
    ),
    ("nothing", "nothing (None)", after(lambda p: None)),
)
game.check_only["an array"] = "the right numbers, in an array that the probe can write down too"

EXERCISES = [game]
