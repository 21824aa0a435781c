"""Explorer of notebook 01: the KL divergence of a Gaussian from the standard normal."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from coursekit.explorers.canvas import (
    INK,
    MINUS,
    MU,
    SIGMA,
    SOFT,
    SQUARED,
    Axes,
    Canvas,
    mixed,
    number,
)
from coursekit.explorers.layout import Explorer, put, slider
from coursekit.plots.display import BLUE, ORANGE, VERMILLION
from coursekit.plots.vae import (
    check_gaussian,
    gaussian_kl_picture,
    kl_from_standard,
    kl_to_standard,
    normal_log_density,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_WIDTH, _HEIGHT = 560, 372
_X = np.linspace(-6, 6, 481)
_LOG_P = normal_log_density(_X, 0.0, 1.0)


def _nice_step(top: float) -> float:
    """A round distance between ticks, for three to five of them up to `top`."""
    rough = top / 5
    power = 10 ** math.floor(math.log10(rough))
    return power * next(step for step in (1, 2, 5, 10) if step * power >= rough)


def _ticks(low: float, high: float) -> list[float]:
    step = _nice_step(high - low)
    return [step * index for index in range(math.ceil(low / step), math.floor(high / step) + 1)]


def render_gaussian_kl(mu: float, sigma: float) -> bytes:
    """Both densities, and below them the surplus whose area is KL(q || p), as PNG bytes.

    q = N(mu, sigma^2), p = N(0, 1); the surplus is q(x) (log q(x) - log p(x)).

    Args:
        mu: mean of q.
        sigma: standard deviation of q, positive.

    Returns:
        PNG bytes, 1120 x 744 dots.

    Raises:
        CourseError: sigma is not positive.

    Example:
        >>> render_gaussian_kl(2.0, 0.5)[1:4]
        b'PNG'
    """
    check_gaussian(mu, sigma)
    log_q = normal_log_density(_X, mu, sigma)
    q, p = np.exp(log_q), np.exp(_LOG_P)
    surplus = q * (log_q - _LOG_P)
    canvas = Canvas(_WIDTH, _HEIGHT)
    right, ticks = _WIDTH - 16, range(-6, 7, 2)

    top = 1.12 * max(q.max(), p.max())
    axes = Axes(canvas, (52, 30, right, 178), (-6, 6), (0, top))
    canvas.area(axes.across(_X), axes.down(p), axes.box[3], mixed(BLUE, 0.16))
    canvas.area(axes.across(_X), axes.down(q), axes.box[3], mixed(VERMILLION, 0.18))
    both = np.minimum(p, q)
    canvas.area(axes.across(_X), axes.down(both), axes.box[3], mixed("#7A5C61", 0.32))
    levels = _ticks(0, top)
    axes.grid(ticks, levels, digits=2 if levels[1] < 0.1 else 1, label_x=False)
    canvas.line(axes.across(_X), axes.down(p), BLUE, 2, dash=5)
    canvas.line(axes.across(_X), axes.down(q), VERMILLION, 2)
    canvas.line([axes.box[0], right], [axes.box[3], axes.box[3]], SOFT)
    canvas.line([52, 78], [14, 14], BLUE, 2, dash=0)
    canvas.rectangle((60, 12, 64, 16), fill="#FFFFFF")
    canvas.rectangle((69, 12, 73, 16), fill="#FFFFFF")
    canvas.text(84, 14, "prior p = N(0, 1)")
    canvas.line([230, 256], [14, 14], VERMILLION, 2)
    canvas.text(262, 14, f"q = N({number(mu)}, {number(sigma)}{SQUARED})")

    low, high = min(-0.1, 1.15 * surplus.min()), max(0.3, 1.15 * surplus.max())
    axes = Axes(canvas, (52, 224, right, 346), (-6, 6), (low, high))
    zero = float(axes.down(0.0))
    canvas.area(axes.across(_X), axes.down(np.maximum(surplus, 0)), zero, mixed(ORANGE, 0.6))
    canvas.area(axes.across(_X), axes.down(np.minimum(surplus, 0)), zero, mixed(BLUE, 0.4))
    levels = _ticks(low, high)
    axes.grid(ticks, levels, digits=2 if levels[1] - levels[0] < 0.1 else 1)
    canvas.line(axes.across(_X), axes.down(surplus), INK, 1.2)
    canvas.line([axes.box[0], right], [zero, zero], SOFT)
    canvas.text(52, 206, f"surplus q (log q {MINUS} log p)")
    canvas.text(
        right,
        206,
        f"area = KL(q || p) = {kl_to_standard(mu, sigma):.2f} nats",
        bold=True,
        anchor="rm",
    )
    return canvas.png()


def gaussian_kl(mu: float = 2.0, sigma: float = 0.5) -> Explorer:
    """Sliders for mu and sigma; both densities, the shaded surplus and its size, the KL.

    Args:
        mu: mean of q at the start, from -3 to 3.
        sigma: standard deviation of q at the start, from 0.1 to 3.

    Returns:
        A widget; leave it as the last line of a cell.
    """

    def describe(mu: float, sigma: float) -> str:
        return (
            f"KL(q || p) = {kl_to_standard(mu, sigma):.2f} nats; the other way round, "
            f"KL(p || q) = {kl_from_standard(mu, sigma):.2f} nats."
        )

    explorer: Explorer

    def reset() -> None:
        put(explorer.controls["mu"], 0.0)
        put(explorer.controls["sigma"], 1.0)

    explorer = Explorer(
        f"How far is q = N({MU}, {SIGMA}{SQUARED}) from the prior?",
        {
            "mu": slider(f"mean {MU}", mu, -3, 3, 0.1),
            "sigma": slider(f"std. dev. {SIGMA}", sigma, 0.1, 3, 0.05),
        },
        render_gaussian_kl,
        describe,
        width=_WIDTH,
        buttons={"make q = p": reset},
    )
    return explorer


def gaussian_kl_static(mu: float = 2.0, sigma: float = 0.5) -> Figure:
    """The static twin of `gaussian_kl`: `coursekit.plots.gaussian_kl_picture`."""
    return gaussian_kl_picture(mu, sigma)
