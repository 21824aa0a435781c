"""Running notebooks as pages, and in place: what is said, written, refused."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from coursekit import notebook_runs, publish
from coursekit.__main__ import main as course_command
from coursekit.errors import CourseError
from coursekit.notebook_files import clean, problems

ROOT = Path(__file__).resolve().parent.parent
SLIDER = "import ipywidgets as widgets\nwidgets.FloatSlider()"


def notebook_of(*sources):
    notebook = nbformat.v4.new_notebook()
    for number, source in enumerate(sources):
        make = (
            nbformat.v4.new_markdown_cell if source.startswith("# ") else nbformat.v4.new_code_cell
        )
        cell = make(source, id=f"part-{'abcdefgh'[number]}")
        if source.startswith("print"):
            cell.metadata["tags"] = ["nbval-check-output"]
        notebook.cells.append(cell)
    return notebook


def save(path, *sources):
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook_of(*sources), path)
    return path


def command(*words):
    return course_command(["publish", *map(str, words)])


@pytest.fixture
def course(tmp_path, monkeypatch):
    """A small repository of its own, with the working directory in it."""
    for name in ("notebooks", "coursekit", "data"):
        (tmp_path / name).mkdir()
    (tmp_path / "coursekit" / "__init__.py").touch()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COURSEKIT_DATA", "data")
    monkeypatch.setattr("coursekit.ledger.records", lambda: {"a": {"value": 2.0, "unit": "nats"}})
    return tmp_path


@pytest.fixture
def with_mnist(monkeypatch):
    monkeypatch.setattr("coursekit.data.load", lambda name, limit=None: None)


def test_run_goes_on_after_a_failing_cell_and_says_which_it_was(course, capsys):
    save(course / "notebooks" / "01_bad.ipynb", "# Title", "x = 1", "x.oh_no", "x")
    good = save(course / "notebooks" / "02_good.ipynb", "# Title", "print(6 * 7)", SLIDER)
    before = good.read_bytes()
    assert command("run") == 1
    said = capsys.readouterr().out
    assert "01_bad: cell part-c (2 of 3) failed: AttributeError: 'int' object has no" in said
    assert "01_bad: cell 1 of 3, 0:0" in said
    assert "02_good: 2 cells, 0:0" in said
    assert "1 of 2 notebooks failed" in said
    assert "oh_no" in (course / "build" / "01_bad.html").read_text("utf-8")
    page = (course / "build" / "02_good.html").read_text("utf-8")
    assert "42" in page
    assert publish.PAGE_NOTE in page
    assert good.read_bytes() == before, "run leaves the notebooks as they are"


def test_a_dead_kernel_is_noticed(course, capsys):
    path = save(course / "notebooks" / "01_dies.ipynb", "import os", "os._exit(3)")
    assert command("run", path, "-o", "pages") == 1
    assert "cell part-b (2 of 2) failed: the kernel died" in capsys.readouterr().out
    assert (course / "pages" / "01_dies.html").is_file()


def test_the_kernel_is_this_python_in_the_notebooks_folder(course):
    path = save(
        course / "notebooks" / "01.ipynb",
        "import os, sys\nprint(sys.executable)",
        "print(os.getcwd())",
        "print(os.environ['COURSEKIT_DATA'])",
        "print(os.environ.get('COURSEKIT_PROFILE'))",
    )
    notebook = publish.read(path)
    assert publish.execute(notebook, path.parent, "01", profile="quick") is None
    said = [cell.outputs[0].text.strip() for cell in notebook.cells]
    assert said == [sys.executable, str(path.parent), str(course / "data"), "quick"]


def test_refresh_leaves_a_notebook_fit_to_be_committed(course, with_mnist, capsys):
    path = save(
        course / "notebooks" / "01.ipynb",
        "# Title\n<!--r:a-->?<!--/r--> nats",
        "print(1)",
        "print(2)",
        "print(__import__('os').getcwd())",
        SLIDER,
        "import tqdm\n\nfor _ in tqdm.tqdm(range(3)):\n    pass",
    )
    (course / "README.md").write_text("<!--r:a-->?<!--/r-->\n")
    assert command("refresh") == 0, capsys.readouterr().out
    written = json.loads(path.read_text("utf-8"))
    assert problems(written, path.stat().st_size) == []
    assert [cell["id"] for cell in written["cells"]] == [f"part-{x}" for x in "abcdef"]
    assert "".join(written["cells"][0]["source"]) == "# Title\n<!--r:a-->2.00<!--/r--> nats"
    assert "".join(written["cells"][3]["outputs"][0]["text"]) == "notebooks\n"
    assert written["cells"][4]["outputs"] == written["cells"][5]["outputs"] == []
    assert (course / "README.md").read_text() == "<!--r:a-->2.00<!--/r-->\n"
    assert {file.name for file in path.parent.iterdir()} == {"01.ipynb"}


def test_refresh_leaves_a_failing_notebook_as_it_was_and_goes_on(course, with_mnist, capsys):
    bad = save(course / "notebooks" / "01_bad.ipynb", "1 / 0")
    good = save(course / "notebooks" / "02.ipynb", *[f"print({n})" for n in range(3)])
    before = bad.read_bytes()
    assert command("refresh") == 1
    assert "ZeroDivisionError: division by zero (the file is left" in capsys.readouterr().out
    assert bad.read_bytes() == before
    assert publish.read(good).cells[0].execution_count == 1


def test_refresh_refuses_a_file_that_would_be_too_large(course, with_mnist, capsys):
    path = save(
        course / "notebooks" / "01.ipynb", "from IPython.display import HTML\nHTML('x' * 1_500_000)"
    )
    before = path.read_bytes()
    assert command("refresh") == 1
    assert "01.ipynb would have 1.5 MB" in capsys.readouterr().out
    assert path.read_bytes() == before


def test_refresh_says_what_is_still_amiss(course, with_mnist, capsys):
    save(course / "notebooks" / "01.ipynb", "print(1)", "import warnings\nwarnings.warn('old')")
    assert command("refresh") == 1
    said = capsys.readouterr().out
    assert "01.ipynb: 1 cells are tagged nbval-check-output" in said
    assert "01.ipynb: cell part-b: something on stderr is stored" in said


def test_refresh_needs_mnist(course, capsys):
    save(course / "notebooks" / "01.ipynb", "print(1)")
    assert command("refresh") == 2
    assert "download mnist" in capsys.readouterr().err


def test_an_unknown_figure_is_noticed_before_anything_runs(course, with_mnist, capsys):
    path = save(course / "notebooks" / "01.ipynb", "# <!--r:none--><!--/r-->", "print(1)")
    assert command("refresh") == 2
    assert "'none'" in capsys.readouterr().err
    assert publish.read(path).cells[1].execution_count is None


def test_markers_are_filled_without_running_anything(course, capsys):
    path = save(course / "notebooks" / "01.ipynb", "# <!--r:a--><!--/r-->", "1 / 0")
    assert command("markers") == 1
    assert "cell part-b: it was not run" in capsys.readouterr().out
    assert publish.read(path).cells[0].source == "# <!--r:a-->2.00<!--/r-->"


@pytest.mark.parametrize("body", ["", "hello", "{}", "[1, 2]", '{"nbformat": 4, "cells": 3}'])
def test_what_is_no_notebook_gets_one_sentence(course, capsys, body):
    path = course / "notebooks" / "01.ipynb"
    path.write_text(body)
    assert command("run") == 2
    error = capsys.readouterr().err
    assert "01.ipynb is not a notebook that can be read" in error
    assert "Traceback" not in error


def test_nothing_to_run_gets_one_sentence(course, capsys):
    assert command("run") == 2
    assert "There is no notebook to run" in capsys.readouterr().err
    assert command("run", "absent.ipynb") == 2
    assert "There is no notebook absent.ipynb" in capsys.readouterr().err


def test_a_missing_nbclient_gets_one_sentence(monkeypatch):
    monkeypatch.setitem(sys.modules, "nbclient", None)
    with pytest.raises(CourseError, match=r"needs nbclient.*coursekit\[classroom\]"):
        notebook_runs.need("nbclient")


def test_publish_is_light_to_import():
    heavy = "{'torch', 'nbclient', 'nbconvert', 'nbformat', 'matplotlib'}"
    code = f"import sys, coursekit.publish; print({heavy} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_a_terminal_sees_one_line_that_is_rewritten(monkeypatch, capsys):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    line = notebook_runs._Line("01_vae", 3)
    line.cell(1, "set-up")
    line.cell(2, "kl-check")
    line.end("3 cells")
    said = capsys.readouterr().out
    assert said.count("\n") == 1
    assert said.split("\r")[2].startswith("01_vae: cell 2 of 3, 0:00  kl-check")
    assert Path("01_vae").name in said.split("\r")[3]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals")
def test_ctrl_c_stops_at_once(course):
    save(course / "notebooks" / "01.ipynb", "1 + 1")
    save(course / "notebooks" / "02.ipynb", "import time\ntime.sleep(60)")
    code = f"import sys; sys.path.insert(0, {str(ROOT)!r}); from coursekit.__main__ import main; "
    code += "sys.exit(main(['publish', 'run']))"
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=course,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    while not (line := process.stdout.readline()).startswith("02: cell 1"):
        assert line, "it ended before the second notebook"
    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=60)
    assert process.returncode == 130, error
    assert error.strip() == "Interrupted."


def test_what_a_probe_leaves_behind_is_not_stored():
    notebook = nbformat.v4.new_notebook()
    for source in ("# PROBE a points=2\n[1.0, 2.0]", "1 + 1"):
        output = nbformat.v4.new_output("execute_result", {"text/plain": "[1.0, 2.0]"})
        notebook.cells.append(nbformat.v4.new_code_cell(source, outputs=[output]))
    clean(notebook, {})
    assert [len(cell.outputs) for cell in notebook.cells] == [0, 1]
