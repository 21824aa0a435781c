"""Answers to the exercise of notebook 06 on the change of variables in one dimension."""

import math

import torch

from coursekit import checks
from mutants import Exercise

density = Exercise("change-of-variables", checks.change_of_variables, ("density_of_x",))


def inside(x, low, high):
    z = x**3
    return (z >= low) & (z <= high)


def right(x, low, high):
    return torch.where(inside(x, low, high), 3 * x**2 / (high - low), torch.zeros_like(x))


def by_mask(x, low, high):
    return inside(x, low, high).to(x.dtype) * (3 / (high - low)) * x.square()


def by_roots(x, low, high):
    a, b = (math.copysign(abs(end) ** (1 / 3), end) for end in (low, high))
    heights = 3 * x * x / (high - low)
    return heights.masked_fill((x < a) | (x > b), 0.0)


def by_torch(x, low, high):
    log_p = torch.distributions.Uniform(low, high, validate_args=False).log_prob(x.pow(3))
    return (log_p + 2 * x.abs().log()).exp() * 3


def by_autograd(x, low, high):
    place = x.detach().requires_grad_()
    (slope,) = torch.autograd.grad((place**3).sum(), place)
    result = torch.zeros_like(slope)
    chosen = inside(x, low, high)
    result[chosen] = slope[chosen].abs() / (high - low)
    return result


def one_by_one(x, low, high):
    values = [3 * v * v / (high - low) if low < v**3 < high else 0.0 for v in x.flatten().tolist()]
    return torch.tensor(values, dtype=x.dtype).view(x.shape)


density.right("where", right)
density.right("mask", by_mask)
density.right("ends of x", by_roots)
density.right("torch's uniform", by_torch)
density.right("autograd", by_autograd)
density.right("one by one", one_by_one)


def form(height=lambda x, a, b: 3 * x**2 / (b - a), support=inside):
    return lambda x, a, b: torch.where(support(x, a, b), height(x, a, b), 0 * x)


def flat(x, a, b):
    return torch.ones_like(x) / (b - a)


def root(end):
    return torch.tensor(end, dtype=torch.float64).pow(1 / 3)


def in_place(x, low, high):
    x[~inside(x, low, high)] = 0
    return 3 * x**2 / (high - low)


def for_a_batch(x, low, high):
    return 3 * x**2 / (high - low) if low <= x**3 <= high else 0 * x


def complex_ends(x, low, high):
    a, b = low ** (1 / 3), high ** (1 / 3)
    return torch.where((x >= a) & (x <= b), 3 * x**2 / (high - low), 0.0)


def by_math(x, low, high):
    return 3 * math.pow(x, 2) / (high - low) * inside(x, low, high)


def all_or_none(x, low, high):
    return right(x, low, high) if inside(x, low, high).all() else torch.zeros_like(x)


def one_or_all(x, low, high):
    return form(support=lambda x, a, b: inside(x, a, b).any().expand_as(x))(x, low, high)


def z_at_x(x, a, b):
    return (x >= a) & (x <= b)


