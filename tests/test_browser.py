"""The explorers in a real browser: JupyterLab, Chromium, arrow keys."""

from __future__ import annotations

import importlib.util
import os
import statistics
import time
from pathlib import Path

import nbformat
import pytest
from browse_notebook import browser_page, chromium, open_notebook, run_all, running_lab

from coursekit.plots import Picture, figure_png, gaussian_kl_picture

pytestmark = pytest.mark.browser

TOY = """\
import torch
from coursekit import explorers, plots

side = torch.linspace(-2, 2, 28)
rows, columns = torch.meshgrid(side, side, indexing="ij")
weight = torch.stack([torch.sin((1 + k % 4) * rows) * torch.cos((1 + k // 4) * columns)
                      for k in range(8)]).reshape(8, -1)
weight = weight / torch.arange(1, 9)[:, None]
weight[7] = 0.0

def decode(z):
    picture = torch.sigmoid(2.5 * z @ weight[: z.shape[1]] - 1)
    return picture.reshape(-1, 1, 28, 28)

def encode(x):
    return (x.flatten(1) - 0.3) @ weight.T / 60, torch.full((len(x), 8), -3.0)

def fragile(z):
    if z[0, 0] > 0:
        raise RuntimeError("this decoder breaks on the right")
    return decode(z)

generator = torch.Generator().manual_seed(0)
latents = torch.randn(200, 8, generator=generator)
labels = (latents[:, 0] > 0).long() + 2 * (latents[:, 1] > 0).long()
"""
CELLS = {
    "gaussian": "explorers.gaussian_kl()",
    "posterior": "explorers.posterior(decode(latents[:20]), encode, decode)",
    "plane": "explorers.latent_plane(decode, latents[:, :2], labels)",
    "latents": "explorers.latents(decode, encode, decode(latents[:20]), latents, labels)",
    "densities": "explorers.densities()",
}
SLIDERS = {"gaussian": 2, "posterior": 8, "plane": 2, "latents": 9, "densities": 2}
PICTURE = ".jp-OutputArea img.widget-image, .jp-OutputArea .widget-image img"


def needed_or_skip(missing: str) -> None:
    """Skip, unless COURSEKIT_REQUIRE_BROWSER says that a browser must be there."""
    if os.environ.get("COURSEKIT_REQUIRE_BROWSER") == "1":
        pytest.fail(f"COURSEKIT_REQUIRE_BROWSER=1, but {missing}.")
    pytest.skip(f"{missing}; COURSEKIT_REQUIRE_BROWSER=1 makes this a failure.")


def stored_picture() -> nbformat.NotebookNode:
    """A notebook whose only cell was run elsewhere, so that JupyterLab does not trust it."""
    picture = Picture(figure_png(gaussian_kl_picture()), "A bowl with its <lowest> point.", 826)
    output = nbformat.v4.new_output("display_data", data=picture._repr_mimebundle_())
    cell = nbformat.v4.new_code_cell("show(...)", outputs=[output], execution_count=1)
    book = nbformat.v4.new_notebook(cells=[cell])
    book.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3"}
    return book


@pytest.fixture(scope="module")
def notebook(tmp_path_factory):
    """A page with the small notebook open and run, and the folder for screenshots."""
    for module in ("playwright", "jupyterlab", "nbformat"):
        if importlib.util.find_spec(module) is None:
            needed_or_skip(f"the Python package {module} is not installed")
    folder = tmp_path_factory.mktemp("browser")
    book = nbformat.v4.new_notebook()
    book.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3"}
    book.cells = [nbformat.v4.new_code_cell(TOY)]
    book.cells += [nbformat.v4.new_code_cell(source) for source in CELLS.values()]
    book.cells += [nbformat.v4.new_code_cell("explorers.latent_plane(fragile)")]
    nbformat.write(book, folder / "explorers.ipynb")
    nbformat.write(stored_picture(), folder / "stored.ipynb")
    package = Path(__file__).resolve().parents[1]
    path = os.pathsep.join(filter(None, [str(package), os.environ.get("PYTHONPATH")]))
    with running_lab(folder, PYTHONPATH=path, OMP_NUM_THREADS="1") as lab:
        try:
            opened = browser_page(1240, 1000)
            page = opened.__enter__()
        except Exception as error:
            where = chromium() or "Playwright's Chromium"
            needed_or_skip(f"{where} does not start ({str(error).splitlines()[0]})")
        try:
            open_notebook(page, lab, "explorers.ipynb")
            run_all(page)
            page.wait_for_function(
                f"document.querySelectorAll('{PICTURE}').length === {len(CELLS) + 1}", timeout=60000
            )
            yield page, folder, lab
        finally:
            opened.__exit__(None, None, None)


