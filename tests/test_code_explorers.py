"""The explorer and the figures of notebook 08 without a browser: drawn, quick, wired."""

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

from coursekit import explorers, plots
from coursekit.errors import CourseError

CODES = 6


def decode(maps: torch.Tensor) -> torch.Tensor:
    """Grey pictures of twice the map's size: each cell as bright as its code."""
    small = maps[:, None].float() / CODES
    return small.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)


MAPS = torch.arange(2 * 4 * 3).view(2, 4, 3) % CODES
PICTURES = decode(MAPS) * 0.5


def made(**more):
    return explorers.code_map(decode, MAPS, codes=CODES, **more)


def opened(png: bytes) -> np.ndarray:
    image = Image.open(io.BytesIO(png))
    assert image.format == "PNG" and image.mode == "RGB"
    return np.asarray(image).astype(int)


def png_of(explorer: explorers.Explorer) -> bytes:
    return bytes(explorer.picture.value)


def numbers_on(explorer: explorers.Explorer) -> list[int]:
    return [int(cell.description) for cell in explorer.controls["cell"].cells]


def everything(widget: widgets.Widget) -> list[widgets.Widget]:
    below = [one for child in getattr(widget, "children", ()) for one in everything(child)]
    return [widget, *below]


def bright_at(shown: np.ndarray, column: int, row: int, across: float, down: float) -> int:
    """The grey of tile (column, row) at a place inside of it, 0 to 1 from its upper left."""
    x, y = 14 + 144 * column + 128 * across, 32 + 164 * row + 128 * down
    return int(shown[round(2 * y), round(2 * x), 0])


# What is drawn.


def test_the_picture_is_drawn_from_its_own_codes_and_from_the_changed_ones():
    own, now = decode(MAPS[:1])[0], decode(MAPS[:1])[0]
    now = now.clone()
    now[:, 2:4, 2:4] = 1.0
    everywhere = torch.full_like(own, 0.25)
    png = explorers.render_code_map(
        own, now, everywhere, cell=(1, 1), size=(4, 3), code=5, original=own
    )
    shown = opened(png)
    assert shown.shape == (692, 912, 3)
    # a map of 4 x 3 is drawn 128 x 96 in the middle: its cell (1, 1) is at 3/8 from above
    assert abs(bright_at(shown, 1, 0, 0.5, 0.375) - 255 * float(own[0, 2, 2])) <= 1
    assert bright_at(shown, 2, 0, 0.5, 0.375) == 255
    assert abs(bright_at(shown, 1, 1, 0.5, 0.5) - 64) <= 1
    change = bright_at(shown, 0, 1, 0.5, 0.375)
    assert abs(change - 255 * float(1 - own[0, 2, 2])) <= 1
    assert bright_at(shown, 0, 1, 0.25, 0.125) == 0


def test_the_frame_stands_around_the_chosen_cell_only():
    own = decode(MAPS[:1])[0]
    shown = opened(
        explorers.render_code_map(own, own, own, cell=(3, 0), size=(4, 3), code=0, original=own)
    )
    frame = np.abs(shown - [0xD5, 0x5E, 0x00]).sum(axis=2) < 8
    rows, columns = np.nonzero(frame[: 2 * 170])
    left = 14 + 2 * 144 + 16
    assert rows.min() >= 2 * (32 + 96) - 4 and rows.max() <= 2 * (32 + 128) + 2
    assert columns.min() >= 2 * left - 4 and columns.max() <= 2 * (left + 32) + 2


def test_without_the_picture_there_is_one_tile_less():
    own = decode(MAPS[:1])[0]
    more = {"cell": (0, 0), "size": (4, 3), "code": 0}
    assert explorers.render_code_map(own, own, own, **more) != explorers.render_code_map(
        own, own, own, original=own, **more
    )


def test_a_move_takes_milliseconds():
    maps = torch.randint(512, (3, 8, 8), generator=torch.Generator().manual_seed(0))
    noise = torch.rand(512, generator=torch.Generator().manual_seed(1))

    def colours(codes):
        small = noise[codes][:, None].expand(-1, 3, -1, -1)
        return small.repeat_interleave(4, dim=2).repeat_interleave(4, dim=3)

    explorer = explorers.code_map(colours, maps, codes=512, pictures=colours(maps))
    taken = []
    for k in range(20):
        began = time.process_time()  # other processes on the machine do not count
        explorer.controls["code"].value = 20 * k + 1
        taken.append(time.process_time() - began)
    median = 1000 * statistics.median(taken)
    print(f"code_map: {median:.1f} ms a move")
    assert median < 80


def test_drawing_uses_no_matplotlib(monkeypatch):
    monkeypatch.setattr(Figure, "__init__", lambda *_, **__: pytest.fail("a Figure was made"))
    made().controls["code"].value = 3


# What is wired.


