"""Drawing with Pillow and NumPy, quick enough to follow a slider."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

INK, SOFT, GRID, GROUND = "#1F2933", "#52606D", "#E4E7EB", "#FFFFFF"
MU, SIGMA = "\N{GREEK SMALL LETTER MU}", "\N{GREEK SMALL LETTER SIGMA}"
MINUS, SQUARED, TIMES = "\N{MINUS SIGN}", "\N{SUPERSCRIPT TWO}", "\N{MULTIPLICATION SIGN}"

# Two dots make a CSS pixel: sharp on fine screens, and smooth lines on all others.
DOTS = 2


@lru_cache(maxsize=32)
def font(size: float, bold: bool = False) -> ImageFont.FreeTypeFont:
    """DejaVu Sans, which comes with matplotlib, at a size in CSS pixels."""
    import matplotlib

    name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
    return ImageFont.truetype(
        str(Path(matplotlib.get_data_path(), "fonts", "ttf", name)), round(size * DOTS)
    )


def number(value: float, digits: int = 2) -> str:
    """A number with a true minus sign; no sign on a rounded zero."""
    text = f"{value:.{digits}f}"
    if float(text) == 0:
        text = text.lstrip("-")
    return text.replace("-", MINUS)


def mixed(colour: str, share: float) -> tuple[int, int, int]:
    """The colour over white, `share` of it."""
    channels = (int(colour[place : place + 2], 16) for place in (1, 3, 5))
    red, green, blue = (round(255 + share * (value - 255)) for value in channels)
    return red, green, blue


class Canvas:
    """A white picture that is drawn on in CSS pixels, from the upper left corner.

    Args:
        width: CSS pixels.
        height: CSS pixels.
        ground: an image of `DOTS` times that size to start from; white when None.
    """

    def __init__(self, width: int, height: int, ground: Image.Image | None = None) -> None:
        self.width, self.height = width, height
        size = (width * DOTS, height * DOTS)
        self.image = Image.new("RGB", size, GROUND) if ground is None else ground.copy()
        self._draw = ImageDraw.Draw(self.image)

    def text(
        self,
        x: float,
        y: float,
        text: str,
        *,
        size: float = 13,
        colour: str = INK,
        anchor: str = "lm",
        bold: bool = False,
        halo: float = 0,
    ) -> None:
        """Write at (x, y); `anchor` is Pillow's, such as "lm"; `halo` a white edge so wide."""
        self._draw.text(
            (x * DOTS, y * DOTS),
            text,
            colour,
            font(size, bold),
            anchor=anchor,
            stroke_width=round(halo * DOTS),
            stroke_fill=GROUND,
        )

    def line(
        self,
        x: np.ndarray | Sequence[float],
        y: np.ndarray | Sequence[float],
        colour: str = INK,
        width: float = 1.0,
        dash: int = 0,
    ) -> None:
        """A line through the points; with `dash`, every other stretch of so many points."""
        points = np.stack([np.asarray(x), np.asarray(y)], axis=1) * DOTS
        stretches = (
            [points]
            if not dash
            else [points[at : at + dash + 1] for at in range(0, len(points) - 1, 2 * dash)]
        )
        for stretch in stretches:
            flat = stretch.flatten().tolist()
            self._draw.line(flat, fill=colour, width=round(width * DOTS), joint="curve")

    def area(self, x: np.ndarray, y: np.ndarray, base: float, colour: tuple[int, int, int]) -> None:
        """The area between a curve and the height `base`."""
        xs = np.concatenate([x[:1], x, x[-1:]])
        ys = np.concatenate([[base], y, [base]])
        self._draw.polygon((np.stack([xs, ys], axis=1) * DOTS).flatten().tolist(), fill=colour)

    def rectangle(
        self,
        box: tuple[float, float, float, float],
        *,
        fill: tuple[int, int, int] | str | None = None,
        outline: str | None = None,
        width: float = 1,
    ) -> None:
        """A rectangle (left, top, right, bottom)."""
        left, top, right, bottom = (round(value * DOTS) for value in box)
        self._draw.rectangle(
            (left, top, right - 1, bottom - 1),
            fill=fill,
            outline=outline,
            width=round(width * DOTS),
        )

    def disc(
        self, x: float, y: float, radius: float, fill: tuple[int, int, int] | str, outline: str = ""
    ) -> None:
        """A filled circle."""
        box = [(x - radius) * DOTS, (y - radius) * DOTS, (x + radius) * DOTS, (y + radius) * DOTS]
        self._draw.ellipse(box, fill=fill, outline=outline or None, width=DOTS)

    def picture(
        self, picture: Tensor, x: float, y: float, side: float, caption: str = "", size: float = 12
    ) -> None:
        """A (C, H, W) picture in [0, 1], crisp, in the middle of a square, its caption above."""
        array = (picture.clamp(0, 1) * 255).round().byte().permute(1, 2, 0).cpu().numpy()
        shown = Image.fromarray(array[..., 0] if array.shape[2] == 1 else array)
        room = round(side * DOTS)
        scale = max(1, room // max(shown.size))
        shown = shown.resize((shown.width * scale, shown.height * scale), Image.Resampling.NEAREST)
        corner = (
            round(x * DOTS) + (room - shown.width) // 2,
            round(y * DOTS) + (room - shown.height) // 2,
        )
        self.image.paste(shown, corner)
        if caption:
            self.text(x + side / 2, y - 11, caption, size=size, colour=SOFT, anchor="mm")

    def png(self) -> bytes:
        """The picture as PNG bytes."""
        return quick_png(np.asarray(self.image))


def quick_png(pixels: np.ndarray) -> bytes:
    """Encode (H, W, 3) uint8 pixels as PNG in half the time Pillow takes.

    Pillow tries every filter on every row; here each row but the first is stored as its difference
    from the row above (filter 2), which suits flat drawings and enlarged pixels.
    """
    height, width, channels = pixels.shape
    flat = pixels.reshape(height, width * channels)
    rows = np.empty((height, 1 + flat.shape[1]), np.uint8)
    rows[0, 0], rows[1:, 0] = 0, 2
    rows[0, 1:] = flat[0]
    np.subtract(flat[1:], flat[:-1], out=rows[1:, 1:])

    def chunk(kind: bytes, data: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + check

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = zlib.compress(rows.tobytes(), 1)
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        (chunk(b"IHDR", header), chunk(b"IDAT", body), chunk(b"IEND", b""))
    )


class Axes:
    """A rectangle of a canvas with coordinates of its own, y growing upwards.

    Args:
        canvas: where to draw.
        box: left, top, right, bottom in CSS pixels.
        x: lowest and highest x.
        y: lowest and highest y.
    """

    def __init__(
        self,
        canvas: Canvas,
        box: tuple[float, float, float, float],
        x: tuple[float, float],
        y: tuple[float, float],
    ) -> None:
        self.canvas, self.box, self._x, self._y = canvas, box, x, y

    def across(self, x: np.ndarray | float) -> np.ndarray:
        """CSS pixels from the left edge of the canvas."""
        left, _, right, _ = self.box
        return left + (np.asarray(x) - self._x[0]) / (self._x[1] - self._x[0]) * (right - left)

    def down(self, y: np.ndarray | float) -> np.ndarray:
        """CSS pixels from the upper edge of the canvas."""
        _, top, _, bottom = self.box
        return bottom - (np.asarray(y) - self._y[0]) / (self._y[1] - self._y[0]) * (bottom - top)

    def grid(
        self, xs: Sequence[float], ys: Sequence[float], digits: int = 0, label_x: bool = True
    ) -> None:
        """Light lines at the ticks, their values beside the axes."""
        left, top, right, bottom = self.box
        for tick in xs:
            place = float(self.across(tick))
            self.canvas.line([place, place], [top, bottom], GRID)
            if label_x:
                text = number(tick, 0 if tick == round(tick) else 1)
                self.canvas.text(place, bottom + 11, text, size=11, colour=SOFT, anchor="mm")
        for tick in ys:
            place = float(self.down(tick))
            self.canvas.line([left, right], [place, place], GRID)
            self.canvas.text(
                left - 7, place, number(tick, digits), size=11, colour=SOFT, anchor="rm"
            )
