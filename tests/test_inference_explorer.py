"""The explorer of notebook 04 without a browser: what is drawn, how fast, what is wired."""

from __future__ import annotations

import io
import statistics
import time

import ipywidgets as widgets
import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from PIL import Image

from coursekit import explorers
from coursekit.errors import CourseError

STORED, LATENTS = 9, 2
LEFTS = [14 + column * (120 + (560 - 28 - 480) / 3) for column in range(4)]


def opened(png: bytes) -> np.ndarray:
    image = Image.open(io.BytesIO(png))
    assert image.format == "PNG" and image.mode == "RGB"
    return np.asarray(image).astype(int)


def decode(z: torch.Tensor) -> torch.Tensor:
    """8 x 8 pictures, the left half as bright as ndtr(z[0]), the right half as ndtr(z[1])."""
    left, right = (torch.special.ndtr(z[:, k])[:, None, None, None] for k in range(2))
    return torch.cat([left.expand(-1, 1, 8, 4), right.expand(-1, 1, 8, 4)], dim=3)


def optimise(x: torch.Tensor, mask: torch.Tensor) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """The means walk from 0 to the brightness of what is seen, the variances shrink."""
    aim = (x * mask).sum() / mask.sum()
    return [
        (torch.full((1, LATENTS), float(2 * aim - 1) * k / 8), torch.full((1, LATENTS), -k / 4))
        for k in range(STORED)
    ]


def elbo(
    x: torch.Tensor, mask: torch.Tensor, mu: torch.Tensor, log_var: torch.Tensor
) -> torch.Tensor:
    """Minus the number of pixels seen, then rising with the step."""
    return -mask.sum() - log_var[:, 0] * 4 + 0 * x.flatten(1).sum(dim=1)


def pictures(n: int = 6) -> torch.Tensor:
    return torch.rand(n, 1, 8, 8, generator=torch.Generator().manual_seed(3))


MASKS = explorers.standard_masks(8, 8)


def path(index: int = 0, mask: str = "left half", **more: object) -> object:
    return explorers.follow(pictures()[index], MASKS[mask], optimise, decode, elbo, **more)


def made(**more: object) -> explorers.Explorer:
    return explorers.stepper(pictures(), optimise, decode, elbo, **more)


def png_of(explorer: explorers.Explorer) -> bytes:
    return bytes(explorer.picture.value)


def pixel(shown: np.ndarray, column: int, row: int, across: int) -> np.ndarray:
    """The colour of one pixel (of 8 x 8) of one of the four pictures."""
    return shown[round(2 * (30 + 15 * row + 7.5)), round(2 * (LEFTS[column] + 15 * across + 7.5))]


# What is drawn.


@pytest.mark.parametrize(
    ("name", "share"),
    [
        ("none hidden", 1.0), ("left half", 0.5), ("right half", 0.5), ("a quarter", 0.25),
        ("all but a box", 0.75), ("random pixels", 6 / 64),
    ],
)  # fmt: skip
def test_the_standard_masks_show_what_they_say(name, share):
    seen = MASKS[name]
    assert seen.dtype == torch.bool and seen.shape == (8, 8)
    assert float(seen.float().mean()) == share
    assert bool(seen[7, 0]) or name == "right half" or name == "random pixels"
    assert not (MASKS["left half"] & MASKS["right half"]).any()


def test_what_is_seen_is_the_picture_and_what_is_hidden_is_blue():
    shown = opened(explorers.render_stepper(path(), 0))
    assert shown.shape == (668, 1120, 3)
    for row in (0, 5):
        grey = pixel(shown, 0, row, 1)
        assert np.abs(grey - 255 * float(pictures()[0, 0, row, 1])).max() <= 1
        red, _, blue = pixel(shown, 0, row, 6)
        assert blue - red > 50


def test_the_mean_is_decoded_at_the_step_that_is_marked():
    walked = optimise(pictures()[:1], MASKS["left half"])
    for place in (0, 4, 8):
        shown = opened(explorers.render_stepper(path(), place))
        wanted = 255 * float(decode(walked[place][0])[0, 0, 0, 0])
        assert np.abs(pixel(shown, 1, 2, 2) - wanted).max() <= 1


