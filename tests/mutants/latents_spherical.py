"""Answers to the exercise of notebook 03 on spherical interpolation."""

import math

import torch
import torch.nn.functional as F

from coursekit import checks
from mutants import Exercise

spherical = Exercise("spherical-interpolation", checks.spherical_interpolation, ("slerp",))


def straight(a, b, weights):
    return (1 - weights)[:, None] * a + weights[:, None] * b


def slerp(a, b, weights):
    cosine = (a @ b) / (a.norm() * b.norm())
    t = torch.arccos(cosine.clamp(-1, 1))
    if torch.sin(t) < 1e-6:
        return straight(a, b, weights)
    w = weights[:, None]
    return (torch.sin((1 - w) * t) * a + torch.sin(w * t) * b) / torch.sin(t)


def by_where(a, b, weights):
    t = torch.acos(F.cosine_similarity(a, b, dim=0).clamp(-1, 1))
    parallel = t.sin() < 1e-6
    safe = torch.where(parallel, 1.0, t)
    first = torch.where(parallel, 1 - weights, ((1 - weights) * safe).sin() / safe.sin())
    second = torch.where(parallel, weights, (weights * safe).sin() / safe.sin())
    return torch.outer(first, a) + torch.outer(second, b)


def one_by_one(a, b, weights):
    cosine = float(torch.dot(a.double(), b.double()) / (a.double().norm() * b.double().norm()))
    t = math.acos(max(-1.0, min(1.0, cosine)))
    rows = []
    for w in weights.tolist():
        if math.sin(t) < 1e-6:
            rows.append((1 - w) * a + w * b)
        else:
            rows.append((math.sin((1 - w) * t) * a + math.sin(w * t) * b) / math.sin(t))
    return torch.stack(rows)


def by_orthogonal_part(a, b, weights):
    """Turn a towards the part of b that is orthogonal to it, stretching on the way."""
    first = a / a.norm()
    rest = b - (b @ first) * first
    if rest.norm() / b.norm() < 1e-6:
        return straight(a, b, weights)
    t = torch.atan2(rest.norm(), b @ first)
    w = weights[:, None]
    return (torch.sin((1 - w) * t) * a + torch.sin(w * t) * b) / torch.sin(t)


spherical.right("as in the docstring", slerp)
spherical.right("where", by_where)
spherical.right("one by one", one_by_one)
spherical.right("arc tangent", by_orthogonal_part)


def with_angle(angle, way_out=straight):
    """Another angle, with the same way out for parallel vectors."""

    def wrong(a, b, weights):
        if torch.arccos(F.cosine_similarity(a, b, dim=0).clamp(-1, 1)).sin() < 1e-6:
            return way_out(a, b, weights)
        t, w = angle(a, b), weights[:, None]
        return (torch.sin((1 - w) * t) * a + torch.sin(w * t) * b) / torch.sin(t)

    return wrong


def angle(a, b):
    return torch.arccos(((a @ b) / (a.norm() * b.norm())).clamp(-1, 1))


def no_clamp(a, b, weights):
    t = torch.arccos((a @ b) / (a.norm() * b.norm()))
    if torch.sin(t) < 1e-6:
        return straight(a, b, weights)
    w = weights[:, None]
    return (torch.sin((1 - w) * t) * a + torch.sin(w * t) * b) / torch.sin(t)


def no_clamp_of_units(a, b, weights):
    t = torch.arccos((F.normalize(a, dim=0) * F.normalize(b, dim=0)).sum())
    if torch.sin(t) < 1e-6:
        return straight(a, b, weights)
    w = weights[:, None]
    return (torch.sin((1 - w) * t) * a + torch.sin(w * t) * b) / torch.sin(t)


def no_way_out(a, b, weights):
    t, w = angle(a, b), weights[:, None]
    return (torch.sin((1 - w) * t) * a + torch.sin(w * t) * b) / torch.sin(t)


def only_the_same(a, b, weights):
    return straight(a, b, weights) if torch.equal(a, b) else no_way_out(a, b, weights)


def only_small_angles(a, b, weights):
    return straight(a, b, weights) if angle(a, b) < 1e-6 else no_way_out(a, b, weights)


def small_constant(a, b, weights):
    t, w = angle(a, b), weights[:, None]
    return (torch.sin((1 - w) * t) * a + torch.sin(w * t) * b) / (torch.sin(t) + 1e-6)


def too_soon(a, b, weights):
    return straight(a, b, weights) if angle(a, b).sin() < 0.8 else no_way_out(a, b, weights)


def line_where(cosine, sine):
    """The straight line where the cosine exceeds a limit, or the sine falls below one."""

    def wrong(a, b, weights):
        t = angle(a, b)
        if t.cos().abs() > cosine or t.sin() < max(sine, 1e-6):
            return straight(a, b, weights)
        return no_way_out(a, b, weights)

    return wrong


def clamped_above(a, b, weights):
    t = torch.arccos(((a @ b) / (a.norm() * b.norm())).clamp(max=1))
    if torch.sin(t) < 1e-6:
        return straight(a, b, weights)
    w = weights[:, None]
    return (torch.sin((1 - w) * t) * a + torch.sin(w * t) * b) / torch.sin(t)


