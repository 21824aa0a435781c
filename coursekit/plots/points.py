"""Points in a plane, coloured by class."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from matplotlib import patheffects
from matplotlib.figure import Figure
from torch import Tensor

from coursekit.errors import CourseError
from coursekit.plots.display import CLASS_COLOURS, MARKERS, new_figure, style


def scatter(
    points: Tensor,
    labels: Tensor,
    class_names: Sequence[str] | None = None,
    *,
    title: str | None = None,
    xlabel: str = "$z_1$",
    ylabel: str = "$z_2$",
    size: float = 14,
) -> Figure:
    """Points in the plane, a colour and a marker for each class and its name at its middle.

    Args:
        points: (N, 2) places.
        labels: (N,) class indices.
        class_names: the classes' names; their indices when None.
        title: a line above.
        xlabel: name of the horizontal axis.
        ylabel: name of the vertical axis.
        size: area of a marker in square points.

    Raises:
        CourseError: wrong shape, no point, a value that is not finite, a label without a name.

    Example:
        >>> figure = scatter(torch.randn(50, 2), torch.arange(50) % 10)
        >>> len(figure.axes[0].collections)
        10
    """
    places, classes = check_points(points, labels)
    names = [str(name) for name in class_names or range(int(classes.max()) + 1)]
    if classes.max() >= len(names) or classes.min() < 0:
        raise CourseError(
            f"labels must lie between 0 and {len(names) - 1}, one for each class name, "
            f"not between {classes.min()} and {classes.max()}."
        )
    with style():
        figure = new_figure(6.0, 5.2)
        axes = figure.subplots()
        for index in np.unique(classes):
            own = places[classes == index]
            colour = CLASS_COLOURS[index % len(CLASS_COLOURS)]
            axes.scatter(
                own[:, 0],
                own[:, 1],
                s=size,
                color=colour,
                alpha=0.6,
                marker=MARKERS[index % len(MARKERS)],
                linewidths=0,
                label=names[index],
            )
        apart = 0.06 * float(np.ptp(places, axis=0).max())
        for index, (x, y) in label_places(places, classes, apart).items():
            text = axes.text(
                x,
                y,
                names[index],
                color=CLASS_COLOURS[index % len(CLASS_COLOURS)],
                size=14,
                weight="bold",
                ha="center",
                va="center",
            )
            text.set_path_effects([patheffects.withStroke(linewidth=4, foreground="white")])
        axes.set(xlabel=xlabel, ylabel=ylabel)
        if title:
            axes.set_title(title)
        axes.set_aspect("equal", adjustable="datalim")
        axes.legend(loc="center left", bbox_to_anchor=(1, 0.5), markerscale=1.6, handletextpad=0.2)
    return figure


def label_places(places: np.ndarray, classes: np.ndarray, apart: float) -> dict[int, np.ndarray]:
    """Where each class's name goes: the median of its points, pushed away from other names.

    Args:
        places: (N, 2) points.
        classes: (N,) class indices.
        apart: names keep about this distance, in the points' units.

    Example:
        >>> both = np.zeros((4, 2))
        >>> where = label_places(both, np.array([0, 0, 1, 1]), apart=1.0)
        >>> round(float(np.linalg.norm(where[0] - where[1])), 2)
        1.0
    """
    indices = np.unique(classes)
    names = np.array([np.median(places[classes == index], axis=0) for index in indices])
    for _ in range(60):
        for first in range(len(names)):
            for second in range(first):
                between = names[first] - names[second]
                distance = float(np.linalg.norm(between))
                if distance < apart:
                    away = between / distance if distance > 1e-9 else np.array([1.0, 0.0])
                    names[first] += 0.5 * (apart - distance) * away
                    names[second] -= 0.5 * (apart - distance) * away
    return {int(index): place for index, place in zip(indices, names, strict=True)}


def check_points(points: Tensor, labels: Tensor) -> tuple[np.ndarray, np.ndarray]:
    """Points (N, 2) and labels (N,) as arrays, or a CourseError that says what is wrong."""
    if points.ndim != 2 or points.shape[1] != 2 or len(points) == 0:
        raise CourseError(
            f"points must have shape (N, 2) with N at least 1, not {tuple(points.shape)}."
        )
    if labels.shape != points.shape[:1]:
        raise CourseError(
            f"labels must have shape ({len(points)},), one for each point, "
            f"not {tuple(labels.shape)}."
        )
    if not torch.isfinite(points).all():
        raise CourseError("points holds values that are not finite; did the training diverge?")
    return points.detach().cpu().float().numpy(), labels.detach().cpu().long().numpy()
