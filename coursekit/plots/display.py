"""One style for all figures, and `show`, which puts a figure with its alt text into a notebook.

Neither JupyterLab nor nbconvert's own template takes an alt text from the metadata of an
`image/png` output, but both keep the `alt` of an `<img>` in an HTML output. So a picture is
stored once, as HTML with the PNG inside it, and its plain-text form is the alt text.
"""

from __future__ import annotations

import base64
import html
import io
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import matplotlib
import numpy as np
from cycler import cycler
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from coursekit.errors import CourseError

# Okabe and Ito's palette, which colour-blind readers can tell apart (jfly.uni-koeln.de/color).
BLUE, VERMILLION, GREEN, PURPLE = "#0072B2", "#D55E00", "#009E73", "#CC79A7"
ORANGE, SKY, YELLOW, BLACK, GREY = "#E69F00", "#56B4E9", "#F0E442", "#000000", "#6B7280"
COLOURS = (BLUE, VERMILLION, GREEN, PURPLE, ORANGE, SKY, BLACK)
# Ten classes: the palette, a grey and a dark brown; markers and direct labels back them up.
CLASS_COLOURS = (
    BLUE,
    ORANGE,
    GREEN,
    VERMILLION,
    PURPLE,
    SKY,
    BLACK,
    "#C9B800",
    "#8A8F98",
    "#7A3B12",
)
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "*")
LINE_STYLES: tuple[str | tuple[int, tuple[float, ...]], ...] = (
    "-",
    "--",
    ":",
    "-.",
    (0, (5, 1, 1, 1, 1, 1)),
)

# A CSS pixel is 1/96 inch; figures are drawn with two dots to the CSS pixel, sharp on any screen.
CSS_DPI = 96
DOTS = 2

_STYLE: Any = {
    "figure.facecolor": "white",
    "figure.dpi": CSS_DPI,
    "savefig.facecolor": "white",
    "font.family": "DejaVu Sans",
    "font.size": 10,
    "mathtext.fontset": "dejavusans",
    "axes.titlesize": 11,
    "axes.titlelocation": "left",
    "axes.titlepad": 8,
    "axes.labelsize": 10,
    "axes.labelcolor": "#1F2933",
    "axes.edgecolor": "#9AA5B1",
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.prop_cycle": cycler(color=COLOURS),
    "grid.color": "#E4E7EB",
    "grid.linewidth": 0.8,
    "xtick.color": "#52606D",
    "ytick.color": "#52606D",
    "xtick.labelsize": 9,
    "ytick.labelsize": 9,
    "legend.frameon": False,
    "legend.fontsize": 9,
    "lines.linewidth": 1.8,
    "lines.markersize": 5,
    "text.color": "#1F2933",
}


@contextmanager
def style() -> Iterator[None]:
    """The course's look for everything drawn inside: white ground, light grid, readable sizes.

    Example:
        >>> with style():
        ...     matplotlib.rcParams["axes.grid"]
        True
    """
    with matplotlib.rc_context(_STYLE):
        yield


def new_figure(width: float, height: float) -> Figure:
    """An empty figure in inches; pyplot does not know it, so it cannot stay open."""
    return Figure(figsize=(width, height), layout="constrained")


def draw_title(figure: Figure, title: str | None) -> None:
    """Write the line above a figure of several panels; nothing where there is no title."""
    if title:
        figure.suptitle(title, size=11, weight="bold", x=0.02, ha="left")


def figure_png(figure: Figure, dots: int = DOTS) -> bytes:
    """The figure as PNG bytes, small: exact where it holds colour pictures or few colours.

    Any other figure is stored with 256 colours, which merges shades of smoothed edges.

    Args:
        figure: a matplotlib figure.
        dots: dots drawn for each CSS pixel.

    Returns:
        PNG bytes, `dots * 96` dots to the inch.
    """
    before = figure.dpi
    with matplotlib.rc_context(_STYLE):
        canvas = FigureCanvasAgg(figure)
        figure.set_dpi(CSS_DPI * dots)
        try:
            canvas.draw()
            pixels = np.asarray(canvas.buffer_rgba())[..., :3].copy()
        finally:
            figure.set_dpi(before)
    images = (image.get_array() for axes in figure.axes for image in axes.images)
    colour_pictures = any(values is not None and values.ndim == 3 for values in images)
    return small_png(pixels, exact=colour_pictures)


