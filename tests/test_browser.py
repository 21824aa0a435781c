"""The explorers in a real browser: JupyterLab, Chromium, arrow keys."""

from __future__ import annotations

import importlib.util
import os
import statistics
import time
from functools import partial
from pathlib import Path

import nbformat
import pytest
from browse_notebook import browser_page, chromium, open_notebook, run_all, running_lab
from notebook_explorers import EXPLORERS, NOTEBOOKS, SHARED, cell, code_of, shown_by

from coursekit.explorers.pixels import FAMILIES
from coursekit.plots import Picture, figure_png, gaussian_kl_picture

pytestmark = pytest.mark.browser

FRAGILE = """\
def fragile(z):
    if z[0, 0] > 0:
        raise RuntimeError("this decoder breaks on the right")
    return torch.full((len(z), 1, 28, 28), 0.5)

explorers.latent_plane(fragile)
"""
GAUSSIAN = "explorers.gaussian_kl()"  # in no notebook so far
SLIDERS = {"gaussian": 2} | {name: shown.sliders for name, shown in EXPLORERS.items()}
NAMES = list(SLIDERS)
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
    sources = [SHARED, GAUSSIAN, *map(cell, EXPLORERS.values()), FRAGILE]
    book.cells = [nbformat.v4.new_code_cell(source) for source in sources]
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
                f"document.querySelectorAll('{PICTURE}').length === {len(NAMES) + 1}", timeout=60000
            )
            yield page, folder, lab
        finally:
            opened.__exit__(None, None, None)


def explorer(page, name):
    """The output of the cell that shows one explorer."""
    place = NAMES.index(name) if name in NAMES else len(NAMES)
    cell = page.locator(".jp-CodeCell").nth(1 + place)
    cell.scroll_into_view_if_needed()
    return cell.locator(".jp-OutputArea")


def change(page, output, act, limit: float = 20.0) -> float:
    """Do something and return the seconds until another picture is loaded."""
    picture = output.locator("img").first.element_handle()
    before = picture.get_attribute("src")
    began = time.perf_counter()
    act()
    page.wait_for_function(
        "([img, before]) => img.src !== before && img.complete && img.naturalWidth > 0",
        arg=[picture, before],
        timeout=1000 * limit,
        polling=5,
    )
    return time.perf_counter() - began


def press(page, output, key: str) -> float:
    """Press a key and return the seconds until another picture is loaded."""
    return change(page, output, lambda: page.keyboard.press(key))


def move_sliders(page, output) -> int:
    """Move each slider that can be seen by an arrow key; say how many there are."""
    handles = output.locator(".noUi-handle:visible")
    for index in range(handles.count()):
        handle = handles.nth(index)
        handle.focus()
        value, most = (float(handle.get_attribute(f"aria-value{end}")) for end in ("now", "max"))
        press(page, output, "ArrowRight" if value < most else "ArrowLeft")
    return handles.count()


def assert_no_error(page, output) -> None:
    """Neither the explorer nor any cell says that something went wrong."""
    assert output.locator("[role=alert]").count() == 0
    wrong = page.locator(".jp-OutputArea-output[data-mime-type*=error], .jp-OutputArea-output"
                         "[data-mime-type*=stderr]")  # fmt: skip
    assert wrong.all_inner_texts() == []


@pytest.mark.parametrize("name", ["latents", "labels"])
def test_the_last_of_quick_presses_holds(notebook, name):
    page, *_ = notebook
    output = explorer(page, name)
    buttons = output.locator("button.widget-button:visible")
    for index in range(buttons.count()):  # the last one sets all sliders to 0
        buttons.nth(index).click()
    page.wait_for_timeout(2000)
    readouts = output.locator(".widget-readout").all_inner_texts()
    assert set(readouts[-6:]) == {"0.00"}


def others_then_this(chooser) -> list[int]:
    """The places of a list's options: first the one after what is chosen now, which comes last."""
    chosen = chooser.evaluate("list => list.selectedIndex")
    count = chooser.locator("option").count()
    return [(chosen + 1 + step) % count for step in range(count)]


def test_every_explorer_of_the_notebooks_is_tested_here():
    tested = {(shown.notebook, shown.call) for shown in EXPLORERS.values()}
    there = {
        (path.name[:2], call)
        for path in NOTEBOOKS.glob("*.ipynb")
        for source in code_of(path.name[:2])
        if (call := shown_by(source))
    }
    assert there == tested


