"""Grids of pictures: crisp pixels, a label where one is needed, nothing else."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from matplotlib.figure import Figure
from matplotlib.text import Text
from torch import Tensor

from coursekit.errors import CourseError
from coursekit.plots.display import CSS_DPI, DOTS, style

_DPI = CSS_DPI * DOTS
_PAGE = 1660  # the widest figure, in dots
_COMFORTABLE = 1100  # width that an unlabelled grid keeps to, in dots
_LABEL = 40  # height of a line of labels, in dots


def coarse(pictures: Tensor, levels: int = 16) -> Tensor:
    """Round to a few grey levels: the eye hardly sees it, and a notebook's PNGs stay small.

    Args:
        pictures: float in [0, 1], any shape.
        levels: how many levels are left, 0 and 1 among them.

    Returns:
        The rounded pictures, of the same shape.

    Example:
        >>> coarse(torch.tensor([0.0, 0.3, 1.0]), levels=3).tolist()
        [0.0, 0.5, 1.0]
    """
    return ((levels - 1) * pictures).round() / (levels - 1)


def check_pictures(pictures: Tensor, name: str = "pictures") -> Tensor:
    """The pictures as float (N, C, H, W) in [0, 1] on the CPU, C being 1 or 3.

    Args:
        pictures: float in [0, 1], or uint8 in 0..255, shape (N, C, H, W).
        name: what to call them in a message.

    Raises:
        CourseError: another shape or range, no picture at all, or a value that is not finite.
    """
    if not isinstance(pictures, Tensor):
        raise CourseError(
            f"{name} must be a tensor of shape (N, C, H, W), not {type(pictures).__name__}."
        )
    if pictures.ndim != 4:
        raise CourseError(
            f"{name} must have shape (N, C, H, W), not {tuple(pictures.shape)}; "
            "unsqueeze(1) adds a missing channel, reshape(-1, 1, 28, 28) unflattens."
        )
    if pictures.numel() == 0:
        raise CourseError(f"{name} holds nothing to draw: its shape is {tuple(pictures.shape)}.")
    if pictures.shape[1] not in (1, 3):
        raise CourseError(
            f"{name} must have 1 channel (grey) or 3 (colour) in dimension 1, "
            f"not {pictures.shape[1]}."
        )
    pictures = pictures.detach().cpu()
    if pictures.dtype == torch.uint8:
        return pictures.float() / 255
    pictures = pictures.float()
    low, high = float(pictures.min()), float(pictures.max())
    if not torch.isfinite(pictures).all():
        raise CourseError(f"{name} holds values that are not finite; did the training diverge?")
    if low < -1e-3 or high > 1 + 1e-3:
        raise CourseError(
            f"{name} must lie in [0, 1], not in [{low:.3g}, {high:.3g}]; "
            "a sigmoid turns logits into grey values, (x + 1) / 2 turns [-1, 1] into [0, 1]."
        )
    return pictures.clamp(0, 1)


def _enlarge(pictures: Tensor, scale: int) -> Tensor:
    """Each pixel `scale` times as wide and as high; grey becomes three channels."""
    large = pictures.repeat_interleave(scale, dim=2).repeat_interleave(scale, dim=3)
    return large.expand(-1, 3, -1, -1)


def _grid(pictures: Tensor, columns: int, gap: int) -> Tensor:
    """Pictures (N, 3, H, W) side by side, with white gaps: (3, height, width)."""
    from torchvision.utils import make_grid  # not above: live curves do without torchvision

    return make_grid(pictures, nrow=columns, padding=gap, pad_value=1.0)


def _fitting_scale(columns: int, width: int, room: int) -> int:
    """The largest enlargement, 6 at most, at which `columns` pictures fit into `room` dots."""
    return min(6, max(1, room // (columns * width)))


def _canvas(width: int, height: int) -> Figure:
    """An empty figure of exactly `width` x `height` dots."""
    return Figure(figsize=(width / _DPI, height / _DPI), dpi=CSS_DPI)


def _place(figure: Figure, grid: Tensor, left: int, top: int) -> None:
    """Put a (3, H, W) grid into the figure, one dot for each of its pixels."""
    total_width, total_height = (round(inches * _DPI) for inches in figure.get_size_inches())
    height, width = grid.shape[1:]
    axes = figure.add_axes(
        (
            left / total_width,
            1 - (top + height) / total_height,
            width / total_width,
            height / total_height,
        )
    )
    axes.imshow(grid.permute(1, 2, 0).numpy(), interpolation="nearest", aspect="auto")
    axes.set_axis_off()


def _write(
    figure: Figure,
    left: float,
    top: float,
    text: str,
    *,
    size: float = 10,
    align: str = "center",
    **more: Any,
) -> Text:
    """Write at a place given in dots from the upper left corner."""
    width, height = (inches * _DPI for inches in figure.get_size_inches())
    place = (left / width, 1 - top / height)
    return figure.text(*place, text, size=size, ha=align, va="center", **more)


def _title_room(title: str | None) -> int:
    return 56 if title else 0


def _draw_title(figure: Figure, title: str | None, left: int) -> None:
    if not title:
        return
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    written = _write(figure, left, 24, title, size=11, align="left", weight="bold")
    wide = written.get_window_extent(FigureCanvasAgg(figure).get_renderer()).width / figure.dpi
    room = figure.get_figwidth() - (left + 8) / _DPI
    if room < wide:  # from the edge and in smaller letters, rather than cut off
        room = figure.get_figwidth() - 16 / _DPI
        written.set_x(8 / (figure.get_figwidth() * _DPI))
        written.set_fontsize(max(5, 11 * min(1, room / wide)))


def picture_grid(
    pictures: Tensor,
    *,
    columns: int = 8,
    titles: Sequence[object] | None = None,
    title: str | None = None,
    scale: int | None = None,
    gap: int = 4,
) -> Figure:
    """Pictures in rows, read from left to right.

    Args:
        pictures: (N, C, H, W) float in [0, 1] or uint8, C = 1 or 3.
        columns: pictures in a row.
        titles: a short label above each picture.
        title: a line above all of them.
        scale: dots for each pixel (two dots make a CSS pixel); chosen to fit when None.
        gap: dots between pictures.

    Returns:
        A figure.

    Raises:
        CourseError: wrong shape or range, no picture, as many titles as there are not pictures.

    Example:
        >>> picture_grid(torch.rand(6, 1, 28, 28), columns=3).get_size_inches().tolist()
        [2.7083333333333335, 1.8125]
    """
    pictures = check_pictures(pictures)
    count, _, _, width = pictures.shape
    if columns < 1:
        raise CourseError(f"columns must be at least 1, not {columns}.")
    if titles is not None and len(titles) != count:
        raise CourseError(f"titles has {len(titles)} entries for {count} pictures; give one each.")
    columns = min(columns, count)
    large = _enlarge(pictures, scale or _fitting_scale(columns, width, _COMFORTABLE))
    head = _LABEL if titles is not None else 0
    large = torch.nn.functional.pad(large, (0, 0, head, 0), value=1.0)
    grid = _grid(large, columns, gap)
    above = _title_room(title)
    with style():
        figure = _canvas(grid.shape[2], grid.shape[1] + above)
        _draw_title(figure, title, gap)
        _place(figure, grid, 0, above)
        step_x, step_y = large.shape[3] + gap, large.shape[2] + gap
        for index, text in enumerate(titles or ()):
            row, column = divmod(index, columns)
            _write(
                figure,
                gap + column * step_x + large.shape[3] / 2,
                above + gap + row * step_y + head / 2,
                str(text),
                size=9,
            )
    return figure


def pictures_beside(
    rows: Mapping[str, Tensor],
    *,
    columns: int = 16,
    title: str | None = None,
    scale: int | None = None,
    gap: int = 4,
) -> Figure:
    """Rows of pictures under each other, each with its name: originals and reconstructions.

    Where there are more pictures than columns, all rows go on in a further block below.

    Args:
        rows: name to (N, C, H, W) float in [0, 1] or uint8; the same N and size in each.
        columns: pictures in a row, at most.
        title: a line above all of them.
        scale: dots for each pixel (two dots make a CSS pixel); chosen to fit when None.
        gap: dots between pictures.

    Raises:
        CourseError: no row, rows of different length or picture size, wrong shape or range.

    Example:
        >>> x = torch.rand(4, 1, 28, 28)
        >>> len(pictures_beside({"original": x, "reconstruction": x}).axes)
        2
    """
    if not rows:
        raise CourseError('pictures_beside needs at least one row, such as {"original": x}.')
    checked = {name: check_pictures(value, f"row {name!r}") for name, value in rows.items()}
    sizes = {name: (len(value), *value.shape[2:]) for name, value in checked.items()}
    if len(set(sizes.values())) > 1:
        listed = ", ".join(f"{name!r}: {size}" for name, size in sizes.items())
        raise CourseError(
            f"All rows need the same number and size (N, H, W) of pictures, not {listed}."
        )
    if columns < 1:
        raise CourseError(f"columns must be at least 1, not {columns}.")
    count, height, width = next(iter(sizes.values()))
    columns = min(columns, count)
    names = list(checked)
    margin = 28 + 15 * max(len(line) for name in names for line in name.split("\n"))
    scale = scale or _fitting_scale(columns, width, _PAGE - margin)
    row_height, block_gap = height * scale + gap, 28
    blocks = -(-count // columns)
    grid_width = columns * (width * scale + gap) + gap
    block_height = len(names) * row_height + gap
    above = _title_room(title)
    with style():
        figure = _canvas(
            margin + grid_width, above + blocks * block_height + (blocks - 1) * block_gap
        )
        _draw_title(figure, title, margin + gap)
        for block in range(blocks):
            part = slice(block * columns, (block + 1) * columns)
            for index, name in enumerate(names):
                top = above + block * (block_height + block_gap) + index * row_height
                grid = _grid(_enlarge(checked[name][part], scale), columns, gap)
                _place(figure, grid, margin, top)
                _write(
                    figure,
                    margin - 12,
                    top + gap + height * scale / 2,
                    name,
                    size=9.5,
                    align="right",
                )
    return figure


def manifold(
    decode: Callable[[Tensor], Tensor],
    n: int = 20,
    *,
    quantiles: tuple[float, float] = (0.05, 0.95),
    extent: tuple[float, float] | None = None,
    title: str | None = None,
    device: torch.device | str = "cpu",
) -> Figure:
    """Decoded pictures over a lattice of n x n places in a latent plane.

    The places are the percent points of the standard normal between two quantiles, so that each
    strip of the lattice holds the same share of the prior; or evenly spaced over an extent.

    Args:
        decode: (B, 2) latents to (B, C, H, W) pictures in [0, 1].
        n: places along each axis.
        quantiles: lowest and highest quantile, inside (0, 1).
        extent: lowest and highest value of both latents, in place of the quantiles.
        title: a line above.
        device: where `decode` wants its latents.

    Returns:
        A figure: z_1 grows to the right, z_2 upwards.

    Raises:
        CourseError: n below 2, an empty range, or pictures of a wrong shape or range.
    """
    if n < 2:
        raise CourseError(f"n must be at least 2, not {n}.")
    low, high = quantiles if extent is None else extent
    if not low < high or (extent is None and not 0 < low < high < 1):
        raise CourseError(
            f"The lower end of the range must lie below the upper one, not {low} to {high}; "
            "quantiles also lie inside (0, 1)."
        )
    values = torch.linspace(low, high, n)
    if extent is None:
        values = torch.special.ndtri(values)
    rows, columns = torch.meshgrid(values.flip(0), values, indexing="ij")
    latents = torch.stack([columns.flatten(), rows.flatten()], dim=1)
    with torch.no_grad():
        chunks = [decode(part.to(device)) for part in latents.split(500)]
    pictures = check_pictures(torch.cat(chunks), "decode(z)")
    height, width = pictures.shape[2:]
    scale = _fitting_scale(n, width, 1180)
    grid = _grid(_enlarge(pictures, scale), n, 0)
    left, below, above = 96, 84, _title_room(title) or 12
    with style():
        figure = _canvas(left + grid.shape[2] + 16, above + grid.shape[1] + below)
        _draw_title(figure, title, left)
        _place(figure, grid, left, above)
        for index in sorted({0, n // 4, n // 2, 3 * n // 4, n - 1}):
            across, down = (index + 0.5) * width * scale, (n - index - 0.5) * height * scale
            text = f"{values[index]:.1f}".replace("-", "\N{MINUS SIGN}")
            _write(figure, left + across, above + grid.shape[1] + 20, text, size=9, color="#52606D")
            _write(figure, left - 12, above + down, text, size=9, align="right", color="#52606D")
        _write(figure, left + grid.shape[2] / 2, above + grid.shape[1] + 60, "$z_1$", size=11)
        _write(figure, 16, above + grid.shape[1] / 2, "$z_2$", size=11, rotation=90)
    return figure
