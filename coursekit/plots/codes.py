"""Figures of notebook 08: codes in the plane, what a mask lets through, codebooks projected."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import LogFormatter
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

_PALE = ("#DCEAF4", "#F8E3D3", "#D8EFE7", "#F4E3EE", "#FBF0D5", "#E3F1FA", "#ECEDEF", "#F7F3CE")


def cells_in_plane(
    codebooks: Mapping[str, Tensor],
    points: Tensor,
    *,
    arrows: bool = False,
    extent: float = 2.6,
    grid: int = 260,
    title: str | None = None,
) -> Figure:
    """Codes in the plane with the cell of each: all places that are nearer to it than to others.

    Args:
        codebooks: title to (K, 2) codes; a panel each.
        points: (N, 2) what is quantised, the same in all panels.
        arrows: whether each point gets an arrow to its code.
        extent: both axes reach from -extent to extent.
        grid: places along each axis at which the nearest code is looked up.
        title: a line above.

    Returns:
        A figure; a code to which no point belongs is drawn as a cross.

    Raises:
        CourseError: no codebook, or codes or points that do not lie in a plane.

    Example:
        >>> points = torch.randn(20, 2)
        >>> len(cells_in_plane({"a": points[:3], "b": points[3:9]}, points, grid=20).axes)
        2
    """
    if not codebooks:
        raise CourseError("cells_in_plane needs at least one codebook, by title.")
    for name, places in {**codebooks, "points": points}.items():
        if places.ndim != 2 or places.shape[1] != 2 or len(places) == 0:
            raise CourseError(f"{name!r} must have shape (N, 2), not {tuple(places.shape)}.")
    axis = torch.linspace(-extent, extent, grid)
    lattice = torch.cartesian_prod(axis, axis)
    dots = points.detach().cpu().float()
    with style():
        side = 3.3 if len(codebooks) < 3 else 2.3
        figure = new_figure(side * len(codebooks), side + 0.5 + 0.3 * bool(title))
        panels = np.atleast_1d(figure.subplots(1, len(codebooks), sharex=True, sharey=True))
        for panel, (name, codebook) in zip(panels, codebooks.items(), strict=True):
            codes = codebook.detach().cpu().float()
            owner = torch.cdist(lattice, codes).argmin(dim=1).view(grid, grid).T
            ends = (-extent, extent, -extent, extent)
            shades = ListedColormap(_PALE)  # not an array of colours: those are stored exactly
            panel.imshow((owner % len(_PALE)).numpy(), origin="lower", extent=ends, cmap=shades,
                         vmin=-0.5, vmax=len(_PALE) - 0.5)  # fmt: skip
            panel.contour(axis, axis, owner.numpy(), levels=np.arange(len(codes)) - 0.5,
                          colors="white", linewidths=0.8)  # fmt: skip
            nearest = torch.cdist(dots, codes).argmin(dim=1)
            if arrows:
                moves = codes[nearest] - dots
                panel.quiver(*dots.T, *moves.T, angles="xy", scale_units="xy", scale=1,
                             width=0.004, color=GREY)  # fmt: skip
            panel.scatter(*dots.T, s=14 if arrows else 5, color=BLUE, linewidths=0, alpha=0.7)
            used = torch.bincount(nearest, minlength=len(codes)) > 0
            panel.scatter(*codes[used].T, s=58, marker="o", color=VERMILLION, edgecolor="white")
            if (~used).any():
                panel.scatter(*codes[~used].T, s=46, marker="x", color="black", linewidths=1.6)
            panel.set(title=name, xlim=(-extent, extent), ylim=(-extent, extent))
            panel.grid(visible=False)
        draw_title(figure, title)
    return figure


def seen_places(
    maps: Mapping[str, Tensor],
    centre: tuple[int, int] | None = None,
    *,
    columns: int = 4,
    numbers: bool = False,
    title: str | None = None,
) -> Figure:
    """Which places of a grid count, in each panel, and which is the one that looks.

    Args:
        maps: title to (h, w) values; 0 is white, any other value is filled.
        centre: row and column of the place that looks, framed; the middle one when None.
        columns: panels in a row.
        numbers: write the values, rounded, into the places.
        title: a line above.

    Raises:
        CourseError: no map, or one that is no matrix.

    Example:
        >>> len(seen_places({"one": torch.eye(3), "two": torch.ones(3, 3)}).axes)
        2
    """
    if not maps or any(values.ndim != 2 for values in maps.values()):
        raise CourseError("seen_places needs matrices by title, such as {'mask A': mask}.")
    columns = min(columns, len(maps))
    rows = -(-len(maps) // columns)
    with style():
        figure = new_figure(2.0 * columns + 0.2, 2.4 * rows + 0.3 * bool(title))
        panels = np.atleast_1d(figure.subplots(rows, columns, squeeze=False)).flatten()
        for panel, (name, values) in zip(panels, maps.items(), strict=False):
            height, width = values.shape
            row, column = centre or (height // 2, width // 2)
            shown = (values.detach().cpu() != 0).float().numpy()
            panel.imshow(np.ma.masked_equal(shown, 0), cmap="Blues", vmin=0, vmax=1.6)
            for index in range(max(height, width) + 1):
                panel.axvline(index - 0.5, color="white", linewidth=1)
                panel.axhline(index - 0.5, color="white", linewidth=1)
            panel.add_patch(
                Rectangle((column - 0.5, row - 0.5), 1, 1, fill=False, ec=VERMILLION, lw=2)
            )
            if numbers:
                for (i, j), value in np.ndenumerate(values.detach().cpu().numpy()):
                    panel.text(j, i, f"{value:g}", ha="center", va="center", size=9)
            panel.set_title(name, size=9.5, loc="center")
            panel.set(xticks=[], yticks=[])
            panel.set(xlim=(-0.55, width - 0.45), ylim=(height - 0.45, -0.55))
            panel.grid(visible=False)
        for panel in panels[len(maps) :]:
            panel.set_axis_off()
        draw_title(figure, title)
    return figure


def projected_codebook(
    maps: Mapping[str, Tensor],
    counts: Tensor,
    *,
    colours: Tensor | None = None,
    title: str | None = None,
) -> Figure:
    """Maps of a codebook: used codes as discs that grow with their use, unused ones as crosses.

    Args:
        maps: title to (K, 2) places, a panel each.
        counts: (K,) how often each code was used.
        colours: (K, 3) a colour in [0, 1] for each code, such as the one it decodes to.
        title: a line above.

    Raises:
        CourseError: no map, or shapes that do not fit.

    Example:
        >>> figure = projected_codebook({"PCA": torch.randn(5, 2)}, torch.tensor([3, 0, 1, 0, 9]))
        >>> len(figure.axes[0].collections)
        2
    """
    size = (len(counts), 2)
    if not maps or any(places.shape != size for places in maps.values()):
        raise CourseError(f"projected_codebook needs maps of shape {size}, a place for each code.")
    if colours is not None and colours.shape != (len(counts), 3):
        raise CourseError(
            f"colours must have shape {(len(counts), 3)}, not {tuple(colours.shape)}."
        )
    used = counts.cpu() > 0
    shares = counts.cpu().double() / max(1, int(counts.sum()))
    areas = 8 + 90 * (shares / max(float(shares.max()), 1e-12)).sqrt()
    with style():
        figure = new_figure(3.7 * len(maps), 3.5 + 0.3 * bool(title))
        panels = np.atleast_1d(figure.subplots(1, len(maps)))
        for panel, (name, places) in zip(panels, maps.items(), strict=True):
            at = places.detach().cpu().float()
            fill = BLUE if colours is None else colours.cpu()[used].clamp(0, 1).numpy()
            panel.scatter(*at[used].T, s=areas[used], c=fill, edgecolor="#52606D", linewidths=0.6,
                          label=f"used ({int(used.sum())})")  # fmt: skip
            panel.scatter(*at[~used].T, s=22, marker="x", color="black", linewidths=1,
                          label=f"unused ({int((~used).sum())})")  # fmt: skip
            panel.set_title(name)
            panel.tick_params(labelsize=8)
        panels[0].legend(loc="best", fontsize=8.5)
        draw_title(figure, title)
    return figure


def usage(counts: Mapping[str, Tensor], *, title: str | None = None) -> Figure:
    """How often the codes are used, from the most used to the least, a line for each codebook.

    Args:
        counts: name to (K,) counts; codes that are never used end a line.
        title: a line above.

    Raises:
        CourseError: no codebook, or one that is not used at all.

    Example:
        >>> len(usage({"a": torch.tensor([5, 1, 0]), "b": torch.ones(4)}).axes[0].lines)
        2
    """
    if not counts or any(float(values.sum()) <= 0 for values in counts.values()):
        raise CourseError("usage needs counts by name, each of a codebook that is used.")
    with style():
        figure = new_figure(6.6, 3.4)
        axes = figure.subplots()
        for place, (name, values) in enumerate(counts.items()):
            sorted_shares = (values.double() / values.sum()).sort(descending=True).values
            shares = sorted_shares[sorted_shares > 0].cpu().numpy()
            axes.plot(
                np.arange(1, len(shares) + 1), shares, label=name,
                color=COLOURS[place % len(COLOURS)], marker=MARKERS[place % len(MARKERS)],
                linestyle=LINE_STYLES[place % len(LINE_STYLES)],
                markevery=max(1, len(shares) // 8), markersize=4.5,
            )  # fmt: skip
        axes.set(xlabel="code, from the most used to the least", ylabel="share", yscale="log")
        axes.legend()
        if title:
            axes.set_title(title)
    return figure


class _Plain(LogFormatter):
    """Numbers as they are, at the places where matplotlib would write powers of ten."""

    def __call__(self, x: float, pos: Any = None) -> str:
        return f"{x:g}" if super().__call__(x, pos) else ""


def rate_and_distortion(
    groups: Mapping[str, Mapping[str, tuple[float, float]]],
    *,
    title: str | None = None,
    xlabel: str = "bytes stored for a picture",
) -> Figure:
    """What is stored against what is lost: a point for each way to store a picture.

    Args:
        groups: name of a group to {label: (stored, mean squared error)}; a marker a group.
        title: a line above.
        xlabel: what is stored, with its unit.

    Raises:
        CourseError: no point, or one that is not positive in both.

    Example:
        >>> figure = rate_and_distortion({"codes": {"512": (72.0, 0.004)}, "PCA": {"8": (8, 0.02)}})
        >>> len(figure.axes[0].collections)
        2
    """
    pairs = [pair for group in groups.values() for pair in group.values()]
    if not pairs or min(min(pair) for pair in pairs) <= 0:
        raise CourseError("rate_and_distortion needs pairs (stored, error), all above 0.")
    with style():
        figure = new_figure(6.8, 3.9)
        axes = figure.subplots()
        for place, (name, group) in enumerate(groups.items()):
            colour = COLOURS[place % len(COLOURS)]
            stored, lost = zip(*group.values(), strict=True)
            axes.scatter(stored, lost, color=colour, marker=MARKERS[place], s=46, label=name)
            for label, at in group.items():
                above = 4 if place % 2 == 0 else -11  # so that two groups keep apart
                axes.annotate(label, at, xytext=(6, above), textcoords="offset points", size=8.5)
        axes.set(xlabel=xlabel, ylabel="mean squared error", xscale="log", yscale="log")
        axes.margins(x=0.14, y=0.14)
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_formatter(_Plain(minor_thresholds=(2, 0.5)))
            axis.set_minor_formatter(_Plain(minor_thresholds=(1.2, 0.5)))
        axes.legend()
        if title:
            axes.set_title(title)
    return figure


def map_and_edits(
    codes: Tensor,
    edits: Tensor,
    changes: Tensor,
    names: Sequence[str],
    *,
    cell: tuple[int, int],
    original: Tensor | None = None,
) -> Figure:
    """A code map with its numbers, and the pictures for other codes in one of its cells.

    Args:
        codes: (h, w) the map.
        edits: (E, C, H, W) pictures in [0, 1], the first from the map as it is.
        changes: (E, 1, H, W) by how much each differs from the first.
        names: E titles.
        cell: row and column of the cell that differs.
        original: (C, H, W) the picture that the map was made from.

    Raises:
        CourseError: names or changes that do not fit the pictures.
    """
    if len(names) != len(edits) or len(changes) != len(edits):
        raise CourseError(f"{len(edits)} pictures need a name and a change each.")
    rows, columns = codes.shape
    row, column = cell
    with style():
        figure = new_figure(2.9 + 0.95 * len(edits), 2.7)
        wide = figure.add_gridspec(2, 1 + len(edits), width_ratios=[2.7] + [1.1] * len(edits))
        table = figure.add_subplot(wide[:, 0])
        table.set(xlim=(0, columns), ylim=(rows, 0), xticks=[], yticks=[], aspect="equal")
        table.grid(visible=False)
        for (i, j), code in np.ndenumerate(codes.numpy()):
            table.add_patch(Rectangle((j, i), 1, 1, fill=False, ec="#D5DADF", lw=0.6))
            table.text(j + 0.5, i + 0.5, str(code), ha="center", va="center", size=7.5)
        table.add_patch(Rectangle((column, row), 1, 1, fill=False, ec=VERMILLION, lw=2))
        table.set_title("codes of the picture", size=9.5)
        for place, name in enumerate(names):
            upper, lower = (figure.add_subplot(wide[k, 1 + place]) for k in (0, 1))
            upper.imshow(_for_imshow(edits[place]), cmap="gray", vmin=0, vmax=1)
            upper.set_title(name, size=9, loc="center")
            below = changes[place] if place or original is None else original
            lower.imshow(_for_imshow(below), cmap="gray", vmin=0, vmax=1)
            said = "change" if place or original is None else "the picture"
            lower.set_title(said, size=9, loc="center")
            for panel in (upper, lower):
                panel.set(xticks=[], yticks=[])
                panel.grid(visible=False)
    return figure


def _for_imshow(picture: Tensor) -> np.ndarray:
    array: np.ndarray = picture.detach().cpu().clamp(0, 1).permute(1, 2, 0).numpy()
    return array[..., 0] if array.shape[2] == 1 else array
