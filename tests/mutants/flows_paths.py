"""Answers to the exercise of notebook 06 on three paths between two latents."""

import math

import torch
import torch.nn.functional as F

from coursekit import checks
from mutants import Exercise

three = Exercise("three-paths", checks.three_paths, ("paths",))


def path(first, second):
    def points(a, b, lambdas):
        return first(lambdas)[:, None] * a + second(lambdas)[:, None] * b

    return points


def sine(w):
    return torch.sin(w * math.pi / 2)


def cosine(w):
    return torch.cos(w * math.pi / 2)


linear = path(lambda w: 1 - w, lambda w: w)
sinusoidal = path(lambda w: 1 - sine(w), sine)


def angle(a, b):
    a, b = a.double(), b.double()
    return torch.arccos(((a @ b) / (a.norm() * b.norm())).clamp(-1, 1))


def arc(t, a, b, lambdas):
    w = lambdas[:, None]
    return (torch.sin((1 - w) * t) * a + torch.sin(w * t) * b) / torch.sin(t)


def spherical(a, b, lambdas):
    t = angle(a, b)
    return linear(a, b, lambdas) if torch.sin(t) < 1e-6 else arc(t, a, b, lambdas)


def made(linear=linear, sinusoidal=sinusoidal, spherical=spherical, join=lambda *three: three):
    def paths(a, b, lambdas):
        return join(linear(a, b, lambdas), sinusoidal(a, b, lambdas), spherical(a, b, lambdas))

    return paths


def all_alike(change):
    return made(*(lambda a, b, w, p=p: change(p, a, b, w) for p in (linear, sinusoidal, spherical)))


def by_lerp(a, b, lambdas):
    w = lambdas.unsqueeze(1)
    t = torch.acos(F.cosine_similarity(a.double(), b.double(), dim=0).clamp(-1, 1)).to(a)
    line = torch.lerp(a, b, w)
    if t.sin() < 1e-6:
        third = line
    else:
        shares = torch.stack([((1 - lambdas) * t).sin(), (lambdas * t).sin()], dim=1) / t.sin()
        third = shares @ torch.stack([a, b])
    return [line, a + torch.sin(w * torch.pi / 2) * (b - a), third]


def one_by_one(a, b, lambdas):
    t = float(angle(a, b))
    rows = [[], [], []]
    for w in lambdas.tolist():
        s = math.sin(math.pi * w / 2)
        rows[0].append(a + w * (b - a))
        rows[1].append((1 - s) * a + s * b)
        if math.sin(t) < 1e-6:
            rows[2].append((1 - w) * a + w * b)
        else:
            rows[2].append((math.sin((1 - w) * t) * a + math.sin(w * t) * b) / math.sin(t))
    return tuple(torch.stack(points) for points in rows)


three.right("as in the docstring", made())
three.right("lerp", by_lerp)


def by_halves(a, b, lambdas):
    """The angle from the lengths of the sum and of the difference: exact in single precision."""
    first, second = a / a.norm(), b / b.norm()
    t = 2 * torch.atan2((first - second).norm(), (first + second).norm())
    line = linear(a, b, lambdas)
    third = line if t.sin() < 1e-6 else arc(t, a, b, lambdas)
    return line, sinusoidal(a, b, lambdas), third


three.right("one by one", one_by_one)
three.right("angle from sum and difference", by_halves)


def single_angle(a, b, lambdas):
    t = torch.arccos(((a @ b) / (a.norm() * b.norm())).clamp(-1, 1))
    return linear(a, b, lambdas) if torch.sin(t) < 1e-6 else arc(t, a, b, lambdas)


def single_cosine(a, b, lambdas):
    t = torch.arccos(F.cosine_similarity(a, b, dim=0).clamp(-1, 1))
    return linear(a, b, lambdas) if torch.sin(t) < 1e-6 else arc(t, a, b, lambdas)


def no_clamp(a, b, lambdas):
    t = torch.arccos((a @ b) / (a.norm() * b.norm()))
    return linear(a, b, lambdas) if torch.sin(t) < 1e-6 else arc(t, a, b, lambdas)


def no_way_out(a, b, lambdas):
    return arc(angle(a, b), a, b, lambdas)


