"""What every committed notebook must be; each rule is proven on a notebook that breaks it."""

import copy
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from coursekit.errors import CourseError
from coursekit.ledger import fill_markers
from coursekit.notebook_files import KERNELSPEC, WIDGET, clean, problems, text

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
PICTURE = '<img src="data:image/png;base64,iVBO/tmp/x=" alt="A bowl">'


def load(path):
    return json.loads(path.read_text("utf-8"))


def setup_cell(notebook):
    return text(next(c["source"] for c in notebook["cells"] if c["cell_type"] == "code"))


def stale_markers(notebook):
    stale = []
    for cell in notebook["cells"]:
        source = text(cell["source"])
        try:
            if cell["cell_type"] == "markdown" and fill_markers(source) != source:
                stale.append(cell["id"])
        except CourseError:
            stale.append(cell["id"])
    return stale


def numbers_that_are_none(notebook):
    """The cells whose stored output prints nan where a figure should stand."""
    found = []
    for cell in notebook["cells"]:
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            parts = (
                output.get("text", ""),
                data.get("text/plain", ""),
                data.get("text/markdown", ""),
            )
            if re.search(r"\bnan\b", " ".join(map(text, parts))):
                found.append(cell["id"])
    return found


def ruff(path):
    words = ""
    for command in (["check", "--quiet"], ["format", "--check", "--diff", "--quiet"]):
        done = subprocess.run(
            [
                sys.executable,
                "-m",
                "ruff",
                *command,
                "--config",
                str(ROOT / "pyproject.toml"),
                path,
            ],
            capture_output=True,
            text=True,
        )
        words += (done.stdout + done.stderr) if done.returncode else ""
    return words


# The committed notebooks -----------------------------------------------------


@pytest.fixture(
    params=NOTEBOOKS
    or [pytest.param(None, marks=pytest.mark.skip("notebooks/ holds no notebook"))],
    ids=lambda path: path.stem if path else "none",
)
def path(request):
    return request.param


def test_a_committed_notebook_is_clean(path):
    assert problems(load(path), path.stat().st_size) == []


def test_its_figures_are_the_ledgers(path):
    assert stale_markers(load(path)) == []


def test_its_code_is_linted_and_formatted(path):
    assert ruff(path) == ""


def test_its_setup_cell_is_that_of_all_notebooks(path):
    assert setup_cell(load(path)) == setup_cell(load(NOTEBOOKS[0]))


def test_no_figure_is_nan(path):
    on_purpose = {"beta-edges"}  # 02 shows what 0 times log 0 gives
    assert set(numbers_that_are_none(load(path))) <= on_purpose


# Each rule, broken on purpose ------------------------------------------------


def code(name, source, count, outputs=(), tags=()):
    return {
        "cell_type": "code",
        "id": name,
        "source": source,
        "execution_count": count,
        "metadata": {"tags": list(tags)},
        "outputs": list(outputs),
    }


def stream(words, name="stdout"):
    return {"output_type": "stream", "name": name, "text": words}


def shown(data, **more):
    return {"output_type": "display_data", "data": data, "metadata": {}, **more}


def good():
    compared = ["nbval-check-output"]
    title = {"cell_type": "markdown", "id": "title", "source": "# A title", "metadata": {}}
    return {
        "nbformat": 4,
        "nbformat_minor": 5,
        "metadata": {"kernelspec": dict(KERNELSPEC)},
        "cells": [
            title,
            code("set-up", "import math\n", 1),
            code("circle", "print(math.pi)", 2, [stream("3.14\n")], compared),
            code("square", "print(2**2)", 3, [stream("4\n")], compared),
            code("cube", "print(2**3)", 4, [stream("8\n")], compared),
            code(
                "kl-picture", "show()", 5, [shown({"text/html": PICTURE, "text/plain": "A bowl"})]
            ),
        ],
    }


def broken(change):
    notebook = copy.deepcopy(good())
    change(notebook)
    return problems(notebook, 1000)