def test_the_buttons_show_the_codes_of_the_chosen_picture():
    explorer = made()
    assert numbers_on(explorer) == MAPS[0].flatten().tolist()
    explorer.controls["picture"].value = 1
    assert numbers_on(explorer) == MAPS[1].flatten().tolist()
    assert explorer.controls["cell"].value == 7  # the middle of 4 x 3
    assert explorer.controls["code"].value == int(MAPS[1, 2, 1])


def test_a_click_chooses_a_cell_and_changes_nothing():
    explorer = made()
    before = png_of(explorer)
    explorer.controls["cell"].cells[5].click()
    assert explorer.controls["cell"].value == 5
    assert explorer.controls["code"].value == int(MAPS[0].flatten()[5])
    assert numbers_on(explorer) == MAPS[0].flatten().tolist()
    assert png_of(explorer) != before
    assert "row 2, column 3" in explorer.caption.value
    assert "Cells changed: 0 of 12" in explorer.caption.value


def test_the_slider_changes_the_code_of_the_chosen_cell_alone():
    explorer = made(pictures=PICTURES)
    before = png_of(explorer)
    explorer.controls["code"].value = 4
    wanted = MAPS[0].flatten().tolist()
    wanted[7] = 4
    assert numbers_on(explorer) == wanted
    assert png_of(explorer) != before
    assert "code 4 (its own: 1)" in explorer.caption.value
    assert "Cells changed: 1 of 12" in explorer.caption.value


def test_what_is_drawn_is_what_the_buttons_say():
    seen = []

    def watching(maps):
        seen.append((maps.clone(), torch.is_grad_enabled()))
        return decode(maps)

    explorer = explorers.code_map(watching, MAPS, codes=CODES)
    explorer.controls["cell"].cells[4].click()
    explorer.controls["code"].value = 2
    shown = torch.tensor(numbers_on(explorer)).view(1, 4, 3)
    assert any(torch.equal(maps, shown) for maps, _ in seen)
    assert any(torch.equal(maps, torch.full_like(maps, 2)) for maps, _ in seen)
    assert not any(grad for _, grad in seen)


def test_changes_stay_with_their_picture_and_can_be_taken_back():
    explorer = made()
    explorer.controls["cell"].cells[0].click()
    first = png_of(explorer)
    explorer.controls["code"].value = 5
    explorer.controls["cell"].cells[3].click()
    explorer.buttons["any code"].click()
    explorer.controls["picture"].value = 1
    assert numbers_on(explorer) == MAPS[1].flatten().tolist()
    explorer.controls["picture"].value = 0
    assert numbers_on(explorer)[0] == 5
    explorer.buttons["cell back"].click()
    assert numbers_on(explorer)[3] == int(MAPS[0].flatten()[3])
    assert numbers_on(explorer)[0] == 5
    explorer.buttons["all back"].click()
    explorer.controls["cell"].cells[0].click()
    assert numbers_on(explorer) == MAPS[0].flatten().tolist()
    assert png_of(explorer) == first


def test_the_maps_that_were_given_stay_as_they_are():
    maps = MAPS.clone()
    explorer = explorers.code_map(decode, maps, codes=CODES)
    explorer.controls["code"].value = 5
    assert torch.equal(maps, MAPS)


def test_the_chosen_and_the_changed_cell_look_different():
    explorer = made()
    cells = explorer.controls["cell"].cells
    cells[0].click()
    explorer.controls["code"].value = 3
    cells[1].click()
    colours = [cell.style.button_color for cell in cells[:3]]
    assert len(set(colours)) == 3
    assert cells[0].tooltip == "row 1, column 1: code 3, own code 0"


def test_every_control_is_labelled_and_only_plain_widgets_are_used():
    labelled = (widgets.Button, widgets.IntSlider)
    plain = (widgets.VBox, widgets.HBox, widgets.HTML, widgets.Image)
    for one in everything(made()):
        assert isinstance(one, plain + labelled)
        if isinstance(one, labelled):
            assert one.description.strip()


def test_one_map_alone_needs_no_choice():
    explorer = explorers.code_map(decode, MAPS[:1], codes=CODES)
    assert list(explorer.controls) == ["cell", "code"]
    explorer.controls["code"].value = 3
    assert numbers_on(explorer)[7] == 3


OWN = decode(MAPS[:1])[0]


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: explorers.code_map(decode, MAPS, codes=4), "codes from 0 to 5"),
        (lambda: explorers.code_map(decode, MAPS - 1, codes=CODES), "codes from -1"),
        (lambda: explorers.code_map(decode, MAPS.float(), codes=CODES), "code indices of shape"),
        (lambda: explorers.code_map(decode, MAPS[0], codes=CODES), r"shape \(N, h, w\)"),
        (lambda: made(pictures=PICTURES[:1]), "1 pictures for 2 code maps"),
        (lambda: explorers.code_map(lambda m: m, MAPS, codes=CODES), r"shape \(N, C, H, W\)"),
        (
            lambda: explorers.code_map(lambda m: decode(m).repeat(2, 1, 1, 1), MAPS, codes=CODES),
            "2 pictures for 1 maps",
        ),
        (
            lambda: explorers.render_code_map(OWN, OWN, OWN, cell=(4, 0), size=(4, 3), code=0),
            "outside of a map of 4 x 3",
        ),
        (
            lambda: explorers.code_map_static(decode, MAPS, codes=CODES, cell=(0, 3)),
            "outside of a map",
        ),
    ],
)
def test_bad_input_gets_one_clear_sentence(call, words):
    with pytest.raises(CourseError, match=words) as caught:
        call()
    assert "\n" not in str(caught.value)