def way_out(where, instead=linear):
    def points(a, b, lambdas):
        t = angle(a, b)
        return instead(a, b, lambdas) if where(a, b, t) else arc(t, a, b, lambdas)

    return points


def with_angle(other):
    def points(a, b, lambdas):
        parallel = angle(a, b).sin() < 1e-6
        return linear(a, b, lambdas) if parallel else arc(other(a, b), a, b, lambdas)

    return points


def no_division(a, b, lambdas):
    w, t = lambdas[:, None], angle(a, b)
    return torch.sin((1 - w) * t) * a + torch.sin(w * t) * b


def of_units(a, b, lambdas):
    return spherical(a / a.norm(), b / b.norm(), lambdas)


def direction_and_length(a, b, lambdas):
    lengths = (1 - lambdas) * a.norm() + lambdas * b.norm()
    return of_units(a, b, lambdas) * lengths[:, None]


def on_the_arc(other):
    def points(a, b, lambdas):
        parallel = angle(a, b).sin() < 1e-6
        return (linear if parallel else other)(a, b, lambdas)

    return points


def mended_line(a, b, lambdas):
    line = linear(a, b, lambdas)
    lengths = (1 - lambdas) * a.norm() + lambdas * b.norm()
    return line * (lengths / line.norm(dim=1))[:, None]


def quarter_circle(a, b, lambdas):
    return torch.outer(cosine(lambdas), a) + torch.outer(sine(lambdas), b)


def in_place(a, b, lambdas):
    result = made()(a.clone(), b, lambdas)
    lambdas *= math.pi / 2
    return result


def ends_in_place(a, b, lambdas):
    result = made()(a.clone(), b, lambdas)
    b /= b.norm()
    return result


def two_dimensions(a, b, lambdas):
    t = torch.atan2(a[0] * b[1] - a[1] * b[0], a[:2] @ b[:2]).abs()
    return linear(a, b, lambdas) if t.sin() < 1e-6 else arc(t, a, b, lambdas)


def broadcast(a, b, lambdas):
    return (1 - lambdas) * a + lambdas * b


def detached(points):
    return lambda a, b, w: points(a.detach(), b.detach(), w)


def order(*places):
    return made(join=lambda *three: tuple(three[i] for i in places))


