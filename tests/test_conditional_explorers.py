"""The explorers of notebook 05 without a browser: what is drawn, how fast, what is wired."""

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

LATENTS = 8


def opened(png: bytes) -> np.ndarray:
    image = Image.open(io.BytesIO(png))
    assert image.format == "PNG" and image.mode == "RGB"
    return np.asarray(image).astype(int)


def decode(z: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """7 x 7 pictures: the upper rows as bright as the label, the lower ones follow z."""
    upper = (labels.float() / 10)[:, None, None, None].expand(-1, 1, 4, 7)
    slopes = torch.linspace(0.4, 0.15, z.shape[1])
    lower = torch.sigmoid(z @ slopes)[:, None, None, None].expand(-1, 1, 3, 7)
    return torch.cat([upper, lower], dim=2)


def write(text: str, temperature: float, seed: int) -> torch.Tensor:
    """7 x 7 for each digit: the upper rows say which, the lower ones temperature and seed."""
    if not (text.isascii() and text.isdigit()):
        raise CourseError(f"number is {text!r}; give digits.")
    labels = torch.tensor([int(digit) for digit in text])
    z = torch.full((len(labels), 1), temperature - seed / 4)
    return torch.cat(list(decode(z, labels)), dim=2)


def labelled(z: float, label: int = 3) -> bytes:
    return explorers.render_label_sliders(decode, torch.full((LATENTS,), z), label)


# What is drawn.


def test_the_chosen_label_is_large_and_every_label_stands_beside_it():
    shown = opened(labelled(0.0, 7))
    assert shown.shape == (472, 1080, 3)
    assert np.abs(shown[2 * 50, 2 * 98] - 0.7 * 255).max() <= 1
    for index in range(10):
        row, column = divmod(index, 5)
        grey = shown[2 * (46 + 88 * row + 8), 2 * (216 + 64 * column + 28)]
        assert np.abs(grey - index / 10 * 255).max() <= 1, index


def test_only_the_chosen_label_is_framed():
    shown = opened(labelled(0.0, 6))
    frame = np.abs(shown - [0xD5, 0x5E, 0x00]).sum(axis=2) < 8
    rows, columns = np.nonzero(frame[:, 2 * 210 :])
    assert rows.min() >= 2 * (46 + 88 - 4) and rows.max() <= 2 * (46 + 88 + 56 + 24)
    assert columns.min() + 2 * 210 >= 2 * (216 + 64 - 4)
    assert columns.max() + 2 * 210 <= 2 * (216 + 64 + 56 + 4)


def test_z_is_the_same_for_all_labels():
    shown = opened(labelled(0.4))
    wanted = 255 * float(decode(torch.full((1, LATENTS), 0.4), torch.zeros(1))[0, 0, 6, 0])
    places = [(46 + 150, 98)]
    places += [(46 + 88 * (k // 5) + 50, 216 + 64 * (k % 5) + 28) for k in range(10)]
    for row, column in places:
        assert np.abs(shown[2 * row, 2 * column] - wanted).max() <= 1


@pytest.mark.parametrize(("text", "side"), [("407", 112), ("4070123456", 56)])
def test_a_number_is_written_from_left_to_right(text, side):
    shown = opened(explorers.render_number(write, text))
    assert shown.shape == (536, 1176, 3)
    for place, digit in enumerate(text):
        grey = shown[2 * (36 + side // 4), 2 * (14 + place * side + side // 2)]
        assert np.abs(grey - int(digit) / 10 * 255).max() <= 1


def test_a_long_number_goes_on_in_the_next_row():
    shown = opened(explorers.render_number(write, "0" * 12 + "9"))
    assert (shown[2 * (36 + 56 + 10), 2 * (14 + 2 * 56 + 28)] > 220).all()
    assert (shown[2 * (36 + 10), 2 * (14 + 9 * 56 + 28)] == 0).all()


@pytest.mark.parametrize("text", ["", " ", "12a", "-1", "9" * 41])
def test_a_bad_entry_is_a_sentence_and_not_an_error(text):
    bad = opened(explorers.render_number(write, text))
    assert bad.shape == (536, 1176, 3)
    assert (np.abs(bad - [0xD5, 0x5E, 0x00]).sum(axis=2) < 12).sum() > 100
    explorer = explorers.write_number(write)
    explorer.controls["text"].value = text
    assert explorer.message.value == ""
    assert "give" in explorer.caption.value
    explorer.controls["text"].value = "31"
    assert explorer.caption.value.startswith("The number 31")


def test_any_other_error_is_not_hidden():
    def broken(text, temperature, seed):
        raise RuntimeError("the model broke")

    with pytest.raises(RuntimeError, match="the model broke"):
        explorers.render_number(broken, "1")


RENDERERS = {
    "label_sliders": lambda k: labelled(k / 8, k % 10),
    "write_number": lambda k: explorers.render_number(write, str(10**9 + k), temperature=k / 10),
}


@pytest.mark.parametrize("name", RENDERERS)
def test_every_input_gives_another_picture_and_the_same_one_the_same(name):
    render = RENDERERS[name]
    pngs = [render(k) for k in range(8)]
    assert len(set(pngs)) == 8
    assert render(3) == pngs[3]


@pytest.mark.parametrize("name", RENDERERS)
def test_a_move_takes_milliseconds(name):
    render = RENDERERS[name]
    render(0)
    taken = []
    for k in range(20):
        began = time.process_time()  # other processes on the machine do not count
        render(k)
        taken.append(time.process_time() - began)
    median = 1000 * statistics.median(taken)
    print(f"{name}: {median:.1f} ms a move")
    assert median < 80  # 20 on an idle machine; a matplotlib figure takes over 100


def test_drawing_uses_no_matplotlib(monkeypatch):
    monkeypatch.setattr(Figure, "__init__", lambda *_, **__: pytest.fail("a Figure was made"))
    for render in RENDERERS.values():
        render(1)


# What is wired.


EXPLORERS = {
    "label_sliders": lambda: explorers.label_sliders(decode, LATENTS),
    "write_number": lambda: explorers.write_number(write),
}
ANOTHER = {"label": 4, "text": "77", "temperature": 0.3}


def png_of(explorer: explorers.Explorer) -> bytes:
    return bytes(explorer.picture.value)


def everything(widget: widgets.Widget) -> list[widgets.Widget]:
    below = [one for child in getattr(widget, "children", ()) for one in everything(child)]
    return [widget, *below]


@pytest.mark.parametrize("name", EXPLORERS)
def test_every_control_moves_the_picture_and_the_caption(name):
    explorer = EXPLORERS[name]()
    for key, control in explorer.controls.items():
        before, said = png_of(explorer), explorer.caption.value
        control.value = ANOTHER.get(key, 1.7)
        assert png_of(explorer) != before, key
        assert explorer.caption.value != said, key
        assert explorer.message.value == ""


@pytest.mark.parametrize("name", EXPLORERS)
def test_every_control_is_labelled_and_only_plain_widgets_are_used(name):
    explorer = EXPLORERS[name]()
    labelled_ones = (widgets.Button, widgets.FloatSlider, widgets.Text, widgets.ToggleButtons)
    plain = (widgets.VBox, widgets.HBox, widgets.HTML, widgets.Image)
    for one in everything(explorer):
        assert isinstance(one, plain + labelled_ones)
        if isinstance(one, labelled_ones):
            assert one.description.strip()


def test_there_is_a_button_for_each_label():
    explorer = explorers.label_sliders(decode, LATENTS, latents=2)
    buttons = explorer.controls["label"]
    assert [text for text, _ in buttons.options] == [str(label) for label in range(10)]
    assert list(explorer.controls) == ["label", "z0", "z1"]
    assert list(explorers.label_sliders(decode, LATENTS, latents=(5, 2)).controls)[1:] == [
        "z5",
        "z2",
    ]


def test_a_new_style_moves_the_latents_without_sliders_too():
    explorer = explorers.label_sliders(decode, LATENTS, latents=1)
    first = png_of(explorer)
    explorer.buttons["new style"].click()
    explorer.controls["z0"].value = 0.0
    assert png_of(explorer) != first
    explorer.buttons["to the centre"].click()
    assert png_of(explorer) == first


def test_a_new_style_draws_once_and_keeps_to_the_sliders():
    explorer = explorers.label_sliders(decode, LATENTS, reach=0.5)
    drawn = []
    original = explorer._draw_picture
    explorer._draw_picture = lambda **values: (drawn.append(values), original(**values))[1]
    explorer.buttons["new style"].click()
    assert len(drawn) == 1
    assert all(abs(drawn[0][f"z{k}"]) <= 0.5 for k in range(6))


def test_a_new_draw_is_another_one_of_the_same_number():
    explorer = EXPLORERS["write_number"]()
    first = png_of(explorer)
    explorer.buttons["new draw"].click()
    assert png_of(explorer) != first
    assert "2810393592" in explorer.caption.value and "draw 2" in explorer.caption.value


def test_decoders_run_without_gradient():
    seen = []

    def watching(z, labels):
        seen.append(torch.is_grad_enabled())
        return decode(z, labels)

    explorers.label_sliders(watching, LATENTS)
    explorers.write_number(
        lambda text, *_: (seen.append(torch.is_grad_enabled()), write(text, 1, 0))[1]
    )
    assert seen and not any(seen)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: labelled(0.0, 10), "label must lie between 0 and 9"),
        (lambda: explorers.render_label_sliders(decode, torch.zeros(2, 3), 0), r"shape \(K,\)"),
        (lambda: explorers.label_sliders(lambda z, _: z, 4), r"must have shape \(N, C, H, W\)"),
        (lambda: explorers.label_sliders(lambda z, y: decode(z, y)[:3], 4), "3 pictures for 10"),
        (lambda: explorers.label_sliders(decode, 4, latents=(1, 1)), "different indices"),
        (lambda: explorers.label_sliders(decode, 4, latents=(4,)), "below 4"),
        (lambda: explorers.label_sliders(decode, 0), "latent_size"),
        (lambda: explorers.label_sliders_static(decode, 4, label=10), "label must lie"),
        (lambda: explorers.write_number_static(write, text="x"), "give digits"),
        (
            lambda: explorers.write_number_static(lambda *_: torch.zeros(1, 7, 11), text="12"),
            "no whole number for each of 2 digits",
        ),
    ],
)
def test_bad_input_gets_one_clear_sentence(call, words):
    with pytest.raises(CourseError, match=words) as caught:
        call()
    assert "\n" not in str(caught.value)


# The static twins.


def test_the_static_labels_show_each_z_with_all_labels():
    figure = explorers.label_sliders_static(decode, LATENTS, styles=2, latents=(4,))
    names = [text.get_text() for text in figure.texts]
    assert names[:3] == ["z = 0", "z, draw 1", "z, draw 2"]
    assert names[3].startswith("label 3, z[4]")
    assert isinstance(figure, Figure) and len(figure.axes) == 4


def test_the_latent_is_called_as_one_wishes():
    figure = explorers.label_sliders_static(decode, LATENTS, styles=1, latents=(4,), name="noise")
    names = [text.get_text() for text in figure.texts]
    assert names[:2] == ["noise = 0", "noise, draw 1"]
    assert names[2].startswith("label 3, noise[4]")
    explorer = explorers.label_sliders(decode, LATENTS, latents=(2,), name="noise")
    assert explorer.controls["z2"].description == "noise[2]"
    assert "noise of length" in explorer.caption.value
    shown = " ".join(str(getattr(one, "value", "")) for one in everything(explorer))
    assert "what does the noise?" in shown and "latents" not in shown
    assert png_of(explorer) != png_of(explorers.label_sliders(decode, LATENTS, latents=(2,)))


def test_the_static_number_says_what_a_bad_entry_brings():
    figure = explorers.write_number_static(write, temperatures=(0.0, 1.0), draws=2)
    assert len(figure.axes) == 4
    assert "'12a': number is '12a'; give digits." in figure._supxlabel.get_text()
    strips = [axes.images[0].get_array() for axes in figure.axes]
    assert strips[0].shape == (7, 70)
    assert not np.array_equal(strips[2], strips[3])
