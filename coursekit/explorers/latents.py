"""Explorer of latent spaces of any size: sliders in principal order, a map, the decoded picture."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from coursekit.errors import CourseError
from coursekit.explorers.canvas import GRID, INK, SOFT, Axes, Canvas, number
from coursekit.explorers.layout import Explorer, put, slider, whole_slider
from coursekit.explorers.plane import latent_ground
from coursekit.explorers.posterior import posteriors
from coursekit.latent_space import principal_axes
from coursekit.plots.display import CLASS_COLOURS
from coursekit.plots.pictures import check_pictures
from coursekit.plots.points import label_places

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Encode = Callable[[Tensor], tuple[Tensor, Tensor]]
Decode = Callable[[Tensor], Tensor]
Draw = Callable[[torch.Generator], Tensor]

MOST_SLIDERS = 16
_WIDTH, _HEIGHT = 572, 344
_BOX = (40.0, 14.0, 340.0, 314.0)  # where `latent_ground` draws its plane
_LARGE, _SMALL, _LEFT = 196, 84, 360


def _check_labels(points: Tensor, labels: Tensor | None) -> None:
    if labels is not None and labels.shape != points.shape[:1]:
        raise CourseError(
            f"labels must have shape ({len(points)},), one for each point, "
            f"not {tuple(labels.shape)}."
        )


def _on_map(coordinates: Tensor) -> Tensor:
    """The first two principal coordinates, (N, 2); the second is 0 where K = 1."""
    flat = torch.nn.functional.pad(coordinates, (0, max(0, 2 - coordinates.shape[1])))
    return flat[:, :2]


def render_latents(
    decode: Decode,
    coordinates: Tensor,
    mean: Tensor,
    directions: Tensor,
    *,
    extent: float = 4.0,
    ground: Image.Image | None = None,
    picture: Tensor | None = None,
    device: str = "cpu",
) -> bytes:
    """The map with a crosshair, the picture decoded there, and the chosen digit, as PNG bytes.

    The picture is decoded at z = mean + coordinates @ directions; the crosshair stands at the
    first two coordinates.

    Args:
        decode: (B, K) latents to (B, C, H, W) pictures in [0, 1].
        coordinates: (K,) principal coordinates, in the latents' own units.
        mean: (K,) the latent with all coordinates 0.
        directions: (K, K) principal directions, one a row.
        extent: the map reaches from -extent to extent.
        ground: what `latent_ground` drew for the same extent; an empty plane when None.
        picture: (C, H, W) in [0, 1], the digit that one may encode; none when None.
        device: where `decode` wants its latents.

    Returns:
        PNG bytes, 1144 x 688 dots.

    Raises:
        CourseError: sizes that do not fit, or decode gives pictures of a wrong shape or range.
    """
    size = len(mean)
    if coordinates.shape != (size,) or directions.shape != (size, size):
        raise CourseError(
            f"coordinates must have shape ({size},) and directions ({size}, {size}), as mean has, "
            f"not {tuple(coordinates.shape)} and {tuple(directions.shape)}."
        )
    z = mean + coordinates @ directions
    with torch.no_grad():
        decoded = check_pictures(decode(z[None].to(device)), "decode(z)")
    canvas = Canvas(_WIDTH, _HEIGHT, latent_ground(extent=extent) if ground is None else ground)
    axes = Axes(canvas, _BOX, (-extent, extent), (-extent, extent))
    place = _on_map(coordinates[None])[0].clamp(-extent, extent)
    x, y = float(axes.across(float(place[0]))), float(axes.down(float(place[1])))
    left, top, right, bottom = _BOX
    canvas.line([x, x], [top, bottom], INK, 1)
    canvas.line([left, right], [y, y], INK, 1)
    canvas.disc(x, y, 5, "#FFFFFF", INK)
    canvas.disc(x, y, 2.5, INK)
    canvas.picture(decoded[0], _LEFT, 30, _LARGE, "decoded", size=13)
    if picture is not None:
        canvas.picture(picture, _LEFT, 256, _SMALL, "chosen digit", size=12)
        canvas.text(_LEFT + _SMALL + 12, 288, "to be encoded", size=12, colour=SOFT)
        canvas.text(_LEFT + _SMALL + 12, 306, "by the button", size=12, colour=SOFT)
    return canvas.png()


def _standard_normal(size: int) -> Draw:
    def draw(generator: torch.Generator) -> Tensor:
        return torch.randn(size, generator=generator)

    return draw


def latents(
    decode: Decode,
    encode: Encode,
    pictures: Tensor,
    points: Tensor | None = None,
    labels: Tensor | None = None,
    class_names: Sequence[str] | None = None,
    *,
    sliders: int = MOST_SLIDERS,
    sample: Draw | None = None,
    title: str = "What does each direction of the latent space hold?",
    seed: int = 0,
    device: str = "cpu",
) -> Explorer:
    """Walk through a latent space: a slider for each principal direction, a map, the picture.

    The first two sliders move the crosshair over the map, to the right and upwards; every slider
    is labelled with its direction's share of the variance of the points.

    Args:
        decode: (B, K) latents to (B, C, H, W) pictures in [0, 1].
        encode: (B, C, H, W) to (mu, log_var), both (B, K).
        pictures: (N, C, H, W) in [0, 1], the digits one may choose from and encode.
        points: (M, K) posterior means, which fix the principal directions and are drawn on the
            map; those of `pictures` when None.
        labels: (M,) class indices of the points, which colour the dots.
        class_names: names of the classes.
        sliders: how many directions get a slider, at most 16; the others follow the buttons.
        sample: draws one latent (K,) of the prior from a generator; standard normal when None.
        title: a line above.
        seed: seed of the random latents.
        device: where `encode` and `decode` want their inputs.

    Returns:
        A widget; leave it as the last line of a cell.

    Raises:
        CourseError: wrong shapes, or a number of sliders out of range.
    """
    shown, mu, _ = posteriors(pictures, encode, device)
    cloud = mu if points is None else points.detach().cpu().float()
    size = mu.shape[1]
    if cloud.ndim != 2 or cloud.shape[1] != size:
        raise CourseError(
            f"points must have shape (M, {size}), as the encoder's means have, "
            f"not {tuple(cloud.shape)}."
        )
    if not 1 <= sliders <= MOST_SLIDERS:
        raise CourseError(f"sliders must lie between 1 and {MOST_SLIDERS}, not {sliders}.")
    _check_labels(cloud, labels)
    mean, directions, shares = principal_axes(cloud)
    places, chosen = (cloud - mean) @ directions.T, (mu - mean) @ directions.T
    widest = float(torch.cat([places, chosen]).abs().max())
    extent = max(4.0, math.ceil(2.1 * widest) / 2)  # a little beyond, in halves
    ground = latent_ground(_on_map(places), labels, class_names, extent=extent)
    count = min(sliders, size)
    names = [f"direction{index + 1}" for index in range(count)]
    draw_latent = sample or _standard_normal(size)
    generator = torch.Generator().manual_seed(seed)
    beyond = torch.zeros(size)  # the coordinates that have no slider

    def coordinates_of(values: dict[str, float]) -> Tensor:
        moved = torch.tensor([values[name] for name in names])
        return torch.cat([moved, beyond[count:]])

    def draw(index: int, **values: float) -> bytes:
        return render_latents(
            decode,
            coordinates_of(values),
            mean,
            directions,
            extent=extent,
            ground=ground,
            picture=shown[index],
            device=device,
        )

    def describe(index: int, **values: float) -> str:
        coordinates = coordinates_of(values)
        z = mean + coordinates @ directions
        said = f"Digit {index} is chosen. The latent decoded has length {float(z.norm()):.2f}"
        if labels is None:
            return f"{said}; the chosen digit's has {float(mu[index].norm()):.2f}."
        near = int(labels[int((cloud - z).norm(dim=1).argmin())])
        name = str(near) if class_names is None else class_names[near]
        distance = float((mu[index] - z).norm())
        return (
            f"{said}, the nearest dot (over all {size} latents) is of class {name}, and the "
            f"chosen digit lies {distance:.2f} away."
        )

    def go_to(coordinates: Tensor) -> None:
        for name, value in zip(names, coordinates.tolist(), strict=False):
            put(explorer.controls[name], value)
        beyond.copy_(coordinates)

    controls = {"index": whole_slider("digit", 0, 0, len(shown) - 1, label_width="132px")}
    for index, name in enumerate(names):
        way = {0: ", across", 1: ", up"}.get(index, "")
        label = f"{index + 1}{way}: {100 * float(shares[index]):.1f} %"
        controls[name] = slider(label, 0.0, -extent, extent, 0.05, label_width="132px")
    explorer = Explorer(
        title,
        controls,
        draw,
        describe,
        width=_WIDTH,
        buttons={
            "encode this digit": lambda: go_to(chosen[explorer.controls["index"].value]),
            "random": lambda: go_to((draw_latent(generator).cpu() - mean) @ directions.T),
            "reset": lambda: go_to(torch.zeros(size)),
        },
        headings={names[0]: "principal directions, with their share of the variance"},
    )
    # below sixteen sliders the buttons would be out of sight: they stand under the chooser
    side = explorer.children[1].children[1]
    chooser, *others, buttons = side.children
    side.children = (chooser, buttons, *others)
    return explorer


def latents_static(
    decode: Decode,
    points: Tensor,
    labels: Tensor | None = None,
    class_names: Sequence[str] | None = None,
    *,
    directions: int = 5,
    columns: int = 9,
    reach: float = 2.0,
    device: str = "cpu",
) -> Figure:
    """The static twin of `latents`: the map, and a row of decoded pictures for each direction.

    A row moves along one principal direction from -reach to reach standard deviations of the
    points, with all other coordinates at the points' mean.

    Args:
        decode: (B, K) latents to (B, C, H, W) pictures in [0, 1].
        points: (M, K) posterior means.
        labels: (M,) class indices, which colour the dots.
        class_names: names of the classes.
        directions: how many rows; fewer where there are fewer latents.
        columns: pictures in a row.
        reach: standard deviations to either side.
        device: where `decode` wants its latents.

    Returns:
        A figure.

    Raises:
        CourseError: wrong shapes, or no row or column.
    """
    from coursekit.plots.display import new_figure, style

    if directions < 1 or columns < 2:
        raise CourseError(
            "latents_static needs at least 1 direction and 2 columns, "
            f"not {directions} and {columns}."
        )
    _check_labels(points, labels)
    cloud = points.detach().cpu().float()
    mean, axes_of, shares = principal_axes(cloud)
    places = (cloud - mean) @ axes_of.T
    spread = places.std(dim=0, unbiased=False)
    rows = min(directions, cloud.shape[1])
    steps = torch.linspace(-reach, reach, columns)
    z = torch.cat([mean + steps[:, None] * spread[row] * axes_of[row] for row in range(rows)])
    with torch.no_grad():
        decoded = check_pictures(decode(z.to(device)), "decode(z)")
    # a row of pictures becomes one wide picture, with a thin light gap between neighbours
    gapped = torch.nn.functional.pad(decoded, (1, 1, 1, 1), value=0.75)
    strips = gapped.unflatten(0, (rows, columns)).permute(0, 3, 1, 4, 2).flatten(2, 3)
    dots = _on_map(places).numpy()
    indices = np.zeros(len(dots), int) if labels is None else labels.cpu().numpy()
    with style():
        figure = new_figure(9.6, max(3.9, 0.25 + 0.72 * rows))
        grid = figure.add_gridspec(rows, 2, width_ratios=(1, 1.45))
        plane = figure.add_subplot(grid[:, 0])
        for index in np.unique(indices):
            own = dots[indices == index]
            colour = SOFT if labels is None else CLASS_COLOURS[index % len(CLASS_COLOURS)]
            plane.scatter(own[:, 0], own[:, 1], s=6, color=colour, alpha=0.55, linewidths=0)
        apart = 0.07 * float(np.ptp(dots, axis=0).max())
        named = {} if labels is None else label_places(dots, indices, apart)
        for index, (x, y) in named.items():
            plane.text(
                x,
                y,
                str(index) if class_names is None else str(class_names[index]),
                color=CLASS_COLOURS[index % len(CLASS_COLOURS)],
                size=11,
                weight="bold",
                ha="center",
                va="center",
                bbox={"facecolor": "white", "edgecolor": GRID, "boxstyle": "round,pad=0.15"},
            )
        plane.set(xlabel="principal coordinate 1", ylabel="principal coordinate 2")
        plane.set_aspect("equal", adjustable="datalim")
        for row in range(rows):
            panel = figure.add_subplot(grid[row, 1])
            strip = strips[row].numpy()
            panel.imshow(
                strip[..., 0] if strip.shape[2] == 1 else strip,
                cmap="gray",
                vmin=0,
                vmax=1,
                interpolation="nearest",
            )
            panel.grid(visible=False)
            panel.set(xticks=[], yticks=[])
            share = f"{row + 1}: {100 * float(shares[row]):.0f} %"
            panel.set_ylabel(share, rotation=0, ha="right", va="center", labelpad=6)
            for side in panel.spines.values():
                side.set_visible(False)
            if row == 0:
                panel.set_title(
                    f"along each direction, {number(-reach, 0)} to {reach:g} standard deviations",
                    size=10,
                )
    return figure
