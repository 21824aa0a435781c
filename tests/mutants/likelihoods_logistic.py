"""Answers to the exercise of notebook 02 on a logistic cut into 256 levels."""

import math

import torch
import torch.nn.functional as F
from torch.distributions import Normal

from coursekit import checks
from mutants import Exercise

logistic = Exercise(
    "discretised-logistic", checks.discretised_logistic, ("discretised_logistic_log_prob",)
)

HALF = 1 / 510


def each(v, mean, scale, lowest=0, highest=255):
    x = v / 255
    below = F.logsigmoid((x + HALF - mean) / scale)
    above = F.logsigmoid((mean - x + HALF) / scale)
    inner = below + above + torch.log(-torch.expm1(-1 / (255 * scale)))
    return torch.where(v == lowest, below, torch.where(v == highest, above, inner))


def right(v, mean, log_scale):
    return each(v, mean, log_scale.exp()).sum(1)


def by_softplus(v, mean, log_scale):
    """In float64, each level turned to the side where the tail is small; ends at infinity."""
    mean, wide = mean.double(), log_scale.double()
    x = v.double() / 255
    turn = torch.where(x > mean, -1.0, 1.0).double()
    ends = torch.stack([(x - HALF - mean), (x + HALF - mean)]) / wide.exp() * turn
    low, high = ends.amin(0), ends.amax(0)
    near, far = torch.where(turn > 0, 0, 255), torch.where(turn > 0, 255, 0)
    edge_near = -F.softplus(-high)  # all of the tail behind this level
    edge_far = -F.softplus(low)
    inner = edge_near + edge_far + (-torch.expm1(-1 / (255 * wide.exp()))).log()
    out = torch.where(v == near, edge_near, torch.where(v == far, edge_far, inner))
    return out.sum(1).to(log_scale.dtype)


def by_cosh(v, mean, log_scale):
    """The difference of two tanh as a sinh over two cosh, in logarithms and in float64."""
    inverse = torch.exp(-log_scale.double())
    centre, half = (v.double() / 255 - mean.double()) * inverse, inverse / 510
    log_sinh = half + torch.log(-torch.expm1(-2 * half)) - math.log(2)
    log_cosh = lambda t: t.abs() + torch.log1p(torch.exp(-2 * t.abs())) - math.log(2)  # noqa: E731
    inner = log_sinh - math.log(2) - log_cosh((centre + half) / 2) - log_cosh((centre - half) / 2)
    sides = torch.stack([F.logsigmoid(centre + half), inner, F.logsigmoid(half - centre)])
    kind = (v > 0).long() + (v == 255).long()
    return sides.gather(0, kind[None])[0].sum(1).to(mean.dtype)


def by_masks(v, mean, log_scale):
    inverse = torch.exp(-log_scale)
    upper, lower = (v / 255 + HALF - mean) * inverse, (v / 255 - HALF - mean) * inverse
    inner = ((v > 0) & (v < 255)).to(mean.dtype)
    total = (v < 255) * F.logsigmoid(upper) + (v > 0) * F.logsigmoid(-lower)
    return (total + inner * torch.log(-torch.expm1(-inverse / 255))).sum(dim=-1)


logistic.right("as derived", right)
logistic.right("turned to the small tail, float64 inside", by_softplus)
logistic.right("hyperbolic functions, float64 inside", by_cosh)
logistic.right("masks", by_masks)


def difference(v, mean, scale, edges=True, half=HALF, levels=255):
    x = v / levels
    below, above = (
        torch.sigmoid((x + half - mean) / scale),
        torch.sigmoid((x - half - mean) / scale),
    )
    if edges:
        below, above = torch.where(v == 255, 1.0, below), torch.where(v == 0, 0.0, above)
    return below - above


def shaped(below=HALF, above=HALF, levels=255, shift=0.0):
    """Right but for the ends of a level."""

    def answer(v, mean, log_scale):
        x, s = v / levels + shift, log_scale.exp()
        low, high = F.logsigmoid((x + above - mean) / s), F.logsigmoid((mean - x + below) / s)
        inner = low + high + torch.log(-torch.expm1(-(below + above) / s))
        return torch.where(v == 0, low, torch.where(v == 255, high, inner)).sum(1)

    return answer


def scaled(make):
    return lambda v, mean, log_scale: each(v, mean, make(log_scale)).sum(1)


def by_density(v, mean, log_scale):
    z = (v / 255 - mean) / log_scale.exp()
    return -z - log_scale - 2 * F.softplus(-z)


def recipe(v, mean, log_scale):
    """As it is often written: the density where the mass is too small."""
    mass = difference(v, mean, log_scale.exp(), edges=False)
    s = log_scale.exp()
    inner = torch.where(
        mass > 1e-5,
        mass.clamp(min=1e-12).log(),
        by_density(v, mean, log_scale) - math.log(255),
    )
    low = F.logsigmoid((v / 255 + HALF - mean) / s)
    high = -F.softplus((v / 255 - HALF - mean) / s)
    return torch.where(v == 0, low, torch.where(v == 255, high, inner)).sum(1)


