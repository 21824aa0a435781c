"""Figures of notebook 03: posteriors in a plane, maps beside each other, matrices, histograms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from matplotlib.collections import EllipseCollection
from matplotlib.figure import Figure
from torch import Tensor

from coursekit.errors import CourseError
from coursekit.plots.display import CLASS_COLOURS, COLOURS, LINE_STYLES, MARKERS, new_figure, style
from coursekit.plots.points import check_points, label_places, scatter


def posterior_scatter(
    mu: Tensor,
    log_var: Tensor,
    labels: Tensor,
    class_names: Sequence[str] | None = None,
    *,
    ellipses: int = 100,
    title: str | None = None,
) -> Figure:
    """Posterior means in the plane, coloured by class, some with an ellipse of their spread.

    An ellipse reaches one posterior standard deviation to each side along both axes.

    Args:
        mu: (N, 2) posterior means.
        log_var: (N, 2) logarithms of the posterior variances.
        labels: (N,) class indices.
        class_names: the classes' names; their indices when None.
        ellipses: how many of the first points get one.
        title: a line above.

    Raises:
        CourseError: wrong shapes, or values that are not finite.

    Example:
        >>> figure = posterior_scatter(
        ...     torch.randn(30, 2), torch.zeros(30, 2), torch.arange(30) % 3
        ... )
        >>> len(figure.axes[0].collections)
        4
    """
    if log_var.shape != mu.shape:
        raise CourseError(
            f"log_var must have the shape of mu, {tuple(mu.shape)}, not {tuple(log_var.shape)}."
        )
    places, classes = check_points(mu, labels)
    figure = scatter(mu, labels, class_names, title=title, size=14)
    sides = 2 * torch.exp(0.5 * log_var[:ellipses]).detach().cpu().float().numpy()
    colours = [CLASS_COLOURS[index % len(CLASS_COLOURS)] for index in classes[:ellipses]]
    axes = figure.axes[0]
    axes.update_datalim(
        np.concatenate([places[:ellipses] - sides / 2, places[:ellipses] + sides / 2])
    )
    axes.autoscale_view()
    axes.add_collection(
        EllipseCollection(
            sides[:, 0],
            sides[:, 1],
            np.zeros(len(sides)),
            units="xy",
            offsets=places[:ellipses],
            offset_transform=axes.transData,
            facecolors="none",
            edgecolors=colours,
            linewidths=0.9,
        )
    )
    return figure


def scatters(
    maps: Mapping[str, Tensor],
    labels: Tensor,
    class_names: Sequence[str] | None = None,
    *,
    size: float = 8,
) -> Figure:
    """Several maps of the same points beside each other, coloured by class, without axes' values.

    Args:
        maps: title to (N, 2) places.
        labels: (N,) class indices.
        class_names: the classes' names; their indices when None.
        size: area of a marker in square points.

    Raises:
        CourseError: no map, or wrong shapes.

    Example:
        >>> points = torch.randn(20, 2)
        >>> len(scatters({"one": points, "two": -points}, torch.arange(20) % 2).axes)
        2
    """
    if not maps:
        raise CourseError('scatters needs at least one map, such as {"PCA": points}.')
    with style():
        figure = new_figure(4.6 * len(maps), 4.3)
        for axes, (title, points) in zip(
            np.atleast_1d(figure.subplots(1, len(maps))), maps.items(), strict=True
        ):
            places, classes = check_points(points, labels)
            for index in np.unique(classes):
                own = places[classes == index]
                axes.scatter(
                    own[:, 0],
                    own[:, 1],
                    s=size,
                    color=CLASS_COLOURS[index % len(CLASS_COLOURS)],
                    marker=MARKERS[index % len(MARKERS)],
                    alpha=0.6,
                    linewidths=0,
                )
            apart = 0.07 * float(np.ptp(places, axis=0).max())
            for index, (x, y) in label_places(places, classes, apart).items():
                axes.text(
                    x,
                    y,
                    str(index) if class_names is None else str(class_names[index]),
                    color=CLASS_COLOURS[index % len(CLASS_COLOURS)],
                    size=12,
                    weight="bold",
                    ha="center",
                    va="center",
                    bbox={"facecolor": "white", "edgecolor": "none", "boxstyle": "round,pad=0.1"},
                )
            axes.set_title(title)
            axes.set_aspect("equal", adjustable="datalim")
            axes.tick_params(labelsize=8)
    return figure


def matrix(
    values: Tensor,
    rows: Sequence[str],
    columns: Sequence[str],
    *,
    title: str | None = None,
    xlabel: str = "",
    ylabel: str = "",
    percent: bool = True,
    least: float = 0.005,
) -> Figure:
    """A matrix of shares as a heat map, each entry written into its cell.

    Args:
        values: (R, C), between 0 and 1.
        rows: R names.
        columns: C names.
        title: a line above.
        xlabel: name of the horizontal axis.
        ylabel: name of the vertical axis.
        percent: write per cent, without the sign; two decimals if not.
        least: smaller entries stay empty.

    Raises:
        CourseError: names that do not fit, or values out of range.

    Example:
        >>> figure = matrix(torch.eye(2), ["a", "b"], ["a", "b"])
        >>> [text.get_text() for text in figure.axes[0].texts]
        ['100', '100']
    """
    if values.shape != (len(rows), len(columns)):
        raise CourseError(
            f"values must have shape ({len(rows)}, {len(columns)}), a name for each row and "
            f"column, not {tuple(values.shape)}."
        )
    if not (values.min() >= -1e-6 and values.max() <= 1 + 1e-6):
        raise CourseError("matrix draws shares: all values must lie between 0 and 1.")
    shown = values.detach().cpu().double().numpy()
    with style():
        figure = new_figure(1.6 + 0.42 * len(columns), 1.1 + 0.34 * len(rows))
        axes = figure.subplots()
        # the eye tells light shades apart better than dark ones: the colour is the share's root
        depth = np.ma.masked_less(np.sqrt(shown.clip(0, 1)), np.sqrt(least))
        axes.imshow(depth, cmap="Blues", vmin=0, vmax=1.15, aspect="auto")
        for row, column in zip(*np.nonzero(shown >= least), strict=True):
            value = shown[row, column]
            axes.text(
                column,
                row,
                f"{100 * value:.0f}" if percent else f"{value:.2f}",
                ha="center",
                va="center",
                size=8.5,
                color="white" if value > 0.4 else "#1F2933",
            )
        axes.set_xticks(range(len(columns)), [str(name) for name in columns])
        axes.set_yticks(range(len(rows)), [str(name) for name in rows])
        axes.set(xlabel=xlabel, ylabel=ylabel)
        axes.grid(visible=False)
        axes.tick_params(length=0)
        for side in axes.spines.values():
            side.set_visible(False)
        if title:
            axes.set_title(title)
    return figure


def histograms(
    values: Mapping[str, Tensor],
    *,
    xlabel: str,
    title: str | None = None,
    bins: int = 30,
    limits: tuple[float, float] | None = None,
) -> Figure:
    """Histograms of several groups over the same bins, as outlines; the medians are marked.

    Args:
        values: name to (N,) values.
        xlabel: what they are, with the unit.
        title: a line above.
        bins: how many.
        limits: lowest and highest value shown, what lies beyond counts in the outermost bin; the
            range of all values when None.

    Raises:
        CourseError: no group, or a group without finite values.

    Example:
        >>> figure = histograms({"a": torch.rand(50), "b": torch.rand(50)}, xlabel="nats")
        >>> len(figure.axes[0].get_legend().get_texts())
        2
    """
    groups = {name: group.detach().cpu().double().numpy() for name, group in values.items()}
    if not groups or any(g.size == 0 or not np.isfinite(g).all() for g in groups.values()):
        raise CourseError("histograms needs at least one group, each of finite values.")
    everything = np.concatenate(list(groups.values()))
    low, high = limits or (float(everything.min()), float(everything.max()))
    edges = np.linspace(low, high, bins + 1)
    with style():
        figure = new_figure(7.0, 3.3)
        axes = figure.subplots()
        for place, (name, group) in enumerate(groups.items()):
            colour, line = COLOURS[place % len(COLOURS)], LINE_STYLES[place % len(LINE_STYLES)]
            shares, _ = np.histogram(group.clip(low, high), edges)
            axes.stairs(
                shares / len(group), edges, color=colour, linestyle=line, linewidth=1.8, label=name
            )
            axes.plot(
                float(np.clip(np.median(group), low, high)),
                0,
                marker=MARKERS[place],
                color=colour,
                clip_on=False,
                markersize=8,
                linestyle="none",
            )
        axes.set(xlabel=f"{xlabel} (a marker at the median)", ylabel="share", ylim=(0, None))
        axes.legend()
        if title:
            axes.set_title(title)
    return figure


def marginals(draws: Tensor, names: Sequence[str], *, columns: int = 8) -> Figure:
    """A small histogram for each latent, with the standard normal density over it.

    Args:
        draws: (N, K) latents.
        names: K titles.
        columns: panels in a row.

    Raises:
        CourseError: wrong shapes.

    Example:
        >>> len(marginals(torch.randn(100, 3), ["a", "b", "c"]).axes)
        3
    """
    if draws.ndim != 2 or draws.shape[1] != len(names):
        raise CourseError(
            f"marginals needs draws (N, {len(names)}), a name for each latent, "
            f"not {tuple(draws.shape)}."
        )
    array = draws.detach().cpu().float().numpy()
    places = np.linspace(-4, 4, 121)
    normal = np.exp(-0.5 * places**2) / np.sqrt(2 * np.pi)
    rows = -(-len(names) // columns)
    columns = min(columns, len(names))
    with style():
        figure = new_figure(1.15 * columns + 0.3, 1.15 * rows + 0.3)
        grid = np.atleast_1d(figure.subplots(rows, columns, sharex=True, sharey=True)).flatten()
        for place, name in enumerate(names):
            axes = grid[place]
            axes.hist(
                array[:, place], bins=40, range=(-4, 4), density=True, color="#B9D6EA", linewidth=0
            )
            axes.plot(places, normal, color=COLOURS[1], linewidth=1.2)
            axes.set_title(name, size=8.5, loc="center", pad=3)
            axes.set(yticks=[], xticks=[-3, 0, 3])
            axes.tick_params(labelsize=8)
            axes.grid(visible=False)
        for axes in grid[len(names) :]:
            axes.remove()
    return figure
