"""Explorer of notebook 05: a label, a latent, and the same latent with every label."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import ipywidgets as widgets
import torch
from torch import Tensor

from coursekit.errors import CourseError
from coursekit.explorers.canvas import SOFT, Canvas, number
from coursekit.explorers.layout import Explorer, put, slider
from coursekit.plots.display import VERMILLION
from coursekit.plots.pictures import check_pictures, pictures_beside

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Decode = Callable[[Tensor, Tensor], Tensor]

_WIDTH, _HEIGHT, _LARGE, _SMALL = 540, 236, 168, 56
_LEFT, _TOP, _SIDE_LEFT, _STEP = 14, 46, 216, 64


def _all_labels(decode: Decode, z: Tensor, classes: int, device: str) -> Tensor:
    """The picture of each label, all from the one latent z (K,)."""
    if z.ndim != 1 or len(z) == 0:
        raise CourseError(f"z must be one latent of shape (K,), not {tuple(z.shape)}.")
    labels = torch.arange(classes, device=device)
    with torch.no_grad():
        decoded = check_pictures(
            decode(z.to(device).expand(classes, -1), labels), "decode(z, labels)"
        )
    if len(decoded) != classes:
        raise CourseError(
            f"decode(z, labels) gives {len(decoded)} pictures for {classes} latents and labels."
        )
    return decoded


def render_label_sliders(
    decode: Decode,
    z: Tensor,
    label: int,
    *,
    classes: int = 10,
    device: str = "cpu",
    name: str = "z",
) -> bytes:
    """The picture of one label, large, and the same z with every label, as PNG bytes.

    Args:
        decode: latents (B, K) and labels (B,) to (B, C, H, W) pictures in [0, 1].
        z: (K,) the latent.
        label: which picture is large, and framed among the others.
        classes: how many labels there are.
        device: where `decode` wants its inputs.
        name: what z is called in the picture.

    Returns:
        PNG bytes, 1080 x 472 dots for up to ten classes.

    Raises:
        CourseError: a label that does not exist, or z or pictures of a wrong shape or range.
    """
    if not 0 <= label < classes:
        raise CourseError(f"label must lie between 0 and {classes - 1}, not {label}.")
    decoded = _all_labels(decode, z, classes, device)
    rows = max(2, math.ceil(classes / 5))
    canvas = Canvas(_WIDTH, max(_HEIGHT, _TOP + rows * 82 + 16))
    canvas.text(_LEFT, 16, f"label {label}", size=13, bold=True)
    canvas.picture(decoded[label], _LEFT, _TOP, _LARGE)
    canvas.text(_SIDE_LEFT, 16, f"the same {name} with every label", size=13)
    for index, picture in enumerate(decoded):
        row, column = divmod(index, 5)
        x, y = _SIDE_LEFT + column * _STEP, _TOP + row * 88
        if index == label:
            edge = (x - 3, y - 3, x + _SMALL + 3, y + _SMALL + 3)
            canvas.rectangle(edge, fill=VERMILLION)
        canvas.picture(picture, x, y, _SMALL)
        colour = VERMILLION if index == label else SOFT
        canvas.text(
            x + _SMALL / 2, y + _SMALL + 13, str(index), size=12, colour=colour, anchor="mm",
            bold=index == label,
        )  # fmt: skip
    return canvas.png()


def _chosen(latents: int | Sequence[int], latent_size: int) -> list[int]:
    if latent_size < 1:
        raise CourseError(f"latent_size must be at least 1, not {latent_size}.")
    wanted = range(min(latents, latent_size)) if isinstance(latents, int) else latents
    chosen = [int(index) for index in wanted]
    if not chosen or len(set(chosen)) < len(chosen) or not set(chosen) <= set(range(latent_size)):
        raise CourseError(
            f"latents must be a number of at least 1, or different indices below {latent_size}, "
            f"not {latents}."
        )
    return chosen


def label_sliders(
    decode: Decode,
    latent_size: int,
    *,
    classes: int = 10,
    latents: int | Sequence[int] = 6,
    reach: float = 3.0,
    seed: int = 0,
    device: str = "cpu",
    name: str = "z",
) -> Explorer:
    """Choose a label, move the latents; see its picture, and the same z with every label.

    Args:
        decode: latents (B, K) and labels (B,) to (B, C, H, W) pictures in [0, 1].
        latent_size: K.
        classes: how many labels there are.
        latents: how many of the first latents get a slider, or which ones.
        reach: the sliders reach from -reach to reach.
        seed: of the button that draws a new z; those latents without a slider follow it too.
        device: where `decode` wants its inputs.
        name: what z is called; "noise" where `decode` places it by the label's own prior.

    Returns:
        A widget; leave it as the last line of a cell.

    Raises:
        CourseError: latents that do not exist, or pictures of a wrong shape.
    """
    chosen = _chosen(latents, latent_size)
    generator = torch.Generator().manual_seed(seed)
    rest = torch.zeros(latent_size)

    def latent_of(values: dict[str, float]) -> Tensor:
        z = rest.clone()
        for index in chosen:
            z[index] = values[f"z{index}"]
        return z

    def draw(label: int, **values: float) -> bytes:
        return render_label_sliders(
            decode, latent_of(values), label, classes=classes, device=device, name=name
        )

    def describe(label: int, **values: float) -> str:
        length = number(float(latent_of(values).norm()), 2)
        typical = number(math.sqrt(latent_size), 2)
        return (
            f"Label {label}: {name} of length {length} (a draw from N(0, I) in {latent_size} "
            f"dimensions: about {typical})."
        )

    def go_to(z: Tensor) -> None:
        rest.copy_(z)
        for index in chosen:
            put(explorer.controls[f"z{index}"], float(z[index]))

    def new_style() -> None:
        go_to(torch.randn(latent_size, generator=generator))

    def centre() -> None:
        go_to(torch.zeros(latent_size))

    controls: dict[str, widgets.Widget] = {
        "label": widgets.ToggleButtons(
            options=[(str(index), index) for index in range(classes)],
            value=0,
            description="label",
            tooltips=[f"label {index}" for index in range(classes)],
            style={"description_width": "44px", "button_width": "34px"},
            layout=widgets.Layout(width="396px", margin="1px 0"),
        )
    }
    for index in chosen:
        controls[f"z{index}"] = slider(f"{name}[{index}]", 0.0, -reach, reach, reach / 30)
    called = name if len(name) == 1 else f"the {name}"
    explorer = Explorer(
        f"What does the label say, and what does {called}?",
        controls,
        draw,
        describe,
        width=_WIDTH,
        buttons={"new style": new_style, "to the centre": centre},
        headings={f"z{chosen[0]}": "latents" if name == "z" else name},
    )
    return explorer


def label_sliders_static(
    decode: Decode,
    latent_size: int,
    *,
    classes: int = 10,
    latents: int | Sequence[int] = 3,
    styles: int = 3,
    label: int = 3,
    reach: float = 3.0,
    seed: int = 0,
    device: str = "cpu",
    name: str = "z",
) -> Figure:
    """The static twin of `label_sliders`: each z with every label, and latents moved for one.

    Rows: z = 0 and a few draws from N(0, I), each with all labels; then, for one label, the
    chosen latents from -reach to reach with all others at 0.

    Args:
        decode: latents (B, K) and labels (B,) to (B, C, H, W) pictures in [0, 1].
        latent_size: K.
        classes: how many labels there are, at least 2.
        latents: how many of the first latents are moved, or which ones.
        styles: draws of z.
        label: the label for which latents are moved.
        reach: how far.
        seed: of the draws.
        device: where `decode` wants its inputs.
        name: what z is called, as for `label_sliders`.

    Raises:
        CourseError: latents or a label that do not exist, or pictures of a wrong shape.
    """
    chosen = _chosen(latents, latent_size)
    if not 0 <= label < classes:
        raise CourseError(f"label must lie between 0 and {classes - 1}, not {label}.")
    draws = torch.randn(styles, latent_size, generator=torch.Generator().manual_seed(seed))
    rows = {f"{name} = 0": _all_labels(decode, torch.zeros(latent_size), classes, device)}
    for index, z in enumerate(draws):
        rows[f"{name}, draw {index + 1}"] = _all_labels(decode, z, classes, device)
    wanted = torch.full((classes,), label, device=device)
    for index in chosen:
        z = torch.zeros(classes, latent_size)
        z[:, index] = torch.linspace(-reach, reach, classes)
        with torch.no_grad():
            moved = check_pictures(decode(z.to(device), wanted), "decode(z, labels)")
        rows[f"label {label}, {name}[{index}]:\n{number(-reach, 0)} to {reach:g}"] = moved
    return pictures_beside(rows, columns=classes, scale=3)