def gaussian(v, mean, log_scale):
    curve = Normal(mean, log_scale.exp())
    below = torch.where(v == 255, 1.0, curve.cdf(v / 255 + HALF))
    return (below - torch.where(v == 0, 0.0, curve.cdf(v / 255 - HALF))).log().sum(1)


def naive(v, mean, log_scale, change=lambda mass: mass):
    return change(difference(v, mean, log_scale.exp())).log().sum(1)


def log_difference(v, mean, log_scale):
    """Stable in one tail only."""
    s = log_scale.exp()
    upper, lower = (
        F.logsigmoid((v / 255 + HALF - mean) / s),
        F.logsigmoid((v / 255 - HALF - mean) / s),
    )
    inner = upper + torch.log1p(-torch.exp(lower - upper))
    high = F.logsigmoid((mean - v / 255 + HALF) / s)
    return torch.where(v == 0, upper, torch.where(v == 255, high, inner)).sum(1)


def detached_width(v, mean, log_scale):
    width = torch.log(-torch.expm1(-torch.exp(-log_scale) / 255))
    inner = (v > 0) & (v < 255)
    return right(v, mean, log_scale) - torch.where(inner, width - width.detach(), 0.0).sum(1)


def clamped_width(least):
    def answer(v, mean, log_scale):
        width = -torch.expm1(-1 / (255 * log_scale.exp()))
        inner = (v > 0) & (v < 255)
        change = torch.log(width.clamp(min=least)) - torch.log(width)
        return right(v, mean, log_scale) + torch.where(inner, change, 0.0).sum(1)

    return answer


def infinity_replaced(v, mean, log_scale):
    log_p = difference(v, mean, log_scale.exp()).log()
    return torch.nan_to_num(log_p, neginf=-1e4).sum(1)


def in_place(v, mean, log_scale):
    log_scale.exp_()
    return each(v, mean, log_scale).sum(1)


def mean_in_place(v, mean, log_scale):
    out = right(v, mean, log_scale)
    mean.data.clamp_(0, 1)
    return out


def wrapped(change):
    return lambda *arguments: change(right(*arguments))


