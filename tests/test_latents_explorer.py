"""The explorer of latent spaces without a browser: what is drawn, how fast, what is wired."""

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
from sklearn.decomposition import PCA

from coursekit import explorers, plots
from coursekit.errors import CourseError
from coursekit.latent_space import principal_axes

LATENTS = 16
SPREAD = torch.linspace(2.0, 0.2, LATENTS)
TURN = torch.linalg.qr(
    torch.randn(LATENTS, LATENTS, generator=torch.Generator().manual_seed(1))
).Q.contiguous()


def opened(png: bytes) -> np.ndarray:
    image = Image.open(io.BytesIO(png))
    assert image.format == "PNG" and image.mode == "RGB"
    return np.asarray(image).astype(int)


def decode(z: torch.Tensor) -> torch.Tensor:
    """8 x 8 pictures that every latent changes; the pixel in the corner is ndtr(mean of z)."""
    weights = torch.randn(z.shape[1], 64, generator=torch.Generator().manual_seed(2))
    values = torch.special.ndtr(z @ weights)
    values[:, 0] = torch.special.ndtr(z.mean(dim=1))
    return values.view(-1, 1, 8, 8)


def encode(x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """A fixed turn of the first pixels, so that each picture has a latent of its own."""
    mu = 2 * (x.flatten(1)[:, :LATENTS] - 0.5) @ TURN
    return mu, torch.full_like(mu, -2.0)


def pictures(n: int = 12) -> torch.Tensor:
    return torch.rand(n, 1, 8, 8, generator=torch.Generator().manual_seed(3))


def cloud(n: int = 300) -> tuple[torch.Tensor, torch.Tensor]:
    g = torch.Generator().manual_seed(4)
    return (torch.randn(n, LATENTS, generator=g) * SPREAD) @ TURN + 0.3, torch.arange(n) % 10


POINTS, LABELS = cloud()
MEAN, DIRECTIONS, SHARES = principal_axes(POINTS)
GROUND = explorers.latent_ground(
    ((POINTS - MEAN) @ DIRECTIONS.T)[:, :2].contiguous(), LABELS, extent=8.0
)


def rendered(coordinates: torch.Tensor, **more: object) -> bytes:
    return explorers.render_latents(
        decode, coordinates, MEAN, DIRECTIONS, extent=8.0, ground=GROUND, **more
    )


def made(**more: object) -> explorers.Explorer:
    return explorers.latents(decode, encode, pictures(), POINTS, LABELS, **more)


def png_of(explorer: explorers.Explorer) -> bytes:
    return bytes(explorer.picture.value)


def latent_of(explorer: explorers.Explorer) -> torch.Tensor:
    count = len([name for name in explorer.controls if name.startswith("direction")])
    values = [explorer.controls[f"direction{k + 1}"].value for k in range(count)]
    return MEAN + torch.tensor(values) @ DIRECTIONS[:count]


# The principal axes.


def test_the_axes_are_those_of_scikit_learn():
    oracle = PCA().fit(POINTS.double().numpy())
    assert np.allclose(SHARES.numpy(), oracle.explained_variance_ratio_, atol=1e-6)
    overlap = np.abs((DIRECTIONS.double().numpy() * oracle.components_).sum(axis=1))
    assert np.allclose(overlap, 1, atol=1e-4)
    assert np.allclose(MEAN.numpy(), oracle.mean_, atol=1e-5)


def test_the_axes_are_orthonormal_ordered_and_of_one_sign():
    assert torch.allclose(DIRECTIONS @ DIRECTIONS.T, torch.eye(LATENTS), atol=1e-5)
    assert (SHARES.diff() <= 0).all() and abs(float(SHARES.sum()) - 1) < 1e-5
    again = principal_axes(-POINTS)[1]
    assert torch.allclose(again, DIRECTIONS, atol=1e-4), "the sign does not depend on the data's"


def test_fewer_points_than_latents_still_give_all_axes():
    _, directions, shares = principal_axes(POINTS[:3])
    assert directions.shape == (LATENTS, LATENTS)
    assert torch.allclose(directions @ directions.T, torch.eye(LATENTS), atol=1e-5)
    assert float(shares[2:].abs().max()) < 1e-5


# What is drawn.


def test_the_picture_is_decoded_at_the_coordinates():
    for k in (0, 5):
        coordinates = torch.zeros(LATENTS)
        coordinates[k] = 2.5
        shown = opened(rendered(coordinates))
        assert shown.shape == (688, 1144, 3)
        wanted = decode((MEAN + 2.5 * DIRECTIONS[k])[None])[0, 0]
        cell = 2 * 196 / 8
        for row, column in ((0, 0), (3, 6), (7, 2)):
            place = (2 * 30 + round((row + 0.5) * cell), 2 * 360 + round((column + 0.5) * cell))
            assert np.abs(shown[place] - 255 * float(wanted[row, column])).max() <= 2


def test_the_crosshair_stands_at_the_first_two_coordinates_and_upwards_is_up():
    before = np.asarray(GROUND).astype(int)
    coordinates = torch.zeros(LATENTS)
    coordinates[:3] = torch.tensor([4.0, -4.0, 3.0])
    changed = np.abs(opened(rendered(coordinates)) - before).sum(axis=2) > 0
    inside = changed[28:628, 80:680]
    assert abs(inside.mean(axis=0).argmax() - 0.75 * 600) < 3
    assert abs(inside.mean(axis=1).argmax() - 0.75 * 600) < 3
    assert (np.asarray(GROUND) == before).all(), "the ground is not drawn on"


def test_a_crosshair_beyond_the_map_stays_at_its_edge():
    coordinates = torch.full((LATENTS,), 99.0)
    before = np.asarray(GROUND).astype(int)
    changed = np.abs(opened(rendered(coordinates)) - before).sum(axis=2) > 0
    rows, columns = np.nonzero(changed[:, :700])
    assert columns.min() > 70 and columns.max() < 700 and rows.max() < 640


def test_the_chosen_digit_is_shown():
    bright, dark = torch.ones(1, 8, 8), torch.zeros(1, 8, 8)
    place = (2 * (256 + 42), 2 * (360 + 42))
    assert opened(rendered(torch.zeros(LATENTS), picture=bright))[place].min() == 255
    assert opened(rendered(torch.zeros(LATENTS), picture=dark))[place].max() == 0


def test_one_latent_and_two_latents_work():
    for size in (1, 2):
        points = torch.randn(30, size, generator=torch.Generator().manual_seed(size))
        explorer = explorers.latents(
            lambda z: decode(torch.nn.functional.pad(z, (0, LATENTS - z.shape[1]))),
            lambda x, size=size: tuple(part[:, :size] for part in encode(x)),
            pictures(),
            points,
            torch.arange(30) % 3,
        )
        assert len(explorer.controls) == 1 + size
        explorer.buttons["random"].click()
        assert png_of(explorer).startswith(b"\x89PNG")


def test_a_move_takes_milliseconds():
    taken = []
    for k in range(20):
        coordinates = torch.full((LATENTS,), k / 10)
        began = time.process_time()  # other processes on the machine do not count
        rendered(coordinates, picture=pictures()[0])
        taken.append(time.process_time() - began)
    median = 1000 * statistics.median(taken)
    print(f"latents: {median:.1f} ms a move")
    assert median < 80  # 20 on an idle machine; a matplotlib figure takes over 100


def test_drawing_uses_no_matplotlib_and_no_gradient(monkeypatch):
    monkeypatch.setattr(Figure, "__init__", lambda *_, **__: pytest.fail("a Figure was made"))
    seen = []

    def watching(z: torch.Tensor) -> torch.Tensor:
        seen.append(torch.is_grad_enabled())
        return decode(z)

    explorer = explorers.latents(watching, encode, pictures(), POINTS, LABELS)
    explorer.controls["direction1"].value = 1.0
    assert len(seen) >= 2 and not any(seen)


def test_every_input_gives_another_picture_and_the_same_one_the_same():
    pngs = [rendered(torch.full((LATENTS,), k / 4)) for k in range(8)]
    assert len(set(pngs)) == 8
    assert rendered(torch.full((LATENTS,), 0.75)) == pngs[3]


# What is wired.


def test_every_slider_moves_the_picture_and_the_caption():
    explorer = made()
    assert len(explorer.controls) == 1 + LATENTS
    for key, control in explorer.controls.items():
        before, said = png_of(explorer), explorer.caption.value
        control.value = control.value + 8 * control.step
        assert png_of(explorer) != before, key
        assert explorer.caption.value != said, key
        assert explorer.message.value == ""


def test_every_control_works_over_its_whole_range():
    explorer = made()
    for control in explorer.controls.values():
        for value in (control.min, control.max):
            control.value = value
            assert png_of(explorer).startswith(b"\x89PNG")


def test_sliders_say_their_share_of_the_variance():
    explorer = made()
    for k in range(LATENTS):
        label = explorer.controls[f"direction{k + 1}"].description
        assert label.startswith(f"{k + 1}") and label.endswith(f"{100 * float(SHARES[k]):.1f} %")
    assert "across" in explorer.controls["direction1"].description
    assert "up" in explorer.controls["direction2"].description


def everything(widget: widgets.Widget) -> list[widgets.Widget]:
    below = [one for child in getattr(widget, "children", ()) for one in everything(child)]
    return [widget, *below]


def test_every_control_is_labelled_and_only_plain_widgets_are_used():
    allowed = (
        widgets.VBox,
        widgets.HBox,
        widgets.HTML,
        widgets.Image,
        widgets.Button,
        widgets.FloatSlider,
        widgets.IntSlider,
    )
    for one in everything(made()):
        assert isinstance(one, allowed)
        if isinstance(one, (widgets.Button, widgets.FloatSlider, widgets.IntSlider)):
            assert one.description.strip()


def test_the_buttons_stand_above_the_sliders():
    explorer = made()
    order = [id(one) for one in everything(explorer)]
    for button in explorer.buttons.values():
        assert order.index(id(button)) < order.index(id(explorer.controls["direction1"]))
        assert order.index(id(button)) > order.index(id(explorer.controls["index"]))


def test_encode_this_digit_goes_to_its_posterior_mean():
    explorer = made()
    mu, _ = encode(pictures())
    for index in (0, 7):
        explorer.controls["index"].value = index
        explorer.buttons["encode this digit"].click()
        assert torch.allclose(latent_of(explorer), mu[index], atol=1e-4)
        assert "lies 0.00 away" in explorer.caption.value


def test_reset_goes_to_the_mean_of_the_points():
    explorer = made()
    first = png_of(explorer)
    explorer.buttons["random"].click()
    assert png_of(explorer) != first
    explorer.buttons["reset"].click()
    assert torch.allclose(latent_of(explorer), MEAN, atol=1e-6)
    assert png_of(explorer) == first


def test_random_draws_from_the_prior_given_and_draws_once():
    wanted = torch.linspace(-1, 1, LATENTS)
    explorer = made(sample=lambda g: wanted)
    drawn = []
    original = explorer._draw_picture
    explorer._draw_picture = lambda **values: (drawn.append(1), original(**values))[1]
    explorer.buttons["random"].click()
    assert torch.allclose(latent_of(explorer), wanted, atol=1e-5)
    assert len(drawn) == 1


def test_random_latents_are_standard_normal_and_fixed_by_the_seed():
    first, second, other = made(), made(), made(seed=1)
    for explorer in (first, second, other):
        explorer.buttons["random"].click()
    assert png_of(first) == png_of(second) != png_of(other)
    lengths = []
    for _ in range(60):
        first.buttons["random"].click()
        lengths.append(float(latent_of(first).square().sum()))
    assert abs(statistics.mean(lengths) - LATENTS) < 3


def test_directions_without_a_slider_follow_the_buttons():
    explorer = made(sliders=3)
    assert list(explorer.controls) == ["index", "direction1", "direction2", "direction3"]
    explorer.buttons["encode this digit"].click()
    assert "lies 0.00 away" in explorer.caption.value
    explorer.buttons["reset"].click()
    assert png_of(explorer) == png_of(made(sliders=3))


def test_points_default_to_the_pictures_own():
    explorer = explorers.latents(decode, encode, pictures())
    assert "chosen digit" in explorer.caption.value or explorer.caption.value


# What is refused.


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: made(sliders=17), "between 1 and 16"),
        (lambda: explorers.latents(decode, encode, pictures(), POINTS[:, :3]), r"\(M, 16\)"),
        (lambda: explorers.latents(decode, encode, pictures(), POINTS, LABELS[:5]), "one for each"),
        (lambda: explorers.latents(decode, encode, torch.rand(3, 8, 8)), "unsqueeze"),
        (lambda: explorers.latents(lambda z: z, encode, pictures()), r"decode\(z\) must have"),
        (lambda: explorers.latents(decode, lambda x: (x, x), pictures()), r"shape \(B, K\)"),
        (lambda: principal_axes(POINTS[:1]), "N at least 2"),
        (lambda: principal_axes(POINTS / 0), "not finite"),
        (lambda: rendered(torch.zeros(3)), "coordinates must have shape"),
        (lambda: explorers.latents_static(decode, POINTS, columns=1), "2 columns"),
        (lambda: explorers.latents_static(decode, POINTS, LABELS[:5]), "one for each"),
    ],
)
def test_bad_input_gets_one_clear_sentence(call, words):
    with pytest.raises(CourseError, match=words) as caught:
        call()
    assert "\n" not in str(caught.value)


