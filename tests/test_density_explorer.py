"""The explorer of likelihoods: its numbers against other sources, its picture, its controls."""

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
from scipy import stats
from torch import distributions

from coursekit import explorers
from coursekit.errors import CourseError
from coursekit.explorers.densities import PANELS, describe_density
from coursekit.explorers.pixels import (
    FAMILIES,
    LEVELS,
    decoder_output,
    draw_pixels,
    pixel,
    settings_of,
)

# Two settings a family, one of them far out.
SETTINGS: list[tuple[str, dict[str, float]]] = [
    ("bernoulli", {"p": 0.3}),
    ("bernoulli", {"p": 0.99}),
    ("continuous-bernoulli", {"logit": -2.0}),
    ("continuous-bernoulli", {"logit": 20.0}),
    ("gaussian", {"mean": 0.3, "std": 0.1}),
    ("gaussian", {"mean": 1.0, "std": 0.005}),
    ("beta", {"a": 2.0, "b": 5.0}),
    ("beta", {"a": 0.1, "b": 20.0}),
    ("categorical-4", {"w0": 0.5, "w1": 0.2, "w2": 0.2, "w3": 0.1}),
    ("categorical-4", {"w0": 0.01, "w1": 1.0, "w2": 0.01, "w3": 0.01}),
    ("discretised-logistic", {"mean": 0.4, "scale": 0.05}),
    ("discretised-logistic", {"mean": 1.5, "scale": 0.002}),
    (
        "logistic-mixture",
        {"mean1": 0.2, "scale1": 0.03, "mean2": 0.7, "scale2": 0.06, "weight": 0.4},
    ),
    (
        "logistic-mixture",
        {"mean1": -0.5, "scale1": 0.25, "mean2": 1.5, "scale2": 0.002, "weight": 0.99},
    ),
]
every_setting = pytest.mark.parametrize(("family", "given"), SETTINGS)
BOX = (54, 38, 392, 264)  # where the axes lie, in CSS pixels


def logistic_masses(mean: float, scale: float) -> np.ndarray:
    """Masses of the 256 levels, from SciPy's logistic distribution."""
    cuts = (np.arange(1, 256) - 0.5) / 255
    below = stats.logistic.cdf(cuts, mean, scale)
    return np.diff(np.concatenate([[0.0], below, [1.0]]))


def oracle(family: str, given: dict[str, float], x: np.ndarray) -> np.ndarray:
    """What should be drawn at x, from the parameters' own names, without the library."""
    there = torch.from_numpy(x)
    if family == "bernoulli":
        return np.array([1 - given["p"], given["p"]])
    if family == "continuous-bernoulli":
        logit = torch.tensor(given["logit"], dtype=torch.float64)
        law = distributions.ContinuousBernoulli(logits=logit)
        return law.log_prob(there).exp().numpy()
    if family == "gaussian":
        return stats.norm.pdf(x, given["mean"], given["std"])
    if family == "beta":
        return stats.beta.pdf(x.clip(1e-6, 1 - 1e-6), given["a"], given["b"])
    if family == "categorical-4":
        weights = np.array(list(given.values()))
        return weights / weights.sum()
    if family == "discretised-logistic":
        return logistic_masses(**given)
    first = logistic_masses(given["mean1"], given["scale1"])
    second = logistic_masses(given["mean2"], given["scale2"])
    return given["weight"] * first + (1 - given["weight"]) * second


def opened(png: bytes) -> np.ndarray:
    image = Image.open(io.BytesIO(png))
    assert image.format == "PNG" and image.mode == "RGB"
    return np.asarray(image).astype(int)


def like(shown: np.ndarray, colour: tuple[int, int, int]) -> np.ndarray:
    return np.abs(shown - np.array(colour)).sum(axis=2) < 12


def across(family: str, x: float) -> float:
    low, high = (-0.3, 1.3) if family == "gaussian" else (-0.06, 1.06)
    return BOX[0] + (x - low) / (high - low) * (BOX[2] - BOX[0])