logistic.wrong(
    (
        "no tails",
        "edges do not take the tails",
        lambda v, mean, a: each(v, mean, a.exp(), -1, -1).sum(1),
    ),
    (
        "no tail above",
        "does not take the one above",
        lambda v, mean, a: each(v, mean, a.exp(), 0, -1).sum(1),
    ),
    (
        "no tail below",
        "does not take the one below",
        lambda v, mean, a: each(v, mean, a.exp(), -1, 255).sum(1),
    ),
    (
        "edges exchanged",
        "two edges are exchanged",
        lambda v, mean, a: each(v, mean, a.exp(), 255, 0).sum(1),
    ),
    (
        "edge at 256",
        "does not take the one above",
        lambda v, mean, a: each(v, mean, a.exp(), 0, 256).sum(1),
    ),
    ("no half, upwards", "half of a level is forgotten", shaped(0.0, 2 * HALF)),
    ("no half, downwards", "half of a level is forgotten", shaped(2 * HALF, 0.0)),
    ("twice as wide", "the whole width", shaped(2 * HALF, 2 * HALF)),
    ("v over 256", "divide by 256", shaped(levels=256)),
    ("v over 256, cells of 1/256", "divide by 256", shaped(1 / 512, 1 / 512, 256)),
    ("cells of 1/256", "you take 1/256", shaped(1 / 512, 1 / 512)),
    ("from v/256 on", "reaches to both sides", shaped(0.0, 1 / 256, 256)),
    ("middle of v/256", "reaches to both sides", shaped(1 / 512, 1 / 512, 256, 1 / 512)),
    ("levels as they are", "from 0 to 255 in your formula", shaped(0.5, 0.5, 1)),
    ("not divided by 255", "not divided by 255", shaped(levels=1)),
    ("from -1 to 1", "from -1 to 1", shaped(1 / 255, 1 / 255, 127.5, -1.0)),
    ("from -1 to 1, half as wide", "right value is", shaped(HALF, HALF, 127.5, -1.0)),
    ("log_scale for the scale", "log_scale is taken for the scale", scaled(lambda a: a)),
    ("its absolute value", "right value is", scaled(torch.abs)),
    ("logarithm of a variance", "logarithm of a variance", scaled(lambda a: (a / 2).exp())),
    ("multiplied by the scale", "multiply by the scale", scaled(lambda a: (-a).exp())),
    ("scale squared", "scale is squared", scaled(lambda a: (2 * a).exp())),
    (
        "standard deviation",
        "taken for a standard deviation",
        scaled(lambda a: a.exp() * 3**0.5 / math.pi),
    ),
    ("softplus", "softplus", scaled(F.softplus)),
    ("scale plus 1e-3", "right value is", scaled(lambda a: a.exp() + 1e-3)),
    ("density", "density at the grey value", lambda *t: by_density(*t).sum(1)),
    ("density times width", "times the width", lambda *t: (by_density(*t) - math.log(255)).sum(1)),
    ("density where mass is small", "this is no mass", recipe),
    ("Gaussian", "Gaussian cut into levels", gaussian),
    ("sign inside", "Black and white are exchanged", lambda v, mean, a: right(255 - v, mean, a)),
    ("sign of both ends", "right value is", lambda v, mean, a: each(v, mean, -a.exp()).sum(1)),
    (
        "masses added up",
        "Masses are added up",
        lambda v, mean, a: difference(v, mean, a.exp()).sum(1),
    ),
    ("naive", "difference of two sigmoids rounds to 0", naive),
    (
        "naive, in float64",
        "both sigmoids round to the same",
        lambda v, mean, a: naive(v, mean.double(), a.double()).to(mean.dtype),
    ),
    (
        "epsilon 1e-12",
        "difference of two sigmoids rounds to 0",
        lambda v, mean, a: naive(v, mean, a, lambda mass: mass + 1e-12),
    ),
    (
        "clamp 1e-7",
        "difference of two sigmoids rounds to 0",
        lambda v, mean, a: naive(v, mean, a, lambda mass: mass.clamp(min=1e-7)),
    ),
    (
        "clamp 1e-38, in float64",
        "both sigmoids round to the same",
        lambda v, mean, a: naive(v, mean.double(), a.double(), lambda m: m.clamp(1e-38)).to(mean),
    ),
    ("infinity replaced", "difference of two sigmoids rounds to 0", infinity_replaced),
    ("width at least 1e-7", "clamp what stands under a logarithm", clamped_width(1e-7)),
    ("width at least 1e-12", "clamp what stands under a logarithm", clamped_width(1e-12)),
    ("width at least 1e-20", "clamp what stands under a logarithm", clamped_width(1e-20)),
    ("stable in one tail", "difference of two sigmoids rounds to 0", log_difference),
    (
        "naive width",
        "digits are lost",
        lambda v, mean, a: (
            each(v, mean, a.exp()).sum(1)
            + torch.where(
                (v > 0) & (v < 255),
                (1 - torch.exp(-torch.exp(-a) / 255)).log()
                - torch.log(-torch.expm1(-torch.exp(-a) / 255)),
                0.0,
            ).sum(1)
        ),
    ),
    ("means clamped", "clamp the means", lambda v, mean, a: right(v, mean.clamp(0, 1), a)),
    (
        "log_scale at least -6",
        "below a limit",
        lambda v, mean, a: right(v, mean, a.clamp(min=-6.0)),
    ),
    ("log_scale at most 2", "above a limit", lambda v, mean, a: right(v, mean, a.clamp(max=2.0))),
    ("mean over pixels", "mean over the pixels", lambda v, mean, a: each(v, mean, a.exp()).mean(1)),
    ("sum over all", "over the batch", wrapped(torch.sum)),
    ("total for each", "over the batch", wrapped(lambda out: out.sum().expand(len(out)))),
    ("first picture for all", "first one's", wrapped(lambda out: out[:1].expand(len(out)))),
    (
        "right for B = 1",
        "Only the first row",
        lambda v, mean, a: right(v, mean, a[:1].expand_as(a)),
    ),
    ("wrong axis", "wrong axis", lambda v, mean, a: each(v, mean, a.exp()).sum(0)),
    ("no sum", "Nothing was summed", lambda v, mean, a: each(v, mean, a.exp())),
    ("keepdim", "axis of length 1", wrapped(lambda out: out[:, None])),
    ("sign", "the sign is wrong", wrapped(torch.neg)),
    ("no log", "probability or density itself", wrapped(torch.exp)),
    ("bits", "bits", wrapped(lambda out: out / math.log(2))),
    ("zeros", "whatever the inputs", wrapped(torch.zeros_like)),
    ("detached", "no gradient", wrapped(torch.detach)),
    ("mean.data", "no gradient reaches mean", lambda v, mean, a: right(v, mean.data, a)),
    (
        "log_scale detached",
        "no gradient reaches log_scale",
        lambda v, mean, a: right(v, mean, a.detach()),
    ),
    ("width detached", "gradient that reaches log_scale is wrong", detached_width),
    ("in place", "in place", in_place),
    ("mean changed at the end", "in place", mean_in_place),
    ("single precision only", "precision", wrapped(lambda out: out @ torch.eye(len(out)))),
)

for title in ("width at least 1e-7", "width at least 1e-12", "width at least 1e-20"):
    logistic.check_only[title] = "the probe has no scale that large"

EXERCISES = [logistic]
