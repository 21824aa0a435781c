"""What the notebooks draw with: right pixels, clear errors, alt texts that arrive."""

from __future__ import annotations

import io
import math
import subprocess
import sys
from types import SimpleNamespace

import nbformat
import numpy as np
import pytest
import torch
from IPython.core.interactiveshell import InteractiveShell
from matplotlib.figure import Figure
from PIL import Image

from coursekit import plots
from coursekit.errors import CourseError
from coursekit.plots import display as display_module
from coursekit.plots import live as live_module


def pixels(figure: Figure) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(plots.figure_png(figure))).convert("RGB"))


def ramp(n: int, channels: int = 1) -> torch.Tensor:
    """n pictures of 4 x 4 pixels, each of one grey value of its own."""
    values = torch.linspace(0, 1, n)
    return values[:, None, None, None].expand(n, channels, 4, 4).contiguous()


def toy_decode(z: torch.Tensor) -> torch.Tensor:
    return torch.sigmoid(z.sum(dim=1))[:, None, None, None].expand(-1, 1, 4, 4)


FIGURES = {
    "picture_grid": lambda: plots.picture_grid(ramp(6)),
    "pictures_beside": lambda: plots.pictures_beside({"original": ramp(3), "decoded": ramp(3)}),
    "curves": lambda: plots.curves([3.0, 2.0]),
    "bars": lambda: plots.bars({"one": 1.0}, unit="nats"),
    "estimators": lambda: plots.estimators({"IWAE-5": (87.0, 0.1)}, truth=86.5),
    "gradient_variances": lambda: plots.gradient_variances({"a": 0.1, "b": 10.0}),
    "manifold": lambda: plots.manifold(toy_decode, 3),
    "scatter": lambda: plots.scatter(torch.randn(30, 2), torch.arange(30) % 10),
    "gaussian_kl_picture": plots.gaussian_kl_picture,
    "prior_and_posterior": lambda: plots.prior_and_posterior(lambda z: -z.square().sum(1)),
}


@pytest.mark.parametrize("name", FIGURES)
def test_every_function_returns_a_figure_and_leaves_none_open(name):
    import matplotlib
    import matplotlib.pyplot as plt

    before = dict(matplotlib.rcParams)
    figure = FIGURES[name]()
    assert isinstance(figure, Figure)
    assert plt.get_fignums() == []
    assert dict(matplotlib.rcParams) == before
    shown = pixels(figure)
    assert shown.min() < 100
    assert (shown[0, 0] == 255).all(), "the ground is white"


def test_a_grid_shows_each_picture_crisp_and_in_order():
    shown = pixels(plots.picture_grid(ramp(6), columns=3, scale=10, gap=4))
    assert shown.shape == (2 * 44 + 4, 3 * 44 + 4, 3)
    for index in range(6):
        row, column = divmod(index, 3)
        cell = shown[4 + 44 * row : 44 + 44 * row, 4 + 44 * column : 44 + 44 * column]
        assert cell.min() == cell.max() == round(255 * index / 5)


def test_a_grid_keeps_single_pixels_square():
    picture = torch.zeros(1, 1, 4, 4)
    picture[0, 0, 1, 2] = 1.0
    shown = pixels(plots.picture_grid(picture, scale=6, gap=0))[..., 0]
    wanted = np.zeros((24, 24))
    wanted[6:12, 12:18] = 255
    assert (shown == wanted).all()


def test_colours_and_bytes_arrive():
    red = torch.zeros(2, 3, 4, 4, dtype=torch.uint8)
    red[:, 0] = 200
    shown = pixels(plots.picture_grid(red, scale=4, gap=2))
    assert shown[6, 6].tolist() == [200, 0, 0]


