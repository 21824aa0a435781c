"""Explorer of notebook 02: the likelihood of one pixel, and the grey values it gives."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import ipywidgets as widgets
import numpy as np
import torch

from coursekit.explorers.canvas import INK, SOFT, TIMES, Axes, Canvas, mixed, number
from coursekit.explorers.layout import Explorer, put, slider
from coursekit.explorers.pixels import (
    FAMILIES,
    LEVELS,
    Pixel,
    draw_pixels,
    parameters_in_words,
    pixel,
    price,
    settings_of,
)
from coursekit.plots.display import BLUE, GREEN, ORANGE, PURPLE, VERMILLION

if TYPE_CHECKING:
    from matplotlib.axes import Axes as Panel
    from matplotlib.figure import Figure

_WIDTH, _HEIGHT = 580, 360
_BOX = (54.0, 38.0, 392.0, 264.0)
_PATCH, _PATCH_LEFT, _SIDE = 128, 426, 16
_EDGE = ORANGE  # what lies beyond 0 and 1, or was pushed back from there


def _top(shown: Pixel, unbounded: bool) -> float:
    """Upper end of the axis; a density that is infinite at an end is cut off."""
    if unbounded:
        inner = (shown.x > 1 / 64) & (shown.x < 63 / 64)
        return 2.0 * float(shown.height[inner].max())
    return 1.12 * float(shown.height.max())


def _unbounded(family: str, given: dict[str, float]) -> bool:
    return family == "beta" and min(given.values()) < 1


def _ticks(top: float) -> tuple[list[float], int]:
    """Three to six round numbers from 0 to `top`, and the digits they need."""
    rough = top / 5
    power = 10.0 ** math.floor(math.log10(rough))
    step = power * next(size for size in (1, 2, 5, 10) if size * power >= rough * (1 - 1e-9))
    count = math.floor(top / step + 1e-9)
    return [step * index for index in range(count + 1)], max(0, -math.floor(math.log10(step)))


def _reach(family: str) -> tuple[float, float]:
    return (-0.3, 1.3) if family == "gaussian" else (-0.06, 1.06)


def _draw_curve(axes: Axes, shown: Pixel, top: float) -> None:
    x, height = shown.x, np.minimum(shown.height, top)
    base = axes.box[3]
    axes.canvas.area(axes.across(x), axes.down(height), base, mixed(BLUE, 0.18))
    for beyond in (x <= 0, x >= 1):
        if shown.outside and beyond.sum() > 1:
            places, tail = axes.across(x[beyond]), axes.down(height[beyond])
            axes.canvas.area(places, tail, base, mixed(_EDGE, 0.6))
    axes.canvas.line(axes.across(x), axes.down(height), BLUE, 2)


def _draw_bars(axes: Axes, shown: Pixel, edges: bool) -> None:
    left = axes.across(shown.x - shown.width / 2)
    right = axes.across(shown.x + shown.width / 2)
    tops = axes.down(shown.height)
    wide = shown.width > 0.01
    for index, (start, end, top) in enumerate(zip(left, right, tops, strict=True)):
        colour = _EDGE if edges and index in (0, len(left) - 1) else BLUE
        gap = 1.0 if wide else 0.0
        box = (float(start) + gap, float(top), float(end) - gap, axes.box[3])
        if box[3] - box[1] >= 0.5:
            axes.canvas.rectangle(box, fill=mixed(colour, 1.0 if colour == _EDGE else 0.55))
    for part, colour in zip(shown.parts, (GREEN, PURPLE), strict=False):
        axes.canvas.line(axes.across(LEVELS[1:-1]), axes.down(part[1:-1]), colour, 1.5)


def _draw_grey_scale(axes: Axes) -> None:
    """Under the axis: which grey stands for which number."""
    places = np.linspace(0, 1, 65)
    edges = axes.across(places)
    top = axes.box[3] + 3
    for left, right, middle in zip(edges[:-1], edges[1:], places[:-1] + 1 / 128, strict=True):
        grey = round(255 * float(middle))
        box = (float(left), top, float(right) + 0.5, top + 9)
        axes.canvas.rectangle(box, fill=(grey, grey, grey))
    axes.canvas.rectangle(
        (float(edges[0]), top, float(edges[-1]), top + 9), outline=SOFT, width=0.5
    )


def render_densities(family: str = "beta", *, seed: int = 0, **parameters: float) -> bytes:
    """The distribution of one pixel, its mean as a patch of grey, and a patch of draws, as PNG.

    A density is a curve, a mass is bars: over 0 and 1, over 4 bins, or over the 256 levels. The
    orange part of a Gaussian lies outside of [0, 1]; the orange bars of a discretised logistic
    hold all that lies beyond them.

    Args:
        family: a key of `explorers.pixels.FAMILIES`, such as "beta".
        seed: of the 16 x 16 pixels drawn.
        parameters: of the family, such as a=2.0, b=5.0; those left out are at their start.

    Returns:
        PNG bytes, 1160 x 720 dots.

    Raises:
        CourseError: no such family or parameter, or a value beyond its slider.

    Example:
        >>> render_densities("beta", a=0.5, b=0.5)[1:4]
        b'PNG'
    """
    given = settings_of(family, parameters)
    shown = pixel(family, **given)
    unbounded = _unbounded(family, given)
    top = _top(shown, unbounded)
    canvas = Canvas(_WIDTH, _HEIGHT)
    axes = Axes(canvas, _BOX, _reach(family), (0, top))
    left, upper, right, lower = _BOX
    xs = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
    levels, digits = _ticks(top)
    axes.grid(xs, levels, digits=digits, label_x=False)
    if shown.width:
        _draw_bars(axes, shown, edges="logistic" in family)
    else:
        _draw_curve(axes, shown, top)
    canvas.line([left, right], [lower, lower], SOFT)
    _draw_grey_scale(axes)
    for tick in xs:
        canvas.text(
            float(axes.across(tick)), lower + 22, number(tick, 1), size=11, colour=SOFT, anchor="mm"
        )
    where = float(axes.across(shown.mean))
    dashes = np.linspace(upper, lower, 41)
    canvas.line(np.full(41, where), dashes, VERMILLION, 1.5, dash=1)
    side = "lm" if shown.mean < 0.5 else "rm"
    canvas.text(
        where + (5 if side == "lm" else -5),
        upper + 9,
        f"mean {number(shown.mean)}",
        size=12,
        colour=VERMILLION,
        anchor=side,
        halo=2,
    )
    kinds = {"density": "density", "mass": "mass of each level", "binary": "mass of each value"}
    what = kinds[FAMILIES[family].likelihood.scale]
    what = "mass of each bin" if family == "categorical-4" else what
    canvas.text(left, 18, f"{FAMILIES[family].title}: {what}", size=13, bold=True)
    canvas.text(left, lower + 44, f"standard deviation {number(shown.deviation, 3)}", size=12.5)
    canvas.text(left, lower + 63, price(family, shown), size=12.5)
    note = ""
    if shown.outside:
        note = f"outside of [0, 1]: {number(100 * shown.outside, 1)} % (draws are clipped)"
    elif unbounded:
        note = "cut off above: infinite at an end"
    elif "logistic" in family:
        note = "orange: the end levels, with all that lies beyond them"
    canvas.text(left, lower + 82, note, size=12, colour=SOFT)
    patch = torch.full((1, _SIDE, _SIDE), shown.mean)
    canvas.picture(patch, _PATCH_LEFT, 38, _PATCH, "the mean", size=12)
    drawn = draw_pixels(family, _SIDE, seed, **given)
    title = f"{_SIDE} {TIMES} {_SIDE} independent draws"
    canvas.picture(drawn, _PATCH_LEFT, 202, _PATCH, title, size=12)
    for y in (38, 202):
        box = (_PATCH_LEFT - 1, y - 1, _PATCH_LEFT + _PATCH + 1, y + _PATCH + 1)
        canvas.rectangle(box, outline=SOFT, width=0.5)
    return canvas.png()


def describe_density(family: str, **parameters: float) -> str:
    """The explorer's caption: parameters, mean, standard deviation, price of the likeliest level.

    Example:
        >>> describe_density("bernoulli", p=0.5)
        'Bernoulli, probability = 0.50: mean 0.50, standard deviation 0.500; most likely value ...'
    """
    given = settings_of(family, parameters)
    shown = pixel(family, **given)
    beyond = ""
    if family == "gaussian":
        beyond = f"; {number(100 * shown.outside, 1)} % of the mass lies outside of [0, 1]"
    return (
        f"{FAMILIES[family].title}, {parameters_in_words(family, given)}: "
        f"mean {number(shown.mean)}, standard deviation {number(shown.deviation, 3)}; "
        f"{price(family, shown)}{beyond}."
    )


def densities(family: str = "beta") -> Explorer:
    """Choose a likelihood and move its parameters; see its density and the pixels it gives.

    Args:
        family: the likelihood at the start, a key of `explorers.pixels.FAMILIES`.

    Returns:
        A widget; leave it as the last line of a cell. Its controls are "family" and, for each
        likelihood, one for each parameter, such as "beta.a".

    Raises:
        CourseError: no such likelihood.
    """
    settings_of(family, {})
    chooser = widgets.Dropdown(
        options=[(member.title, key) for key, member in FAMILIES.items()],
        value=family,
        description="likelihood",
        style={"description_width": "116px"},
        layout=widgets.Layout(width="390px", margin="1px 0 6px 0"),
    )
    controls = {"family": chooser}
    for key, member in FAMILIES.items():
        for one in member.settings:
            controls[f"{key}.{one.name}"] = slider(
                one.label, one.start, one.low, one.high, one.step,
                readout=one.readout, label_width="116px",
            )  # fmt: skip
    seed = 0

    def own(values: dict[str, float], family: str) -> dict[str, float]:
        return {
            key.partition(".")[2]: value
            for key, value in values.items()
            if key.partition(".")[0] == family
        }

    def draw(family: str, **values: float) -> bytes:
        return render_densities(family, seed=seed, **own(values, family))

    def describe(family: str, **values: float) -> str:
        return describe_density(family, **own(values, family))

    def show_own(_change: object = None) -> None:
        for key, control in controls.items():
            if control is not chooser:
                mine = key.partition(".")[0] == chooser.value
                control.layout.display = None if mine else "none"

    def new_draws() -> None:
        nonlocal seed
        seed += 1

    def reset() -> None:
        nonlocal seed
        seed = 0
        for one in FAMILIES[chooser.value].settings:
            put(controls[f"{chooser.value}.{one.name}"], one.start)

    show_own()
    chooser.observe(show_own, names="value")
    return Explorer(
        "Which grey values does a likelihood give a pixel?",
        controls,
        draw,
        describe,
        width=_WIDTH,
        buttons={"new draws": new_draws, "reset": reset},
    )


# Eight panels of the static twin: each family, the Beta twice (a hill and a bowl).
PANELS: tuple[tuple[str, dict[str, float]], ...] = (
    ("bernoulli", {"p": 0.7}),
    ("continuous-bernoulli", {"logit": 3.0}),
    ("gaussian", {"mean": 0.8, "std": 0.15}),
    ("beta", {"a": 2.0, "b": 5.0}),
    ("beta", {"a": 0.5, "b": 0.5}),
    ("categorical-4", {"w0": 0.6, "w1": 0.1, "w2": 0.1, "w3": 0.2}),
    ("discretised-logistic", {"mean": 0.1, "scale": 0.05}),
    ("logistic-mixture", {"mean1": 0.0, "scale1": 0.01, "mean2": 0.7, "scale2": 0.06}),
)


def _panel(panel: Panel, family: str, given: dict[str, float]) -> None:
    shown = pixel(family, **given)
    top = _top(shown, _unbounded(family, given))
    if shown.width:
        wide = shown.width > 0.01
        bars = panel.bar(
            shown.x, shown.height, shown.width * (0.96 if wide else 1), color=BLUE, alpha=0.55
        )
        if "logistic" in family:
            for end in (bars[0], bars[-1]):
                end.set(color=_EDGE, alpha=1)
        for part, colour in zip(shown.parts, (GREEN, PURPLE), strict=False):
            panel.plot(LEVELS[1:-1], part[1:-1], color=colour, linewidth=1.1)
    else:
        panel.plot(shown.x, shown.height, color=BLUE)
        panel.fill_between(shown.x, shown.height, color=BLUE, alpha=0.18, linewidth=0)
        for beyond in (shown.x <= 0, shown.x >= 1):
            if shown.outside:
                panel.fill_between(
                    shown.x, shown.height, where=beyond, color=_EDGE, alpha=0.7, linewidth=0
                )
    panel.axvline(shown.mean, color=VERMILLION, linestyle="--", linewidth=1.2)
    title = FAMILIES[family].title
    if len(given) < 3:
        title += f", {parameters_in_words(family, given)}"
    panel.set(xlim=_reach(family), ylim=(0, top))
    panel.set_title(title, size=10.5)
    panel.set_xticks([0, 0.5, 1])
    panel.locator_params(axis="y", nbins=4)


def densities_static() -> Figure:
    """The static twin of `densities`: eight settings, each with its mean and draws beside it.

    Returns:
        A figure: for each setting the density (curve) or mass (bars) with the mean dashed, then
        a patch of grey at the mean, then 16 x 16 independent draws.
    """
    from coursekit.plots.display import new_figure, style

    with style():
        figure = new_figure(8.6, 8.2)
        grid = figure.add_gridspec(4, 6, width_ratios=(2.5, 1, 1) * 2)
        for index, (family, given) in enumerate(PANELS):
            row, column = index // 2, 3 * (index % 2)
            full = settings_of(family, given)
            _panel(figure.add_subplot(grid[row, column]), family, full)
            mean = torch.full((_SIDE, _SIDE), pixel(family, **full).mean)
            drawn = draw_pixels(family, _SIDE, 0, **full)[0]
            for step, (picture, name) in enumerate(((mean, "mean"), (drawn, "draws")), start=1):
                patch = figure.add_subplot(grid[row, column + step])
                patch.imshow(picture.numpy(), cmap="gray", vmin=0, vmax=1, interpolation="nearest")
                patch.set(xticks=[], yticks=[])
                patch.set_title(name, size=9.5, color=INK)
                patch.grid(visible=False)
                patch.spines[:].set_visible(True)
    return figure
