"""Check of `discretised-logistic`: the mass that a logistic puts on each of 256 levels."""

from __future__ import annotations

import math
from dataclasses import replace

import torch
from torch import Tensor
from torch.distributions import Normal
from torch.nn.functional import logsigmoid

from coursekit.checks.engine import Case, Check, Function, Slip, run
from coursekit.checks.likelihoods.logistic_mass import HALF, log_logistic, log_mass, log_with_scale
from coursekit.checks.likelihoods.pictures import levels, sum_slips
from coursekit.checks.parts import grey, normal


def _cases() -> list[Case]:
    def case(v: Tensor, mean: Tensor, log_scale: Tensor, title: str = "", clue: str = "") -> Case:
        return Case({"v": v, "mean": mean, "log_scale": log_scale}, title, clue)

    double = torch.float64
    tiny = levels(74, 3, 5)
    far = torch.tensor([[5.0, 6.0, 4.0, 7.0], [-4.0, -6.0, -5.0, -3.0]])
    return [
        case(torch.tensor([[100]]), torch.tensor([[0.5]]), torch.tensor([[-2.0]])),
        case(
            torch.randint(1, 255, (4, 6), generator=torch.Generator().manual_seed(70)),
            grey(71, 4, 6),
            0.3 * normal(72, (4, 6))[0] - 1,
            title="4 random pictures of 6 pixels, none of them at an edge",
        ),
        case(
            torch.tensor([[0, 255], [255, 0]]),
            torch.tensor([[0.25, 0.5], [0.5, 1.0]]),
            torch.tensor([[-2.0, -1.0], [-3.0, 0.0]]),
            clue="Level 0 takes all that lies below it, level 255 all above: see step 3.",
        ),
        replace(
            case(
                levels(73, 5, 5),
                grey(75, 5, 5, dtype=double),
                0.5 * normal(76, (5, 5), dtype=double)[0] - 1.5,
                title="5 pictures of 5 pixels, edges among them, in float64",
            ),
            tolerance=1e-5,
        ),
        case(
            tiny,
            tiny / 255 + 0.012 * normal(77, (3, 5))[0].sign(),
            0.3 * normal(78, (3, 5))[0] - 7,
            title="log_scale near -7, so scales of less than a level",
            clue="With a scale as small as a level a density times a width is no mass, and a "
            "difference of two sigmoids rounds to 0: see steps 4 and 5.",
        ),
        case(
            torch.tensor([[0, 100, 200, 255], [0, 50, 254, 255]]),
            far,
            torch.tensor([[-5.0], [-7.0]]).repeat(1, 4),
            title="means far outside of the grey range",
            clue="Far from the mean both sigmoids round to the same, and nothing that is added or "
            "clamped brings the logarithm back: see steps 4 and 5.",
        ),
        case(
            levels(79, 3, 4),
            grey(80, 3, 4),
            torch.full((3, 4), 8.0),
            title="log_scale = 8, so scales far larger than the grey range",
            clue="Two nearly equal numbers are subtracted there, and digits are lost: step 5 has "
            "no difference.",
        ),
        *(
            case(
                levels(seed, 2, 3),
                grey(seed + 1, 2, 3, dtype=kind),
                torch.full((2, 3), large, dtype=kind),
                title=f"log_scale = {large:g}",
                clue="What stands under the logarithm is small there, and is not 0: see step 5.",
            )
            for seed, large, kind in ((181, 12.0, torch.float32), (183, 60.0, double))
        ),
    ]


def _shaped(
    below: float = HALF,
    above: float = HALF,
    lowest: int = 0,
    highest: int = 255,
    per_level: float = 255.0,
) -> Function:
    """The log-probability with other ends of a level, other edges, or another grey scale."""

    def wrong(v: Tensor, mean: Tensor, log_scale: Tensor) -> Tensor:
        x = v.to(mean) / per_level
        return log_mass(
            x, mean, log_scale.exp(), below, above, v == lowest, v == highest
        ).sum(dim=1)  # fmt: skip

    return wrong


def _scaled(scale: Function) -> Function:
    """The log-probability with something else for the scale."""
    return lambda v, mean, log_scale: log_with_scale(v, mean, scale(log_scale))


def _by_density(v: Tensor, mean: Tensor, log_scale: Tensor, width: float = 1.0) -> Tensor:
    z = (v.to(mean) / 255 - mean) / log_scale.exp()
    return (logsigmoid(z) + logsigmoid(-z) - log_scale + math.log(width)).sum(dim=1)


