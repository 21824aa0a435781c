"""One pixel under each likelihood: the parameters by their own names, and what follows from them.

A decoder's output is not what a reader thinks in (a shift of a softly bounded log-scale); here a
pixel is given by a mean and a scale, or by a and b, and turned into that output.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from coursekit.errors import CourseError
from coursekit.explorers.canvas import number
from coursekit.likelihoods import (
    Bernoulli,
    Beta,
    Categorical,
    ContinuousBernoulli,
    DiscretisedLogistic,
    Gaussian,
    Likelihood,
    LogisticMixture,
    logistic_log_mass,
)

LEVELS = np.arange(256) / 255


@dataclass(frozen=True)
class Setting:
    """A parameter as its slider shows it: name, label, value at the start, range and step."""

    name: str
    label: str
    start: float
    low: float
    high: float
    step: float
    readout: str = ".2f"


@dataclass(frozen=True)
class Family:
    """A likelihood and how one pixel of it is described.

    Attributes:
        title: for the chooser and captions.
        likelihood: the library's own, which gives all values.
        settings: its parameters.
        raw: parameters to the numbers that a decoder would have to give.
        variance: parameters to the variance; None where the masses are summed up.
    """

    title: str
    likelihood: Likelihood
    settings: tuple[Setting, ...]
    raw: Callable[..., list[float]]
    variance: Callable[..., float] | None = None


@dataclass(frozen=True)
class Pixel:
    """What one pixel's distribution looks like.

    Attributes:
        x: places on the grey axis; for bars their middles.
        height: density at these places, or the mass of each bar.
        width: of a bar, in units of the grey range; 0 for a curve.
        mean: of the grey value.
        deviation: its standard deviation.
        level: the most likely of the 256 levels (of 0 and 1 for the Bernoulli).
        bits: what that level costs; of a density on (v + u)/256, the density there plus 8 bits.
        outside: share of the mass beyond 0 and 1.
        parts: the weighted components of a mixture, as masses of the 256 levels.
    """

    x: np.ndarray
    height: np.ndarray
    width: float
    mean: float
    deviation: float
    level: int
    bits: float
    outside: float = 0.0
    parts: tuple[np.ndarray, ...] = ()


def hard_value(bounded: float, low: float, high: float) -> float:
    """What `likelihoods.base.soft_bounds` takes to `bounded`, which lies between low and high.

    Example:
        >>> from coursekit.likelihoods.base import soft_bounds
        >>> raw = torch.tensor(hard_value(-7.9, -8.0, 2.0))
        >>> round(soft_bounds(raw, -8.0, 2.0).item(), 4)
        -7.9
    """

    def inverse_softplus(y: float) -> float:
        return y + math.log(-math.expm1(-y))

    return high - inverse_softplus(high - low - inverse_softplus(bounded - low))


def _logit(p: float) -> float:
    return math.log(p) - math.log1p(-p)


def _continuous_bernoulli_variance(logit: float) -> float:
    if abs(logit) < 0.1:
        return 1 / 12 - logit**2 / 240
    return 1 / logit**2 - 1 / (4 * math.sinh(logit / 2) ** 2)


def _logistic_raw(scale: float) -> float:
    return 2 + hard_value(math.log(scale), -8.0, 2.0)


def _mixture_raw(
    mean1: float, scale1: float, mean2: float, scale2: float, weight: float
) -> list[float]:
    return [
        *(math.log(weight), math.log1p(-weight)),
        *(mean1 - 0.25, mean2 - 0.75),  # the decoder gives shifts from the centres
        *(_logistic_raw(scale1), _logistic_raw(scale2)),
    ]


def _bins_raw(**weights: float) -> list[float]:
    return [math.log(weight) for weight in weights.values()]


def _scale(name: str, label: str, start: float) -> Setting:
    return Setting(name, label, start, 0.002, 0.25, 0.002, ".3f")


FAMILIES: dict[str, Family] = {
    "bernoulli": Family(
        "Bernoulli",
        Bernoulli(),
        (Setting("p", "probability", 0.7, 0.01, 0.99, 0.01),),
        lambda p: [_logit(p)],
        lambda p: p * (1 - p),
    ),
    "continuous-bernoulli": Family(
        "continuous Bernoulli",
        ContinuousBernoulli(),
        (Setting("logit", "logit", 3.0, -20, 20, 0.25),),
        lambda logit: [logit],
        _continuous_bernoulli_variance,
    ),
    "gaussian": Family(
        "Gaussian",
        Gaussian(),
        (
            Setting("mean", "mean", 0.8, 0, 1, 0.01),
            Setting("std", "std. dev.", 0.15, 0.005, 0.5, 0.005, ".3f"),
        ),
        lambda mean, std: [mean, hard_value(2 * math.log(std), -14.0, 4.0)],
        lambda mean, std: std**2,
    ),
    "beta": Family(
        "Beta",
        Beta(),
        (Setting("a", "a", 2.0, 0.1, 20, 0.1, ".1f"), Setting("b", "b", 5.0, 0.1, 20, 0.1, ".1f")),
        lambda a, b: [hard_value(math.log(c), -5.0, 8.0) for c in (a, b)],
        lambda a, b: a * b / ((a + b) ** 2 * (a + b + 1)),
    ),
    "categorical-4": Family(
        "Categorical, 4 bins",
        Categorical(4),
        tuple(
            Setting(f"w{k}", f"levels {64 * k} to {64 * k + 63}", start, 0.01, 1, 0.01)
            for k, start in enumerate((0.6, 0.1, 0.1, 0.2))
        ),
        _bins_raw,
    ),
    "discretised-logistic": Family(
        "discretised logistic",
        DiscretisedLogistic(),
        (Setting("mean", "mean", 0.1, -0.5, 1.5, 0.01), _scale("scale", "scale", 0.05)),
        lambda mean, scale: [mean - 0.5, _logistic_raw(scale)],
    ),
    "logistic-mixture": Family(
        "mixture of two logistics",
        LogisticMixture(2),
        (
            Setting("mean1", "mean 1", 0.0, -0.5, 1.5, 0.01),
            _scale("scale1", "scale 1", 0.01),
            Setting("mean2", "mean 2", 0.7, -0.5, 1.5, 0.01),
            _scale("scale2", "scale 2", 0.06),
            Setting("weight", "weight of 1", 0.3, 0.01, 0.99, 0.01),
        ),
        _mixture_raw,
    ),
}


def settings_of(family: str, parameters: dict[str, float]) -> dict[str, float]:
    """All parameters of a family, those at the start where none is given.

    Raises:
        CourseError: no such family, no such parameter, or a value beyond its slider.
    """
    if family not in FAMILIES:
        raise CourseError(f"There is no density {family!r}; there are {', '.join(FAMILIES)}.")
    settings = {setting.name: setting for setting in FAMILIES[family].settings}
    for name, value in parameters.items():
        if name not in settings:
            raise CourseError(
                f"{family} has no parameter {name!r}; its parameters are {', '.join(settings)}."
            )
        low, high = settings[name].low, settings[name].high
        if not low - 1e-9 <= value <= high + 1e-9:
            raise CourseError(f"{family}: {name} is {value}; give a number from {low} to {high}.")
    return {name: parameters.get(name, setting.start) for name, setting in settings.items()}


def decoder_output(family: str, parameters: dict[str, float], side: int = 1) -> Tensor:
    """The output of a decoder that gives every pixel these parameters, (1, P, side, side)."""
    raw = torch.tensor(FAMILIES[family].raw(**parameters), dtype=torch.float64)
    return raw.view(1, -1, 1, 1).expand(1, -1, side, side)


def _log_prob(family: str, parameters: dict[str, float], x: np.ndarray) -> np.ndarray:
    params = decoder_output(family, parameters).expand(len(x), -1, 1, 1)
    values = torch.from_numpy(np.asarray(x, dtype=np.float64)).view(-1, 1, 1, 1)
    with torch.no_grad():
        return FAMILIES[family].likelihood.log_prob(params, values).numpy()


def _places(family: str, parameters: dict[str, float]) -> np.ndarray:
    """Where a curve is drawn: close enough that neither a narrow hill nor a steep end is cut."""
    if family == "gaussian":
        mean, std = parameters["mean"], parameters["std"]
        hill = mean + std * np.linspace(-5, 5, 161)
        return np.union1d(np.linspace(-0.3, 1.3, 161), hill[(hill > -0.3) & (hill < 1.3)])
    ends = np.geomspace(1e-5, 1e-2, 40)
    return np.unique(np.concatenate([np.linspace(0, 1, 241), ends, 1 - ends]))


def pixel(family: str, **parameters: float) -> Pixel:
    """Describe the distribution of one pixel; all values come from the library's `log_prob`.

    Args:
        family: a key of `FAMILIES`.
        parameters: of the family; those left out are at their sliders' start.

    Raises:
        CourseError: no such family or parameter, or a value beyond its slider.

    Example:
        >>> round(pixel("beta", a=2.0, b=2.0).mean, 3)
        0.5
    """
    given = settings_of(family, parameters)
    chosen = FAMILIES[family]
    if chosen.likelihood.scale == "mass":
        return _mass_pixel(family, given)
    assert chosen.variance is not None
    with torch.no_grad():
        mean = chosen.likelihood.mean(decoder_output(family, given)).item()
    deviation = math.sqrt(chosen.variance(**given))
    if family == "bernoulli":
        ends = np.array([0.0, 1.0])
        log_mass = _log_prob(family, given, ends)
        level = int(log_mass.argmax())
        bits = -log_mass[level] / math.log(2)
        return Pixel(ends, np.exp(log_mass), 0.1, mean, deviation, level, bits)
    middles = _log_prob(family, given, (np.arange(256) + 0.5) / 256)
    level = int(middles.argmax())
    bits = 8 - middles[level] / math.log(2)
    outside = 0.0
    if family == "gaussian":
        below, above = given["mean"] / given["std"], (1 - given["mean"]) / given["std"]
        outside = 0.5 * (math.erfc(below / math.sqrt(2)) + math.erfc(above / math.sqrt(2)))
    x = _places(family, given)
    return Pixel(x, np.exp(_log_prob(family, given, x)), 0, mean, deviation, level, bits, outside)


def _mass_pixel(family: str, given: dict[str, float]) -> Pixel:
    log_mass = _log_prob(family, given, LEVELS)
    mass = np.exp(log_mass)
    mean = float((mass * LEVELS).sum())
    deviation = math.sqrt(max(0.0, float((mass * (LEVELS - mean) ** 2).sum())))
    level = int(log_mass.argmax())
    bits = -log_mass[level] / math.log(2)
    if family == "categorical-4":
        x = LEVELS.reshape(4, 64).mean(axis=1)
        return Pixel(x, mass.reshape(4, 64).sum(axis=1), 64 / 255, mean, deviation, level, bits)
    parts: tuple[np.ndarray, ...] = ()
    if family == "logistic-mixture":
        params = decoder_output(family, given)
        likelihood = FAMILIES[family].likelihood
        assert isinstance(likelihood, LogisticMixture)
        log_weight, means, scales = (part.flatten(1).T for part in likelihood.parts(params))
        each = log_weight + logistic_log_mass(torch.from_numpy(LEVELS), means, scales)
        parts = tuple(each.exp().numpy())
    return Pixel(LEVELS, mass, 1 / 255, mean, deviation, level, bits, parts=parts)


def draw_pixels(family: str, side: int = 16, seed: int = 0, **parameters: float) -> Tensor:
    """Draw side x side pixels independently of each other, as a picture (1, side, side).

    Example:
        >>> draw_pixels("bernoulli", side=4, p=0.99).mean().item() > 0.8
        True
    """
    given = settings_of(family, parameters)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        drawn = FAMILIES[family].likelihood.sample(
            decoder_output(family, given, side).float(), generator
        )
    return drawn[0].float()


def parameters_in_words(family: str, given: dict[str, float]) -> str:
    """The parameters as a short list, such as "a = 2.0, b = 5.0"."""
    parts = []
    for setting in FAMILIES[family].settings:
        digits = int(setting.readout[1])
        parts.append(f"{setting.label} = {number(given[setting.name], digits)}")
    return ", ".join(parts)


def price(family: str, shown: Pixel) -> str:
    """What the most likely level costs, in words."""
    bits = number(shown.bits, 2)
    if family == "bernoulli":
        return f"most likely value {shown.level}: {bits} bits"
    if FAMILIES[family].likelihood.scale == "density":
        return f"most likely level {shown.level}: about {bits} bits"
    if family == "categorical-4":
        low = shown.level - shown.level % 64
        return f"most likely levels {low} to {low + 63}: {bits} bits each"
    return f"most likely level {shown.level}: {bits} bits"
