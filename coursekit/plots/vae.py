"""Pictures that explain a variational autoencoder: KL divergence, prior and posterior."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import torch
from matplotlib.figure import Figure
from matplotlib.patches import Ellipse
from torch import Tensor

from coursekit.errors import CourseError
from coursekit.plots.display import BLUE, GREY, ORANGE, VERMILLION, new_figure, style


def kl_to_standard(mu: float, sigma: float) -> float:
    """KL( N(mu, sigma^2) || N(0, 1) ) in nats: (mu^2 + sigma^2 - 1 - log sigma^2) / 2.

    Example:
        >>> round(kl_to_standard(2.0, 0.5), 2)
        2.32
    """
    return 0.5 * (mu * mu + sigma * sigma - 1 - 2 * math.log(sigma))


def kl_from_standard(mu: float, sigma: float) -> float:
    """KL( N(0, 1) || N(mu, sigma^2) ) in nats: the other direction.

    Example:
        >>> round(kl_from_standard(2.0, 0.5), 2)
        8.81
    """
    return math.log(sigma) + (1 + mu * mu) / (2 * sigma * sigma) - 0.5


def normal_log_density(x: np.ndarray, mu: float, sigma: float) -> np.ndarray:
    """The log-density log N(x; mu, sigma^2) for an array of places."""
    return -0.5 * ((x - mu) / sigma) ** 2 - math.log(sigma) - 0.5 * math.log(2 * math.pi)


def check_gaussian(mu: float, sigma: float) -> None:
    """Raise a CourseError unless mu is finite and sigma finite and positive."""
    if not (math.isfinite(mu) and math.isfinite(sigma) and sigma > 0):
        raise CourseError(f"mu must be finite and sigma positive, not mu = {mu}, sigma = {sigma}.")


def gaussian_kl_picture(mu: float = 2.0, sigma: float = 0.5) -> Figure:
    """How far N(mu, sigma^2) is from N(0, 1): densities, surplus, and the bowl of all KLs.

    Left, above: both densities. Left, below: the surplus q(x) (log q(x) - log p(x)), whose signed
    area is KL(q || p). Right: KL(q || p) over mu and sigma, its minimum and the pair drawn marked.

    Args:
        mu: mean of q.
        sigma: standard deviation of q, positive.

    Returns:
        A figure.

    Raises:
        CourseError: sigma is not positive.
    """
    check_gaussian(mu, sigma)
    reach = max(5.0, abs(mu) + 4 * sigma)
    x = np.linspace(-reach, reach, 801)
    log_q, log_p = normal_log_density(x, mu, sigma), normal_log_density(x, 0.0, 1.0)
    surplus = np.exp(log_q) * (log_q - log_p)
    with style():
        figure = new_figure(8.6, 4.3)
        parts = figure.subplot_mosaic(
            [["densities", "bowl"], ["surplus", "bowl"]], width_ratios=(1.15, 1)
        )
        above, below, bowl = parts["densities"], parts["surplus"], parts["bowl"]
        below.sharex(above)
        for log_density, colour, line, name in (
            (log_p, BLUE, "--", "prior p = N(0, 1)"),
            (log_q, VERMILLION, "-", f"answer q = N({mu:g}, {sigma:g}²)"),
        ):
            above.plot(x, np.exp(log_density), color=colour, linestyle=line, label=name)
            above.fill_between(x, np.exp(log_density), color=colour, alpha=0.12, linewidth=0)
        above.set(ylabel="density", ylim=(0, None), title="Two densities")
        above.legend(loc="upper left")
        above.tick_params(labelbottom=False)
        below.axhline(0, color="#9AA5B1", linewidth=0.8)
        below.plot(x, surplus, color="#1F2933", linewidth=1.2)
        below.fill_between(x, surplus, where=surplus >= 0, color=ORANGE, alpha=0.55, linewidth=0)
        below.fill_between(
            x, surplus, where=surplus < 0, color=BLUE, alpha=0.35, linewidth=0, hatch="///"
        )
        below.set(
            xlabel="x",
            ylabel="$q\\,(\\log q - \\log p)$",
            xlim=(-reach, reach),
            title=f"Surplus: its area is KL(q || p) = {kl_to_standard(mu, sigma):.2f} nats",
        )
        means, spreads = np.linspace(-3, 3, 181), np.geomspace(0.15, 4, 181)
        height = 0.5 * (means**2 + spreads[:, None] ** 2 - 1) - np.log(spreads)[:, None]
        levels = [0, 0.25, 1, 2, 4, 8, 14]
        bowl.contourf(means, spreads, height, levels=levels, cmap="YlGnBu", extend="max")
        lines = bowl.contour(
            means, spreads, height, levels=levels[1:-1], colors="#33415C", linewidths=0.8
        )
        wide = spreads > 1  # the labels stand above the minimum, where mu = 0
        along = np.interp(levels[1:5], height[wide, 90], spreads[wide])
        bowl.clabel(lines, fmt="%g", fontsize=8.5, manual=[(0, place) for place in along])
        bowl.plot(0, 1, marker="*", color="white", markeredgecolor="black", markersize=15)
        bowl.annotate(
            "KL = 0", (0, 1), xytext=(0, -17), textcoords="offset points", size=9, ha="center"
        )
        if abs(mu) <= 3 and 0.15 <= sigma <= 4:
            bowl.plot(mu, sigma, marker="o", color=VERMILLION, markeredgecolor="white", ms=9)
        bowl.set(
            yscale="log",
            xlabel="$\\mu$",
            ylabel="$\\sigma$ (log scale)",
            title="KL(q || p) in nats, all $\\mu$ and $\\sigma$",
        )
        ticks = [0.2, 0.5, 1, 2, 4]
        bowl.set_yticks(ticks, [f"{tick:g}" for tick in ticks], minor=False)
        bowl.minorticks_off()
        bowl.grid(visible=False)
    return figure


def prior_and_posterior(
    log_posterior: Callable[[Tensor], Tensor],
    *,
    draws: Tensor | None = None,
    approximation: tuple[Tensor, Tensor] | None = None,
    extent: float = 3.5,
    title: str | None = None,
) -> Figure:
    """A latent plane: draws from the prior, and the small region where the posterior lies.

    Args:
        log_posterior: (M, 2) places to (M,) log-densities; a constant may be missing, so that
            log p(x|z) + log p(z) will do.
        draws: (S, 2) draws from the prior, drawn as points; 1000 fresh ones (seed 0) when None.
        approximation: mean (2,) and log-variance (2,) of q(z|x), drawn as its two-sigma ellipse.
        extent: the plane reaches from -extent to extent.
        title: a line above.

    Returns:
        A figure whose title, when none is given, counts the draws which fall into the region that
        holds 95 % of the posterior.

    Raises:
        CourseError: draws or log-densities of a wrong shape, or a density that is zero everywhere.
    """
    if draws is None:
        draws = torch.randn(1000, 2, generator=torch.Generator().manual_seed(0))
    if draws.ndim != 2 or draws.shape[1] != 2:
        raise CourseError(f"draws must have shape (S, 2), not {tuple(draws.shape)}.")
    side = torch.linspace(-extent, extent, 301)
    lattice = torch.cartesian_prod(side, side)
    with torch.no_grad():
        log_lattice = log_posterior(lattice).detach().cpu().double()
        log_draws = log_posterior(draws).detach().cpu().double()
    if log_lattice.shape != (len(lattice),):
        raise CourseError(
            "log_posterior must return shape (M,) for (M, 2) places, "
            f"not {tuple(log_lattice.shape)}."
        )
    peak = log_lattice.max()
    if not torch.isfinite(peak):
        raise CourseError("log_posterior is not finite anywhere on the plane; is extent too small?")
    density = (log_lattice - peak).exp()
    ordered = density.sort(descending=True).values
    mass = ordered.cumsum(0) / ordered.sum()
    levels = [float(ordered[int((mass < share).sum())]) for share in (0.95, 0.5)]
    inside = ((log_draws - peak).exp() >= levels[0]).numpy()
    picture = density.reshape(301, 301).T.numpy()
    count = f"{inside.sum()} of {len(draws)} prior draws fall where 95 % of the posterior lies"
    with style():
        figure = new_figure(5.6, 5.4)
        axes = figure.subplots()
        axes.contourf(
            side.numpy(),
            side.numpy(),
            picture,
            levels=[*levels, 1.01],
            colors=["#F7B98B", VERMILLION],
        )
        places = draws.detach().cpu().numpy()
        axes.scatter(
            places[~inside, 0],
            places[~inside, 1],
            s=9,
            color=GREY,
            alpha=0.55,
            linewidths=0,
            label="prior draw outside",
        )
        axes.scatter(
            places[inside, 0],
            places[inside, 1],
            s=26,
            marker="D",
            color=BLUE,
            edgecolors="white",
            linewidths=0.6,
            label="prior draw inside",
            zorder=3,
        )
        for radius in (1, 2, 3):
            axes.add_patch(
                Ellipse((0, 0), 2 * radius, 2 * radius, fill=False, color=BLUE, ls="--", lw=1)
            )
        axes.plot([], [], color=BLUE, ls="--", lw=1, label="prior: 1, 2, 3 $\\sigma$")
        axes.fill_between([], [], color="#F7B98B", label="posterior: 95 % (dark: 50 %)")
        if approximation is not None:
            mean, log_var = (part.detach().cpu().flatten().tolist() for part in approximation)
            widths = [4 * math.exp(0.5 * value) for value in log_var]
            axes.add_patch(
                Ellipse((mean[0], mean[1]), *widths, fill=False, color="black", lw=1.8, zorder=4)
            )
            axes.plot([], [], color="black", lw=1.8, label="q(z|x): 2 $\\sigma$")
        axes.set(
            xlabel="$z_1$",
            ylabel="$z_2$",
            xlim=(-extent, extent),
            ylim=(-extent, extent),
            aspect="equal",
        )
        axes.set_title(title or count)
        figure.legend(loc="outside lower center", ncols=3, columnspacing=1.2, handletextpad=0.5)
    return figure
