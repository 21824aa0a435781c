"""Explorers of notebook 06: three paths between two digits, and the temperature of samples."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from coursekit.errors import CourseError
from coursekit.explorers.canvas import SOFT, Axes, Canvas, mixed, number
from coursekit.explorers.layout import Explorer, put, slider, whole_slider
from coursekit.latent_space import slerp
from coursekit.plots.display import BLUE, GREEN, GREY, VERMILLION
from coursekit.plots.pictures import check_pictures, pictures_beside

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Decode = Callable[[Tensor], Tensor]

LAMBDA = "\N{GREEK SMALL LETTER LAMDA}"
PATHS = {"linear": BLUE, "sinusoidal": VERMILLION, "spherical": GREEN}
_WIDTH, _HEIGHT, _SIDE, _STEP, _LEFT, _TOP = 652, 330, 112, 126, 14, 50
_CHART = (58.0, 208.0, 636.0, 302.0)
_CURVE = torch.linspace(0, 1, 41)


def three_paths(a: Tensor, b: Tensor, weights: Tensor) -> dict[str, Tensor]:
    """Linear, sinusoidal and spherical interpolation of two latents.

    linear: (1 - w) a + w b; sinusoidal: the same with sin(w pi/2) in place of w; spherical:
    along the arc between the two.

    Args:
        a: (D,) where the paths begin.
        b: (D,) where they end.
        weights: (T,) places, 0 at a and 1 at b.

    Returns:
        Each path under its name, (T, D).

    Raises:
        CourseError: a and b of another shape than (D,).

    Example:
        >>> paths = three_paths(torch.tensor([1.0, 0]), torch.tensor([0, 1.0]), torch.tensor([0.5]))
        >>> {name: round(path.norm().item(), 3) for name, path in paths.items()}
        {'linear': 0.707, 'sinusoidal': 0.765, 'spherical': 1.0}
    """
    arc = slerp(a, b, weights)  # which says so if a shape is wrong
    w = weights[:, None]
    s = torch.sin(w * math.pi / 2)
    return {"linear": (1 - w) * a + w * b, "sinusoidal": (1 - s) * a + s * b, "spherical": arc}


def _decoded(decode: Decode, z: Tensor, device: str) -> Tensor:
    with torch.no_grad():
        pictures = check_pictures(decode(z.to(device)), "decode(z)")
    if len(pictures) != len(z):
        raise CourseError(f"decode(z) gives {len(pictures)} pictures for {len(z)} latents.")
    return pictures


def render_interpolation(
    decode: Decode, a: Tensor, b: Tensor, weight: float, *, device: str = "cpu"
) -> bytes:
    """The pictures at one place of the three paths, between both ends, and how long z is.

    Args:
        decode: latents (B, D) to (B, C, H, W) pictures in [0, 1].
        a: (D,) where the paths begin.
        b: (D,) where they end.
        weight: the place, 0 at a and 1 at b.
        device: where `decode` wants its latents.

    Returns:
        PNG bytes, 1304 x 660 dots.

    Raises:
        CourseError: latents or pictures of a wrong shape or range.
    """
    here = three_paths(a, b, torch.tensor([float(weight)]))
    z = torch.cat([a[None], *here.values(), b[None]])
    pictures = _decoded(decode, z, device)
    canvas = Canvas(_WIDTH, _HEIGHT)
    names = ["begin", *here, "end"]
    for place, (name, picture, latent) in enumerate(zip(names, pictures, z, strict=True)):
        x = _LEFT + place * _STEP
        colour = PATHS.get(name, SOFT)
        canvas.text(x + _SIDE / 2, 16, name, size=13, colour=colour, anchor="mm", bold=True)
        said = f"length {number(float(latent.norm()), 1)}"
        canvas.text(x + _SIDE / 2, 34, said, size=12, colour=SOFT, anchor="mm")
        canvas.picture(picture, x, _TOP, _SIDE)
    _draw_lengths(canvas, a, b, weight)
    return canvas.png()


def _draw_lengths(canvas: Canvas, a: Tensor, b: Tensor, weight: float) -> None:
    """The chart below: length of z along the paths, and that of draws from N(0, I)."""
    typical = math.sqrt(len(a))
    curves = {n: p.norm(dim=1).numpy() for n, p in three_paths(a, b, _CURVE).items()}
    highest = 1.08 * max(typical + 2.2, *(float(norms.max()) for norms in curves.values()))
    axes = Axes(canvas, _CHART, (0, 1), (0, highest))
    left, top, right, bottom = _CHART
    band = [float(axes.down(typical + side)) for side in (2.1, -2.1)]  # 3 sqrt(1/2)
    canvas.rectangle((left, band[0], right, band[1]), fill=mixed(GREY, 0.2))
    step = max(1, round(highest / 4))
    axes.grid([0, 0.2, 0.4, 0.6, 0.8, 1], list(range(0, int(highest) + 1, step)))
    for name, norms in curves.items():
        canvas.line(axes.across(_CURVE.numpy()), axes.down(norms), PATHS[name], 2)
    here = float(axes.across(weight))
    canvas.line([here, here], [top, bottom], SOFT, 1)
    shown = three_paths(a, b, torch.tensor([float(weight)]))
    for name, path in shown.items():
        canvas.disc(here, float(axes.down(float(path.norm()))), 4, PATHS[name], "#FFFFFF")
    canvas.text(left, top - 12, "length of z; grey: draws from N(0, I)", size=12, colour=SOFT)
    canvas.text(right, top - 12, f"{LAMBDA} = {number(weight)}", size=12, anchor="rm")


def _latents(latents: Tensor, least: int) -> Tensor:
    if latents.ndim != 2 or len(latents) < least or not torch.isfinite(latents).all():
        raise CourseError(
            f"latents must be at least {least} finite rows, (N, D), not {tuple(latents.shape)}."
        )
    return latents.detach().cpu().float()


def interpolation(decode: Decode, latents: Tensor, *, device: str = "cpu") -> Explorer:
    """Choose two digits and move between them on three paths at once.

    Args:
        decode: latents (B, D) to (B, C, H, W) pictures in [0, 1].
        latents: (N, D) the encoded digits that can be chosen, at least two.
        device: where `decode` wants its latents.

    Returns:
        A widget; leave it as the last line of a cell.

    Raises:
        CourseError: latents or pictures of a wrong shape.
    """
    ends = _latents(latents, 2)

    def draw(begin: int, end: int, weight: float) -> bytes:
        return render_interpolation(decode, ends[begin], ends[end], weight, device=device)

    def describe(begin: int, end: int, weight: float) -> str:
        here = three_paths(ends[begin], ends[end], torch.tensor([weight]))
        said = ", ".join(f"{name} {number(float(p.norm()), 1)}" for name, p in here.items())
        return (
            f"From digit {begin} to digit {end}, {LAMBDA} = {number(weight)}. Length of z: {said}; "
            f"a draw from N(0, I) has about {number(math.sqrt(ends.shape[1]), 1)}."
        )

    def swap() -> None:
        controls = explorer.controls
        begin, end = controls["begin"].value, controls["end"].value
        put(controls["begin"], end)
        put(controls["end"], begin)

    explorer = Explorer(
        "Three paths between two digits",
        {
            "begin": whole_slider("from digit", 0, 0, len(ends) - 1),
            "end": whole_slider("to digit", 1, 0, len(ends) - 1),
            "weight": slider(LAMBDA, 0.5, 0.0, 1.0, 0.05),
        },
        draw,
        describe,
        width=_WIDTH,
        buttons={"swap ends": swap},
    )
    return explorer


def interpolation_static(
    decode: Decode, latents: Tensor, *, columns: int = 11, device: str = "cpu"
) -> Figure:
    """The static twin of `interpolation`: the first two digits, each path from one to the other.

    Args:
        decode: latents (B, D) to (B, C, H, W) pictures in [0, 1].
        latents: (N, D) encoded digits; the first two are the ends.
        columns: places on each path.
        device: where `decode` wants its latents.

    Raises:
        CourseError: latents or pictures of a wrong shape.
    """
    ends = _latents(latents, 2)
    weights = torch.linspace(0, 1, columns)
    rows = {
        name: _decoded(decode, path, device)
        for name, path in three_paths(ends[0], ends[1], weights).items()
    }
    return pictures_beside(rows, columns=columns, scale=4)


_ROW, _THUMB, _GAP = 8, 56, 6
_STOP = 0.05


def render_temperature(pictures: Tensor, temperature: float, said: str = "") -> bytes:
    """Samples at one temperature, in rows of eight, as PNG bytes.

    Args:
        pictures: (N, C, H, W) in [0, 1].
        temperature: written above them.
        said: a further remark.

    Returns:
        PNG bytes, 1040 dots wide.
    """
    shown = check_pictures(pictures)
    rows = -(-len(shown) // _ROW)
    step = _THUMB + _GAP
    canvas = Canvas(2 * _LEFT + _ROW * step - 4, 42 + rows * step + 8)
    title = f"temperature {number(temperature)}"
    canvas.text(_LEFT, 18, title + (f": {said}" if said else ""), size=13)
    for index, picture in enumerate(shown):
        row, column = divmod(index, _ROW)
        canvas.picture(picture, _LEFT + column * step, 36 + row * step, _THUMB)
    return canvas.png()


def _at_stops(decode: Decode, z: Tensor, stops: Sequence[float], device: str) -> Tensor:
    """The pictures of z at every temperature, uint8, (T, N, C, H, W): computed once."""
    parts = [(255 * _decoded(decode, stop * z, device)).round().byte() for stop in stops]
    return torch.stack(parts)


def temperatures(
    decode: Decode, z: Tensor, *, hottest: float = 1.5, device: str = "cpu"
) -> Explorer:
    """Turn the temperature of samples whose noise stays the same.

    All pictures are decoded beforehand, so that a slow flow is as quick to explore as a fast one.

    Args:
        decode: latents (B, D) to (B, C, H, W) pictures in [0, 1].
        z: (N, D) fixed draws from N(0, I), at most 32.
        hottest: end of the slider.
        device: where `decode` wants its latents.

    Returns:
        A widget; leave it as the last line of a cell.

    Raises:
        CourseError: latents or pictures of a wrong shape, or no range of temperatures.
    """
    draws = _latents(z, 1)
    if len(draws) > 32:
        raise CourseError(f"z has {len(draws)} rows; 32 at most are shown.")
    count = round(hottest / _STOP)
    if count < 1:
        raise CourseError(f"hottest is {hottest}; it must be at least {_STOP}.")
    stops = [_STOP * index for index in range(count + 1)]
    pictures = _at_stops(decode, draws, stops, device)

    def at(temperature: float) -> Tensor:
        return pictures[min(count, max(0, round(temperature / _STOP)))]

    def ink(temperature: float) -> float:
        return 100 * float(at(temperature).float().mean()) / 255

    def draw(temperature: float) -> bytes:
        return render_temperature(at(temperature), temperature)

    def describe(temperature: float) -> str:
        length = temperature * float(draws.norm(dim=1).mean())
        return (
            f"Temperature {number(temperature)}: mean length of z {number(length, 1)}, mean grey "
            f"{number(ink(temperature), 1)} % of white."
        )

    explorer = Explorer(
        "The same draws, cooler and hotter",
        {"temperature": slider("temperature", 1.0, 0.0, stops[-1], _STOP)},
        draw,
        describe,
        width=2 * _LEFT + _ROW * (_THUMB + _GAP) - 4,
        buttons={
            "coolest": lambda: put(explorer.controls["temperature"], 0.0),
            "the model's own": lambda: put(explorer.controls["temperature"], 1.0),
        },
    )
    return explorer


def temperatures_static(
    decode: Decode,
    z: Tensor,
    *,
    stops: Sequence[float] = (0.0, 0.5, 0.7, 0.85, 1.0, 1.2, 1.5),
    columns: int = 10,
    device: str = "cpu",
) -> Figure:
    """The static twin of `temperatures`: a row of the same draws for each temperature.

    Args:
        decode: latents (B, D) to (B, C, H, W) pictures in [0, 1].
        z: (N, D) fixed draws from N(0, I).
        stops: the temperatures.
        columns: how many of the draws are shown.
        device: where `decode` wants its latents.

    Raises:
        CourseError: latents or pictures of a wrong shape, or no temperature.
    """
    draws = _latents(z, 1)[:columns]
    if not stops:
        raise CourseError("temperatures_static needs at least one temperature.")
    rows = {
        f"temperature {stop:g}": pictures.float() / 255
        for stop, pictures in zip(stops, _at_stops(decode, draws, stops, device), strict=True)
    }
    return pictures_beside(rows, columns=columns, scale=3)