three.wrong(
    ("zeros", "whatever the inputs", all_alike(lambda p, a, b, w: 0 * p(a, b, w))),
    ("sinusoidal first", "is the sinusoidal path", order(1, 0, 2)),
    ("spherical first", "is the spherical path", order(2, 1, 0)),
    ("spherical second", "is the spherical path", order(0, 2, 1)),
    ("linear twice", "is the linear path", order(0, 0, 2)),
    ("linear thrice", "is the linear path", order(0, 0, 0)),
    ("no spherical", "straight line from a to b", order(0, 1, 0)),
    ("sinusoidal for spherical", "is the sinusoidal path", order(0, 1, 1)),
    ("two", "2 things", order(0, 1)),
    ("one tensor", "one thing", made(join=lambda *three: torch.cat(three))),
    ("a dictionary", "one thing", made(join=lambda *three: dict(zip("abc", three, strict=True)))),
    ("nothing", "nothing (None)", made(join=lambda *three: None)),
    ("from b to a", "runs from b to a", all_alike(lambda p, a, b, w: p(b, a, w))),
    ("last first", "wrong order", all_alike(lambda p, a, b, w: p(a, b, w).flip(0))),
    (
        "own lambdas",
        "lambdas are not used",
        all_alike(lambda p, a, b, w: p(a, b, torch.linspace(0, 1, len(w)).to(a))),
    ),
    (
        "eleven lambdas",
        "shape",
        all_alike(lambda p, a, b, w: p(a, b, torch.linspace(0, 1, 11).to(a))),
    ),
    (
        "first lambda",
        "first lambda",
        all_alike(lambda p, a, b, w: p(a, b, w[:1]).repeat(len(w), 1)),
    ),
    ("transposed", "shape", all_alike(lambda p, a, b, w: p(a, b, w).T)),
    (
        "transposed where square",
        "right value is",
        all_alike(lambda p, a, b, w: p(a, b, w).T if len(w) == len(a) else p(a, b, w)),
    ),
    ("length 1", "brought to length 1", all_alike(lambda p, a, b, w: F.normalize(p(a, b, w)))),
    ("broadcast", "axis is missing", made(linear=broadcast)),
    ("linear without a loss of a", "does not shrink", made(path(torch.ones_like, lambda w: w))),
    ("linear with all of b", "does not grow", made(path(lambda w: 1 - w, torch.ones_like))),
    ("linear away", "away from b", made(path(lambda w: 1 + w, lambda w: -w))),
    ("linear, sign of b", "share of b has the wrong", made(path(lambda w: 1 - w, lambda w: -w))),
    ("linear half way", "half way", made(path(lambda w: 1 - w / 2, lambda w: w / 2))),
    ("linear from b", "runs from b to a", made(path(lambda w: w, lambda w: 1 - w))),
    ("cosine and sine", "share of a is a cosine", made(sinusoidal=path(cosine, sine))),
    ("cosine", "become a cosine", made(sinusoidal=path(lambda w: 1 - cosine(w), cosine))),
    ("slow start", "asked for fast", made(sinusoidal=path(cosine, lambda w: 1 - cosine(w)))),
    (
        "sine of the rest",
        "asked for fast",
        made(sinusoidal=path(lambda w: sine(1 - w), lambda w: 1 - sine(1 - w))),
    ),
    ("sine of lambda", "lambda itself", made(sinusoidal=path(lambda w: 1 - w.sin(), torch.sin))),
    (
        "half a turn",
        "half a turn",
        made(sinusoidal=path(lambda w: 1 - (math.pi * w).sin(), lambda w: (math.pi * w).sin())),
    ),
    (
        "a whole turn",
        "whole turn",
        made(
            sinusoidal=path(
                lambda w: 1 - (2 * math.pi * w).sin(), lambda w: (2 * math.pi * w).sin()
            )
        ),
    ),
    (
        "degrees of the sine",
        "in degrees",
        made(sinusoidal=path(lambda w: 1 - (90 * w).sin(), lambda w: (90 * w).sin())),
    ),
    (
        "squared sine",
        "squared",
        made(sinusoidal=path(lambda w: cosine(w) ** 2, lambda w: sine(w) ** 2)),
    ),
    ("sine for b only", "Only the share of b", made(sinusoidal=path(lambda w: 1 - w, sine))),
    (
        "sine for a only",
        "Only the share of a",
        made(sinusoidal=path(lambda w: 1 - sine(w), lambda w: w)),
    ),
    (
        "sinusoidal with all of b",
        "does not grow",
        made(sinusoidal=path(lambda w: 1 - sine(w), torch.ones_like)),
    ),
    ("sinusoidal from b", "runs from b to a", made(sinusoidal=path(sine, lambda w: 1 - sine(w)))),
    (
        "sinusoidal signs",
        "signs are exchanged",
        made(sinusoidal=path(lambda w: 1 + sine(w), lambda w: -sine(w))),
    ),
    (
        "a rough pi",
        "right value is",
        made(sinusoidal=path(lambda w: 1 - (3.1 * w / 2).sin(), lambda w: (3.1 * w / 2).sin())),
    ),
    ("no clamp", "not a number", made(spherical=no_clamp)),
    ("no way out", "angle is not", made(spherical=no_way_out)),
    (
        "way out for the same only",
        "angle is not",
        made(spherical=way_out(lambda a, b, t: torch.equal(a, b))),
    ),
    (
        "way out for small angles only",
        "right value is",
        made(spherical=way_out(lambda a, b, t: t < 1e-6)),
    ),
    *(
        (
            f"way out below {limit}",
            "far above the limit",
            made(spherical=way_out(lambda a, b, t, k=limit: t.sin() < k)),
        )
        for limit in (1e-3, 1e-2, 0.1)
    ),
    *(
        (
            f"way out below {limit}",
            "limit of the sine is 1e-6",
            made(spherical=way_out(lambda a, b, t, k=limit: t.sin() < k)),
        )
        for limit in (1e-4, 1e-5)
    ),
    *(
        (
            f"way out below {limit}",
            "Opposite vectors have no arc",
            made(spherical=way_out(lambda a, b, t, k=limit: t.sin() < k)),
        )
        for limit in (1e-8, 1e-12)
    ),
    (
        "way out where the cosine is nearly 1",
        "limit of the sine is 1e-6",
        made(spherical=way_out(lambda a, b, t: 1 - t.cos().abs() < 1e-8)),
    ),
    (
        "way out where the cosine is 1",
        "Opposite vectors have no arc",
        made(spherical=way_out(lambda a, b, t: t.cos().abs() >= 1)),
    ),
    ("angle in single precision", "in double precision", made(spherical=single_angle)),
    ("torch's cosine in single precision", "in double precision", made(spherical=single_cosine)),
    (
        "way out where the cosine exceeds 0.9995",
        "far above the limit",
        made(spherical=way_out(lambda a, b, t: t.cos().abs() > 0.9995)),
    ),
    (
        "stays at a where parallel",
        "you stay at a",
        made(
            spherical=way_out(lambda a, b, t: t.sin() < 1e-6, lambda a, b, w: a.expand(len(w), -1))
        ),
    ),
    (
        "sinusoidal where parallel",
        "right value is",
        made(spherical=way_out(lambda a, b, t: t.sin() < 1e-6, sinusoidal)),
    ),
    (
        "line turned round where parallel",
        "runs from b to a",
        made(spherical=way_out(lambda a, b, t: t.sin() < 1e-6, lambda a, b, w: linear(b, a, w))),
    ),
    ("no division", "division by the sine", made(spherical=no_division)),
    ("quarter circle", "right one", made(spherical=quarter_circle)),
    ("of units", "shortened to length 1", made(spherical=of_units)),
    ("direction and length", "direction and length", made(spherical=direction_and_length)),
    ("of units on the arc", "made unit vectors", made(spherical=on_the_arc(of_units))),
    (
        "direction and length on the arc",
        "interpolated apart",
        made(spherical=on_the_arc(direction_and_length)),
    ),
    (
        "weights exchanged on the arc",
        "weights of a and b are exchanged",
        made(spherical=on_the_arc(lambda a, b, w: spherical(b, a, w))),
    ),
    ("mended line", "length mended", made(spherical=mended_line)),
    (
        "angle in degrees",
        "in degrees",
        made(spherical=with_angle(lambda a, b: angle(a, b).rad2deg())),
    ),
    ("half the angle", "half", made(spherical=with_angle(lambda a, b: angle(a, b) / 2))),
    (
        "cosine as angle",
        "used as the angle",
        made(spherical=with_angle(lambda a, b: (a @ b) / (a.norm() * b.norm()))),
    ),
    (
        "lengths not divided out",
        "lengths",
        made(spherical=with_angle(lambda a, b: (a.double() @ b.double()).clamp(-1, 1).acos())),
    ),
    (
        "squared lengths",
        "squared lengths",
        made(
            spherical=with_angle(lambda a, b: ((a @ b) / ((a @ a) * (b @ b))).clamp(-1, 1).acos())
        ),
    ),
    (
        "arc sine",
        "arc sine",
        made(spherical=with_angle(lambda a, b: F.cosine_similarity(a, b, dim=0).asin())),
    ),
    (
        "size of the cosine",
        "right value is",
        made(spherical=with_angle(lambda a, b: angle(a, b).cos().abs().acos())),
    ),
    ("two dimensions", "right value is", made(spherical=two_dimensions)),
    ("spherical from b", "runs from b to a", made(spherical=lambda a, b, w: spherical(b, a, w))),
    ("lambdas in place", "in place", in_place),
    ("b in place", "in place", ends_in_place),
    ("linear detached", "no gradient", made(linear=detached(linear))),
    ("sinusoidal detached", "no gradient", made(sinusoidal=detached(sinusoidal))),
    (
        "single precision",
        "your code stops",
        all_alike(lambda p, a, b, w: p(a, b, w) @ torch.eye(len(a))),
    ),
    ("lists", "type list", all_alike(lambda p, a, b, w: p(a, b, w).tolist())),
)

EXERCISES = [three]