def explorer(page, name):
    """The output of the cell that shows one explorer."""
    place = list(CELLS).index(name) if name in CELLS else len(CELLS)
    cell = page.locator(".jp-CodeCell").nth(1 + place)
    cell.scroll_into_view_if_needed()
    return cell.locator(".jp-OutputArea")


def press(page, output, key: str, limit: float = 20.0) -> float:
    """Press a key and return the seconds until another picture is loaded."""
    picture = output.locator("img").first.element_handle()
    before = picture.get_attribute("src")
    began = time.perf_counter()
    page.keyboard.press(key)
    page.wait_for_function(
        "([img, before]) => img.src !== before && img.complete && img.naturalWidth > 0",
        arg=[picture, before],
        timeout=1000 * limit,
        polling=5,
    )
    return time.perf_counter() - began


@pytest.mark.parametrize("name", CELLS)
def test_every_slider_follows_the_arrow_keys(notebook, name):
    page, folder, _ = notebook
    output = explorer(page, name)
    handles = output.locator(".noUi-handle:visible")
    assert handles.count() == SLIDERS[name]
    labels = output.locator(".widget-slider .widget-label").all_inner_texts()
    assert all(label.strip() for label in labels), labels
    for index in range(handles.count()):
        handles.nth(index).focus()
        press(page, output, "ArrowRight")
    assert output.locator("[role=alert]").count() == 0
    output.screenshot(path=str(folder / f"{name}.png"))
    print(f"screenshot: {folder / name}.png")


@pytest.mark.parametrize("name", CELLS)
def test_nothing_scrolls_and_sliders_stand_in_line(notebook, name):
    page, *_ = notebook
    output = explorer(page, name)
    scrolling = output.evaluate(
        """area => [...area.querySelectorAll('*')].filter(e => {
            const style = getComputedStyle(e);
            const can = s => s === 'auto' || s === 'scroll';
            return (can(style.overflowX) && e.scrollWidth > e.clientWidth + 1)
                || (can(style.overflowY) && e.scrollHeight > e.clientHeight + 1);
        }).map(e => e.className)"""
    )
    assert scrolling == []
    tracks = output.locator(".noUi-target:visible").evaluate_all(
        "all => all.map(e => { const b = e.getBoundingClientRect();"
        " return [Math.round(b.left), Math.round(b.width)]; })"
    )
    assert len({tuple(track) for track in tracks}) == 1, tracks
    cut = output.locator(".widget-label").evaluate_all(
        "all => all.filter(e => e.scrollWidth > e.clientWidth + 1).map(e => e.textContent)"
    )
    assert cut == []


def test_buttons_change_the_picture(notebook):
    page, *_ = notebook
    output = explorer(page, "posterior")
    for label in ("new noise", "reset"):
        button = output.get_by_role("button", name=label)
        button.focus()
        press(page, output, "Enter")


def test_an_error_is_said_in_the_explorer(notebook):
    page, folder, _ = notebook
    output = explorer(page, "fragile")
    output.locator(".noUi-handle").first.focus()
    page.keyboard.press("ArrowRight")
    alert = output.locator("[role=alert]")
    alert.wait_for()
    assert alert.inner_text() == "RuntimeError: this decoder breaks on the right"
    output.screenshot(path=str(folder / "fragile.png"))


@pytest.mark.parametrize("name", CELLS)
def test_a_key_press_changes_the_picture_soon(notebook, name):
    page, *_ = notebook
    output = explorer(page, name)
    output.locator(".noUi-handle:visible").last.focus()
    keys = ["ArrowLeft", "ArrowRight"] * 10
    seconds = [press(page, output, key) for key in keys]
    median = 1000 * statistics.median(seconds)
    print(f"{name}: key press to new picture, median of {len(keys)}: {median:.0f} ms")
    assert median < 1000


def test_a_stored_picture_keeps_its_alt_text(notebook):
    page, _, lab = notebook  # leaves the explorers' page, so this test comes last
    page.goto(lab.url("stored.ipynb"), wait_until="domcontentloaded")
    picture = page.locator(".jp-OutputArea img")
    picture.wait_for()
    assert picture.get_attribute("alt") == "A bowl with its <lowest> point."
    assert picture.evaluate("img => img.complete && img.naturalWidth") > 1000
    assert page.get_by_role("img", name="A bowl with its <lowest> point.").count() == 1