def _by_difference(v: Tensor, mean: Tensor, log_scale: Tensor) -> Tensor:
    x, s = v.to(mean) / 255, log_scale.exp()
    below = torch.sigmoid((x + HALF - mean) / s).where(v < 255, 1.0)
    above = torch.sigmoid((x - HALF - mean) / s).where(v > 0, 0.0)
    return below - above


def _where_small(v: Tensor, mean: Tensor, log_scale: Tensor, least: float) -> Tensor:
    """The density times the width of a level, wherever the mass is less than a limit."""
    x, scale = v.to(mean) / 255, log_scale.exp()
    mass = torch.sigmoid((x + HALF - mean) / scale) - torch.sigmoid((x - HALF - mean) / scale)
    z = (x - mean) / scale
    density = logsigmoid(z) + logsigmoid(-z) - log_scale - math.log(255)
    inner = torch.where(mass > least, mass.clamp(min=least).log(), density)
    below, above = logsigmoid((x + HALF - mean) / scale), logsigmoid((mean - x + HALF) / scale)
    return torch.where(v == 0, below, torch.where(v == 255, above, inner)).sum(dim=1)


def _least_under_log(v: Tensor, mean: Tensor, log_scale: Tensor, least: float) -> Tensor:
    """The right terms, but the last logarithm's argument is kept above a limit."""
    width = -torch.expm1(-2 * HALF / log_scale.exp())
    inner = (v > 0) & (v < 255)
    more = (width.clamp(min=least).log() - width.log()).where(inner, 0.0)
    return log_logistic(v, mean, log_scale) + more.sum(dim=1)


def _on_two(v: Tensor, mean: Tensor, log_scale: Tensor) -> Tensor:
    x, half = v.to(mean) / 127.5 - 1, 1 / 255
    return log_mass(x, mean, log_scale.exp(), half, half, v == 0, v == 255).sum(dim=1)


def _normal_levels(v: Tensor, mean: Tensor, log_scale: Tensor) -> Tensor:
    x, curve = v.to(mean) / 255, Normal(mean, log_scale.exp())
    below = curve.cdf(x + HALF).where(v < 255, 1.0)
    return (below - curve.cdf(x - HALF).where(v > 0, 0.0)).log().sum(dim=1)


_EDGES = "Look at step 3 of the derivation above: what do the 256 masses add up to?"
_LEVEL = "Look at step 2 of the derivation above: from where to where does a level reach?"
_SCALE = "Look at step 1 of the derivation above: what is the scale made from?"
_STABLE = "Look at steps 4 and 5 of the derivation above: which three terms take its place?"