# The numbers.


@every_setting
def test_what_is_drawn_is_the_distribution_that_the_sliders_name(family, given):
    shown = pixel(family, **given)
    wanted = oracle(family, given, shown.x)
    np.testing.assert_allclose(shown.height, wanted, rtol=2e-5, atol=1e-9)


@every_setting
def test_what_is_drawn_is_what_the_library_says(family, given):
    likelihood, shown = FAMILIES[family].likelihood, pixel(family, **given)
    x = LEVELS if likelihood.scale == "mass" else shown.x
    params = decoder_output(family, given).expand(len(x), -1, -1, -1)
    log_p = likelihood.log_prob(params, torch.from_numpy(x).view(-1, 1, 1, 1))
    values = log_p.exp().numpy()
    if family == "categorical-4":
        values = values.reshape(4, 64).sum(axis=1)
    np.testing.assert_allclose(shown.height, values, rtol=1e-9)
    mean = likelihood.mean(decoder_output(family, given)).item()
    assert shown.mean == pytest.approx(mean, abs=1e-5)


@every_setting
def test_mean_and_deviation_are_those_of_what_is_drawn(family, given):
    shown = pixel(family, **given)
    if family == "beta":
        mean, deviation = stats.beta.stats(given["a"], given["b"])
        deviation = math.sqrt(deviation)
    elif family == "gaussian":
        mean, deviation = given["mean"], given["std"]
    elif FAMILIES[family].likelihood.scale == "density":
        x = np.linspace(0, 1, 20_001)
        density = oracle(family, given, x)
        mean = np.trapezoid(x * density, x)
        deviation = math.sqrt(np.trapezoid((x - mean) ** 2 * density, x))
    else:
        mass = oracle(family, given, shown.x)
        x = shown.x
        if family == "categorical-4":
            mass, x = np.repeat(mass / 64, 64), LEVELS
        mean = (x * mass).sum()
        deviation = math.sqrt((mass * (x - mean) ** 2).sum())
    assert shown.mean == pytest.approx(mean, abs=1e-4)
    assert shown.deviation == pytest.approx(deviation, abs=1e-4)


def test_the_continuous_bernoulli_has_the_uniform_deviation_at_logit_0():
    for logit in (0.0, 0.09, 0.11):
        found = pixel("continuous-bernoulli", logit=logit).deviation
        assert found == pytest.approx(math.sqrt(1 / 12), abs=2e-4)


@every_setting
def test_the_price_is_that_of_the_most_likely_level(family, given):
    shown = pixel(family, **given)
    if family == "bernoulli":
        mass = oracle(family, given, np.array([0.0, 1.0]))
    elif FAMILIES[family].likelihood.scale == "density":
        # the density in the middle of a level's bin, times the bin's width
        mass = oracle(family, given, (np.arange(256) + 0.5) / 256) / 256
    elif family == "categorical-4":
        mass = np.repeat(oracle(family, given, shown.x), 64) / 64
    else:
        mass = oracle(family, given, LEVELS)
    assert shown.level == mass.argmax() or mass[shown.level] == pytest.approx(mass.max())
    assert shown.bits == pytest.approx(-math.log2(mass.max()), abs=1e-4)


@pytest.mark.parametrize(("mean", "std"), [(0.8, 0.15), (0.5, 0.5), (0.0, 0.005)])
def test_what_a_gaussian_wastes_outside(mean, std):
    wanted = stats.norm.cdf(0, mean, std) + stats.norm.sf(1, mean, std)
    assert pixel("gaussian", mean=mean, std=std).outside == pytest.approx(wanted, abs=1e-9)
    assert f"{100 * wanted:.1f} % of the mass" in describe_density("gaussian", mean=mean, std=std)


def test_the_components_add_up_to_the_mixture():
    shown = pixel("logistic-mixture", **SETTINGS[-2][1])
    first, second = shown.parts
    np.testing.assert_allclose(first + second, shown.height, rtol=1e-6)
    assert first.sum() == pytest.approx(0.4, abs=1e-6)