def test_many_colours_are_kept_exactly():
    noise = torch.rand(4, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    shown = pixels(plots.picture_grid(noise, columns=4, scale=1, gap=0))
    wanted = (noise * 255).permute(2, 0, 3, 1).reshape(16, 64, 3).numpy()
    assert np.abs(shown - wanted).max() <= 1


def test_charts_keep_the_exact_colours_of_lines_and_areas():
    shown = pixels(plots.bars({"one": 1.0, "two": 2.0}, unit="nats"))
    blue = [int(plots.COLOURS[0][at : at + 2], 16) for at in (1, 3, 5)]
    assert (shown == blue).all(axis=2).mean() > 0.1


def test_titles_stand_above_their_pictures():
    bare = plots.picture_grid(ramp(4), columns=2, scale=10)
    titled = plots.picture_grid(ramp(4), columns=2, scale=10, titles=["a", "b", "c", "d"])
    assert titled.get_figheight() > bare.get_figheight()
    assert titled.get_figwidth() == bare.get_figwidth()
    places = [(text.get_text(), *text.get_position()) for text in titled.texts]
    assert [name for name, _, _ in places] == ["a", "b", "c", "d"]
    assert places[0][1] < places[1][1] and places[0][2] > places[2][2]


def test_rows_beside_have_names_and_go_on_below():
    rows = {"original": ramp(5), "decoded": 1 - ramp(5)}
    figure = plots.pictures_beside(rows, columns=3, scale=4)
    assert [text.get_text() for text in figure.texts] == ["original", "decoded"] * 2
    assert len(figure.axes) == 4
    firsts = [np.asarray(axes.images[0].get_array())[8, 8, 0] for axes in figure.axes]
    assert firsts == [0.0, 1.0, 0.75, 0.25], "pictures 0 and 3 of both rows begin the blocks"


def test_a_manifold_grows_to_the_right_and_upwards():
    def decode(z):
        return torch.special.ndtr(z[:, :1])[..., None, None].expand(-1, 1, 4, 4)

    def decode_up(z):
        return torch.special.ndtr(z[:, 1:])[..., None, None].expand(-1, 1, 4, 4)

    for function, axis in ((decode, 1), (decode_up, 0)):
        figure = plots.manifold(function, 5, quantiles=(0.1, 0.9))
        array = np.asarray(figure.axes[0].images[0].get_array())[..., 0]
        line = array[:: array.shape[0] // 5, 0] if axis == 0 else array[0, :: array.shape[1] // 5]
        wanted = np.linspace(0.1, 0.9, 5)
        assert np.allclose(line[:5], wanted if axis == 1 else wanted[::-1], atol=1e-5)


def test_a_manifold_takes_an_extent():
    seen = []

    def decode(z):
        seen.append(z)
        return toy_decode(z)

    plots.manifold(decode, 3, extent=(-2, 2))
    z = torch.cat(seen)
    assert z.shape == (9, 2) and z.min() == -2 and z.max() == 2
    assert z[0].tolist() == [-2, 2] and z[-1].tolist() == [2, -2]


BAD_PICTURES = {
    "not a tensor": ([[0.0]], "tensor of shape"),
    "no channel": (torch.rand(5, 28, 28), "unsqueeze"),
    "empty": (torch.rand(0, 1, 28, 28), "nothing to draw"),
    "two channels": (torch.rand(5, 2, 8, 8), "1 channel"),
    "logits": (torch.randn(5, 1, 8, 8) * 9, "sigmoid"),
    "not finite": (torch.full((2, 1, 4, 4), math.nan), "not finite"),
}


@pytest.mark.parametrize("name", BAD_PICTURES)
def test_bad_pictures_get_one_clear_sentence(name):
    bad, words = BAD_PICTURES[name]
    for draw in (plots.picture_grid, lambda value: plots.pictures_beside({"row": value})):
        with pytest.raises(CourseError, match=words) as caught:
            draw(bad)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("draw", "words"),
    [
        (lambda: plots.picture_grid(ramp(3), titles=["one"]), "1 entries for 3"),
        (lambda: plots.picture_grid(ramp(3), columns=0), "columns"),
        (lambda: plots.pictures_beside({}), "at least one row"),
        (lambda: plots.pictures_beside({"a": ramp(3), "b": ramp(2)}), "same number"),
        (lambda: plots.curves({}), "at least one run"),
        (lambda: plots.curves({"Adam": []}), "'Adam' holds no values"),
        (lambda: plots.bars({}, unit="nats"), "at least one value"),
        (lambda: plots.bars({"a": math.nan}, unit="nats"), "'a' needs a finite"),
        (lambda: plots.gradient_variances({"a": 0.0}), "positive"),
        (lambda: plots.manifold(toy_decode, 1), "at least 2"),
        (lambda: plots.manifold(toy_decode, 4, quantiles=(0.0, 1.0)), "inside"),
        (lambda: plots.manifold(toy_decode, 4, extent=(2, -2)), "below"),
        (lambda: plots.scatter(torch.rand(5, 3), torch.zeros(5)), r"\(N, 2\)"),
        (lambda: plots.scatter(torch.rand(0, 2), torch.zeros(0)), "at least 1"),
        (lambda: plots.scatter(torch.rand(5, 2), torch.zeros(4)), "one for each point"),
        (lambda: plots.scatter(torch.rand(2, 2), torch.tensor([0, 3]), ["a", "b"]), "between 0"),
        (lambda: plots.scatter(torch.full((2, 2), math.inf), torch.zeros(2)), "not finite"),
        (lambda: plots.gaussian_kl_picture(0.0, 0.0), "positive"),
        (lambda: plots.prior_and_posterior(lambda z: z), r"shape \(M,\)"),
        (lambda: plots.prior_and_posterior(lambda z: z[:, 0], draws=torch.rand(4, 3)), "S, 2"),
        (lambda: plots.prior_and_posterior(lambda z: z[:, 0] - math.inf), "not finite anywhere"),
    ],
)
def test_bad_input_gets_one_clear_sentence(draw, words):
    with pytest.raises(CourseError, match=words) as caught:
        draw()
    assert "\n" not in str(caught.value)


def test_curves_take_lists_mappings_and_histories():
    history = SimpleNamespace(train_loss=[3.0, 2.0, 1.0], validation_loss=[3.1, 2.2, 1.4])
    for runs in (history, {"train": [3.0, 2.0, 1.0], "validation": [3.1, 2.2, 1.4]}):
        lines = plots.curves(runs).axes[0].lines
        assert [line.get_label() for line in lines] == ["train", "validation"]
        assert lines[1].get_ydata().tolist() == [3.1, 2.2, 1.4]
        assert lines[1].get_xdata().tolist() == [1, 2, 3]


def test_runs_differ_by_more_than_colour():
    runs = {name: {"train": [3.0, 2.0], "validation": [3.0, 2.5]} for name in "abc"}
    lines = plots.curves(runs).axes[0].lines
    looks = {(line.get_linestyle(), line.get_marker()) for line in lines}
    assert len(looks) == len(lines) == 6
    assert len({line.get_color() for line in lines}) == 3


def test_a_value_that_is_not_finite_leaves_a_gap():
    line = plots.curves([2.0, math.inf, 1.0]).axes[0].lines[0]
    assert np.isnan(line.get_ydata()[1])


def test_palettes_have_no_duplicates_and_enough_contrast():
    def luminance(colour):
        channels = np.array([int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)])
        linear = np.where(
            channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4
        )
        return float(linear @ [0.2126, 0.7152, 0.0722])

    assert len(set(plots.CLASS_COLOURS)) == 10
    for colour in {*plots.CLASS_COLOURS, *plots.COLOURS}:
        assert 1.05 / (luminance(colour) + 0.05) > 1.7, colour