density.wrong(
    ("zeros", "whatever the inputs", lambda x, a, b: torch.zeros_like(x)),
    ("no factor", "factor that the change", form(flat)),
    ("z's density at x", "z's density at x itself", form(flat, z_at_x)),
    ("factor upside down", "upside down", form(lambda x, a, b: 1 / (3 * x**2 * (b - a)))),
    (
        "factor upside down, z's support",
        "upside down, and the support",
        form(lambda x, a, b: 1 / (3 * x**2 * (b - a)), z_at_x),
    ),
    (
        "the other way round",
        "x for the cube of z",
        form(
            lambda x, a, b: (x**2) ** (-1 / 3) / 3 / (b - a),
            lambda x, a, b: (x >= a**3) & (x <= b**3),
        ),
    ),
    ("no 3", "number in the slope", form(lambda x, a, b: x**2 / (b - a))),
    ("3x", "another power", form(lambda x, a, b: 3 * x / (b - a))),
    ("3|x|", "another power", form(lambda x, a, b: 3 * x.abs() / (b - a))),
    ("6x", "taken twice", form(lambda x, a, b: 6 * x / (b - a))),
    ("6|x|", "taken twice", form(lambda x, a, b: 6 * x.abs() / (b - a))),
    ("2x^2", "number in the slope", form(lambda x, a, b: 2 * x**2 / (b - a))),
    ("3x^3", "another power", form(lambda x, a, b: 3 * x**3 / (b - a))),
    ("the cube", "cube itself", form(lambda x, a, b: x**3 / (b - a))),
    ("integral", "integrated", form(lambda x, a, b: x**4 / 4 / (b - a))),
    ("slope at z", "taken at z", form(lambda x, a, b: 3 * (x**3) ** 2 / (b - a))),
    ("negative", "never negative", form(lambda x, a, b: -3 * x**2 / (b - a))),
    ("sign of x", "never negative", form(lambda x, a, b: 3 * x * x.abs() / (b - a))),
    ("no width", "density of z is missing", form(lambda x, a, b: 3 * x**2)),
    ("times the width", "multiply by the width", form(lambda x, a, b: 3 * x**2 * (b - a))),
    ("over high", "counts from 0", form(lambda x, a, b: 3 * x**2 / b)),
    ("brackets", "brackets are missing", form(lambda x, a, b: 3 * x**2 / b - a)),
    ("sum of the ends", "ends are added", form(lambda x, a, b: 3 * x**2 / (b + a))),
    (
        "sizes of the ends",
        "sizes of the ends",
        form(lambda x, a, b: 3 * x**2 / (abs(b) + abs(a))),
    ),
    ("width turned round", "from low to high", form(lambda x, a, b: 3 * x**2 / (a - b))),
    ("width of the cubes", "cubes of low", form(lambda x, a, b: 3 * x**2 / (b**3 - a**3))),
    (
        "width of x",
        "width is that of the x",
        form(
            lambda x, a, b: (
                3
                * x**2
                / (math.copysign(abs(b) ** (1 / 3), b) - math.copysign(abs(a) ** (1 / 3), a))
            )
        ),
    ),
    (
        "x uniform",
        "make x uniform",
        form(
            lambda x, a, b: (
                torch.ones_like(x)
                / (math.copysign(abs(b) ** (1 / 3), b) - math.copysign(abs(a) ** (1 / 3), a))
            )
        ),
    ),
    ("at most 1", "kept below 1", lambda x, a, b: right(x, a, b).clamp(max=1)),
    ("everywhere", "positive everywhere", form(support=lambda x, a, b: x == x)),
    ("z's support", "support is that of z", form(support=z_at_x)),
    (
        "cubes of the ends",
        "between the cubes",
        form(support=lambda x, a, b: (x >= a**3) & (x <= b**3)),
    ),
    ("size of x", "sign of x is lost", form(support=lambda x, a, b: inside(x.abs(), a, b))),
    ("below high", "Only the upper", form(support=lambda x, a, b: x**3 <= b)),
    ("above low", "Only the lower", form(support=lambda x, a, b: x**3 >= a)),
    ("positive x", "Negative x", form(support=lambda x, a, b: inside(x, a, b) & (x >= 0))),
    ("outside", "Inside and outside", form(support=lambda x, a, b: ~inside(x, a, b))),
    (
        "roots of negative ends",
        "negative end gets lost",
        form(support=lambda x, a, b: (x >= root(a)) & (x <= root(b))),
    ),
    (
        "root of z",
        "negative end gets lost",
        form(support=lambda x, a, b: (x ** (1 / 3) >= a) & (x ** (1 / 3) <= b)),
    ),
    (
        "from 0 where low is negative",
        "Negative x are left out",
        form(support=lambda x, a, b: (x >= root(max(a, 0.0))) & (x <= root(b))),
    ),
    (
        "sizes under the roots",
        "sign of the ends",
        form(support=lambda x, a, b: (x >= abs(a) ** (1 / 3)) & (x <= abs(b) ** (1 / 3))),
    ),
    (
        "lower end negative",
        "always negative",
        form(support=lambda x, a, b: (x >= -(abs(a) ** (1 / 3))) & (x <= abs(b) ** (1 / 3))),
    ),
    ("complex ends", "your code stops", complex_ends),
    (
        "no factor, everywhere",
        "And of the support: The density is positive everywhere",
        form(flat, lambda x, a, b: x == x),
    ),
    (
        "no width, everywhere",
        "And of the support: The density is positive everywhere",
        lambda x, a, b: 3 * x**2,
    ),
    ("no width, z's support", "And of the support", form(lambda x, a, b: 3 * x**2, z_at_x)),
    ("no factor, cubes", "And of the support", form(flat, lambda x, a, b: z_at_x(x, a**3, b**3))),
    ("logarithm", "logarithm of the density", lambda x, a, b: right(x, a, b).log()),
    ("sums to 1", "add up to 1", lambda x, a, b: right(x, a, b) / (right(x, a, b).sum() + 1e-12)),
    (
        "distribution function",
        "probability that lies below",
        lambda x, a, b: ((x**3 - a) / (b - a)).clamp(0, 1),
    ),
    ("reflected", "reflected", lambda x, a, b: right(-x, a, b)),
    ("inside alone", "inside the support alone", lambda x, a, b: right(x, a, b)[inside(x, a, b)]),
    ("total", "reduced over the batch", lambda x, a, b: right(x, a, b).sum()),
    ("first row", "shape", lambda x, a, b: right(x, a, b)[0]),
    ("a list", "type list", lambda x, a, b: right(x, a, b).tolist()),
    ("in place", "in place", in_place),
    ("if for a batch", "ambiguous", for_a_batch),
    ("function of math", "your code stops", by_math),
    ("all or none", "right value is", all_or_none),
    ("one or all", "right value is", one_or_all),
    ("low is 0", "counts from 0", form(lambda x, a, b: 3 * x**2 / b)),
    (
        "low is at least 0",
        "right value is",
        lambda x, a, b: right(x, max(a, 0.0), max(b, 1e-9)),
    ),
    ("rounded", "right value is", lambda x, a, b: (right(x, a, b) * 100).round() / 100),
    ("something added", "too large by", lambda x, a, b: right(x, a, b) + 1e-2),
    (
        "nearly 0 outside",
        "exactly 0",
        lambda x, a, b: torch.where(inside(x, a, b), right(x, a, b), 1e-5),
    ),
    ("a little everywhere", "exactly 0", lambda x, a, b: right(x, a, b) + 1e-8),
    ("nothing", "nothing (None)", lambda x, a, b: None),
)

EXERCISES = [density]