def put(output):
    return lambda n: n["cells"][5].update(outputs=[output])


def test_a_good_notebook_has_no_problem():
    assert problems(good(), 1_400_000) == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda n: n["cells"][2].pop("id"), "place 3 has no id"),
        (lambda n: n["cells"][2].update(id="square"), "2 cells have this id"),
        (lambda n: n["cells"][2].update(id="a1b2c3d4"), "does not say"),
        (lambda n: n["cells"][2].update(id="0f3e5a52-78f1-4c6e-9e0f-4a1b2c3d4e5f"), "does not say"),
        (lambda n: n["cells"][2].update(id="Cell_2"), "does not say"),
        (lambda n: n["cells"][2].update(execution_count=None), "cell circle: it was not run"),
        (lambda n: n["cells"][2].update(execution_count=7), "in a fresh kernel"),
        (lambda n: n["metadata"].update(widgets={}), "metadata.widgets"),
        (lambda n: n["metadata"]["kernelspec"].update(name="conda-env"), "not python3"),
        (lambda n: n["metadata"].pop("kernelspec"), "not python3"),
        (lambda n: n["metadata"]["kernelspec"].pop("language"), "language python"),
        (lambda n: n["cells"][1]["metadata"].update(execution={}), "timing"),
        (lambda n: n["cells"][1]["metadata"].update(ExecuteTime={}), "timing"),
        (lambda n: n["cells"][2]["metadata"].update(tags=[]), "2 cells are tagged"),
        (lambda n: n["cells"][2].update(outputs=[]), "no output to compare"),
        (lambda n: n["cells"][1].update(source="x = 1\n" * 41), "41 lines"),
        (lambda n: n["cells"][0].update(source="![](a.png)"), "no alt text"),
        (lambda n: n["cells"][0].update(source='<img src="a.png">'), "no alt text"),
        (put({"output_type": "error", "ename": "NameError"}), "an error is stored (NameError)"),
        (put(stream("watch out", "stderr")), "stderr"),
        (put(stream(["x.py:3: ", "UserWarning: old\n"])), "a warning is stored (UserWarning)"),
        (put(stream("read /root/data/x\n")), "absolute path is stored (/root/data/x)"),
        (put(shown({"text/plain": "PosixPath('/home/me/x')"})), "(/home/me/x)"),
        (put(shown({"text/html": "<b>C:\\Users\\me</b>"})), "absolute path"),
        (put(shown({WIDGET: {"model_id": "1"}, "text/plain": "Box()"})), "a widget"),
        (put(shown({"image/png": "iVBO"})), "no alt text"),
        (put(shown({"text/html": PICTURE.replace("A bowl", " ")})), "no alt text"),
        (put(shown({"text/html": PICTURE.replace("alt", "title")})), "no alt text"),
        (put(shown({"text/html": PICTURE + "<img src='b.png'>"})), "no alt text"),
    ],
)
def test_a_broken_notebook_is_caught(change, words):
    found = broken(change)
    assert len(found) == 1, found
    assert words in found[0]


def test_nan_is_caught_wherever_it_is_printed():
    outputs = [
        {"output_type": "stream", "name": "stdout", "text": ["loss: ", "nan nats\n"]},
        {"output_type": "display_data", "data": {"text/markdown": "| NICE | nan |"}},
        {"output_type": "execute_result", "data": {"text/plain": "finance 1.0"}},
    ]
    cells = [{"id": str(k), "cell_type": "code", "outputs": [o]} for k, o in enumerate(outputs)]
    assert numbers_that_are_none({"cells": cells}) == ["0", "1"]


def test_a_file_of_1_5_megabytes_is_caught():
    assert "1.5 MB" in problems(good(), 1_500_000)[0]