def test_classes_differ_by_marker_and_are_named_in_the_plane():
    figure = plots.scatter(torch.randn(100, 2), torch.arange(100) % 10, [*"abcdefghij"])
    axes = figure.axes[0]
    shapes = {tuple(dots.get_paths()[0].vertices.flatten()) for dots in axes.collections}
    assert len(shapes) == 10
    assert [text.get_text() for text in axes.texts] == [*"abcdefghij"]


def test_the_kl_in_the_picture_is_the_integral_it_says():
    from coursekit.plots.vae import kl_from_standard, kl_to_standard

    q = torch.distributions.Normal(2.0, 0.5)
    p = torch.distributions.Normal(0.0, 1.0)
    kl = torch.distributions.kl_divergence
    assert kl_to_standard(2.0, 0.5) == pytest.approx(float(kl(q, p)))
    assert kl_from_standard(2.0, 0.5) == pytest.approx(float(kl(p, q)))
    surplus = next(
        axes
        for axes in plots.gaussian_kl_picture(2.0, 0.5).axes
        if "Surplus" in axes.get_title("left")
    )
    x, y = surplus.lines[-1].get_data()
    assert np.trapezoid(y, x) == pytest.approx(2.318, abs=5e-3)
    assert "2.32 nats" in surplus.get_title("left")


