"""Explorer of notebook 05: type a number, see it written."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import ipywidgets as widgets
import torch
from torch import Tensor

from coursekit.errors import CourseError
from coursekit.explorers.canvas import Canvas, number
from coursekit.explorers.layout import Explorer, slider
from coursekit.plots.display import VERMILLION
from coursekit.plots.pictures import check_pictures

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Write = Callable[[str, float, int], Tensor]

_WIDTH, _HEIGHT, _LEFT = 588, 268, 14
_ROW, _LONGEST = 10, 40


def _written(draw: Write, text: str, temperature: float, seed: int) -> list[Tensor]:
    """The digits of a number as pictures, in order."""
    if len(text) > _LONGEST:
        raise CourseError(f"The number has {len(text)} characters; give at most {_LONGEST}.")
    with torch.no_grad():
        picture = check_pictures(draw(text, temperature, seed)[None], "draw(number)")[0]
    if not text or picture.shape[2] % len(text):
        raise CourseError(
            f"draw(number) gives a picture {picture.shape[2]} pixels wide, which is no whole "
            f"number for each of {len(text)} digits."
        )
    return list(picture.split(picture.shape[2] // len(text), dim=2))


def render_number(draw: Write, text: str, *, temperature: float = 1.0, seed: int = 0) -> bytes:
    """A number as it is written, or the sentence that says why it cannot be, as PNG bytes.

    Args:
        draw: text, temperature and seed to a picture (C, H, W * digits) in [0, 1]; it raises
            CourseError for a text that is no number.
        text: what was typed, as it is: a space is no digit.
        temperature: handed to `draw`.
        seed: handed to `draw`; another one gives another draw.

    Returns:
        PNG bytes, 1176 x 536 dots; rows of ten digits.
    """
    canvas = Canvas(_WIDTH, _HEIGHT)
    try:
        digits = _written(draw, text, temperature, seed)
    except CourseError as error:
        canvas.text(_LEFT, 22, "Not a number that can be written", size=13, bold=True)
        lines = textwrap.wrap(str(error), 76, max_lines=10, placeholder=" ...")
        for index, line in enumerate(lines):
            canvas.text(_LEFT, 52 + 21 * index, line, size=13, colour=VERMILLION)
        return canvas.png()
    side = 112 if len(digits) <= _ROW // 2 else 56
    title = f"temperature {number(temperature)}, draw {seed + 1}"
    canvas.text(_LEFT, 18, title, size=13)
    for index, digit in enumerate(digits):
        row, column = divmod(index, _ROW)
        canvas.picture(digit, _LEFT + column * side, 36 + row * side, side)
    return canvas.png()


def write_number(
    draw: Write, *, text: str = "2810393592", temperature: float = 1.0, hottest: float = 2.0
) -> Explorer:
    """Type a number and see it written; turn the temperature; ask for another draw.

    What is no number brings the library's own sentence in place of the picture.

    Args:
        draw: text, temperature and seed to a picture (C, H, W * digits) in [0, 1]; it raises
            CourseError for a text that is no number.
        text: the number at the start.
        temperature: at the start.
        hottest: end of the temperature's slider.

    Returns:
        A widget; leave it as the last line of a cell.
    """
    seed = 0

    def render(text: str, temperature: float) -> bytes:
        return render_number(draw, text, temperature=temperature, seed=seed)

    def describe(text: str, temperature: float) -> str:
        try:
            _written(draw, text, temperature, seed)
        except CourseError as error:
            return str(error)
        return f"The number {text}, temperature {number(temperature)}, draw {seed + 1}."

    def new_draw() -> None:
        nonlocal seed
        seed += 1

    return Explorer(
        "Type a number, see it written",
        {
            "text": widgets.Text(
                value=text,
                description="number",
                placeholder="digits 0 to 9",
                continuous_update=True,
                style={"description_width": "92px"},
                layout=widgets.Layout(width="390px", margin="1px 0"),
            ),
            "temperature": slider("temperature", temperature, 0.0, hottest, 0.05),
        },
        render,
        describe,
        width=_WIDTH,
        buttons={"new draw": new_draw},
    )


def write_number_static(
    draw: Write,
    *,
    text: str = "2810393592",
    temperatures: Sequence[float] = (0.0, 0.5, 1.0, 1.5),
    draws: int = 2,
    bad: str = "12a",
) -> Figure:
    """The static twin of `write_number`: temperatures and draws, and one bad entry.

    Args:
        draw: text, temperature and seed to a picture (C, H, W * digits) in [0, 1].
        text: the number.
        temperatures: a row of pictures for each.
        draws: how many beside each other.
        bad: an entry that is no number; the sentence it brings is written below.

    Raises:
        CourseError: `text` is no number, or `draw` gives pictures of a wrong shape.
    """
    from coursekit.plots.display import new_figure, style

    with style():
        figure = new_figure(4.3 * draws, 0.72 * len(temperatures) + 0.75)
        panels = figure.subplots(len(temperatures), draws, squeeze=False)
        for row, temperature in zip(panels, temperatures, strict=True):
            for seed, panel in enumerate(row):
                strip = torch.cat(_written(draw, text, temperature, seed), dim=2)
                shown = strip.permute(1, 2, 0).numpy()
                panel.imshow(
                    shown.squeeze(-1) if shown.shape[2] == 1 else shown,
                    cmap="gray", vmin=0, vmax=1, interpolation="nearest",
                )  # fmt: skip
                panel.set_axis_off()
                title = f"temperature {temperature:g}, draw {seed + 1}"
                panel.set_title(title, size=9.5, pad=3)
        try:
            draw(bad, 1.0, 0)
        except CourseError as error:
            said = "\n".join(textwrap.wrap(f"{bad!r}: {error}", 52 * draws))
            figure.supxlabel(said, size=9, color=VERMILLION, x=0.02, ha="left")
    return figure