def test_an_error_is_said_in_the_explorer_and_goes_away():
    def fragile(z: torch.Tensor) -> torch.Tensor:
        if z.norm() > 6:
            raise RuntimeError("the decoder broke")
        return decode(z)

    explorer = explorers.latents(fragile, encode, pictures(), POINTS, LABELS)
    with pytest.raises(RuntimeError, match="the decoder broke"):
        explorer.controls["direction1"].value = explorer.controls["direction1"].max * 1.0
        explorer.controls["direction2"].value = explorer.controls["direction2"].max * 1.0
    assert "RuntimeError: the decoder broke" in explorer.message.value
    explorer.buttons["reset"].click()
    assert explorer.message.value == ""


# The static twin.


def test_the_static_twin_shows_the_map_and_a_row_for_each_direction():
    decoded = []

    def watching(z: torch.Tensor) -> torch.Tensor:
        decoded.append(z)
        return decode(z)

    figure = explorers.latents_static(watching, POINTS, LABELS, directions=3, columns=5)
    assert isinstance(figure, Figure) and len(figure.axes) == 4
    z = torch.cat(decoded).view(3, 5, LATENTS)
    spread = ((POINTS - MEAN) @ DIRECTIONS.T).std(dim=0, unbiased=False)
    for row in range(3):
        assert torch.allclose(z[row, 2], MEAN, atol=1e-5)
        assert torch.allclose(z[row, 4] - MEAN, 2 * spread[row] * DIRECTIONS[row], atol=1e-4)
        strip = figure.axes[1 + row].images[0].get_array()
        assert strip.shape == (10, 50)
        picture = decode(z[row, 1:2])[0, 0].numpy()
        assert np.allclose(strip[1:9, 11:19], picture, atol=1e-6)
    names = [axes.get_ylabel() for axes in figure.axes[1:]]
    assert names == [f"{k + 1}: {100 * float(SHARES[k]):.0f} %" for k in range(3)]


