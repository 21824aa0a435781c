"""Figures of notebook 07: densities with a judge, points on a ring, paths of a game."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor

from coursekit.errors import CourseError
from coursekit.plots.display import (
    BLUE,
    COLOURS,
    GREY,
    LINE_STYLES,
    MARKERS,
    VERMILLION,
    draw_title,
    new_figure,
    style,
)


def judge_on_a_line(
    x: Tensor,
    densities: Mapping[str, Tensor],
    judges: Mapping[str, Tensor],
    *,
    title: str | None = None,
) -> Figure:
    """Two densities on a line and, below, what judges say at each place.

    Args:
        x: (M,) places.
        densities: two names, data first, each to its density at these places, (M,).
        judges: name to the probability that a point there is real, (M,).
        title: a line above.

    Raises:
        CourseError: not two densities, no judge, or values of another length.

    Example:
        >>> x = torch.linspace(-1, 1, 5)
        >>> figure = judge_on_a_line(x, {"data": x + 1, "generator": 1 - x}, {"best": (x + 1) / 2})
        >>> len(figure.axes)
        2
    """
    if len(densities) != 2 or not judges:
        raise CourseError("judge_on_a_line needs two densities, the data's first, and a judge.")
    for name, values in {**densities, **judges}.items():
        if values.shape != x.shape:
            raise CourseError(
                f"{name!r} has shape {tuple(values.shape)}; expected {tuple(x.shape)}, as x."
            )
    places = x.detach().cpu().numpy()
    with style():
        figure = new_figure(6.8, 4.6)
        above, below = figure.subplots(2, 1, sharex=True)
        for (name, values), colour, line in zip(
            densities.items(), (BLUE, VERMILLION), ("-", "--"), strict=True
        ):
            height = values.detach().cpu().numpy()
            above.plot(places, height, color=colour, linestyle=line, label=name)
            above.fill_between(places, height, color=colour, alpha=0.12, linewidth=0)
        above.set(ylabel="density", ylim=(0, None))
        above.legend()
        below.axhline(0.5, color=GREY, linewidth=1, linestyle=":")
        for place, (name, values) in enumerate(judges.items()):
            below.plot(
                places, values.detach().cpu().numpy(), label=name,
                color=COLOURS[(place + 2) % len(COLOURS)], linestyle=LINE_STYLES[place % 5],
            )  # fmt: skip
        below.set(xlabel="x", ylabel="D(x)", ylim=(-0.03, 1.03))
        below.legend()
        draw_title(figure, title)
    return figure


def points_on_a_ring(
    states: Mapping[str, Tensor],
    centres: Tensor,
    *,
    radius: float = 0.15,
    columns: int = 4,
    extent: float = 2.8,
    title: str | None = None,
) -> Figure:
    """A generator's points at several moments, and a circle for each centre.

    Args:
        states: name of a panel to its points, (N, 2).
        centres: (M, 2) middles of the data's modes.
        radius: of the circles.
        columns: panels in a row.
        extent: all axes reach from -extent to extent; points beyond are counted below.
        title: a line above.

    Raises:
        CourseError: no panel, or points that are not (N, 2).

    Example:
        >>> centres = torch.tensor([[0.0, 2.0], [2.0, 0.0]])
        >>> len(points_on_a_ring({"start": torch.zeros(5, 2)}, centres).axes)
        1
    """
    if not states:
        raise CourseError("points_on_a_ring needs at least one panel, such as {'start': points}.")
    for name, points in (*states.items(), ("centres", centres)):
        if points.ndim != 2 or points.shape[1] != 2:
            raise CourseError(f"{name!r} must have shape (N, 2), not {tuple(points.shape)}.")
    columns = min(columns, len(states))
    rows = -(-len(states) // columns)
    angle = np.linspace(0, 2 * np.pi, 40)
    with style():
        figure = new_figure(2.35 * columns, 2.5 * rows + 0.3 * bool(title))
        panels = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).flatten()
        for panel, (name, points) in zip(panels, states.items(), strict=False):
            for across, up in centres.tolist():
                panel.plot(
                    across + radius * np.cos(angle), up + radius * np.sin(angle),
                    color=GREY, linewidth=1,
                )  # fmt: skip
            dots = points.detach().cpu().numpy()
            panel.scatter(
                dots[:, 0], dots[:, 1], s=5, color=VERMILLION, alpha=0.45, linewidths=0, zorder=3
            )
            beyond = float((np.abs(dots) > extent).any(axis=1).mean())
            if beyond >= 0.005:
                panel.text(
                    0.03, 0.03, f"{beyond:.0%} beyond", size=8.5, color=GREY,
                    transform=panel.transAxes, zorder=4,
                    bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.5},
                )  # fmt: skip
            panel.set_title(name, size=9.5)
            panel.set(xlim=(-extent, extent), ylim=(-extent, extent))
            panel.set_aspect("equal")
        for panel in panels[len(states) :]:
            panel.set_axis_off()
        draw_title(figure, title)
    return figure


def game_paths(paths: Mapping[str, Tensor], *, title: str | None = None) -> Figure:
    """Paths of two players in the plane, and their distance from the solution (0, 0) over time.

    Args:
        paths: name to (T, 2) places, the start first.
        title: a line above.

    Raises:
        CourseError: no path, or places that are not (T, 2).

    Example:
        >>> circle = torch.tensor([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]])
        >>> len(game_paths({"round": circle}).axes)
        2
    """
    if not paths:
        raise CourseError("game_paths needs at least one path, such as {'in turns': places}.")
    for name, places in paths.items():
        if places.ndim != 2 or places.shape[1] != 2 or len(places) < 2:
            raise CourseError(
                f"The path {name!r} must have shape (T, 2), T at least 2, not "
                f"{tuple(places.shape)}."
            )
    farthest = 1.08 * max(float(places.abs().max()) for places in paths.values())
    with style():
        figure = new_figure(8.8, 3.8)
        plane, time = figure.subplots(1, 2, width_ratios=(1, 1.25))
        for place, (name, places) in enumerate(paths.items()):
            dots = places.detach().cpu().double()
            look = {"color": COLOURS[place % len(COLOURS)], "linestyle": LINE_STYLES[place % 5]}
            plane.plot(dots[:, 0], dots[:, 1], linewidth=1.3, **look)
            plane.plot(*dots[-1], marker=MARKERS[place], color=look["color"], markersize=6)
            distance = torch.linalg.vector_norm(dots, dim=1)
            time.plot(distance, label=name, **look)
            time.plot(len(dots) - 1, distance[-1], marker=MARKERS[place], color=look["color"])
        plane.plot(0, 0, "+", color="black", markersize=10)
        plane.set(xlabel="x", ylabel="y", xlim=(-farthest, farthest), ylim=(-farthest, farthest))
        plane.set_aspect("equal")
        time.set(xlabel="step", ylabel="distance from (0, 0)", yscale="log")
        time.legend()
        draw_title(figure, title)
    return figure