@every_setting
def test_the_pixels_drawn_have_that_mean_and_deviation(family, given):
    drawn = draw_pixels(family, side=64, seed=3, **given).numpy().astype(float)
    assert drawn.shape == (1, 64, 64) and drawn.min() >= 0 and drawn.max() <= 1
    shown = pixel(family, **given)
    if family == "gaussian":
        shares = stats.norm.rvs(given["mean"], given["std"], 200_000, random_state=0).clip(0, 1)
        mean, deviation = shares.mean(), shares.std()
    else:
        mean, deviation = shown.mean, shown.deviation
    assert abs(drawn.mean() - mean) < 4.5 * deviation / 64 + 1e-3
    assert drawn.std() == pytest.approx(deviation, abs=0.12 * deviation + 1e-3)


# The picture.


@pytest.mark.parametrize(
    ("family", "given", "places"),
    [
        ("beta", {"a": 2.0, "b": 5.0}, (0.1, 0.2, 0.5)),
        ("gaussian", {"mean": 0.5, "std": 0.2}, (0.2, 0.4, 0.8, 1.1)),
        ("continuous-bernoulli", {"logit": 3.0}, (0.3, 0.6, 0.9)),
    ],
)
def test_the_curve_stands_at_the_density(family, given, places):
    """Heights above the ground line, in the ratio of the densities."""
    shown = opened(explorers.render_densities(family, **given))
    blue = like(shown, (0x00, 0x72, 0xB2))

    def height(x: float) -> float:
        rows = np.nonzero(blue[2 * BOX[1] : 2 * BOX[3], round(2 * across(family, x))])[0]
        return 2 * (BOX[3] - BOX[1]) - float(rows.mean())

    density = pixel(family, **given)
    top = density.height.max()
    for x in places:
        wanted = np.interp(x, density.x, density.height) / (1.12 * top) * 2 * (BOX[3] - BOX[1])
        assert height(x) == pytest.approx(wanted, abs=5)


@pytest.mark.parametrize("given", [SETTINGS[8][1], SETTINGS[9][1]])
def test_the_bars_are_as_high_as_the_masses(given):
    shown = opened(explorers.render_densities("categorical-4", **given))
    filled = like(shown, (115, 177, 212))
    mass = oracle("categorical-4", given, np.zeros(4))
    for k in range(4):
        column = filled[:, round(2 * across("categorical-4", (64 * k + 16) / 255))]
        wanted = mass[k] / (1.12 * mass.max()) * 2 * (BOX[3] - BOX[1])
        assert column[: 2 * BOX[3]].sum() == pytest.approx(wanted, abs=4)


def test_the_end_levels_are_orange():
    inside = opened(explorers.render_densities("discretised-logistic", mean=0.5, scale=0.01))
    beyond = opened(explorers.render_densities("discretised-logistic", mean=-0.2, scale=0.1))
    orange = (0xE6, 0x9F, 0x00)
    assert like(inside, orange)[: 2 * BOX[3]].sum() == 0
    columns = np.nonzero(like(beyond, orange)[: 2 * BOX[3]].any(axis=0))[0]
    assert abs(columns - 2 * across("discretised-logistic", 0.0)).max() < 4


def test_a_gaussian_is_orange_outside_alone():
    shown = opened(explorers.render_densities("gaussian", mean=0.9, std=0.2))
    columns = np.nonzero(like(shown, (240, 197, 102))[: 2 * BOX[3]].sum(axis=0) > 4)[0]
    assert columns.min() == pytest.approx(2 * across("gaussian", 1.0), abs=5)
    assert columns.max() == pytest.approx(2 * BOX[2], abs=12)
    inside = opened(explorers.render_densities("gaussian", mean=0.5, std=0.02))
    assert like(inside, (240, 197, 102)).sum() == 0


