"""Explorer of latent planes: two sliders, a crosshair, and the decoded picture beside it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from coursekit.errors import CourseError
from coursekit.explorers.canvas import GRID, INK, SOFT, Axes, Canvas, mixed, number
from coursekit.explorers.layout import Explorer, put, slider
from coursekit.plots.display import CLASS_COLOURS
from coursekit.plots.pictures import check_pictures
from coursekit.plots.points import check_points, label_places

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Decode = Callable[[Tensor], Tensor]

_WIDTH, _HEIGHT = 572, 344
_BOX = (40.0, 14.0, 340.0, 314.0)
_SIDE, _PICTURE_LEFT = 196, 360


def _check_extent(extent: float) -> None:
    if not (np.isfinite(extent) and extent > 0):
        raise CourseError(f"extent must be a positive number, not {extent}.")


def latent_ground(
    points: Tensor | None = None,
    labels: Tensor | None = None,
    class_names: Sequence[str] | None = None,
    *,
    extent: float = 3.5,
) -> Image.Image:
    """The plane without crosshair, drawn once: grid, points coloured by class, class names.

    Args:
        points: (N, 2) latents, or None for an empty plane.
        labels: (N,) class indices of the points, or None.
        class_names: names of the classes; their indices when None.
        extent: the plane reaches from -extent to extent.

    Returns:
        An image that `render_latent_plane` takes as `ground`.

    Raises:
        CourseError: wrong shapes, or an extent that is not positive.
    """
    _check_extent(extent)
    canvas = Canvas(_WIDTH, _HEIGHT)
    axes = Axes(canvas, _BOX, (-extent, extent), (-extent, extent))
    step = max(1, round(extent / 3))
    ticks = [float(tick) for tick in range(-int(extent), int(extent) + 1) if tick % step == 0]
    axes.grid(ticks, ticks)
    left, top, right, bottom = _BOX
    if points is not None:
        classes = torch.zeros(len(points), dtype=torch.long) if labels is None else labels
        places, indices = check_points(points, classes)
        inside = np.abs(places).max(axis=1) <= extent
        for (x, y), index in zip(places[inside], indices[inside], strict=True):
            colour = SOFT if labels is None else CLASS_COLOURS[index % len(CLASS_COLOURS)]
            canvas.disc(float(axes.across(x)), float(axes.down(y)), 1.7, mixed(colour, 0.7))
        named = label_places(places, indices, 0.12 * extent) if labels is not None else {}
        for index, place in named.items():
            x, y = np.clip(place, -0.96 * extent, 0.96 * extent)
            name = str(index) if class_names is None else str(class_names[index])
            canvas.text(
                float(axes.across(x)),
                float(axes.down(y)),
                name,
                size=15,
                colour=CLASS_COLOURS[index % len(CLASS_COLOURS)],
                anchor="mm",
                bold=True,
                halo=2,
            )
    canvas.rectangle((left, top, right, bottom), outline="#9AA5B1", width=0.5)
    return canvas.image


def render_latent_plane(
    decode: Decode,
    z1: float,
    z2: float,
    *,
    extent: float = 3.5,
    ground: Image.Image | None = None,
    device: str = "cpu",
) -> bytes:
    """The plane with a crosshair at (z1, z2), and the decoded picture beside it, as PNG bytes.

    Args:
        decode: (B, 2) latents to (B, C, H, W) pictures in [0, 1].
        z1: first latent, to the right.
        z2: second latent, upwards.
        extent: the plane reaches from -extent to extent.
        ground: what `latent_ground` drew for the same extent; an empty plane when None.
        device: where `decode` wants its latents.

    Returns:
        PNG bytes, 1144 x 688 dots.

    Raises:
        CourseError: decode gives pictures of a wrong shape or range.
    """
    with torch.no_grad():
        decoded = check_pictures(decode(torch.tensor([[z1, z2]], device=device)), "decode(z)")
    canvas = Canvas(_WIDTH, _HEIGHT, latent_ground(extent=extent) if ground is None else ground)
    axes = Axes(canvas, _BOX, (-extent, extent), (-extent, extent))
    x, y = float(axes.across(z1)), float(axes.down(z2))
    left, top, right, bottom = _BOX
    canvas.line([x, x], [top, bottom], INK, 1)
    canvas.line([left, right], [y, y], INK, 1)
    canvas.disc(x, y, 5, "#FFFFFF", INK)
    canvas.disc(x, y, 2.5, INK)
    upper = (_BOX[1] + _BOX[3] - _SIDE) / 2
    caption = f"decoded at ({number(z1)}, {number(z2)})"
    canvas.picture(decoded[0], _PICTURE_LEFT, upper, _SIDE, caption, size=13)
    return canvas.png()


def _extent_of(points: Tensor | None, extent: float | None) -> float:
    """The extent given, or the one that holds 99 % of the points, or 3.5."""
    if extent is not None:
        _check_extent(extent)
        return float(extent)
    if points is None or len(points) == 0:
        return 3.5
    reach = points.detach().abs().amax(dim=1).float().sort().values
    return max(1.0, 1.1 * float(reach[int(0.99 * (len(reach) - 1))]))


def latent_plane(
    decode: Decode,
    points: Tensor | None = None,
    labels: Tensor | None = None,
    class_names: Sequence[str] | None = None,
    *,
    extent: float | None = None,
    title: str = "What lies where in the latent plane?",
    device: str = "cpu",
) -> Explorer:
    """Two sliders move a crosshair over a latent plane; the picture decoded there stands beside it.

    Args:
        decode: (B, 2) latents to (B, C, H, W) pictures in [0, 1].
        points: (N, 2) latents of pictures, drawn as dots.
        labels: (N,) class indices, which colour the dots.
        class_names: names of the classes.
        extent: the plane reaches from -extent to extent; chosen to hold the points when None.
        title: a line above.
        device: where `decode` wants its latents.

    Returns:
        A widget; leave it as the last line of a cell.

    Raises:
        CourseError: wrong shapes.
    """
    reach = _extent_of(points, extent)
    ground = latent_ground(points, labels, class_names, extent=reach)
    step = reach / 40

    def draw(z1: float, z2: float) -> bytes:
        return render_latent_plane(decode, z1, z2, extent=reach, ground=ground, device=device)

    def describe(z1: float, z2: float) -> str:
        where = f"The picture decoded at z = ({number(z1)}, {number(z2)})"
        if points is None or labels is None:
            return f"{where}."
        near = int((points.cpu() - torch.tensor([z1, z2])).norm(dim=1).argmin())
        index = int(labels[near])
        name = str(index) if class_names is None else class_names[index]
        return f"{where}; the nearest dot is of class {name}."

    def centre() -> None:
        put(explorer.controls["z1"], 0.0)
        put(explorer.controls["z2"], 0.0)

    explorer = Explorer(
        title,
        {
            "z1": slider("z[1], across", 0.0, -reach, reach, step),
            "z2": slider("z[2], up", 0.0, -reach, reach, step),
        },
        draw,
        describe,
        width=_WIDTH,
        buttons={"to the centre": centre},
    )
    return explorer


def latent_plane_static(
    decode: Decode,
    points: Tensor | None = None,
    labels: Tensor | None = None,
    class_names: Sequence[str] | None = None,
    *,
    extent: float | None = None,
    places: Sequence[tuple[float, float]] | None = None,
    device: str = "cpu",
) -> Figure:
    """The static twin of `latent_plane`: six lettered places in the plane, decoded beside it.

    Args:
        decode: (B, 2) latents to (B, C, H, W) pictures in [0, 1].
        points: (N, 2) latents of pictures, drawn as dots.
        labels: (N,) class indices, which colour the dots.
        class_names: names of the classes.
        extent: the plane reaches from -extent to extent; chosen to hold the points when None.
        places: six places to decode; spread over the plane when None.
        device: where `decode` wants its latents.

    Returns:
        A figure.

    Raises:
        CourseError: wrong shapes, or not six places.
    """
    from coursekit.plots.display import new_figure, style

    reach = _extent_of(points, extent)
    if places is None:
        places = [(x * reach, y * reach) for y in (0.55, 0.0, -0.55) for x in (-0.5, 0.5)]
    if len(places) != 6:
        raise CourseError(f"latent_plane_static decodes six places, not {len(places)}.")
    z = torch.tensor(list(places), dtype=torch.float32)
    with torch.no_grad():
        decoded = check_pictures(decode(z.to(device)), "decode(z)")
    with style():
        figure = new_figure(7.6, 4.4)
        axes = figure.subplot_mosaic(
            [["plane", "A", "B"], ["plane", "C", "D"], ["plane", "E", "F"]],
            width_ratios=(3.3, 1, 1),
        )
        plane = axes["plane"]
        if points is not None:
            classes = torch.zeros(len(points), dtype=torch.long) if labels is None else labels
            dots, indices = check_points(points, classes)
            for index in np.unique(indices):
                own = dots[indices == index]
                colour = SOFT if labels is None else CLASS_COLOURS[index % len(CLASS_COLOURS)]
                plane.scatter(own[:, 0], own[:, 1], s=7, color=colour, alpha=0.55, linewidths=0)
            named = label_places(dots, indices, 0.14 * reach) if labels is not None else {}
            for index, (x, y) in named.items():
                name = str(index) if class_names is None else str(class_names[index])
                colour = CLASS_COLOURS[index % len(CLASS_COLOURS)]
                ground = {"facecolor": "white", "edgecolor": GRID, "boxstyle": "round,pad=0.15"}
                plane.text(
                    x,
                    y,
                    name,
                    color=colour,
                    size=11,
                    weight="bold",
                    bbox=ground,
                    ha="center",
                    va="center",
                    clip_on=True,
                )
        for letter, (x, y), picture in zip("ABCDEF", places, decoded, strict=True):
            plane.plot(x, y, marker="+", color=INK, markersize=13, markeredgewidth=2)
            plane.annotate(
                letter, (x, y), xytext=(7, 5), textcoords="offset points", size=12, weight="bold"
            )
            panel = axes[letter]
            shown = picture.permute(1, 2, 0).numpy()
            panel.imshow(
                shown.squeeze(-1) if shown.shape[2] == 1 else shown,
                cmap="gray",
                vmin=0,
                vmax=1,
                interpolation="nearest",
            )
            panel.set_axis_off()
            panel.set_title(letter, loc="center", weight="bold")
        plane.set(
            xlim=(-reach, reach),
            ylim=(-reach, reach),
            xlabel="$z_1$",
            ylabel="$z_2$",
            aspect="equal",
        )
    return figure