def test_completions_keep_what_is_seen_and_differ_elsewhere():
    shown = opened(explorers.render_stepper(path(), 3))
    for column in (2, 3):
        grey = pixel(shown, column, 4, 2)
        assert np.abs(grey - 255 * float(pictures()[0, 0, 4, 2])).max() <= 1
    assert (pixel(shown, 2, 4, 6) != pixel(shown, 3, 4, 6)).any()


def test_without_a_hidden_part_draws_are_shown_whole():
    whole = path(mask="none hidden")
    assert whole.share == 1 and torch.equal(whole.seen, pictures()[0])
    shown = opened(explorers.render_stepper(whole, 2))
    assert np.abs(pixel(shown, 2, 4, 2) - 255 * float(pictures()[0, 0, 4, 2])).max() > 3
    assert (pixel(shown, 0, 4, 2) == pixel(shown, 0, 4, 2)[0]).all()


def test_the_mark_walks_to_the_right_and_up():
    def mark(place: int) -> tuple[float, float]:
        shown = opened(explorers.render_stepper(path(), place))[2 * 196 :]
        red = np.abs(shown - [0xD5, 0x5E, 0x00]).sum(axis=2) < 12
        columns = np.nonzero(red)[1]
        wide = red.sum(axis=1) > 10  # the disc, not the line through it
        return columns.mean(), np.nonzero(wide)[0].mean()

    places = [mark(k) for k in (1, 4, 7)]
    assert places[0][0] < places[1][0] < places[2][0]
    assert places[0][1] > places[1][1] > places[2][1]
    assert abs(places[1][0] - 2 * (62 + 544) / 2) < 4


def test_every_step_gives_another_picture_and_the_same_one_the_same():
    walked = path()
    pngs = [explorers.render_stepper(walked, k) for k in range(STORED)]
    assert len(set(pngs)) == STORED
    assert explorers.render_stepper(path(), 3) == pngs[3]
    assert explorers.render_stepper(path(seed=1), 3) != pngs[3]


def test_a_move_takes_milliseconds():
    walked = path()
    explorers.render_stepper(walked, 0)
    taken = []
    for k in range(20):
        began = time.process_time()  # other processes on the machine do not count
        explorers.render_stepper(walked, k % STORED)
        taken.append(time.process_time() - began)
    median = 1000 * statistics.median(taken)
    print(f"stepper: {median:.1f} ms a move")
    assert median < 80  # 20 on an idle machine; a matplotlib figure takes over 100


def test_drawing_uses_no_matplotlib(monkeypatch):
    monkeypatch.setattr(Figure, "__init__", lambda *_, **__: pytest.fail("a Figure was made"))
    explorers.render_stepper(path(), 1)


def test_a_flat_curve_is_drawn_as_well():
    level = explorers.follow(
        pictures()[0], MASKS["left half"], optimise, decode,
        lambda x, mask, mu, log_var: torch.zeros(len(mu)),
    )  # fmt: skip
    assert explorers.render_stepper(level, 0).startswith(b"\x89PNG")


# What is wired.


def test_the_path_is_computed_once_for_each_choice():
    asked = []

    def counting(x, mask):
        asked.append(int(mask.sum()))
        return optimise(x, mask)

    explorer = explorers.stepper(pictures(), counting, decode, elbo)
    for value in (5, 40, 20):
        explorer.controls["step"].value = value
    assert asked == [64]
    explorer.controls["mask"].value = "left half"
    assert asked == [64, 32]
    explorer.controls["mask"].value = "none hidden"
    assert asked == [64, 32]
    explorer.controls["index"].value = 1
    assert asked == [64, 32, 64]


def test_every_control_moves_the_picture_and_the_caption():
    explorer = made()
    for name, value in (("step", 20), ("mask", "left half"), ("index", 2)):
        before, said = png_of(explorer), explorer.caption.value
        explorer.controls[name].value = value
        assert png_of(explorer) != before, name
        assert explorer.caption.value != said, name
        assert explorer.message.value == ""


def test_every_mask_and_both_ends_of_the_sliders_work():
    explorer = made()
    for name in explorer.controls["mask"].options:
        explorer.controls["mask"].value = name
        for control in (explorer.controls["index"], explorer.controls["step"]):
            for value in (control.min, control.max):
                control.value = value
                assert png_of(explorer).startswith(b"\x89PNG")