def test_prior_draws_inside_the_posterior_are_counted():
    draws = torch.tensor([[2.0, -1.0], [2.05, -1.02], [0.0, 0.0], [-1.0, 2.0]])

    def log_posterior(z):  # N((2, -1), 0.1^2 I) with the constant missing
        return -0.5 * ((z - torch.tensor([2.0, -1.0])) / 0.1).square().sum(dim=1)

    figure = plots.prior_and_posterior(log_posterior, draws=draws)
    assert figure.axes[0].get_title("left").startswith("2 of 4 prior draws")


def test_the_95_percent_region_holds_95_percent():
    draws = torch.randn(4000, 2, generator=torch.Generator().manual_seed(1)) * 0.5
    figure = plots.prior_and_posterior(lambda z: -2 * z.square().sum(dim=1), draws=draws)
    inside = int(figure.axes[0].get_title("left").split()[0])
    assert abs(inside / 4000 - 0.95) < 0.015


# What reaches a notebook.


def shown_by(call) -> list[dict]:
    """Mime bundles that `call` displays."""
    from IPython.utils.capture import capture_output

    InteractiveShell.instance()
    with capture_output() as captured:
        call()
    return [output.data for output in captured.outputs]


def test_show_stores_the_picture_once_with_its_alt_text():
    [data] = shown_by(lambda: plots.show(FIGURES["curves"], alt='A "falling" <curve>.'))
    assert set(data) == {"text/html", "text/plain"}
    assert 'alt="A &quot;falling&quot; &lt;curve&gt;."' in data["text/html"]
    assert data["text/html"].count("data:image/png;base64,") == 1
    assert data["text/plain"] == 'A "falling" <curve>.'


def test_show_closes_a_figure_of_pyplot():
    import matplotlib.pyplot as plt

    figure, _ = plt.subplots()
    assert len(shown_by(lambda: plots.show(figure, alt="Empty axes."))) == 1
    assert plt.get_fignums() == []


@pytest.mark.parametrize("alt", ["", "  ", None])
def test_show_wants_an_alt_text(alt):
    with pytest.raises(CourseError, match="alt text"):
        plots.show(FIGURES["curves"], alt=alt)


def test_show_wants_a_figure():
    with pytest.raises(CourseError, match="not list"):
        plots.show(lambda: [1], alt="Nothing.")


def test_common_figures_are_small():
    digits = torch.rand(64, 1, 28, 28, generator=torch.Generator().manual_seed(0))
    strokes = torch.nn.functional.avg_pool2d((digits > 0.85).float(), 5, 1, 2)
    for figure in (plots.picture_grid(strokes), plots.curves({"train": [*range(40)]})):
        assert len(plots.figure_png(figure)) < 60_000


def test_nbconvert_keeps_the_alt_text():
    nbconvert = pytest.importorskip("nbconvert")
    picture = display_module.Picture(plots.figure_png(FIGURES["bars"]()), "One bar.", 600)
    output = nbformat.v4.new_output("display_data", data=picture._repr_mimebundle_())
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("x", outputs=[output])])
    page, _ = nbconvert.HTMLExporter().from_notebook_node(book)
    assert 'alt="One bar."' in page
    assert "No description has been provided" not in page