@pytest.mark.parametrize("name", NAMES)
def test_every_slider_follows_the_arrow_keys(notebook, name):
    page, folder, _ = notebook
    output = explorer(page, name)
    # the text, whether it has come into view yet or not
    labels = output.locator(".widget-slider .widget-label").all_text_contents()
    assert all(label.strip() for label in labels), labels
    assert move_sliders(page, output) == SLIDERS[name]
    assert_no_error(page, output)
    output.screenshot(path=str(folder / f"{name}.png"))
    print(f"screenshot: {folder / name}.png")


@pytest.mark.parametrize("name", NAMES)
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
    cut = output.locator(".widget-label, .jupyter-button").evaluate_all(
        "all => all.filter(e => e.scrollWidth > e.clientWidth + 1).map(e => e.textContent)"
    )
    assert cut == []


@pytest.mark.parametrize("name", NAMES)
def test_the_mouse_moves_a_slider(notebook, name):
    page, *_ = notebook
    output = explorer(page, name)
    handle = output.locator(".noUi-handle:visible").first
    handle.scroll_into_view_if_needed()
    box = handle.bounding_box()
    middle = (box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    at_the_end = handle.get_attribute("aria-valuenow") == handle.get_attribute("aria-valuemax")
    way = -60 if at_the_end else 60

    def drag():
        page.mouse.move(*middle)
        page.mouse.down()
        page.mouse.move(middle[0] + way, middle[1], steps=3)
        page.mouse.up()

    change(page, output, drag)
    assert_no_error(page, output)


@pytest.mark.parametrize("name", NAMES)
def test_buttons_change_the_picture(notebook, name):
    page, *_ = notebook
    output = explorer(page, name)
    buttons = output.locator("button.widget-button:visible")
    if buttons.count():  # so that a reset has something to do
        move_sliders(page, output)
    if name == "interpolation":  # two equal ends could be swapped without a trace
        output.locator(".noUi-handle:visible").first.focus()
        press(page, output, "Home")
    for index in range(buttons.count()):
        buttons.nth(index).focus()
        press(page, output, "Enter")
    assert_no_error(page, output)


def test_every_likelihood_can_be_chosen_and_moved(notebook):
    page, *_ = notebook
    output = explorer(page, "densities")
    chooser = output.locator("select")
    moved = 0
    for index in others_then_this(chooser):
        change(page, output, partial(chooser.select_option, index=index))
        moved += move_sliders(page, output)
    assert moved == sum(len(family.settings) for family in FAMILIES.values())
    assert_no_error(page, output)


@pytest.mark.parametrize("name", ["densities", "stepper"])
def test_a_list_opens_and_closes_by_keyboard(notebook, name):
    page, *_ = notebook
    output = explorer(page, name)
    # JupyterLab takes the arrow keys of a list that is closed for itself.
    output.locator("select").focus()
    page.keyboard.press("Space")
    page.wait_for_timeout(300)
    page.keyboard.press("ArrowDown")
    press(page, output, "Enter")
    assert_no_error(page, output)


def test_every_mask_can_be_chosen(notebook):
    page, *_ = notebook
    output = explorer(page, "stepper")
    chooser = output.locator("select")
    for index in others_then_this(chooser):
        change(page, output, partial(chooser.select_option, index=index))
    assert_no_error(page, output)


def test_every_label_can_be_chosen(notebook):
    page, *_ = notebook
    output = explorer(page, "labels")
    buttons = output.locator(".widget-toggle-button:visible, .widget-toggle-buttons button:visible")
    assert buttons.count() == 10
    for index in (*range(1, 10), 0):
        buttons.nth(index).focus()
        press(page, output, "Enter")
    assert_no_error(page, output)


def test_a_number_is_written_while_it_is_typed(notebook):
    page, *_ = notebook
    output = explorer(page, "writing")
    field = output.locator("input[type=text]:visible").first
    field.focus()
    page.keyboard.press("End")
    for key in ("7", "Backspace", "a", "Backspace"):
        press(page, output, key)
    assert_no_error(page, output)


def test_an_error_is_said_in_the_explorer(notebook):
    page, folder, _ = notebook
    output = explorer(page, "fragile")
    output.locator(".noUi-handle").first.focus()
    page.keyboard.press("ArrowRight")
    alert = output.locator("[role=alert]")
    alert.wait_for()
    assert alert.inner_text() == "RuntimeError: this decoder breaks on the right"
    output.screenshot(path=str(folder / "fragile.png"))


@pytest.mark.parametrize("name", NAMES)
def test_a_key_press_changes_the_picture_soon(notebook, name):
    page, *_ = notebook
    output = explorer(page, name)
    output.locator(".noUi-handle:visible").last.focus()
    page.keyboard.press("Home")  # at the lower end
    page.wait_for_timeout(500)
    keys = ["ArrowRight", "ArrowLeft"] * 10
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