def test_next_goes_on_by_one_stored_step_and_stays_at_the_last():
    explorer = made()
    explorer.buttons["next"].click()
    assert explorer.controls["step"].value == 5
    explorer.controls["step"].value = 40
    explorer.buttons["next"].click()
    assert explorer.controls["step"].value == 40
    explorer.buttons["to the start"].click()
    assert explorer.controls["step"].value == 0


def test_new_noise_changes_the_draws():
    explorer = made()
    first = png_of(explorer)
    explorer.buttons["new noise"].click()
    assert png_of(explorer) != first


def test_the_caption_says_what_the_curve_shows():
    explorer = made(masks={"top": torch.arange(8)[:, None].expand(8, 8) < 2})
    explorer.controls["step"].value = 20
    assert explorer.caption.value == (
        "Picture 0, top (25% of the pixels seen): ELBO \N{MINUS SIGN}16.0 nats at the start, "
        "\N{MINUS SIGN}12.0 after 20 steps, \N{MINUS SIGN}8.0 after 40."
    )


def everything(widget: widgets.Widget) -> list[widgets.Widget]:
    below = [one for child in getattr(widget, "children", ()) for one in everything(child)]
    return [widget, *below]


def test_every_control_is_labelled_and_only_plain_widgets_are_used():
    explorer = made()
    inputs = (widgets.Button, widgets.IntSlider, widgets.Dropdown)
    for one in everything(explorer):
        assert isinstance(one, (widgets.VBox, widgets.HBox, widgets.HTML, widgets.Image, *inputs))
        if isinstance(one, inputs):
            assert one.description.strip()
    assert not explorer.controls["index"].continuous_update


def test_decoders_run_without_gradient():
    seen = []

    def watching(z):
        seen.append(torch.is_grad_enabled())
        return decode(z)

    explorers.stepper(pictures(), optimise, watching, elbo)
    assert seen and not any(seen)


BAD = {
    "no batch": (lambda: explorers.stepper(torch.rand(3, 8, 8), optimise, decode, elbo), "shape"),
    "no mask": (lambda: made(masks={}), "holds no mask"),
    "float mask": (lambda: made(masks={"a": torch.ones(8, 8)}), "must be bool"),
    "small mask": (lambda: made(masks={"a": torch.ones(2, 2) > 0}), r"\(8, 8\)"),
    "empty path": (
        lambda: explorers.stepper(pictures(), lambda x, mask: [], decode, elbo),
        "a list of",
    ),
    "no row": (
        lambda: explorers.stepper(
            pictures(), lambda x, mask: [(torch.zeros(2), torch.zeros(2))], decode, elbo
        ),
        r"\(1, K\)",
    ),
    "one value": (
        lambda: explorers.stepper(pictures(), optimise, decode, lambda *a: torch.zeros(1)),
        "one value for each of 9",
    ),
    "no such step": (lambda: explorers.render_stepper(path(), 9), "between 0 and 8"),
    "diverged": (
        lambda: explorers.stepper(
            pictures(), optimise, decode, lambda x, m, mu, v: mu[:, 0] / 0
        ),
        "not finite",
    ),
    "no such picture": (
        lambda: explorers.stepper_static(pictures(), optimise, decode, elbo, index=9),
        "between 0 and 5",
    ),
    "no such mask": (
        lambda: explorers.stepper_static(pictures(), optimise, decode, elbo, mask="hat"),
        "one of",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_bad_input_gets_one_clear_sentence(name):
    call, words = BAD[name]
    with pytest.raises(CourseError, match=words) as caught:
        call()
    assert "\n" not in str(caught.value)


def test_the_static_twin_shows_the_steps_and_marks_them():
    figure = explorers.stepper_static(pictures(), optimise, decode, elbo, columns=4)
    assert isinstance(figure, Figure)
    titles = [axes.get_title(loc="center") for axes in figure.axes]
    assert [title for title in titles if title.startswith("step")] == [
        "step 0", "step 5", "step 20", "step 40",
    ]  # fmt: skip
    curve = figure.axes[-1].lines
    assert list(curve[0].get_xdata()) == list(range(0, 45, 5))
    assert list(curve[1].get_xdata()) == [0, 5, 20, 40]