@every_setting
def test_the_patches_are_the_mean_and_the_draws(family, given):
    shown = opened(explorers.render_densities(family, seed=5, **given))
    middle = shown[2 * (38 + 64), 2 * (426 + 64)]
    assert np.abs(middle - 255 * pixel(family, **given).mean).max() <= 1
    cells = shown[2 * 202 + 8 :: 16, 2 * 426 + 8 :: 16][:16, :16, 0]
    drawn = draw_pixels(family, seed=5, **given)[0].numpy()
    assert np.abs(cells - 255 * drawn).max() <= 1
    assert not np.array_equal(drawn, draw_pixels(family, seed=6, **given)[0].numpy()) or (
        drawn.std() < 1e-3
    )


@pytest.mark.parametrize("family", FAMILIES)
def test_the_mean_is_marked_in_its_place(family):
    shown = opened(explorers.render_densities(family))
    red = like(shown, (0xD5, 0x5E, 0x00))[2 * 60 : 2 * BOX[3] - 2]
    columns = np.nonzero(red.sum(axis=0) > 40)[0]
    assert abs(columns.mean() - 2 * across(family, pixel(family).mean)) < 3


@pytest.mark.parametrize("family", FAMILIES)
def test_every_seed_gives_other_pixels_and_the_same_one_the_same(family):
    pngs = [explorers.render_densities(family, seed=seed) for seed in (0, 1, 0)]
    assert pngs[0] != pngs[1] and pngs[0] == pngs[2]


def test_torchs_own_generator_is_left_alone():
    state = torch.get_rng_state()
    for family in FAMILIES:
        explorers.render_densities(family)
    assert torch.equal(state, torch.get_rng_state())


@pytest.mark.parametrize("family", FAMILIES)
def test_a_move_takes_milliseconds(family):
    explorers.render_densities(family)
    taken = []
    for seed in range(12):
        began = time.process_time()  # other processes on the machine do not count
        explorers.render_densities(family, seed=seed)
        taken.append(time.process_time() - began)
    median = 1000 * statistics.median(taken)
    print(f"{family}: {median:.1f} ms a move")
    assert median < 80  # 20 on an idle machine


def test_drawing_uses_no_matplotlib(monkeypatch):
    monkeypatch.setattr(Figure, "__init__", lambda *_, **__: pytest.fail("a Figure was made"))
    for family in FAMILIES:
        explorers.render_densities(family)


# The controls.


def everything(widget: widgets.Widget) -> list[widgets.Widget]:
    below = [one for child in getattr(widget, "children", ()) for one in everything(child)]
    return [widget, *below]


def visible(explorer: explorers.Explorer) -> list[str]:
    return [key for key, one in explorer.controls.items() if one.layout.display != "none"]


@pytest.mark.parametrize("family", FAMILIES)
def test_the_chooser_brings_the_sliders_of_its_family(family):
    explorer = explorers.densities("beta" if family == "bernoulli" else "bernoulli")
    explorer.controls["family"].value = family
    own = [f"{family}.{setting.name}" for setting in FAMILIES[family].settings]
    assert visible(explorer) == ["family", *own]
    assert explorer.picture.value == explorers.render_densities(family)
    assert explorer.caption.value.startswith(FAMILIES[family].title)
    assert visible(explorers.densities(family)) == ["family", *own]


@pytest.mark.parametrize("family", FAMILIES)
def test_every_slider_moves_the_picture_and_the_caption(family):
    explorer = explorers.densities(family)
    for key in visible(explorer)[1:]:
        control = explorer.controls[key]
        explorer.buttons["reset"].click()
        before, said = bytes(explorer.picture.value), explorer.caption.value
        control.value = control.value + 2 * control.step
        assert bytes(explorer.picture.value) != before, key
        assert explorer.caption.value != said, key
        for value in (control.min, control.max):
            control.value = value
            assert bytes(explorer.picture.value).startswith(b"\x89PNG"), key
            assert explorer.message.value == "", key


