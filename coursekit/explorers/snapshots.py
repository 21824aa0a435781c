"""Explorers of notebook 07: the same latents while a network learns, a walk through latents."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from coursekit.errors import CourseError
from coursekit.explorers.canvas import SOFT, Axes, Canvas, mixed, number
from coursekit.explorers.layout import Explorer, put, whole_slider
from coursekit.latent_space import slerp
from coursekit.plots.display import CLASS_COLOURS, COLOURS
from coursekit.plots.pictures import check_pictures, pictures_beside

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Decode = Callable[[Tensor], Tensor]
Read = Callable[[Tensor], tuple[Tensor, Tensor]]

_LEFT, _TOP, _THUMB, _STEP, _COLUMNS = 14, 36, 56, 60, 6
_CHART_LEFT, _CHART_HEIGHT = 436, 300
_SNAPSHOTS_WIDTH = 700


def _moments(snapshots: Mapping[int, Tensor]) -> tuple[list[int], list[Tensor]]:
    """The epochs in their order, and the pictures of each."""
    if not snapshots:
        raise CourseError("snapshots is empty; give pictures by epoch, such as {0: x, 10: y}.")
    epochs = sorted(snapshots)
    pictures = [check_pictures(snapshots[epoch], f"snapshot {epoch}") for epoch in epochs]
    shapes = {tuple(part.shape) for part in pictures}
    if len(shapes) > 1:
        raise CourseError(
            f"All snapshots need the same number and size of pictures, not {sorted(shapes)}."
        )
    return epochs, pictures


def _curves(curves: Mapping[str, Sequence[float]] | None) -> dict[str, np.ndarray]:
    found = {name: np.asarray(values, dtype=float) for name, values in (curves or {}).items()}
    if len({len(values) for values in found.values()}) > 1:
        raise CourseError("All curves need the same number of values, one for each epoch.")
    for name, values in found.items():
        if values.ndim != 1 or not len(values) or not np.isfinite(values).all():
            raise CourseError(f"The curve {name!r} needs finite values, one for each epoch.")
    return found


def render_snapshot(
    pictures: Tensor,
    epoch: int,
    curves: Mapping[str, Sequence[float]] | None = None,
) -> bytes:
    """The pictures of one moment of a training, and where on its curves that moment lies.

    Args:
        pictures: (N, C, H, W) in [0, 1]; at most 36 are drawn, six in a row.
        epoch: how many epochs had been trained.
        curves: name to a value for each epoch, from epoch 1; drawn beside the pictures.

    Returns:
        PNG bytes, 1400 dots wide.

    Raises:
        CourseError: pictures of a wrong shape or range, curves of different length.
    """
    shown = check_pictures(pictures)[: _COLUMNS**2]
    rows = -(-len(shown) // _COLUMNS)
    canvas = Canvas(_SNAPSHOTS_WIDTH, max(_TOP + rows * _STEP + 6, _CHART_HEIGHT))
    said = "before the first step" if epoch == 0 else f"after {epoch} epoch{'s' * (epoch > 1)}"
    canvas.text(_LEFT, 18, said, size=13, bold=True)
    for index, picture in enumerate(shown):
        row, column = divmod(index, _COLUMNS)
        canvas.picture(picture, _LEFT + column * _STEP, _TOP + row * _STEP, _THUMB)
    _draw_curves(canvas, _curves(curves), epoch)
    return canvas.png()


def _draw_curves(canvas: Canvas, curves: dict[str, np.ndarray], epoch: int) -> None:
    """The curves at the right, with a line at the epoch."""
    if not curves:
        return
    values = np.concatenate(list(curves.values()))
    last = len(next(iter(curves.values())))
    low, high = float(values.min()), float(values.max())
    room = 0.08 * (high - low) or 1.0
    box = (_CHART_LEFT, 30.0 + 18 * len(curves), canvas.width - 16.0, _CHART_HEIGHT - 30.0)
    axes = Axes(canvas, box, (0, max(1, last)), (low - room, high + room))
    steps = max(1, round(last / 5))
    ticks = [low, (low + high) / 2, high] if high > low else [low]
    axes.grid(list(range(0, last + 1, steps)), ticks, digits=1)
    left, top, right, bottom = box
    canvas.text((left + right) / 2, bottom + 24, "epoch", size=11, colour=SOFT, anchor="mm")
    for place, (name, curve) in enumerate(curves.items()):
        colour = COLOURS[place % len(COLOURS)]
        across, down = axes.across(np.arange(1, last + 1)), axes.down(curve)
        if last > 1:
            canvas.line(across, down, colour, 2)
        if epoch <= last:
            at = max(1, epoch) - 1
            canvas.disc(float(across[at]), float(down[at]), 4, colour, "#FFFFFF")
        height = 18 + 18 * place
        canvas.line([left, left + 22], [height, height], colour, 3)
        canvas.text(left + 30, height, name, size=12, colour=SOFT)
    here = float(axes.across(min(epoch, last)))
    canvas.line([here, here], [top, bottom], SOFT, 1)


def snapshots(
    pictures: Mapping[int, Tensor], curves: Mapping[str, Sequence[float]] | None = None
) -> Explorer:
    """Move through the time of a training: what the same latents gave after so many epochs.

    Args:
        pictures: epoch to (N, C, H, W) in [0, 1], uint8 or float, from the same latents in the
            same order each time; epoch 0 is before the first step.
        curves: name to a value for each epoch, from epoch 1, such as the judge's mean logits.

    Returns:
        A widget; leave it as the last line of a cell.

    Raises:
        CourseError: no snapshot, snapshots of different shape, curves of different length.
    """
    epochs, moments = _moments(pictures)
    _curves(curves)  # which says so if they are wrong

    def draw(moment: int) -> bytes:
        return render_snapshot(moments[moment], epochs[moment], curves)

    def describe(moment: int) -> str:
        said = f"Epoch {epochs[moment]}: mean grey {_ink(moments[moment])} % of white"
        if moment:
            moved = 100 * float((moments[moment] - moments[moment - 1]).abs().mean())
            said += f"; mean change since epoch {epochs[moment - 1]}: {number(moved, 1)} %"
        return said + "."

    def go(step: int) -> Callable[[], None]:
        return lambda: put(explorer.controls["moment"], explorer.controls["moment"].value + step)

    explorer = Explorer(
        "The same latents while the networks learn",
        {"moment": whole_slider("snapshot", len(epochs) - 1, 0, len(epochs) - 1)},
        draw,
        describe,
        width=_SNAPSHOTS_WIDTH,
        buttons={"earlier": go(-1), "later": go(1)},
    )
    return explorer


def _ink(pictures: Tensor) -> str:
    return number(100 * float(pictures.mean()), 1)


def snapshots_static(pictures: Mapping[int, Tensor], *, columns: int = 12) -> Figure:
    """The static twin of `snapshots`: a row for each moment, a column for each latent.

    Args:
        pictures: as for `snapshots`.
        columns: how many of the latents are shown.

    Raises:
        CourseError: no snapshot, or snapshots of different shape.
    """
    epochs, moments = _moments(pictures)
    names = ["at the start" if epoch == 0 else f"epoch {epoch}" for epoch in epochs]
    rows = {name: part[:columns] for name, part in zip(names, moments, strict=True)}
    return pictures_beside(rows, columns=columns, scale=3)


_WALK_WIDTH, _WALK_HEIGHT, _LARGE = 652, 330, 140
_STRIP, _STRIP_TOP = 13, 200


def _walk(latents: Tensor, steps: int, closed: bool) -> Tensor:
    """Places along the arcs from each latent to the next, (T, K), the last one included."""
    if latents.ndim != 2 or len(latents) < 2 or not torch.isfinite(latents).all():
        raise CourseError(
            f"latents must be at least 2 finite rows, (N, K), not {tuple(latents.shape)}."
        )
    if steps < 1:
        raise CourseError(f"steps is {steps}; at least 1 step between two latents is needed.")
    stops = latents.detach().cpu().float()
    if closed:
        stops = torch.cat([stops, stops[:1]])
    weights = torch.arange(steps) / steps
    arcs = [slerp(a, b, weights) for a, b in pairwise(stops)]
    return torch.cat([*arcs, stops[-1:]])


def _decoded(decode: Decode, z: Tensor, device: str) -> Tensor:
    with torch.no_grad():
        pictures = torch.cat(
            [check_pictures(decode(p.to(device)), "decode(z)") for p in z.split(64)]
        )
    if len(pictures) != len(z):
        raise CourseError(f"decode(z) gives {len(pictures)} pictures for {len(z)} latents.")
    return pictures


def render_walk(
    pictures: Tensor,
    place: int,
    steps: int,
    reading: tuple[Tensor, Tensor] | None = None,
) -> bytes:
    """One place of a walk: its picture, its neighbours, and how a judge reads the whole walk.

    Args:
        pictures: (T, C, H, W) in [0, 1], all places of the walk.
        place: which of them, from 0.
        steps: places from one latent to the next.
        reading: the class read at each place, (T,), and the confidence in it, (T,).

    Returns:
        PNG bytes, 1304 x 660 dots.

    Raises:
        CourseError: a place outside of the walk, or readings of another length.
    """
    count = len(pictures)
    if not 0 <= place < count:
        raise CourseError(f"The walk has places 0 to {count - 1}, not {place}.")
    canvas = Canvas(_WALK_WIDTH, _WALK_HEIGHT)
    leg, part = divmod(place, steps)
    title = f"latent {leg + 1}" + (f", {part} of {steps} steps to the next" if part else "")
    canvas.text(_LEFT, 18, title, size=13, bold=True)
    canvas.picture(pictures[place], (_WALK_WIDTH - _LARGE) / 2, 40, _LARGE)
    side = (_WALK_WIDTH - 2 * _LEFT) / _STRIP
    for index in range(_STRIP):
        near = place + index - _STRIP // 2
        if 0 <= near < count:
            left = _LEFT + index * side
            canvas.picture(pictures[near], left + 1, _STRIP_TOP, side - 2)
            if near == place:
                frame = (left - 2, _STRIP_TOP - 4, left + side + 1, _STRIP_TOP + side + 2)
                canvas.rectangle(frame, outline=COLOURS[1], width=2)
    if reading is not None:
        _draw_reading(canvas, place, steps, reading, count)
    return canvas.png()


def _draw_reading(
    canvas: Canvas, place: int, steps: int, reading: tuple[Tensor, Tensor], count: int
) -> None:
    """A bar for each place, as high as the judge is sure, in the colour of the class it reads."""
    labels, sure = reading
    if len(labels) != count or len(sure) != count:
        raise CourseError(f"There are {len(labels)} readings for {count} places; one each, please.")
    left, right, top, bottom = 58.0, _WALK_WIDTH - _LEFT, 276.0, 314.0
    canvas.text(left - 8, top, "sure", size=11, colour=SOFT, anchor="rm")
    canvas.text(left - 8, bottom, "0", size=11, colour=SOFT, anchor="rm")
    width = (right - left) / count
    for index, (label, value) in enumerate(zip(labels.tolist(), sure.tolist(), strict=True)):
        at = left + index * width
        colour = CLASS_COLOURS[label % len(CLASS_COLOURS)]
        fill = colour if index == place else mixed(colour, 0.45)
        canvas.rectangle((at, bottom - value * (bottom - top), at + width, bottom), fill=fill)
        begins = index == 0 or label != int(labels[index - 1])
        if begins and index + 2 < count and int(labels[index + 1]) == label:
            canvas.text(at + 1, top - 7, str(label), size=11, colour=SOFT)
    for stop in range(0, count, steps):
        at = left + (stop + 0.5) * width
        canvas.line([at, at], [bottom + 2, bottom + 8], SOFT, 1)


def latent_walk(
    decode: Decode,
    latents: Tensor,
    read: Read | None = None,
    *,
    steps: int = 20,
    device: str = "cpu",
) -> Explorer:
    """Walk through latents on arcs, from each to the next and back to the first.

    All pictures are computed beforehand, so that a slow generator is as quick to explore as a
    fast one.

    Args:
        decode: latents (B, K) to (B, C, H, W) pictures in [0, 1].
        latents: (N, K), at least two, at most 12.
        read: pictures to the class read, (B,) whole numbers, and the confidence, (B,).
        steps: places from one latent to the next.
        device: where `decode` and `read` want their arguments.

    Returns:
        A widget; leave it as the last line of a cell.

    Raises:
        CourseError: latents or pictures of a wrong shape.
    """
    places = _walk(latents, steps, closed=True)
    if len(latents) > 12:
        raise CourseError(f"latents has {len(latents)} rows; a walk has 12 stops at most.")
    pictures = _decoded(decode, places, device)
    reading: tuple[Tensor, Tensor] | None = None
    if read is not None:
        with torch.no_grad():
            labels, sure = read(pictures.to(device))
        reading = (labels.cpu(), sure.cpu())

    def draw(place: int) -> bytes:
        return render_walk(pictures, place, steps, reading)

    def describe(place: int) -> str:
        leg, part = divmod(place, steps)
        said = f"Between latent {leg + 1} and the next, {part} of {steps} steps" if part else ""
        said = said or f"At latent {leg % len(latents) + 1}"
        if reading is not None:
            label, confidence = int(reading[0][place]), float(reading[1][place])
            said += f": read as {label}, with confidence {number(confidence)}"
        return said + f"; length of z {number(float(places[place].norm()), 1)}."

    def next_latent() -> None:
        control = explorer.controls["place"]
        put(control, (control.value // steps + 1) * steps % (len(places) - 1))

    explorer = Explorer(
        "A walk through latents",
        {"place": whole_slider("place", 0, 0, len(places) - 1)},
        draw,
        describe,
        width=_WALK_WIDTH,
        buttons={"next latent": next_latent},
    )
    return explorer


def latent_walk_static(
    decode: Decode, latents: Tensor, *, columns: int = 7, device: str = "cpu"
) -> Figure:
    """The static twin of `latent_walk`: a row for each leg, both of its ends included.

    Args:
        decode: latents (B, K) to (B, C, H, W) pictures in [0, 1].
        latents: (N, K); each row goes from one to the next.
        columns: pictures in a row, at least 2.
        device: where `decode` wants its latents.

    Raises:
        CourseError: latents or pictures of a wrong shape.
    """
    if columns < 2:
        raise CourseError(f"columns is {columns}; a row shows both ends and needs at least 2.")
    pictures = _decoded(decode, _walk(latents, columns - 1, closed=False), device)
    rows = {
        f"from {leg + 1} to {leg + 2}": pictures[
            leg * (columns - 1) : (leg + 1) * (columns - 1) + 1
        ]
        for leg in range(len(latents) - 1)
    }
    return pictures_beside(rows, columns=columns, scale=4)
