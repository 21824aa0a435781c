"""Figures of notebook 06: what is drawn where, and one clear sentence for bad input."""

from __future__ import annotations

import io
import math
import warnings

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from PIL import Image

from coursekit import plots
from coursekit.errors import CourseError


def normal(x: torch.Tensor) -> torch.Tensor:
    return -0.5 * x.square().sum(dim=1) - math.log(2 * math.pi)


def at(x: float, y: float):
    """A narrow hill at (x, y)."""
    return lambda points: normal((points - torch.tensor([x, y])) / 0.2) - 2 * math.log(0.2)


def pixels(figure: Figure) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(plots.figure_png(figure))).convert("RGB")).astype(int)


Z = torch.randn(40, 2, generator=torch.Generator().manual_seed(0))
WEIGHTS = torch.linspace(0, 1, 5)
FIGURES = {
    "densities_in_plane": lambda: plots.densities_in_plane({"a": normal, "b": at(1, 1)}, cells=31),
    "layer_by_layer": lambda: plots.layer_by_layer({"z": Z, "2 z": 2 * Z}, Z[:, 0]),
    "norms_along": lambda: plots.norms_along({"linear": torch.ones(2, 5)}, WEIGHTS, dims=9),
    "curves_and_lines": lambda: plots.curves_and_lines({"flow": [2.0, 1.0]}, {"entropy": 0.8}),
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


def test_a_density_is_dark_where_it_is_high_and_its_axes_are_not_exchanged():
    figure = plots.densities_in_plane({"hill": at(1.5, -1.0)}, extent=2.5, cells=61)
    panel = figure.axes[0]
    shown = pixels(figure)

    def darkness(x, y):
        column, row = panel.transData.transform((x, y)) * shown.shape[1] / figure.bbox.width
        return 765 - shown[shown.shape[0] - 1 - round(row), round(column)].sum()

    assert darkness(1.5, -1.02) > darkness(1.08, -1.02) > darkness(-1.27, 1.62) == 0


def test_a_density_of_zero_nearly_everywhere_is_drawn_without_a_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        plots.figure_png(plots.densities_in_plane({"needle": lambda x: normal(x / 0.02)}, cells=21))


def test_samples_stand_in_the_panel_of_their_name_only():
    figure = plots.densities_in_plane({"a": normal, "b": normal}, points={"b": Z}, cells=21)
    dots = [
        [c for c in panel.collections if len(c.get_offsets()) == len(Z)] for panel in figure.axes
    ]
    assert [len(found) for found in dots] == [0, 1]
    np.testing.assert_allclose(np.asarray(dots[1][0].get_offsets()), Z.numpy())


def test_each_stage_shows_its_own_places_with_the_same_colours():
    states = {"base": Z, "moved": Z + 1, "and again": 2 * Z}
    figure = plots.layer_by_layer(states, Z[:, 1], columns=2)
    panels = figure.axes[:3]
    assert [panel.get_title(loc="left") for panel in panels] == list(states)
    for panel, places in zip(panels, states.values(), strict=True):
        (dots,) = panel.collections
        np.testing.assert_allclose(np.asarray(dots.get_offsets()), places.numpy())
        np.testing.assert_allclose(np.asarray(dots.get_array()), Z[:, 1].numpy())


def test_norms_have_a_panel_a_pair_and_the_band_of_the_shell():
    norms = {"linear": torch.rand(3, 5), "spherical": 28 + torch.rand(3, 5)}
    figure = plots.norms_along(norms, WEIGHTS, dims=784, names=["a", "b", "c"])
    panels = figure.axes[:3]
    assert [panel.get_title(loc="left") for panel in panels] == ["a", "b", "c"]
    for pair, panel in enumerate(panels):
        for line, values in zip(panel.lines, norms.values(), strict=True):
            np.testing.assert_allclose(line.get_ydata(), values[pair].numpy())
        band = panel.patches[0]
        low, high = band.get_y(), band.get_y() + band.get_height()
        assert (low, high) == pytest.approx((28 - 3 / 2**0.5, 28 + 3 / 2**0.5))


def test_lines_are_named_and_stand_at_their_level():
    figure = plots.curves_and_lines(
        {"flow": {"train": [2.0, 1.5], "held out": [2.1, 1.6]}}, {"entropy": 0.81, "xz": 1.39}
    )
    axes = figure.axes[0]
    assert [text.get_text() for text in axes.texts] == ["entropy 0.810", "xz 1.390"]
    assert {0.81, 1.39} <= {float(line.get_ydata()[0]) for line in axes.lines}


@pytest.mark.parametrize(
    ("draw", "words"),
    [
        (lambda: plots.densities_in_plane({}), "at least one density"),
        (lambda: plots.densities_in_plane({"a": lambda x: x}), r"'a' must give \(M,\)"),
        (lambda: plots.densities_in_plane({"a": lambda x: x[:, 0] + math.inf}), "infinite"),
        (lambda: plots.densities_in_plane({"a": lambda x: x[:, 0] - math.inf}), "0 everywhere"),
        (lambda: plots.layer_by_layer({}, Z[:, 0]), "at least one stage"),
        (lambda: plots.layer_by_layer({"a": Z[:3]}, Z[:, 0]), r"'a' has shape \(3, 2\)"),
        (lambda: plots.norms_along({}, WEIGHTS, dims=9), "at least one path"),
        (lambda: plots.norms_along({"a": torch.ones(2, 4)}, WEIGHTS, dims=9), "a column a weight"),
        (lambda: plots.curves_and_lines({"a": [1.0]}, {"b": math.nan}), "'b' needs a finite"),
        (lambda: plots.curves_and_lines({}, {}), "at least one run"),
    ],
)
def test_bad_input_gets_one_clear_sentence(draw, words):
    with pytest.raises(CourseError, match=words) as caught:
        draw()
    assert "\n" not in str(caught.value)