def test_the_static_twin_needs_no_labels_and_takes_colour_pictures_and_one_latent():
    figure = explorers.latents_static(
        lambda z: torch.sigmoid(z[:, :1, None, None]).expand(-1, 3, 8, 8), POINTS[:, :1]
    )
    assert len(figure.axes) == 2 and figure.axes[1].images[0].get_array().shape[2] == 3


# The figures of the notebook.


def test_ellipses_have_the_posteriors_axes_and_lie_inside_the_figure():
    mu, log_var = torch.zeros(4, 2), torch.log(torch.tensor([[4.0, 1.0]])).expand(4, 2)
    mu[1], mu[2] = torch.tensor([3.0, 0.0]), torch.tensor([0.0, 2.0])
    axes = plots.posterior_scatter(mu, log_var, torch.tensor([0, 1, 1, 0]), ellipses=3).axes[0]
    ellipses = axes.collections[-1]
    assert np.allclose(ellipses.get_widths(), 4) and np.allclose(ellipses.get_heights(), 2)
    assert np.allclose(ellipses.get_offsets(), mu[:3])
    assert axes.get_xlim()[0] <= -2 and axes.get_xlim()[1] >= 5


def test_every_map_has_its_title_and_a_name_for_each_class():
    points = torch.randn(40, 2, generator=torch.Generator().manual_seed(0))
    figure = plots.scatters({"one": points, "two": -points}, torch.arange(40) % 4, list("abcd"))
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["one", "two"]
    assert [text.get_text() for text in figure.axes[1].texts] == list("abcd")