CHECK = Check(
    reference=log_logistic,
    cases=_cases,
    slopes=("mean", "log_scale"),
    look="Look at steps 2, 3 and 5 of the derivation above: is it the ends of a level, the edges, "
    "or the digits?",
    slips=[
        Slip(
            _shaped(lowest=-1, highest=-1),
            "The edges do not take the tails: what lies below level 0 and above 255 is lost.",
            _EDGES,
        ),
        Slip(
            _shaped(highest=-1),
            "Level 0 takes the tail below it, level 255 does not take the one above.",
            _EDGES,
        ),
        Slip(
            _shaped(lowest=-1),
            "Level 255 takes the tail above it, level 0 does not take the one below.",
            _EDGES,
        ),
        Slip(
            _shaped(lowest=255, highest=0),
            "The two edges are exchanged: which tail belongs to level 0?",
            _EDGES,
        ),
        Slip(
            _shaped(below=0.0, above=2 * HALF),
            "The half of a level is forgotten: the level reaches to both sides of its grey value.",
            _LEVEL,
        ),
        Slip(
            _shaped(below=2 * HALF, above=0.0),
            "The half of a level is forgotten: the level reaches to both sides of its grey value.",
            _LEVEL,
        ),
        Slip(
            _shaped(below=2 * HALF, above=2 * HALF),
            "A level reaches half its width to either side; yours reaches the whole width.",
            _LEVEL,
        ),
        Slip(
            _shaped(per_level=256.0),
            "Level v stands at v/255: you divide by 256.",
            _LEVEL,
        ),
        Slip(
            _shaped(below=1 / 512, above=1 / 512, per_level=256.0),
            "Level v stands at v/255, and is 1/255 wide: you divide by 256.",
            _LEVEL,
        ),
        Slip(
            _shaped(below=1 / 512, above=1 / 512),
            "A level is 1/255 wide: you take 1/256.",
            _LEVEL,
        ),
        Slip(
            _shaped(below=0.0, above=1 / 256, per_level=256.0),
            "Level v stands at v/255, and reaches to both sides of it.",
            _LEVEL,
        ),
        Slip(
            _shaped(below=0.5, above=0.5, per_level=1.0),
            "The levels run from 0 to 255 in your formula: the mean is in units of the grey range.",
            _LEVEL,
        ),
        Slip(
            _shaped(per_level=1.0),
            "The level is not divided by 255: the mean is in units of the grey range.",
            _LEVEL,
        ),
        Slip(
            _on_two,
            "Your grey values run from -1 to 1: here they run from 0 to 1.",
            _LEVEL,
        ),
        Slip(
            _scaled(lambda a: a),
            "log_scale is taken for the scale: it is its logarithm.",
            _SCALE,
        ),
        Slip(
            _scaled(lambda a: (a / 2).exp()),
            "log_scale is taken for the logarithm of a variance: it is that of the scale.",
            _SCALE,
        ),
        Slip(
            _scaled(lambda a: (-a).exp()),
            "You multiply by the scale, or log_scale has the wrong sign.",
            _SCALE,
        ),
        Slip(
            _scaled(lambda a: (2 * a).exp()),
            "The scale is squared.",
            _SCALE,
        ),
        Slip(
            _scaled(lambda a: a.exp() * math.sqrt(3) / math.pi),
            "The scale is taken for a standard deviation: a logistic's is larger than its scale.",
            _SCALE,
        ),
        Slip(
            _scaled(torch.nn.functional.softplus),
            "The scale is made by a softplus: log_scale is its logarithm.",
            _SCALE,
        ),
        Slip(
            _by_density,
            "That is the density at the grey value: the mass of a level was asked.",
            _LEVEL,
        ),
        Slip(
            lambda v, mean, log_scale: _by_density(v, mean, log_scale, 1 / 255),
            "That is the density times the width of a level: it is near the mass only where the "
            "scale is large, and the edges have their tails.",
            _LEVEL,
        ),
        *(
            Slip(
                lambda v, mean, log_scale, m=least: _where_small(v, mean, log_scale, m),
                "Where the mass is small you take the density times the width of a level: with a "
                "small scale this is no mass.",
                _STABLE,
            )
            for least in (1e-3, 1e-4, 1e-5, 1e-6, 1e-7, 1e-8, 1e-10, 1e-12)
        ),
        Slip(
            _normal_levels,
            "That is a Gaussian cut into levels: the logistic's distribution function is a "
            "sigmoid.",
            "Look at step 1 of the derivation above.",
        ),
        Slip(
            lambda v, mean, log_scale: log_logistic(255 - v, mean, log_scale),
            "Black and white are exchanged: is a sign inside the sigmoids wrong?",
            _LEVEL,
        ),
        Slip(
            lambda v, mean, log_scale: _by_difference(v, mean, log_scale).sum(dim=1),
            "Masses are added up: their logarithms were asked.",
            "Look at step 6 of the derivation above.",
        ),
        Slip(
            lambda v, mean, log_scale: log_logistic(v, mean.clamp(0, 1), log_scale),
            "You clamp the means: any real number is allowed.",
            _STABLE,
        ),
        *(
            Slip(
                lambda v, mean, log_scale, m=low: log_logistic(v, mean, log_scale.clamp(min=m)),
                "You do not let log_scale below a limit: any real number is allowed.",
                _STABLE,
            )
            for low in (-5.0, -6.0)
        ),
        *(
            Slip(
                lambda v, mean, log_scale, m=high: log_logistic(v, mean, log_scale.clamp(max=m)),
                "You do not let log_scale above a limit: any real number is allowed.",
                _STABLE,
            )
            for high in (0.0, 1.0, 2.0, 5.0, 7.0)
        ),
        *(
            Slip(
                lambda v, mean, log_scale, m=least: _least_under_log(v, mean, log_scale, m),
                "You clamp what stands under a logarithm: with a large scale it is small, never 0, "
                "and where the clamp holds it no gradient comes through.",
                _STABLE,
            )
            for least in (1e-5, 1e-6, 1e-7, 1e-8, 1e-10, 1e-12, 1e-16, 1e-20, 1e-24)
        ),
        *sum_slips(log_logistic, 6),
    ],
)


def discretised_logistic(function: Function) -> None:
    """Check `discretised_logistic_log_prob(v, mean, log_scale) -> (B,)`."""
    __tracebackhide__ = True
    run("discretised-logistic", (CHECK, function))
