"""Figures of notebook 06: densities in the plane, a flow layer by layer, norms along paths."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from torch import Tensor

from coursekit.errors import CourseError
from coursekit.plots.curves import curves
from coursekit.plots.display import (
    COLOURS,
    GREY,
    LINE_STYLES,
    MARKERS,
    draw_title,
    new_figure,
    style,
)

LogProb = Callable[[Tensor], Tensor]


def densities_in_plane(
    densities: Mapping[str, LogProb],
    *,
    points: Mapping[str, Tensor] | None = None,
    extent: float = 2.5,
    cells: int = 121,
    title: str | None = None,
) -> Figure:
    """Contours of densities in the plane beside each other, on one scale of colours.

    Args:
        densities: name to a function from (M, 2) points to log-densities, (M,) nats.
        points: name to (N, 2) draws, shown as dots in the panel of that name.
        extent: both axes reach from -extent to extent.
        cells: grid points along each axis.
        title: a line above.

    Returns:
        A figure. Neighbouring contours differ by a factor of ten to the half.

    Raises:
        CourseError: no density, one that is finite nowhere, or values of a wrong shape.

    Example:
        >>> base = lambda x: -0.5 * x.square().sum(dim=1) - math.log(2 * math.pi)
        >>> len(densities_in_plane({"base": base, "the same": base}, cells=21).axes)
        2
    """
    if not densities:
        raise CourseError("densities_in_plane needs at least one density, by name.")
    axis = torch.linspace(-extent, extent, cells)
    grid = torch.cartesian_prod(axis, axis)
    values = {name: _on_grid(name, log_prob, grid, cells) for name, log_prob in densities.items()}
    highest = max(float(value.max()) for value in values.values())
    levels = highest * 10.0 ** np.arange(-4, 0.51, 0.5)
    with style():
        figure = new_figure(3.1 * len(values) + 0.2, 3.5 + 0.3 * bool(title))
        panels = figure.subplots(1, len(values), sharex=True, sharey=True, squeeze=False)[0]
        for panel, (name, value) in zip(panels, values.items(), strict=True):
            # cartesian_prod runs through the second coordinate first: rows of the picture are y
            panel.contourf(
                axis,
                axis,
                np.maximum(value.T, levels[0] / 100),
                levels=levels,
                cmap="Blues",
                norm=LogNorm(),
                extend="max",
            )
            if points is not None and name in points:
                dots = points[name].detach().cpu().numpy()
                panel.scatter(dots[:, 0], dots[:, 1], s=3, color="#D55E00", alpha=0.5, linewidths=0)
            panel.set(title=name, xlim=(-extent, extent), ylim=(-extent, extent))
            panel.set_aspect("equal")
        draw_title(figure, title)
    return figure


def _on_grid(name: str, log_prob: LogProb, grid: Tensor, cells: int) -> np.ndarray:
    with torch.no_grad():
        value = log_prob(grid)
    if value.shape != (len(grid),):
        raise CourseError(
            f"The density {name!r} must give (M,) values for (M, 2) points, "
            f"not {tuple(value.shape)}."
        )
    density = value.double().exp().cpu().numpy().reshape(cells, cells)
    if not np.isfinite(density).all() or density.max() <= 0:
        raise CourseError(f"The density {name!r} is infinite somewhere or 0 everywhere here.")
    return density


def layer_by_layer(
    states: Mapping[str, Tensor],
    colour_by: Tensor,
    *,
    columns: int = 4,
    extent: float = 2.2,
    title: str | None = None,
) -> Figure:
    """The same points before and after each layer; each keeps its colour.

    Args:
        states: name of a stage to (N, 2) places of the same N points, in the order of the layers.
        colour_by: (N,) values that give the colours, such as the angle at the first stage.
        columns: panels in a row.
        extent: all axes reach from -extent to extent.
        title: a line above.

    Raises:
        CourseError: no stage, or places of a wrong shape.

    Example:
        >>> z = torch.randn(50, 2)
        >>> len(layer_by_layer({"base": z, "doubled": 2 * z}, z[:, 0]).axes)
        2
    """
    if not states:
        raise CourseError("layer_by_layer needs at least one stage, such as {'base': z}.")
    for name, places in states.items():
        if places.shape != (len(colour_by), 2):
            raise CourseError(
                f"The stage {name!r} has shape {tuple(places.shape)}; "
                f"expected {(len(colour_by), 2)}, a place for each colour."
            )
    columns = min(columns, len(states))
    rows = -(-len(states) // columns)
    with style():
        figure = new_figure(2.35 * columns, 2.5 * rows + 0.3 * bool(title))
        panels = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).flatten()
        for panel, (name, places) in zip(panels, states.items(), strict=False):
            dots = places.detach().cpu().numpy()
            panel.scatter(
                dots[:, 0], dots[:, 1], s=4, c=colour_by.cpu().numpy(), cmap="viridis",
                linewidths=0,
            )  # fmt: skip
            panel.set_title(name, size=10)
            panel.set(xlim=(-extent, extent), ylim=(-extent, extent))
            panel.set_aspect("equal")
        for panel in panels[len(states) :]:
            panel.set_axis_off()
        draw_title(figure, title)
    return figure


def norms_along(
    paths: Mapping[str, Tensor],
    weights: Tensor,
    *,
    dims: int,
    title: str | None = None,
    columns: int = 4,
    names: Sequence[str] | None = None,
) -> Figure:
    """The length of z along paths, beside the length that draws from N(0, I) have.

    Args:
        paths: name of a path to its norms, (P, T): a row, and a panel, for each pair.
        weights: (T,) places on the path, from 0 to 1.
        dims: D; the band holds nearly all draws, sqrt(D) -+ 3 sqrt(1/2).
        title: a line above.
        columns: panels in a row.
        names: title of each panel.

    Raises:
        CourseError: no path, or norms of a wrong shape.

    Example:
        >>> lengths = torch.full((2, 3), 28.0)
        >>> len(norms_along({"linear": lengths}, torch.linspace(0, 1, 3), dims=784).axes)
        2
    """
    if not paths:
        raise CourseError("norms_along needs at least one path, such as {'linear': norms}.")
    pairs = len(next(iter(paths.values())))
    for name, norms in paths.items():
        if norms.shape != (pairs, len(weights)):
            raise CourseError(
                f"The norms of {name!r} have shape {tuple(norms.shape)}; "
                f"expected {(pairs, len(weights))}: a row a pair, a column a weight."
            )
    columns = min(columns, pairs)
    rows = -(-pairs // columns)
    middle, half = math.sqrt(dims), 3 * math.sqrt(0.5)
    with style():
        figure = new_figure(2.5 * columns + 0.4, 2.5 * rows + 0.6)
        panels = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).flatten()
        for pair in range(pairs):
            panel = panels[pair]
            panel.axhspan(middle - half, middle + half, color="#E4E7EB", label="draws of N(0, I)")
            for place, (name, norms) in enumerate(paths.items()):
                panel.plot(
                    weights, norms[pair].cpu(), label=name, markersize=4,
                    color=COLOURS[place], linestyle=LINE_STYLES[place], marker=MARKERS[place],
                )  # fmt: skip
            panel.set_xlabel("\N{GREEK SMALL LETTER LAMDA}")
            if names is not None:
                panel.set_title(names[pair], size=10)
        for panel in panels[pairs:]:
            panel.set_axis_off()
        panels[0].set_ylabel("length of z")
        figure.legend(
            *panels[0].get_legend_handles_labels(), loc="outside lower center",
            ncols=1 + len(paths), fontsize=9,
        )  # fmt: skip
        draw_title(figure, title)
    return figure


def curves_and_lines(
    runs: Mapping[str, Mapping[str, Sequence[float]] | Sequence[float]],
    lines: Mapping[str, float],
    *,
    title: str | None = None,
    xlabel: str = "epoch",
    ylabel: str = "bits/dim",
    start: int = 1,
    ylim: tuple[float, float] | None = None,
) -> Figure:
    """Curves, as `curves` draws them, with named levels to compare with.

    Args:
        runs: name to values, or to a mapping such as {"train": [...], "validation": [...]}.
        lines: name to a level, drawn as a dotted line with its name at the left end.
        title: a line above.
        xlabel: name of the horizontal axis.
        ylabel: name and unit of the vertical axis.
        start: the number of the first entry.
        ylim: lowest and highest value shown.

    Raises:
        CourseError: no run, a run without values, or a level that is not finite.

    Example:
        >>> figure = curves_and_lines({"flow": [1.0, 0.9]}, {"entropy": 0.81})
        >>> [text.get_text() for text in figure.axes[0].texts]
        ['entropy 0.810']
    """
    for name, level in lines.items():
        if not math.isfinite(level):
            raise CourseError(f"The line {name!r} needs a finite level, not {level}.")
    figure = curves(runs, title=title, xlabel=xlabel, ylabel=ylabel, ylim=ylim, start=start)
    axes = figure.axes[0]
    for name, level in lines.items():
        axes.axhline(level, color=GREY, linestyle=":", linewidth=1.5)
        axes.annotate(
            f"{name} {level:.3f}", (0, level), xycoords=("axes fraction", "data"),
            xytext=(4, 3), textcoords="offset points", size=9, color="#52606D",
        )  # fmt: skip
    return figure
