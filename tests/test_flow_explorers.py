"""The explorers of notebook 06 without a browser: what is drawn, how fast, what is wired."""

from __future__ import annotations

import io
import math
import re
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
from coursekit.models.flows import mlp_flow

DIMS = 49
BLUE, VERMILLION, GREEN = [0x00, 0x72, 0xB2], [0xD5, 0x5E, 0x00], [0x00, 0x9E, 0x73]


def opened(png: bytes) -> np.ndarray:
    image = Image.open(io.BytesIO(png))
    assert image.format == "PNG" and image.mode == "RGB"
    return np.asarray(image).astype(int)


def decode(z: torch.Tensor) -> torch.Tensor:
    """7 x 7 pictures, a pixel for each latent."""
    return torch.sigmoid(z).view(-1, 1, 7, 7)


def draws(n: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(n, DIMS, generator=torch.Generator().manual_seed(seed))


# The paths.


def test_the_three_paths_are_their_formulas():
    a, b = draws(2)
    weights = torch.tensor([0.0, 0.25, 0.8, 1.0])
    paths = explorers.three_paths(a, b, weights)
    assert list(paths) == ["linear", "sinusoidal", "spherical"]
    t = math.acos(float(a @ b / (a.norm() * b.norm())))
    for k, w in enumerate(weights.tolist()):
        s = math.sin(w * math.pi / 2)
        torch.testing.assert_close(paths["linear"][k], (1 - w) * a + w * b)
        torch.testing.assert_close(paths["sinusoidal"][k], (1 - s) * a + s * b)
        arc = (math.sin((1 - w) * t) * a + math.sin(w * t) * b) / math.sin(t)
        torch.testing.assert_close(paths["spherical"][k], arc)


def test_only_the_arc_keeps_its_length():
    a, b = draws(2)
    b = b * a.norm() / b.norm()
    paths = explorers.three_paths(a, b, torch.linspace(0, 1, 9))
    assert (paths["spherical"].norm(dim=1) / a.norm() - 1).abs().max() < 1e-5
    assert paths["linear"].norm(dim=1).min() < 0.8 * a.norm()


# What is drawn.


def greys(shown: np.ndarray, place: int) -> np.ndarray:
    """The 7 x 7 greys of the picture at a place in the row of five, one dot from each pixel."""
    step = 2 * 112 // 7
    across = 2 * (14 + 126 * place) + step // 2 + step * np.arange(7)
    down = 2 * 50 + step // 2 + step * np.arange(7)
    return shown[down[:, None], across[None, :], 0]


@pytest.mark.parametrize("weight", [0.0, 0.3, 0.5, 1.0])
def test_both_ends_and_the_three_paths_stand_in_order(weight):
    a, b = draws(2)
    shown = opened(explorers.render_interpolation(decode, a, b, weight))
    assert shown.shape == (660, 1304, 3)
    paths = explorers.three_paths(a, b, torch.tensor([weight]))
    for place, z in enumerate([a, *(path[0] for path in paths.values()), b]):
        wanted = 255 * decode(z[None])[0, 0].numpy()
        assert np.abs(greys(shown, place) - wanted).max() <= 1, place


def test_the_chart_shows_the_length_of_each_path():
    a, b = draws(2)
    b = b * a.norm() / b.norm()
    shown = opened(explorers.render_interpolation(decode, a, b, 0.5))[2 * 200 :]
    middle = {}
    for name, colour in {"linear": BLUE, "spherical": GREEN}.items():
        ys, xs = np.nonzero(np.abs(shown - colour).sum(axis=2) < 8)
        dot = np.abs(xs - 2 * 347) < 5  # the middle of the axis
        middle[name] = ys[dot].mean()
    assert middle["linear"] > middle["spherical"] + 20  # further down: shorter


@pytest.mark.parametrize("count", [1, 8, 9, 24])
def test_samples_stand_in_rows_of_eight(count):
    pictures = torch.linspace(0, 1, count)[:, None, None, None].expand(-1, 1, 7, 7)
    shown = opened(explorers.render_temperature(pictures, 0.7))
    rows = -(-count // 8)
    assert shown.shape == (2 * (42 + 62 * rows + 8), 1040, 3)
    for k in range(count):
        grey = shown[2 * (36 + 62 * (k // 8) + 28), 2 * (14 + 62 * (k % 8) + 28)]
        assert np.abs(grey - 255 * k / max(1, count - 1)).max() <= 1


RENDERERS = {
    "interpolation": lambda k: explorers.render_interpolation(decode, *draws(2, k), k / 10),
    "temperature": lambda k: explorers.render_temperature(decode(draws(24, k)), k / 10),
}


@pytest.mark.parametrize("name", RENDERERS)
def test_every_input_gives_another_picture_and_the_same_one_the_same(name):
    pngs = [RENDERERS[name](k) for k in range(6)]
    assert len(set(pngs)) == 6
    assert RENDERERS[name](3) == pngs[3]


def cpu_milliseconds(act, times: int = 15) -> float:
    act(0)
    taken = []
    for k in range(times):
        began = time.process_time()  # other processes on the machine do not count
        act(k)
        taken.append(time.process_time() - began)
    return 1000 * statistics.median(taken)


def test_a_move_takes_milliseconds_with_a_flow_of_the_notebooks_size():
    flow = mlp_flow(10, (256, 256)).eval()
    z = torch.randn(24, 784)
    paths = explorers.interpolation(flow.decode, z)
    hot = explorers.temperatures(flow.decode, z)

    def move(explorer, name, value):
        explorer.controls[name].value = value

    costs = {
        "interpolation": cpu_milliseconds(lambda k: move(paths, "weight", 0.05 * (k + 1))),
        "temperatures": cpu_milliseconds(lambda k: move(hot, "temperature", 0.05 * (k + 1))),
    }
    print(costs)
    assert max(costs.values()) < 80  # 20 on an idle machine; a matplotlib figure takes over 100


def test_drawing_uses_no_matplotlib(monkeypatch):
    monkeypatch.setattr(Figure, "__init__", lambda *_, **__: pytest.fail("a Figure was made"))
    for render in RENDERERS.values():
        render(1)


# What is wired.


EXPLORERS = {
    "interpolation": lambda: explorers.interpolation(decode, draws(5)),
    "temperatures": lambda: explorers.temperatures(decode, draws(6)),
}
ANOTHER = {"begin": 3, "end": 4, "weight": 0.2, "temperature": 0.3}


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
        control.value = ANOTHER[key]
        assert png_of(explorer) != before, key
        assert explorer.caption.value != said, key
        assert explorer.message.value == ""


@pytest.mark.parametrize("name", EXPLORERS)
def test_every_control_is_labelled_and_only_plain_widgets_are_used(name):
    labelled = (widgets.Button, widgets.FloatSlider, widgets.IntSlider)
    plain = (widgets.VBox, widgets.HBox, widgets.HTML, widgets.Image)
    for one in everything(EXPLORERS[name]()):
        assert isinstance(one, plain + labelled)
        if isinstance(one, labelled):
            assert one.description.strip()


def test_ends_are_swapped():
    explorer = EXPLORERS["interpolation"]()
    explorer.controls["begin"].value, explorer.controls["end"].value = 2, 4
    explorer.controls["weight"].value = 0.0
    before = greys(opened(png_of(explorer)), 0)
    explorer.buttons["swap ends"].click()
    shown = opened(png_of(explorer))
    assert (greys(shown, 4) == before).all()
    assert explorer.caption.value.startswith("From digit 4 to digit 2")


def test_a_caption_says_how_long_z_is():
    a = torch.zeros(3, DIMS)
    a[0, 0], a[1, 1] = 3.0, 4.0
    explorer = explorers.interpolation(decode, a)
    assert re.search(r"linear 2\.5, .*spherical 3\.5; .* 7\.0", explorer.caption.value)


def test_pictures_are_decoded_beforehand_and_from_the_same_noise():
    calls = []

    def watching(z):
        calls.append(z)
        assert not torch.is_grad_enabled()
        return decode(z)

    z = draws(6)
    explorer = explorers.temperatures(watching, z, hottest=1.0)
    assert len(calls) == 21
    torch.testing.assert_close(calls[10], 0.5 * z)
    explorer.controls["temperature"].value = 0.5
    assert len(calls) == 21
    wanted = explorers.render_temperature(decode(0.5 * z), 0.5)
    assert np.abs(opened(png_of(explorer)) - opened(wanted)).max() <= 1


def test_buttons_go_to_the_coolest_and_to_the_models_own():
    explorer = EXPLORERS["temperatures"]()
    explorer.buttons["coolest"].click()
    assert explorer.controls["temperature"].value == 0.0
    assert len({tuple(c) for c in opened(png_of(explorer))[100:130, 40:130].reshape(-1, 3)}) == 1
    explorer.buttons["the model's own"].click()
    assert explorer.controls["temperature"].value == 1.0


# The static twins, and what is wrong.


def test_static_twins_show_the_same_rows():
    paths = explorers.interpolation_static(decode, draws(2), columns=5)
    assert {text.get_text() for text in paths.texts} == {"linear", "sinusoidal", "spherical"}
    hot = explorers.temperatures_static(decode, draws(4), stops=(0.0, 1.0))
    assert {text.get_text() for text in hot.texts} == {"temperature 0", "temperature 1"}


@pytest.mark.parametrize(
    ("act", "words"),
    [
        (lambda: explorers.interpolation(decode, draws(1)), "at least 2"),
        (lambda: explorers.interpolation(decode, draws(2)[0]), "finite rows"),
        (lambda: explorers.interpolation(decode, draws(2) * math.nan), "finite rows"),
        (lambda: explorers.interpolation(lambda z: decode(z)[:1], draws(2)), "gives 1 pictures"),
        (lambda: explorers.interpolation(lambda z: 9 + decode(z), draws(2)), r"\[0, 1\]"),
        (lambda: explorers.temperatures(decode, draws(33)), "32 at most"),
        (lambda: explorers.temperatures(decode, draws(3), hottest=0.0), "hottest is 0"),
        (lambda: explorers.temperatures_static(decode, draws(3), stops=()), "one temperature"),
        (lambda: explorers.three_paths(draws(2), draws(2), torch.ones(1)), "shapes"),
    ],
)
def test_bad_input_gets_one_clear_sentence(act, words):
    with pytest.raises(CourseError, match=words) as caught:
        act()
    assert "\n" not in str(caught.value)