def test_a_slider_of_another_family_changes_nothing():
    explorer = explorers.densities("beta")
    before = bytes(explorer.picture.value)
    explorer.controls["gaussian.std"].value = 0.4
    assert bytes(explorer.picture.value) == before


def test_every_control_is_labelled_and_only_plain_widgets_are_used():
    explorer = explorers.densities()
    plain = (widgets.Button, widgets.FloatSlider, widgets.Dropdown)
    boxes = (widgets.VBox, widgets.HBox, widgets.HTML, widgets.Image)
    for one in everything(explorer):
        assert isinstance(one, plain + boxes)
        if isinstance(one, plain):
            assert one.description.strip()
    labels = [one.description for key, one in explorer.controls.items() if key[:4] == "cate"]
    assert labels == [
        "levels 0 to 63", "levels 64 to 127", "levels 128 to 191", "levels 192 to 255",
    ]  # fmt: skip
    names = [label for label, _ in explorer.controls["family"].options]
    assert names == [family.title for family in FAMILIES.values()]


def test_every_member_of_the_chooser_can_be_reached_and_left():
    explorer = explorers.densities()
    for _, family in explorer.controls["family"].options:
        explorer.controls["family"].value = family
        assert explorer.message.value == ""


def test_new_draws_and_reset():
    explorer = explorers.densities("beta")
    first = bytes(explorer.picture.value)
    explorer.buttons["new draws"].click()
    assert bytes(explorer.picture.value) != first
    explorer.controls["beta.a"].value = 7.0
    explorer.buttons["reset"].click()
    assert bytes(explorer.picture.value) == first
    assert explorer.controls["beta.a"].value == settings_of("beta", {})["a"]


@every_setting
def test_the_caption_says_the_numbers(family, given):
    said, shown = describe_density(family, **given), pixel(family, **given)
    assert f"mean {shown.mean:.2f}, standard deviation {shown.deviation:.3f}" in said
    price = re.search(
        r"most likely (?:value|levels?) (\d+)(?: to \d+)?: (?:about )?([0-9.]+)", said
    )
    assert price is not None
    assert int(price[1]) in (shown.level, shown.level - shown.level % 64)
    assert float(price[2]) == pytest.approx(shown.bits, abs=0.006)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: explorers.densities("poisson"), "no density 'poisson'"),
        (lambda: explorers.render_densities("beta", c=1.0), "parameters are a, b"),
        (lambda: explorers.render_densities("gaussian", std=-0.1), "std is -0.1"),
        (lambda: explorers.render_densities("beta", a=math.nan), "a is nan"),
        (lambda: explorers.render_densities("bernoulli", p=1.5), "from 0.01 to 0.99"),
    ],
)
def test_bad_input_gets_one_clear_sentence(call, words):
    with pytest.raises(CourseError, match=words) as caught:
        call()
    assert "\n" not in str(caught.value)


def test_the_static_twin_shows_every_family_with_its_mean_and_draws():
    figure = explorers.densities_static()
    assert isinstance(figure, Figure)
    assert {family for family, _ in PANELS} == set(FAMILIES)
    assert len(figure.axes) == 3 * len(PANELS)
    for index, (family, given) in enumerate(PANELS):
        full = settings_of(family, dict(given))
        density, mean, draws = figure.axes[3 * index : 3 * index + 3]
        shown = pixel(family, **full)
        assert density.get_title(loc="left").startswith(FAMILIES[family].title)
        marked = [line for line in density.lines if line.get_linestyle() == "--"]
        assert [float(line.get_xdata()[0]) for line in marked] == [pytest.approx(shown.mean)]
        assert np.asarray(mean.images[0].get_array()) == pytest.approx(shown.mean, abs=1e-6)
        drawn = np.asarray(draws.images[0].get_array())
        assert (drawn == draw_pixels(family, **full)[0].numpy()).all()
        if shown.width:
            assert [bar.get_height() for bar in density.patches] == pytest.approx(shown.height)
        else:
            assert density.lines[0].get_ydata() == pytest.approx(shown.height)