# The live plot.


@pytest.fixture
def kernel(monkeypatch):
    """As if in a notebook: what is displayed and updated is recorded."""
    import IPython.display

    events = []

    class Handle:
        def update(self, picture):
            events.append(("update", picture))

    def display(picture, display_id=None):
        assert display_id is True
        events.append(("display", picture))
        return Handle()

    monkeypatch.setattr(live_module, "_in_notebook", lambda: True)
    monkeypatch.setattr(IPython.display, "display", display)
    return events


def test_live_curves_do_nothing_outside_a_notebook_or_when_disabled(kernel, monkeypatch):
    live = plots.LiveCurves("x", enabled=False)
    live.update([1.0], [2.0])
    live.close()
    monkeypatch.setattr(live_module, "_in_notebook", lambda: False)
    live = plots.LiveCurves("x", enabled=True)
    live.update([1.0], [2.0])
    live.close()
    assert kernel == []


def test_live_curves_replace_one_picture_and_leave_the_last(kernel):
    live = plots.LiveCurves("MLP VAE", enabled=True, interval=0.0)
    live._wait = 0.0
    for epoch in range(1, 4):
        live.update([float(10 - e) for e in range(epoch)], [float(11 - e) for e in range(epoch)])
        live._wait = 0.0
    live.close()
    assert [event for event, _ in kernel] == ["display", "update", "update", "update"]
    assert "over 3 epochs" in kernel[-1][1].alt
    assert "train 8.00, validation 9.00" in kernel[-1][1].alt
    final = Image.open(io.BytesIO(kernel[-1][1].png))
    assert final.width > 1.9 * Image.open(io.BytesIO(kernel[0][1].png)).width


def test_live_curves_are_not_drawn_too_often(kernel):
    live = plots.LiveCurves("x", enabled=True, interval=60.0)
    for _ in range(50):
        live.update([1.0], [])
    assert len(kernel) == 1
    live.close()
    assert len(kernel) == 2


def test_live_curves_without_an_epoch_leave_nothing(kernel):
    live = plots.LiveCurves("x", enabled=True)
    live.update([], [])
    live.close()
    assert kernel == []


def test_a_notebook_with_a_live_plot_passes_nbval_and_keeps_one_picture(tmp_path):
    nbclient = pytest.importorskip("nbclient")
    pytest.importorskip("nbval")
    source = (
        "from coursekit.plots import LiveCurves\n"
        "live = LiveCurves('toy', True, interval=0.0)\n"
        "for n in range(1, 5):\n"
        "    live._wait = 0.0\n"
        "    live.update([1 / k for k in range(1, n + 1)], [2 / k for k in range(1, n + 1)])\n"
        "live.close()\n"
    )
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source)])
    book.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3"}
    nbclient.NotebookClient(book, timeout=300).execute()
    assert [output.output_type for output in book.cells[0].outputs] == ["display_data"]
    assert "over 4 epochs" in book.cells[0].outputs[0].data["text/plain"]
    path = tmp_path / "live.ipynb"
    nbformat.write(book, path)
    command = [sys.executable, "-m", "pytest", "--nbval-lax", "--nbval-current-env", "-q"]
    done = subprocess.run(
        [*command, "-p", "no:cacheprovider", "--rootdir", str(tmp_path), str(path)],
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout[-2000:]
    assert "1 passed" in done.stdout


@pytest.mark.parametrize("words", [3, 7, 10])
def test_a_long_title_is_made_smaller_and_not_cut(words):
    title = " ".join(["lengthy"] * words)
    rows = {"a row": torch.rand(4, 1, 28, 28)}
    for figure in (
        plots.picture_grid(rows["a row"], title=title),
        plots.pictures_beside(rows, title=title),
    ):
        pixels = np.asarray(Image.open(io.BytesIO(plots.figure_png(figure))).convert("L"))
        head = pixels[:44]
        assert (head < 128).any(), "the title is drawn"
        assert (head[:, -4:] > 200).all(), "it ends before the edge"