def test_a_matrix_says_each_entry_in_its_place_and_leaves_small_ones_empty():
    values = torch.tensor([[0.5, 0.001, 0.25], [0.0, 1.0, 0.02]])
    axes = plots.matrix(values, ["a", "b"], ["x", "y", "z"]).axes[0]
    said = {(t.get_position()[1], t.get_position()[0]): t.get_text() for t in axes.texts}
    assert said == {(0, 0): "50", (0, 2): "25", (1, 1): "100", (1, 2): "2"}
    assert [label.get_text() for label in axes.get_xticklabels()] == ["x", "y", "z"]


def test_histograms_are_shares_over_the_same_bins():
    groups = {"few": torch.tensor([0.0, 1.0]), "many": torch.linspace(0, 2, 50)}
    axes = plots.histograms(groups, xlabel="nats", bins=4, limits=(0.0, 1.0)).axes[0]
    few, many = (patch.get_data() for patch in axes.patches)
    assert np.allclose(few.edges, many.edges)
    assert abs(sum(few.values) - 1) < 1e-9 and abs(sum(many.values) - 1) < 1e-9
    assert many.values[-1] > 0.5, "what lies beyond the limits counts in the outermost bin"


def test_marginals_have_a_panel_for_each_latent():
    figure = plots.marginals(torch.randn(50, 10), [f"z{k}" for k in range(10)], columns=8)
    assert [axes.get_title() for axes in figure.axes] == [f"z{k}" for k in range(10)]


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (
            lambda: plots.posterior_scatter(
                torch.zeros(2, 2), torch.zeros(2, 1), torch.tensor([0, 1])
            ),
            "the shape of mu",
        ),
        (lambda: plots.scatters({}, torch.arange(3)), "at least one map"),
        (lambda: plots.matrix(torch.zeros(2, 2), ["a"], ["x", "y"]), "a name for each row"),
        (lambda: plots.matrix(torch.full((1, 1), 2.0), ["a"], ["x"]), "between 0 and 1"),
        (lambda: plots.histograms({"a": torch.tensor([])}, xlabel="x"), "at least one group"),
        (lambda: plots.marginals(torch.zeros(3, 2), ["a"]), "a name for each latent"),
    ],
)
def test_bad_figures_get_one_clear_sentence(call, words):
    with pytest.raises(CourseError, match=words) as caught:
        call()
    assert "\n" not in str(caught.value)