# The static twin, and the other figures.


def test_the_static_twin_shows_the_map_and_other_codes_in_one_cell():
    figure = explorers.code_map_static(decode, MAPS, codes=CODES, pictures=PICTURES, others=3)
    table, *panels = figure.axes
    assert [int(text.get_text()) for text in table.texts] == MAPS[0].flatten().tolist()
    titles = [panel.get_title() for panel in panels]
    assert titles[0] == f"own: {int(MAPS[0, 2, 1])}" and titles[1] == "the picture"
    assert titles[3::2] == ["change"] * 3
    own, tried = (np.asarray(panels[k].images[0].get_array()) for k in (0, 2))
    changed = np.argwhere(own != tried)
    assert changed.min(axis=0).tolist() == [4, 2] and changed.max(axis=0).tolist() == [5, 3]
    assert int(panels[2].get_title().split()[1]) / CODES == pytest.approx(tried[4, 2])


def test_a_code_without_points_is_a_cross():
    points = torch.tensor([[0.0, 0.0], [1.0, 1.0]])
    codes = torch.tensor([[0.0, 0.1], [1.0, 0.9], [-2.0, -2.0]])
    panel = plots.cells_in_plane({"one": codes}, points, arrows=True, grid=30).axes[0]
    used, unused = panel.collections[-2:]
    assert used.get_offsets().tolist() == pytest.approx(codes[:2].numpy())
    assert unused.get_offsets().tolist() == pytest.approx(codes[2:].numpy())


def test_each_place_of_the_plane_has_the_colour_of_its_nearest_code():
    codes = torch.tensor([[-1.0, 0.0], [1.0, 0.0]])
    panel = plots.cells_in_plane({"two": codes}, codes, extent=2, grid=40).axes[0]
    drawn = np.asarray(panel.images[0].get_array())
    assert (drawn[:, :20] == drawn[0, 0]).all() and (drawn[:, 20:] == drawn[0, -1]).all()
    assert drawn[0, 0] != drawn[0, -1]


def test_what_is_seen_is_filled_and_what_looks_is_framed():
    mask = torch.tensor([[1.0, 1, 1], [1, 0, 0], [0, 0, 0]])
    panel = plots.seen_places({"A": mask}, numbers=True).axes[0]
    assert panel.images[0].get_array().filled(0).tolist() == mask.tolist()
    assert panel.patches[0].get_xy() == (0.5, 0.5)
    assert [text.get_text() for text in panel.texts][:4] == ["1", "1", "1", "1"]


def test_used_and_unused_codes_are_told_apart_by_shape():
    places = torch.randn(4, 2)
    counts = torch.tensor([9, 0, 1, 0])
    figure = plots.projected_codebook({"PCA": places}, counts, colours=torch.rand(4, 3))
    used, unused = figure.axes[0].collections
    assert used.get_offsets().tolist() == pytest.approx(places[[0, 2]].numpy())
    assert unused.get_offsets().tolist() == pytest.approx(places[[1, 3]].numpy())
    assert used.get_sizes()[0] > used.get_sizes()[1]
    assert [t.get_text() for t in figure.axes[0].get_legend().get_texts()] == [
        "used (2)",
        "unused (2)",
    ]


def test_usage_falls_and_ends_where_no_code_is_used():
    line = plots.usage({"a": torch.tensor([1, 0, 6, 3])}).axes[0].lines[0]
    assert line.get_ydata().tolist() == pytest.approx([0.6, 0.3, 0.1])


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: plots.cells_in_plane({}, torch.zeros(2, 2)), "at least one codebook"),
        (lambda: plots.cells_in_plane({"a": torch.zeros(2, 3)}, torch.zeros(2, 2)), r"\(N, 2\)"),
        (lambda: plots.seen_places({"a": torch.zeros(3)}), "matrices"),
        (lambda: plots.projected_codebook({"a": torch.zeros(3, 2)}, torch.ones(4)), r"\(4, 2\)"),
        (lambda: plots.usage({"a": torch.zeros(3)}), "is used"),
        (lambda: plots.rate_and_distortion({"a": {"b": (1.0, 0.0)}}), "above 0"),
    ],
)
def test_bad_figures_get_one_clear_sentence(call, words):
    with pytest.raises(CourseError, match=words):
        call()
