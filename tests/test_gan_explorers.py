"""The explorers and figures of notebook 07: what is drawn, how fast, what is wired."""

from __future__ import annotations

import io
import re
import statistics
import time
import warnings

import ipywidgets as widgets
import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from PIL import Image

from coursekit import explorers, plots
from coursekit.errors import CourseError

LATENT = 49


def opened(png: bytes) -> np.ndarray:
    image = Image.open(io.BytesIO(png))
    assert image.format == "PNG" and image.mode == "RGB"
    return np.asarray(image).astype(int)


def decode(z: torch.Tensor) -> torch.Tensor:
    """7 x 7 pictures, a pixel for each latent."""
    return torch.sigmoid(z).view(-1, 1, 7, 7)


def draws(n: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(n, LATENT, generator=torch.Generator().manual_seed(seed))


def flat(n: int, grey: float) -> torch.Tensor:
    return torch.full((n, 1, 7, 7), grey)


def read(pictures: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Class 3 for dark pictures and 5 for bright ones."""
    bright = pictures.mean(dim=(1, 2, 3))
    return torch.where(bright > 0.5, 5, 3), bright


FILM = {0: flat(4, 0.0), 1: flat(4, 0.2), 10: flat(4, 1.0)}
CURVES = {"real": [1.0, 2.0, 3.0], "made": [-1.0, -2.0, -1.5]}


# Snapshots.


@pytest.mark.parametrize("count", [1, 6, 7, 36, 64])
def test_a_snapshot_stands_in_rows_of_six_and_no_more_than_36(count):
    greys = torch.linspace(0, 1, count)
    pictures = greys[:, None, None, None].expand(-1, 1, 7, 7)
    shown = opened(explorers.render_snapshot(pictures, 3))
    assert shown.shape[1] == 1400
    for k in range(min(count, 36)):
        row, column = divmod(k, 6)
        seen = shown[2 * (36 + 60 * row + 28), 2 * (14 + 60 * column + 28)]
        assert np.abs(seen - 255 * float(greys[k])).max() <= 1
    below = shown[2 * (36 + 60 * -(-min(count, 36) // 6)) :, : 2 * 380]
    assert (below == 255).all()


def test_the_curves_are_marked_where_the_snapshot_was_taken():
    places = []
    for epoch in (1, 3):
        right = opened(explorers.render_snapshot(flat(4, 0.5), epoch, CURVES))[:, 800:]
        column = (np.abs(right - [0x52, 0x60, 0x6D]).sum(axis=2) == 0).sum(axis=0)
        places.append(int(column.argmax()))
    assert places[0] < places[1]


def test_the_slider_runs_through_the_epochs_in_order_and_begins_at_the_last():
    shuffled = {10: FILM[10], 0: FILM[0], 1: FILM[1]}
    explorer = explorers.snapshots(shuffled, CURVES)
    control = explorer.controls["moment"]
    assert (control.min, control.max, control.value) == (0, 2, 2)
    assert "Epoch 10: mean grey 100.0 %" in explorer.caption.value
    assert "since epoch 1: 80.0 %" in explorer.caption.value
    control.value = 0
    assert "Epoch 0: mean grey 0.0 %" in explorer.caption.value
    assert "change" not in explorer.caption.value
    wanted = explorers.render_snapshot(FILM[0], 0, CURVES)
    assert explorer.picture.value == wanted


def test_earlier_and_later_go_one_step_and_stop_at_the_ends():
    explorer = explorers.snapshots(FILM)
    seen = []
    for label in ("later", "earlier", "earlier", "earlier", "later"):
        explorer.buttons[label].click()
        seen.append(explorer.controls["moment"].value)
    assert seen == [2, 1, 0, 0, 1]


def test_bytes_are_shown_as_floats_are():
    grey = torch.randint(256, (4, 1, 7, 7), dtype=torch.uint8)
    one, other = explorers.snapshots({2: grey}), explorers.snapshots({2: grey.float() / 255})
    assert one.picture.value == other.picture.value


# The walk.


def test_the_walk_goes_along_arcs_and_comes_back():
    seen = []

    def watching(z):
        assert not torch.is_grad_enabled()
        seen.append(z)
        return decode(z)

    z = torch.nn.functional.normalize(draws(3)) * 7
    explorer = explorers.latent_walk(watching, z, steps=10)
    places = torch.cat(seen)
    assert len(places) == 31 and explorer.controls["place"].max == 30
    torch.testing.assert_close(places[[0, 10, 20, 30]], z[[0, 1, 2, 0]])
    assert (places.norm(dim=1) - 7).abs().max() < 1e-3  # a straight line would be shorter


def test_all_pictures_are_computed_beforehand():
    calls = []

    def watching(z):
        calls.append(len(z))
        return decode(z)

    explorer = explorers.latent_walk(watching, draws(3), read, steps=10)
    before = list(calls)
    for place in (3, 17, 30):
        explorer.controls["place"].value = place
    assert calls == before


def middle_greys(shown: np.ndarray) -> np.ndarray:
    """The 7 x 7 greys of the large picture, one dot of each pixel."""
    left, step = 2 * 256, 40
    grid = step // 2 + step * np.arange(7)
    return shown[(2 * 40 + grid)[:, None], (left + grid)[None, :], 0]


@pytest.mark.parametrize("place", [0, 7, 20])
def test_the_large_picture_is_the_place_itself(place):
    pictures = decode(draws(21))
    shown = opened(explorers.render_walk(pictures, place, 10))
    assert shown.shape == (660, 1304, 3)
    wanted = 255 * pictures[place, 0].numpy()
    assert np.abs(middle_greys(shown) - wanted).max() <= 1


def test_the_bars_are_as_high_as_the_reader_is_sure():
    pictures = decode(draws(20))
    labels = torch.full((20,), 3)
    heights = []
    for sure in (0.25, 1.0):
        shown = opened(explorers.render_walk(pictures, 0, 10, (labels, torch.full((20,), sure))))
        heights.append(int((shown[540:632, 800] != 255).any(axis=1).sum()))
    assert heights[1] > 3 * heights[0] > 0


def test_the_caption_says_what_is_read_and_where():
    explorer = explorers.latent_walk(decode, draws(3), read, steps=10)
    explorer.controls["place"].value = 12
    confidence = float(read(decode(explorers_place(12)))[1])
    said = explorer.caption.value
    assert re.search(r"Between latent 2 and the next, 2 of 10 steps: read as [35]", said)
    assert f"{confidence:.2f}" in said
    explorer.controls["place"].value = 30
    assert explorer.caption.value.startswith("At latent 1:")


def explorers_place(place: int) -> torch.Tensor:
    """The place of a walk through three latents, by the formula of the arc."""
    z = draws(3)
    a, b = z[place // 10], z[place // 10 + 1]
    angle = torch.arccos(a @ b / (a.norm() * b.norm()))
    w = place % 10 / 10
    arc = (torch.sin((1 - w) * angle) * a + torch.sin(w * angle) * b) / torch.sin(angle)
    return arc[None]


def test_the_button_goes_to_the_next_latent_and_round():
    explorer = explorers.latent_walk(decode, draws(3), steps=10)
    seen = []
    explorer.controls["place"].value = 4
    for _ in range(4):
        explorer.buttons["next latent"].click()
        seen.append(explorer.controls["place"].value)
    assert seen == [10, 20, 0, 10]


# Both.


EXPLORERS = {
    "snapshots": lambda: explorers.snapshots(FILM, CURVES),
    "latent_walk": lambda: explorers.latent_walk(decode, draws(3), read, steps=10),
}
RENDERERS = {
    "snapshot": lambda k: explorers.render_snapshot(decode(draws(9, k)), k, CURVES),
    "walk": lambda k: explorers.render_walk(decode(draws(21)), k, 10),
}


@pytest.mark.parametrize("name", RENDERERS)
def test_every_input_gives_another_picture_and_the_same_one_the_same(name):
    pngs = [RENDERERS[name](k) for k in range(6)]
    assert len(set(pngs)) == 6
    assert RENDERERS[name](3) == pngs[3]


@pytest.mark.parametrize("name", EXPLORERS)
def test_every_control_is_labelled_and_changes_the_picture(name):
    explorer = EXPLORERS[name]()
    assert isinstance(explorer, widgets.VBox) and isinstance(explorer.picture, widgets.Image)
    for control in explorer.controls.values():
        assert control.description
        before = explorer.picture.value
        control.value = 1 if control.value != 1 else 0
        assert explorer.picture.value != before


@pytest.mark.parametrize("name", EXPLORERS)
def test_a_move_takes_milliseconds(name):
    film = {epoch: torch.rand(64, 1, 28, 28) for epoch in range(12)}
    wide = torch.nn.functional.interpolate
    explorer = {
        "snapshots": lambda: explorers.snapshots(film, CURVES),
        "latent_walk": lambda: explorers.latent_walk(
            lambda z: wide(decode(z), size=(28, 28)), draws(6), read
        ),
    }[name]()
    (control,) = explorer.controls.values()
    taken = []
    for k in range(14):
        control.value = k % 2
        began = time.process_time()  # other processes on the machine do not count
        control.value = 2 + k % 9
        taken.append(time.process_time() - began)
    assert 1000 * statistics.median(taken) < 80  # 20 on an idle machine


def test_an_error_is_shown_and_raised():
    explorer = explorers.snapshots(FILM)
    with pytest.raises(IndexError):
        explorer.controls["moment"].max = 9
        explorer.controls["moment"].value = 9
    assert "IndexError" in explorer.message.value


# The static twins, and the figures.


def pixels(figure: Figure) -> np.ndarray:
    png = plots.figure_png(figure)
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).astype(int)


def test_static_twins_show_the_same_rows():
    rows = explorers.snapshots_static(FILM, columns=3)
    assert [text.get_text() for text in rows.texts] == ["at the start", "epoch 1", "epoch 10"]
    legs = explorers.latent_walk_static(decode, draws(3), columns=5)
    assert [text.get_text() for text in legs.texts] == ["from 1 to 2", "from 2 to 3"]


def test_a_leg_shows_both_of_its_ends():
    z = draws(3)
    shown = {}

    def watching(places):
        shown["z"] = places
        return decode(places)

    figure = explorers.latent_walk_static(watching, z, columns=5)
    torch.testing.assert_close(shown["z"][[0, 4, 8]], z)
    first, second = (axes.images[0].get_array() for axes in figure.axes)
    height = 4 * 7
    end, begin = first[4 : 4 + height, -height - 4 : -4], second[4 : 4 + height, 4 : 4 + height]
    np.testing.assert_allclose(end, begin)


LINE = torch.linspace(-2, 2, 9)
CENTRES = torch.tensor([[2.0, 0.0], [0.0, 2.0]])
SPIRAL = torch.stack([LINE.exp() * LINE.cos(), LINE.exp() * LINE.sin()], dim=1)
FIGURES = {
    "judge_on_a_line": lambda: plots.judge_on_a_line(
        LINE, {"p": LINE.exp(), "q": (-LINE).exp()}, {"best": torch.sigmoid(2 * LINE)}
    ),
    "points_on_a_ring": lambda: plots.points_on_a_ring(
        {"start": torch.zeros(5, 2), "end": CENTRES}, CENTRES
    ),
    "game_paths": lambda: plots.game_paths({"out": SPIRAL, "in": SPIRAL.flip(0)}),
}


@pytest.mark.parametrize("name", FIGURES)
def test_every_function_returns_a_figure_and_warns_of_nothing(name):
    import matplotlib
    import matplotlib.pyplot as plt

    before = dict(matplotlib.rcParams)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figure = FIGURES[name]()
        plots.figure_png(figure)
    assert isinstance(figure, Figure)
    assert plt.get_fignums() == []
    assert dict(matplotlib.rcParams) == before


def test_densities_stand_above_and_judges_below():
    above, below = FIGURES["judge_on_a_line"]().axes
    assert [line.get_label() for line in above.lines] == ["p", "q"]
    np.testing.assert_allclose(above.lines[1].get_ydata(), (-LINE).exp())
    (best,) = (line for line in below.lines if line.get_label() == "best")
    np.testing.assert_allclose(best.get_ydata(), torch.sigmoid(2 * LINE))


def test_points_stand_where_they_are_with_a_circle_for_each_centre():
    figure = plots.points_on_a_ring({"a": SPIRAL, "b": -SPIRAL}, CENTRES, radius=0.25)
    for panel, cloud in zip(figure.axes, (SPIRAL, -SPIRAL), strict=True):
        (dots,) = panel.collections
        np.testing.assert_allclose(np.asarray(dots.get_offsets()), cloud)
        for circle, centre in zip(panel.lines, CENTRES, strict=True):
            away = np.stack(circle.get_data(), axis=1) - centre.numpy()
            np.testing.assert_allclose(np.linalg.norm(away, axis=1), 0.25, rtol=1e-6)
    shown = pixels(figure)
    assert (shown[..., 0] - shown[..., 2] > 80).any()  # the dots are orange


def test_points_beyond_the_panel_are_counted():
    half_out = torch.cat([CENTRES, CENTRES + 3])
    inside, outside = plots.points_on_a_ring({"in": CENTRES, "out": half_out}, CENTRES).axes
    assert [text.get_text() for text in inside.texts] == []
    assert [text.get_text() for text in outside.texts] == ["50% beyond"]


def test_paths_and_their_distances_are_drawn():
    plane, distance = FIGURES["game_paths"]().axes
    np.testing.assert_allclose(plane.lines[0].get_xdata(), SPIRAL[:, 0])
    np.testing.assert_allclose(distance.lines[0].get_ydata(), SPIRAL.norm(dim=1), rtol=1e-6)
    assert distance.get_yscale() == "log"


@pytest.mark.parametrize(
    ("act", "words"),
    [
        (lambda: explorers.snapshots({}), "snapshots is empty"),
        (lambda: explorers.snapshots({0: flat(3, 0.0), 1: flat(4, 0.0)}), "same number"),
        (lambda: explorers.snapshots({0: flat(3, -0.5)}), r"snapshot 0 must lie in \[0, 1\]"),
        (lambda: explorers.snapshots(FILM, {"a": [1.0], "b": [1.0, 2.0]}), "same number of values"),
        (lambda: explorers.snapshots(FILM, {"a": [float("nan")]}), "'a' needs finite"),
        (lambda: explorers.latent_walk(decode, draws(1)), "at least 2 finite rows"),
        (lambda: explorers.latent_walk(decode, draws(13)), "12 stops at most"),
        (lambda: explorers.latent_walk(decode, draws(3), steps=0), "at least 1 step"),
        (lambda: explorers.latent_walk(lambda z: decode(z)[:1], draws(2)), "pictures for"),
        (lambda: explorers.latent_walk(lambda z: 2 * decode(z), draws(2)), r"\[0, 1\]"),
        (lambda: explorers.latent_walk_static(decode, draws(3), columns=1), "at least 2"),
        (lambda: explorers.render_walk(decode(draws(5)), 5, 2), "places 0 to 4, not 5"),
        (
            lambda: explorers.render_walk(decode(draws(5)), 1, 2, (LINE[:2].long(), LINE[:2])),
            "2 readings for 5 places",
        ),
        (lambda: plots.judge_on_a_line(LINE, {"p": LINE}, {"D": LINE}), "two densities"),
        (
            lambda: plots.judge_on_a_line(LINE, {"p": LINE, "q": LINE[:3]}, {"D": LINE}),
            r"'q' has shape \(3,\)",
        ),
        (lambda: plots.points_on_a_ring({}, CENTRES), "at least one panel"),
        (lambda: plots.points_on_a_ring({"a": LINE}, CENTRES), r"'a' must have shape \(N, 2\)"),
        (lambda: plots.game_paths({}), "at least one path"),
        (lambda: plots.game_paths({"a": SPIRAL[:1]}), "'a' must have shape"),
    ],
)
def test_bad_input_gets_one_clear_sentence(act, words):
    with pytest.raises(CourseError, match=words) as caught:
        act()
    assert "\n" not in str(caught.value)
