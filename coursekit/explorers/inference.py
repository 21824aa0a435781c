"""Explorer of notebook 04: the Gaussian of one picture, step by step, from what is seen of it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

import ipywidgets as widgets
import numpy as np
from torch import Tensor

from coursekit.errors import CourseError
from coursekit.explorers.ascent import Decode, Elbo, Optimise, Path, follow, standard_masks
from coursekit.explorers.canvas import INK, SOFT, Axes, Canvas, number
from coursekit.explorers.layout import Explorer, whole_slider
from coursekit.plots.display import BLUE, VERMILLION, new_figure, style
from coursekit.plots.pictures import check_pictures

if TYPE_CHECKING:
    from matplotlib.axes import Axes as Panel
    from matplotlib.figure import Figure

_WIDTH, _HEIGHT, _LEFT, _TOP, _SIDE = 560, 334, 14, 30, 120
_BOX = (62.0, 196.0, 544.0, 296.0)


def _titles(path: Path) -> tuple[str, ...]:
    whole = path.share == 1
    first = "test picture" if whole else "what is seen"
    word = "draw" if whole else "completion"
    return (first, "decoded at the mean", f"{word} 1", f"{word} 2")


def _ticks(low: float, high: float) -> list[float]:
    """Three to six round numbers between two ends."""
    rough = (high - low) / 5
    power = 10.0 ** math.floor(math.log10(rough))
    step = power * next(size for size in (1, 2, 5, 10) if size * power >= rough * (1 - 1e-9))
    first = math.ceil(low / step - 1e-9)
    return [step * place for place in range(first, math.floor(high / step + 1e-9) + 1)]


def render_stepper(path: Path, place: int) -> bytes:
    """The pictures after one stored step, and the curve of the ELBO with that step marked.

    Args:
        path: what `follow` gives.
        place: which of its stored steps, from 0.

    Returns:
        PNG bytes, 1120 x 668 dots.

    Raises:
        CourseError: a step that was not stored, or an ELBO that is not finite.
    """
    if not 0 <= place < len(path.steps):
        raise CourseError(f"place must lie between 0 and {len(path.steps) - 1}, not {place}.")
    values = np.array(path.elbos)
    if not np.isfinite(values).all():
        raise CourseError("The ELBO is not finite on the way: is the step size too large?")
    canvas = Canvas(_WIDTH, _HEIGHT)
    gap = (_WIDTH - 2 * _LEFT - 4 * _SIDE) / 3
    pictures = (path.seen, path.means[place], *path.draws[place])
    for column, (shown, title) in enumerate(zip(pictures, _titles(path), strict=True)):
        canvas.picture(shown, _LEFT + column * (_SIDE + gap), _TOP, _SIDE, title, size=12)
    room = max(float(np.ptp(values)), 1e-3)
    low, high = float(values.min()) - 0.06 * room, float(values.max()) + 0.1 * room
    last = max(path.steps[-1], 1)
    axes = Axes(canvas, _BOX, (0, last), (low, high))
    ticks = _ticks(low, high)
    digits = max(0, -math.floor(math.log10(ticks[1] - ticks[0]))) if len(ticks) > 1 else 1
    axes.grid(_ticks(0, last), ticks, digits=digits)
    canvas.text(_LEFT, 176, "ELBO of what is seen (nats)", size=12, colour=SOFT)
    middle = (_BOX[0] + _BOX[2]) / 2
    canvas.text(middle, 325, "gradient step", size=12, colour=SOFT, anchor="mm")
    across, down = axes.across(np.array(path.steps)), axes.down(values)
    canvas.line(across, down, BLUE, 2)
    here, level = float(across[place]), float(down[place])
    canvas.line([here, here], [_BOX[1], _BOX[3]], VERMILLION, 1)
    canvas.disc(here, level, 5, VERMILLION, "white")
    words = f"step {path.steps[place]}: {number(values[place], 1)} nats"
    canvas.text(_BOX[2], 176, words, size=13, colour=INK, anchor="rm", bold=True)
    return canvas.png()


def stepper(
    pictures: Tensor,
    optimise: Optimise,
    decode: Decode,
    elbo: Elbo,
    *,
    masks: Mapping[str, Tensor] | None = None,
    every: int = 5,
    seed: int = 0,
    device: str = "cpu",
) -> Explorer:
    """Choose a picture and what is seen of it, and step through the optimisation of its Gaussian.

    The path is computed when picture or mask is chosen; a step only draws it.

    Args:
        pictures: (N, C, H, W) in [0, 1], prepared as the likelihood wants them.
        optimise: picture (1, C, H, W) and mask (1, 1, H, W), true = seen, to the (mu, log_var),
            each (1, K), at the start and after every so many steps.
        decode: (B, K) latents to (B, C, H, W) pictures in [0, 1].
        elbo: x (T, C, H, W), mask (1, 1, H, W), mu and log_var (T, K) to the ELBO of the seen
            part, (T,) nats.
        masks: name to bool (H, W), true where a pixel is seen; `standard_masks` when None.
        every: gradient steps between two entries of what `optimise` gives.
        seed: of the noise of the draws.
        device: where the functions want their inputs.

    Returns:
        A widget; leave it as the last line of a cell.

    Raises:
        CourseError: pictures, masks or paths of a wrong shape.
    """
    shown = check_pictures(pictures)
    masks = dict(standard_masks(*shown.shape[2:]) if masks is None else masks)
    if not masks:
        raise CourseError("masks holds no mask; give at least one name with its bool tensor.")
    noise = {"seed": seed}
    have: dict[tuple[int, str, int], Path] = {}

    def path_of(index: int, mask: str) -> Path:
        key = (index, mask, noise["seed"])
        if key not in have:
            have[key] = follow(
                shown[index], masks[mask], optimise, decode, elbo,
                every=every, seed=noise["seed"], device=device,
            )  # fmt: skip
        return have[key]

    def place_of(path: Path, step: int) -> int:
        return min(step // every, len(path.steps) - 1)

    def draw(index: int, mask: str, step: int) -> bytes:
        path = path_of(index, mask)
        return render_stepper(path, place_of(path, step))

    def describe(index: int, mask: str, step: int) -> str:
        path = path_of(index, mask)
        place = place_of(path, step)
        return (
            f"Picture {index}, {mask} ({path.share:.0%} of the pixels seen): ELBO "
            f"{number(path.elbos[0], 1)} nats at the start, {number(path.elbos[place], 1)} after "
            f"{path.steps[place]} steps, {number(path.elbos[-1], 1)} after {path.steps[-1]}."
        )

    def forward() -> None:
        control = explorer.controls["step"]
        control.value = min(control.value + every, control.max)

    def back() -> None:
        explorer.controls["step"].value = 0

    def new_noise() -> None:
        noise["seed"] += 1

    chooser = widgets.Dropdown(
        options=list(masks),
        value=next(iter(masks)),
        description="mask",
        style={"description_width": "92px"},
        layout=widgets.Layout(width="390px", margin="1px 0"),
    )
    index = whole_slider("picture", 0, 0, len(shown) - 1)
    index.continuous_update = False  # each picture on the way would be optimised as well
    last = path_of(0, chooser.value).steps[-1]
    step = whole_slider("step", 0, 0, last)
    step.step = every
    explorer = Explorer(
        "How does a picture find its Gaussian?",
        {"index": index, "mask": chooser, "step": step},
        draw,
        describe,
        width=_WIDTH,
        buttons={"next": forward, "to the start": back, "new noise": new_noise},
    )
    return explorer


def stepper_static(
    pictures: Tensor,
    optimise: Optimise,
    decode: Decode,
    elbo: Elbo,
    *,
    index: int = 0,
    mask: str = "left half",
    masks: Mapping[str, Tensor] | None = None,
    columns: int = 6,
    every: int = 5,
    seed: int = 0,
    device: str = "cpu",
) -> Figure:
    """The static twin of `stepper`: one picture and mask after some of the steps.

    Args:
        pictures: (N, C, H, W) in [0, 1].
        optimise: as for `stepper`.
        decode: as for `stepper`.
        elbo: as for `stepper`.
        index: which picture.
        mask: the name of its mask.
        masks: as for `stepper`.
        columns: how many steps are shown, closer together at the start.
        every: as for `stepper`.
        seed: of the noise of the draws.
        device: where the functions want their inputs.

    Raises:
        CourseError: no such picture or mask, or a path of a wrong shape.
    """
    shown = check_pictures(pictures)
    masks = dict(standard_masks(*shown.shape[2:]) if masks is None else masks)
    if not 0 <= index < len(shown) or mask not in masks:
        raise CourseError(
            f"index must lie between 0 and {len(shown) - 1} and mask be one of "
            f"{', '.join(masks)}, not {index} and {mask!r}."
        )
    path = follow(
        shown[index], masks[mask], optimise, decode, elbo, every=every, seed=seed, device=device
    )
    last = len(path.steps) - 1
    places = sorted({round(last * (place / max(1, columns - 1)) ** 2) for place in range(columns)})
    names = _titles(path)
    with style():
        figure = new_figure(7.2, 6.4)
        grid = figure.add_gridspec(2, 1, height_ratios=[1.75, 1])
        axes = grid[0].subgridspec(3, 1 + len(places)).subplots(squeeze=False)
        for row, panels in enumerate(axes):
            for column, panel in enumerate(panels):
                panel.set_axis_off()
                if column == 0 and row > 0:
                    continue
                place = places[max(0, column - 1)]
                picture = (
                    path.seen if column == 0 else (path.means, *path.draws.unbind(1))[row][place]
                )
                _put(panel, picture)
                if row == 0:
                    panel.set_title(
                        names[0] if column == 0 else f"step {path.steps[place]}",
                        loc="center", size=9,
                    )  # fmt: skip
            axes[row, 1].text(
                -0.08, 0.5, ("mean", *names[2:])[row], rotation=90, size=9, ha="right", va="center",
                transform=axes[row, 1].transAxes,
            )  # fmt: skip
        panel = figure.add_subplot(grid[1])
        panel.plot(path.steps, path.elbos, color=BLUE)
        panel.plot(
            [path.steps[place] for place in places], [path.elbos[place] for place in places], "o",
            color=VERMILLION, label="steps shown above",
        )  # fmt: skip
        panel.set(xlabel="gradient step", ylabel="ELBO of what is seen\n(nats)")
        panel.legend(loc="lower right")
    return figure


def _put(panel: Panel, picture: Tensor) -> None:
    """Show one picture in a panel, crisp."""
    array = picture.permute(1, 2, 0).cpu().numpy()
    panel.imshow(
        array.squeeze(-1) if array.shape[2] == 1 else array, cmap="gray", vmin=0, vmax=1,
        interpolation="nearest",
    )  # fmt: skip