def small_png(pixels: np.ndarray, exact: bool = False) -> bytes:
    """Compress (H, W, 3) uint8 pixels with a palette of at most 256 colours.

    Where there are more, near colours are merged into the most frequent one among them, so that
    ground, lines and areas keep their exact colour and only shades of smoothed edges shift.

    Args:
        pixels: uint8, shape (H, W, 3).
        exact: keep every colour, without a palette where there are more than 256.
    """
    image = Image.fromarray(pixels)
    counted = image.getcolors(maxcolors=256 if exact else 1 << 16)
    if counted is not None:
        weights = np.array([1 << 16, 1 << 8, 1])
        counts = np.array([count for count, _ in counted])
        colours = np.array([colour for _, colour in counted])
        order = np.argsort(colours @ weights)
        counts, colours = counts[order], colours[order]
        strip = Image.fromarray(colours[None].astype(np.uint8))
        if len(colours) <= 256:
            places, palette = np.arange(len(colours)), colours
        else:
            places = np.asarray(strip.quantize(256, Image.Quantize.FASTOCTREE))[0]
            palette = np.zeros((256, 3), int)
            frequent_last = np.argsort(counts, kind="stable")
            palette[places[frequent_last]] = colours[frequent_last]
        found = np.searchsorted(colours @ weights, pixels.astype(np.int32) @ weights)
        image = Image.fromarray(places[found].astype(np.uint8))
        image.putpalette(palette.astype(np.uint8).tobytes())
    out = io.BytesIO()
    image.save(out, format="PNG", optimize=True)
    return out.getvalue()


class Picture:
    """A PNG with its alt text, as Jupyter displays it.

    Args:
        png: PNG bytes.
        alt: what a reader who cannot see the picture should know; one or two sentences.
        width: width on the page in CSS pixels.
    """

    def __init__(self, png: bytes, alt: str, width: int) -> None:
        if not isinstance(alt, str) or not alt.strip():
            raise CourseError(
                'A figure needs an alt text: show(figure, alt="what the figure shows").'
            )
        self.png, self.alt, self.width = png, " ".join(alt.split()), width

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        code = base64.b64encode(self.png).decode("ascii")
        alt = html.escape(self.alt, quote=True)
        return {
            "text/html": f'<img src="data:image/png;base64,{code}" width="{self.width}" '
            f'alt="{alt}" style="max-width: 100%; height: auto">',
            "text/plain": self.alt,
        }

    def __repr__(self) -> str:
        return self.alt


def show(figure: Figure | Callable[[], Figure], *, alt: str) -> None:
    """Display a figure as PNG with alt text, and close it.

    Args:
        figure: a matplotlib figure, or a function without arguments that returns one.
        alt: what the figure shows, for readers who cannot see it.

    Raises:
        CourseError: the alt text is missing, or there is no figure.
    """
    from IPython.display import display

    if not isinstance(alt, str) or not alt.strip():
        raise CourseError('A figure needs an alt text: show(figure, alt="what the figure shows").')
    with style():
        drawn = figure() if callable(figure) else figure
    if not isinstance(drawn, Figure):
        raise CourseError(
            "show takes a matplotlib Figure or a function that returns one, "
            f"not {type(drawn).__name__}."
        )
    display(Picture(figure_png(drawn), alt, round(drawn.get_figwidth() * CSS_DPI)))
    # A figure made by pyplot would be shown a second time at the end of the cell.
    pyplot = sys.modules.get("matplotlib.pyplot")
    if pyplot is not None:
        pyplot.close(drawn)
