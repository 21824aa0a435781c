"""Charts: histories of a training, named values as bars or points."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from coursekit.errors import CourseError
from coursekit.plots.display import (
    BLUE,
    COLOURS,
    GREY,
    LINE_STYLES,
    MARKERS,
    new_figure,
    style,
)

Parts = dict[str, list[float]]


def _parts(name: str, run: Any) -> Parts:
    """One run as {part: values}; "" is the part of a plain list."""
    if hasattr(run, "train_loss"):
        run = {"train": run.train_loss, "validation": run.validation_loss}
    if not isinstance(run, Mapping):
        run = {"": run}
    parts = {part: [float(value) for value in values] for part, values in run.items()}
    parts = {part: values for part, values in parts.items() if values}
    if not parts:
        raise CourseError(f"The run {name!r} holds no values to draw; was it trained?")
    return parts


def curves(
    runs: Mapping[str, Any] | Any,
    *,
    title: str | None = None,
    xlabel: str = "epoch",
    ylabel: str = "loss (nats per picture)",
    log: bool = False,
    ylim: tuple[float, float] | None = None,
    start: int = 1,
) -> Figure:
    """Histories as curves: one colour and marker a run, one line style a part.

    Args:
        runs: name to a list of values, to a mapping such as {"train": [...], "validation": [...]}
            or to a History; a single one of these needs no name.
        title: a line above.
        xlabel: name of the horizontal axis.
        ylabel: name and unit of the vertical axis.
        log: whether the vertical axis is logarithmic.
        ylim: lowest and highest value shown.
        start: the number of the first entry.

    Returns:
        A figure. A value that is not finite leaves a gap.

    Raises:
        CourseError: no run, or a run without values.

    Example:
        >>> figure = curves({"lr 1e-3": {"train": [3.0, 2.0], "validation": [3.1, 2.4]}})
        >>> [line.get_label() for line in figure.axes[0].lines]
        ['lr 1e-3, train', 'lr 1e-3, validation']
    """
    named = _named_runs(runs)
    with style():
        figure = new_figure(6.6, 3.6)
        axes = figure.subplots()
        draw_curves(axes, named, start=start)
        axes.set(xlabel=xlabel, ylabel=ylabel)
        if title:
            axes.set_title(title)
        if log:
            axes.set_yscale("log")
        if ylim is not None:
            axes.set_ylim(*ylim)
    return figure


def _named_runs(runs: Any) -> dict[str, Parts]:
    if isinstance(runs, Mapping):
        if not runs:
            raise CourseError('curves needs at least one run, such as {"Adam": history}.')
        first = next(iter(runs.values()))
        plain = not isinstance(first, Mapping) and not hasattr(first, "train_loss")
        if plain and set(runs) <= {"train", "validation", "test"}:
            return {"": _parts("", runs)}
        return {str(name): _parts(name, run) for name, run in runs.items()}
    return {"": _parts("", runs)}


def draw_curves(axes: Axes, runs: Mapping[str, Parts], start: int = 1) -> None:
    """Draw runs, as `curves` describes them, into given axes, with a legend."""
    single = len(runs) == 1
    part_names = list(dict.fromkeys(part for parts in runs.values() for part in parts))
    for index, (name, parts) in enumerate(runs.items()):
        for part, values in parts.items():
            place = part_names.index(part)
            points = np.arange(start, start + len(values))
            dense = len(values) > 12
            axes.plot(
                points,
                np.where(np.isfinite(values), values, np.nan),
                color=COLOURS[(place if single else index) % len(COLOURS)],
                linestyle=LINE_STYLES[(place if len(part_names) > 1 else index) % len(LINE_STYLES)],
                marker=MARKERS[(place if single else index) % len(MARKERS)],
                markersize=4.5,
                markevery=(index % 5, max(1, len(values) // 8)) if dense else 1,
                label=", ".join(text for text in (name, part) if text),
            )
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=9, min_n_ticks=1))
    if any(name or part for name, parts in runs.items() for part in parts):
        axes.legend(handlelength=3.2)


def _value_and_error(name: str, entry: Any) -> tuple[float, float | None]:
    """A number, a pair (value, standard error) or an Estimate as (value, standard error)."""
    if hasattr(entry, "standard_error"):
        entry = (entry.value, entry.standard_error)
    pair = entry if isinstance(entry, (tuple, list)) else (entry, None)
    if len(pair) != 2 or not math.isfinite(float(pair[0])):
        raise CourseError(f"{name!r} needs a finite value or a pair (value, standard error).")
    return float(pair[0]), None if pair[1] is None else float(pair[1])


def bars(
    values: Mapping[str, Any],
    *,
    unit: str,
    title: str | None = None,
    log: bool = False,
    from_zero: bool = True,
    reference: tuple[str, float] | None = None,
    digits: int = 3,
) -> Figure:
    """Named values under each other, each written at its end.

    Values whose distance from zero means nothing are drawn as points (`from_zero=False`), as are
    those on a logarithmic axis, because a bar's length would mislead there.

    Args:
        values: name to a number, to (value, standard error), or to an Estimate.
        unit: what the axis shows.
        title: a line above.
        log: whether the axis is logarithmic.
        from_zero: bars from zero, or points.
        reference: name and value of a line to compare with.
        digits: significant digits written.

    Raises:
        CourseError: nothing to draw, a value that is not finite, or not positive on a log axis.

    Example:
        >>> bars({"one": 1.0, "two": (2.0, 0.1)}, unit="nats").axes[0].get_xlabel()
        'nats'
    """
    if not values:
        raise CourseError('bars needs at least one value, such as {"IWAE-5": 87.2}.')
    pairs = {str(name): _value_and_error(str(name), entry) for name, entry in values.items()}
    if log and any(value <= 0 for value, _ in pairs.values()):
        raise CourseError("A logarithmic axis needs positive values; use log=False.")
    with style():
        figure = new_figure(6.6, 0.9 + 0.42 * len(pairs) + (0.3 if title else 0))
        axes = figure.subplots()
        places = np.arange(len(pairs))[::-1]
        numbers = np.array([value for value, _ in pairs.values()])
        errors = np.array([error or 0.0 for _, error in pairs.values()])
        drawn_errors = errors if errors.any() else None
        if from_zero and not log:
            axes.barh(
                places,
                numbers,
                xerr=drawn_errors,
                height=0.62,
                color=BLUE,
                ecolor="#1F2933",
                capsize=3,
            )
        else:
            axes.errorbar(
                numbers, places, xerr=drawn_errors, fmt="o", color=BLUE, markersize=8, capsize=4
            )
        for place, (value, error) in zip(places, pairs.values(), strict=True):
            label = f"{value:.{digits}g}" + (f" ± {error:.1g}" if error else "")
            shift = 8 if value >= 0 or log or not from_zero else -8
            axes.annotate(
                label,
                (value + (math.copysign(error or 0, shift)), place),
                xytext=(shift, 0),
                textcoords="offset points",
                va="center",
                ha="left" if shift > 0 else "right",
                size=9,
            )
        if log:
            axes.set_xscale("log")
        axes.margins(x=0.22)
        if from_zero and not log:
            axes.axvline(0, color="#9AA5B1", linewidth=0.8)
            if numbers.min() >= 0:
                axes.set_xlim(left=0)
        if reference is not None:
            axes.axvline(reference[1], color=GREY, linestyle="--", linewidth=1.4)
            axes.annotate(
                f"{reference[0]} {reference[1]:.{digits}g}",
                (reference[1], 1),
                xycoords=("data", "axes fraction"),
                xytext=(4, 2),
                textcoords="offset points",
                size=9,
                color="#52606D",
            )
        axes.set_yticks(places, list(pairs))
        axes.tick_params(axis="y", length=0, labelsize=10)
        axes.grid(axis="y", visible=False)
        axes.spines["left"].set_visible(False)
        axes.set_ylim(-0.6, len(pairs) - 0.4)
        axes.set_xlabel(unit)
        if title:
            axes.set_title(title, pad=16 if reference else 8)
    return figure


def gradient_variances(variances: Mapping[str, Any], *, title: str | None = None) -> Figure:
    """Variances of gradient estimators on a logarithmic axis, as points with their values.

    Args:
        variances: name of an estimator to the variance of its gradient, or (variance, error).
        title: a line above.

    Raises:
        CourseError: nothing to draw, or a variance that is not positive.
    """
    return bars(variances, unit="variance of the gradient (log scale)", title=title, log=True)


def estimators(
    values: Mapping[str, Any],
    *,
    truth: float | None = None,
    unit: str = "nats per picture",
    title: str | None = None,
    digits: int = 4,
) -> Figure:
    """Estimates of one quantity under each other, with standard errors and, if known, the truth.

    Args:
        values: name to a number, to (value, standard error) or to an Estimate.
        truth: the exact value, drawn as a dashed line.
        unit: what the axis shows.
        title: a line above.
        digits: significant digits written.
    """
    reference = None if truth is None else ("exact:", truth)
    return bars(values, unit=unit, title=title, from_zero=False, reference=reference, digits=digits)