def direction_and_length(a, b, weights):
    lengths = (1 - weights) * a.norm() + weights * b.norm()
    return slerp(a / a.norm(), b / b.norm(), weights) * lengths[:, None]


def no_division(a, b, weights):
    t, w = angle(a, b), weights[:, None]
    return torch.sin((1 - w) * t) * a + torch.sin(w * t) * b


def no_division_with_way_out(a, b, weights):
    parallel = angle(a, b).sin() < 1e-6
    return straight(a, b, weights) if parallel else no_division(a, b, weights)


def quarter_circle(a, b, weights):
    t = torch.tensor(math.pi / 2)
    return torch.outer(((1 - weights) * t).sin(), a) + torch.outer((weights * t).sin(), b)


def between_units(a, b, weights):
    return slerp(a / a.norm(), b / b.norm(), weights)


def mended_line(a, b, weights):
    line = straight(a, b, weights)
    lengths = (1 - weights) * a.norm() + weights * b.norm()
    return line * (lengths / line.norm(dim=1))[:, None]


def in_place(a, b, weights):
    path = slerp(a.clone(), b, weights)
    a /= a.norm()
    return path


spherical.wrong(
    ("linear", "straight line from a to b", straight),
    ("torch.lerp", "straight line from a to b", lambda a, b, w: torch.lerp(a, b, w[:, None])),
    ("from b to a", "runs from b to a", lambda a, b, w: slerp(b, a, w)),
    ("no clamp", "not a number", no_clamp),
    ("no clamp of units", "not a number", no_clamp_of_units),
    ("no way out", "not a number", no_way_out),
    ("way out for equal ones only", "not a number", only_the_same),
    ("way out for small angles only", "right value is", only_small_angles),
    ("small constant for the way out", "right value is", small_constant),
    ("way out too soon", "right value is", too_soon),
    *(
        (f"line where the cosine exceeds {limit}", "far above the limit", line_where(limit, 0))
        for limit in (0.9995, 0.95)
    ),
    *(
        (f"line where the sine is below {limit}", "far above the limit", line_where(2, limit))
        for limit in (1e-3, 1e-2)
    ),
    ("clamped above only", "not a number", clamped_above),
    ("direction and length", "direction and length separately", direction_and_length),
    ("degrees", "in degrees", with_angle(lambda a, b: torch.rad2deg(angle(a, b)))),
    ("lengths not divided out", "lengths", with_angle(lambda a, b: (a @ b).clamp(-1, 1).acos())),
    (
        "squared lengths",
        "squared lengths",
        with_angle(lambda a, b: ((a @ b) / ((a @ a) * (b @ b))).clamp(-1, 1).acos()),
    ),
    (
        "cosine as angle",
        "used as the angle",
        with_angle(lambda a, b: (a @ b) / (a.norm() * b.norm())),
    ),
    ("arc sine", "arc sine", with_angle(lambda a, b: F.cosine_similarity(a, b, dim=0).asin())),
    ("half the angle", "half", with_angle(lambda a, b: angle(a, b) / 2)),
    ("no division", "division by the sine", no_division),
    ("no division, way out", "division by the sine", no_division_with_way_out),
    ("a quarter circle always", "right one", quarter_circle),
    (
        "a quarter circle, way out",
        "right one",
        with_angle(lambda a, b: torch.tensor(math.pi / 2)),
    ),
    ("between units", "shortened to length 1", between_units),
    ("brought to length 1", "brought to length 1", lambda a, b, w: F.normalize(slerp(a, b, w))),
    ("line of length 1", "straight line", lambda a, b, w: F.normalize(straight(a, b, w))),
    ("line with its length mended", "length mended", mended_line),
    (
        "stays at a where parallel",
        "you stay at a",
        with_angle(angle, lambda a, b, w: a.expand(len(w), -1)),
    ),
    (
        "at b where parallel",
        "at b from the start",
        with_angle(angle, lambda a, b, w: b.repeat(len(w), 1)),
    ),
    (
        "line turned round where parallel",
        "runs from b to a",
        with_angle(angle, lambda a, b, w: straight(b, a, w)),
    ),
    ("first weight", "first weight", lambda a, b, w: slerp(a, b, w[:1]).repeat(len(w), 1)),
    (
        "own weights",
        "weights are not used",
        lambda a, b, w: slerp(a, b, torch.linspace(0, 1, len(w)).to(a)),
    ),
    ("transposed", "axes are exchanged", lambda a, b, w: slerp(a, b, w).T),
    (
        "broadcast",
        "axis is missing",
        lambda a, b, w: ((1 - w) * angle(a, b)).sin() * a + (w * angle(a, b)).sin() * b,
    ),
    ("in place", "in place", in_place),
    ("zeros", "whatever the inputs", lambda a, b, w: torch.zeros(len(w), len(a))),
    ("absolute cosine", "right value is", with_angle(lambda a, b: angle(a, b).cos().abs().acos())),
)

EXERCISES = [spherical]