def test_a_stale_or_unknown_figure_is_caught(monkeypatch):
    monkeypatch.setattr("coursekit.ledger.records", lambda: {"a": {"value": 2.0, "unit": "nats"}})
    notebook = good()
    notebook["cells"][0]["source"] = "<!--r:a-->2.00<!--/r-->"
    assert stale_markers(notebook) == []
    notebook["cells"][0]["source"] = "<!--r:a-->1.99<!--/r-->"
    assert stale_markers(notebook) == ["title"]
    notebook["cells"][0]["source"] = "<!--r:b-->1.99<!--/r-->"
    assert stale_markers(notebook) == ["title"]


@pytest.mark.parametrize("source", ["x=1", "import os", "x = 'single'"])
def test_unclean_code_is_caught(tmp_path, source):
    file = tmp_path / "n.ipynb"
    notebook = good()
    notebook["cells"] = [code("one", "x = 1", 1), code("two", "y = 2", 2)]
    file.write_text(json.dumps(notebook))
    assert ruff(file) == ""
    notebook["cells"][1]["source"] = source
    file.write_text(json.dumps(notebook))
    assert ruff(file) != ""


def test_a_different_setup_cell_is_told_apart():
    other = good()
    other["cells"][1]["source"] = ["import math\n", "import os\n"]
    assert setup_cell(other) != setup_cell(good())
    other["cells"][1]["source"] = ["import math\n"]
    assert setup_cell(other) == setup_cell(good())


# Cleaning --------------------------------------------------------------------


def test_cleaning_takes_out_what_may_not_stay_and_nothing_else():
    notebook = good()
    before = copy.deepcopy(notebook)
    notebook["metadata"].update(widgets={"state": {}}, papermill={}, title="kept")
    notebook["cells"][1]["metadata"]["execution"] = {"iopub.execute_input": "2026"}
    notebook["cells"][2]["outputs"] += [
        stream(" 50%|#### | 1/2 [00:01<00:01, 1.0it/s]\n100%|####| 2/2 [00:02]\n", "stderr"),
        shown({WIDGET: {}, "text/plain": "  0%|   | 0/3 [00:00<?, ?it/s]"}),
    ]
    notebook["cells"][5]["outputs"].append(shown({WIDGET: {}, "text/plain": "FloatSlider(0)"}))
    clean(notebook, {})
    assert notebook["cells"] == before["cells"]
    assert notebook["metadata"].pop("title") == "kept"
    assert problems(notebook, 1000) == []


def test_cleaning_shortens_the_paths_of_this_machine():
    notebook = good()
    notebook["cells"][2]["outputs"] = [
        stream("/tmp/x/course/data/a.gz, /tmp/x/course/README.md, /tmp/x/course, /tmp/x/courses\n")
    ]
    clean(notebook, {"/tmp/x/course": "", "/tmp/x/course/data": "data"})
    words = notebook["cells"][2]["outputs"][0]["text"]
    assert words == "data/a.gz, README.md, ., /tmp/x/courses\n"


def test_cleaning_keeps_what_was_said_beside_a_progress_bar():
    notebook = good()
    bar = "100%|####| 2/2 [00:02<00:00,  1.0it/s]\n"
    notebook["cells"][2]["outputs"] = [stream(bar + "a real complaint\n", "stderr")]
    clean(notebook, {})
    assert notebook["cells"][2]["outputs"] == [stream("a real complaint\n", "stderr")]


def test_a_page_says_where_something_interactive_was():
    notebook = good()
    slider = {WIDGET: {}, "text/plain": "FloatSlider(0)"}
    bar = {WIDGET: {}, "text/plain": "100%|##| 3/3 [00:00<00:00, 9it/s]"}
    notebook["cells"][5]["outputs"] = [shown(bar), shown(slider, output_type="execute_result")]
    clean(notebook, {}, widget_note="Play <here>")
    (note,) = notebook["cells"][5]["outputs"]
    assert note["output_type"] == "display_data"
    assert note["data"]["text/html"] == "<em>Play &lt;here&gt;</em>"
