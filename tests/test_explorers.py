"""The explorers without a browser: what is drawn, how fast, what is wired, what is said."""

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
from coursekit.explorers.canvas import Canvas, number, quick_png
from coursekit.explorers.posterior import most_active

LATENTS = 5


def opened(png: bytes) -> np.ndarray:
    image = Image.open(io.BytesIO(png))
    assert image.format == "PNG" and image.mode == "RGB"
    return np.asarray(image).astype(int)


def decode(z: torch.Tensor) -> torch.Tensor:
    """8 x 8 pictures whose grey value is ndtr(z[0]), brighter at the right by the others."""
    slope = torch.linspace(-0.1, 0.1, 8)
    values = (
        torch.special.ndtr(z[:, 0])[:, None] + torch.tanh(z[:, 1:].sum(1, keepdim=True)) * slope
    )
    return values.clamp(0, 1)[:, None, None, :].expand(-1, 1, 8, 8)


def encode(x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Latent 3 moves most over the pictures, then latent 0; posterior std. dev. 0.5."""
    level = x.mean(dim=(1, 2, 3)) - 0.5
    mu = torch.zeros(len(x), LATENTS)
    mu[:, 3], mu[:, 0] = 4 * level, 2 * level
    return mu, torch.full((len(x), LATENTS), 2 * float(np.log(0.5)))


def pictures(n: int = 12) -> torch.Tensor:
    return torch.linspace(0, 1, n)[:, None, None, None].expand(n, 1, 8, 8).contiguous()


def plane(z1: float, z2: float, **more: object) -> bytes:
    return explorers.render_latent_plane(decode, z1, z2, extent=3.0, **more)


# What is drawn.


def test_the_quick_png_is_exact():
    pixels = np.random.default_rng(0).integers(0, 256, (13, 29, 3), dtype=np.uint8)
    assert (opened(quick_png(pixels)) == pixels).all()


def test_a_picture_on_the_canvas_is_crisp_and_in_place():
    canvas = Canvas(60, 50)
    picture = torch.zeros(1, 4, 4)
    picture[0, 0, 3] = 1.0
    canvas.picture(picture, 10, 5, 40)
    shown = opened(canvas.png())
    assert shown.shape == (100, 120, 3)
    assert (shown[10:90, 20:100].max(axis=2)[:20, :60] == 0).all()
    assert (shown[10:30, 80:100] == 255).all()
    assert (shown[30:90, 20:100] == 0).all()


def test_numbers_have_a_true_minus_and_no_negative_zero():
    assert number(-1.5) == "\N{MINUS SIGN}1.50"
    assert number(-0.001) == "0.00"


def test_gaussian_kl_draws_the_densities_where_they_are():
    shown = opened(explorers.render_gaussian_kl(2.0, 0.5))
    assert shown.shape == (744, 1120, 3)
    vermillion = (np.abs(shown - [0xD5, 0x5E, 0x00]).sum(axis=2) < 12)[60:340]
    columns = np.nonzero(vermillion[:140].any(axis=0))[0]  # the upper half of the hill
    across = 104 + (2.0 + 6) / 12 * (1088 - 104)
    assert abs(columns.mean() - across) < 6
    left = opened(explorers.render_gaussian_kl(-2.0, 0.5))
    vermillion = (np.abs(left - [0xD5, 0x5E, 0x00]).sum(axis=2) < 12)[60:200]
    mirrored = 104 + (-2.0 + 6) / 12 * (1088 - 104)
    assert abs(np.nonzero(vermillion.any(axis=0))[0].mean() - mirrored) < 6


def test_gaussian_kl_has_no_surplus_where_q_is_p():
    def orange(mu: float, sigma: float) -> int:
        shown = opened(explorers.render_gaussian_kl(mu, sigma))[430:]
        return int((np.abs(shown - [240, 197, 102]).sum(axis=2) < 20).sum())

    assert orange(0.0, 1.0) == 0
    assert orange(2.0, 0.5) > 5000


def test_posterior_shows_digit_reconstruction_and_offset():
    x = pictures()
    mu, log_var = encode(x)
    sigma = (0.5 * log_var).exp()
    offset = torch.zeros(LATENTS)
    offset[0] = -2.0
    png = explorers.render_posterior(x[9], mu[9], sigma[9], decode, offset=offset)
    shown = opened(png)
    assert shown.shape == (572, 1072, 3)
    greys = [shown[192, 2 * place] for place in (14 + 70, 14 + 184 + 70, 14 + 368 + 70)]
    wanted = [
        x[9, 0, 0, 0],
        decode(mu[9:10])[0, 0, 0, 4],
        decode((mu + offset * sigma)[9:10])[0, 0, 0, 4],
    ]
    for grey, value in zip(greys, wanted, strict=True):
        assert np.abs(grey - 255 * float(value)).max() <= 3


def test_posterior_draws_spread_with_the_scale():
    x = pictures()
    mu, log_var = encode(x)

    def spread(scale: float) -> float:
        png = explorers.render_posterior(x[6], mu[6], (0.5 * log_var[6]).exp(), decode, scale=scale)
        row = opened(png)[2 * (216 + 28)]
        step = (536 - 28 - 56) / 7
        return float(np.std([row[round(2 * (14 + k * step + 28))][0] for k in range(8)]))

    assert spread(0.0) == 0
    assert 10 < spread(1.0) < spread(4.0)


def test_the_crosshair_stands_at_z_and_upwards_is_up():
    ground = explorers.latent_ground(extent=3.0)
    before = np.asarray(ground).astype(int)
    changed = np.abs(opened(plane(1.5, -1.5, ground=ground)) - before).sum(axis=2) > 0
    inside = changed[28:628, 80:680]
    column, row = inside.mean(axis=0).argmax(), inside.mean(axis=1).argmax()
    assert abs(column - 0.75 * 600) < 3
    assert abs(row - 0.75 * 600) < 3
    assert (np.asarray(ground) == before).all(), "the ground is not drawn on"


def test_the_decoded_picture_stands_beside_the_plane():
    for z1 in (-1.0, 0.0, 1.0):
        shown = opened(plane(z1, 0.0))
        grey = shown[2 * 164, 2 * (360 + 98)]
        assert np.abs(grey - 255 * float(decode(torch.tensor([[z1, 0.0]]))[0, 0, 0, 4])).max() <= 2


def test_points_are_coloured_by_class():
    points = torch.tensor([[-2.0, 2.0], [2.0, -2.0]])
    ground = np.asarray(explorers.latent_ground(points, torch.tensor([0, 1]), extent=3.0)).astype(
        int
    )
    blue = np.abs(ground - [0x00, 0x72, 0xB2]).sum(axis=2) < 12
    rows, columns = np.nonzero(blue)
    assert rows.size and rows.max() < 200 and columns.max() < 260


RENDERERS = {
    "gaussian_kl": lambda k: explorers.render_gaussian_kl(-2 + k / 10, 0.5 + k / 40),
    "posterior": lambda k: explorers.render_posterior(
        pictures()[k % 12], torch.full((LATENTS,), k / 20), torch.ones(LATENTS), decode, scale=k / 4
    ),
    "latent_plane": lambda k: plane(-2 + k / 10, 1.0 - k / 20, ground=GROUND),
}
GROUND = explorers.latent_ground(
    torch.randn(500, 2, generator=torch.Generator().manual_seed(0)),
    torch.arange(500) % 10,
    extent=3.0,
)


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
    "gaussian_kl": lambda: explorers.gaussian_kl(),
    "posterior": lambda: explorers.posterior(pictures(), encode, decode),
    "latent_plane": lambda: explorers.latent_plane(
        decode, torch.randn(40, 2), torch.arange(40) % 4, ["a", "b", "c", "d"]
    ),
}


def png_of(explorer: explorers.Explorer) -> bytes:
    return bytes(explorer.picture.value)


def everything(widget: widgets.Widget) -> list[widgets.Widget]:
    below = [one for child in getattr(widget, "children", ()) for one in everything(child)]
    return [widget, *below]


@pytest.mark.parametrize("name", EXPLORERS)
def test_every_slider_moves_the_picture_and_the_caption(name):
    explorer = EXPLORERS[name]()
    for key, control in explorer.controls.items():
        before, said = png_of(explorer), explorer.caption.value
        control.value = control.value + 2 * control.step
        assert png_of(explorer) != before, key
        assert explorer.caption.value != said, key
        assert explorer.message.value == ""


@pytest.mark.parametrize("name", EXPLORERS)
def test_every_control_is_labelled_and_only_plain_widgets_are_used(name):
    explorer = EXPLORERS[name]()
    allowed = (
        widgets.VBox,
        widgets.HBox,
        widgets.HTML,
        widgets.Image,
        widgets.Button,
        widgets.FloatSlider,
        widgets.IntSlider,
    )
    for one in everything(explorer):
        assert isinstance(one, allowed)
        if isinstance(one, (widgets.Button, widgets.FloatSlider, widgets.IntSlider)):
            assert one.description.strip()
    assert explorer.picture in everything(explorer) and explorer.message in everything(explorer)


@pytest.mark.parametrize("name", EXPLORERS)
def test_every_control_works_over_its_whole_range(name):
    explorer = EXPLORERS[name]()
    for control in explorer.controls.values():
        for value in (control.min, control.max):
            control.value = value
            assert png_of(explorer).startswith(b"\x89PNG")


def test_the_caption_says_the_kl():
    explorer = explorers.gaussian_kl(2.0, 0.5)
    assert "2.32 nats" in explorer.caption.value
    explorer.buttons["make q = p"].click()
    assert explorer.controls["mu"].value == 0 and explorer.controls["sigma"].value == 1
    assert explorer.caption.value.startswith("KL(q || p) = 0.00 nats")


def test_the_most_active_latents_come_first():
    explorer = explorers.posterior(pictures(), encode, decode, sliders=2)
    assert [key for key in explorer.controls if key.startswith("z")] == ["z3", "z0"]
    assert most_active(encode(pictures())[0], 2) == [3, 0]


def test_new_noise_and_reset():
    explorer = EXPLORERS["posterior"]()
    first = png_of(explorer)
    explorer.controls["z0"].value = 4.0
    explorer.controls["scale"].value = 3.0
    explorer.buttons["reset"].click()
    assert png_of(explorer) == first
    explorer.buttons["new noise"].click()
    assert png_of(explorer) != first


def test_a_reset_draws_once(monkeypatch):
    explorer = EXPLORERS["posterior"]()
    explorer.controls["z0"].value = explorer.controls["z3"].value = 4.0
    drawn = []
    original = explorer._draw_picture
    explorer._draw_picture = lambda **values: (drawn.append(1), original(**values))[1]
    explorer.buttons["reset"].click()
    assert len(drawn) == 1


def test_an_error_is_said_in_the_explorer_and_raised_and_then_goes_away():
    def fragile(z):
        if (z[:, 0] > 1).any():
            raise RuntimeError("the decoder broke <here>\nand more")
        return decode(z)

    explorer = explorers.latent_plane(fragile)
    good = png_of(explorer)
    with pytest.raises(RuntimeError, match="the decoder broke"):
        explorer.controls["z1"].value = 2.0
    assert "RuntimeError: the decoder broke &lt;here&gt;" in explorer.message.value
    assert "and more" not in explorer.message.value
    assert png_of(explorer) == good
    explorer.controls["z1"].value = 0.5
    assert explorer.message.value == ""


def test_an_error_at_the_start_is_raised():
    with pytest.raises(CourseError, match=r"decode\(z\) must have shape"):
        explorers.latent_plane(lambda z: z)


def test_decoders_run_without_gradient():
    seen = []

    def watching(z):
        seen.append(torch.is_grad_enabled())
        return decode(z)

    explorers.latent_plane(watching)
    explorers.posterior(pictures(), encode, watching)
    assert seen and not any(seen)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: explorers.render_gaussian_kl(0.0, -1.0), "sigma positive"),
        (lambda: explorers.posterior(torch.rand(3, 8, 8), encode, decode), "unsqueeze"),
        (lambda: explorers.posterior(pictures(), lambda x: (x, x), decode), r"shape \(B, K\)"),
        (
            lambda: explorers.render_posterior(
                pictures()[0], torch.zeros(3), torch.ones(3), decode, offset=torch.zeros(2)
            ),
            "offset must have shape",
        ),
        (lambda: explorers.latent_ground(torch.rand(4, 3)), r"\(N, 2\)"),
        (lambda: explorers.latent_plane(decode, extent=-1.0), "positive number"),
        (lambda: explorers.latent_plane_static(decode, places=[(0, 0)]), "six places"),
        (lambda: explorers.posterior_static(pictures(), encode, decode, index=99), "between 0"),
    ],
)
def test_bad_input_gets_one_clear_sentence(call, words):
    with pytest.raises(CourseError, match=words) as caught:
        call()
    assert "\n" not in str(caught.value)


def test_static_twins_are_figures():
    labels = torch.arange(40) % 4
    for figure in (
        explorers.gaussian_kl_static(),
        explorers.posterior_static(pictures(), encode, decode),
        explorers.latent_plane_static(decode, torch.randn(40, 2), labels),
    ):
        assert isinstance(figure, Figure) and figure.axes


def test_the_static_posterior_moves_the_most_active_latents():
    figure = explorers.posterior_static(pictures(), encode, decode, latents=2, scales=(1.0, 20.0))
    names = [text.get_text() for text in figure.texts]
    assert [name.split(":")[0] for name in names[1:3]] == ["z[3]", "z[0]"]
    assert len(names) == 5
