"""The committed notebooks as exercises: student versions, and the way back from them.

What runs whole notebooks takes a minute for each, so it is asked for: COURSEKIT_STUDENT_RUNS=1.
The round trip of the first notebook always runs.
"""

import copy
import json
import math
import os
import re
from pathlib import Path

import pytest
from classroom_tiny import cell_of, code, colab, put, release, solved

from coursekit.classroom import sandbox
from coursekit.classroom.cells import BEGIN, END, kind, read_release, source_of
from coursekit.classroom.dependencies import names_of
from coursekit.classroom.grade import grade
from coursekit.classroom.student import notebook_bytes, student_version

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
RUNS = os.environ.get("COURSEKIT_STUDENT_RUNS") == "1"
asked_for = pytest.mark.skipif(not RUNS, reason="COURSEKIT_STUDENT_RUNS=1 runs whole notebooks")


def with_exercises():
    return [path for path in NOTEBOOKS if read_release(path).exercises]


def parameters(paths, gated=False):
    empty = [pytest.param(None, marks=pytest.mark.skip("notebooks/ holds no such notebook"))]
    return {
        "argvalues": [
            pytest.param(path, marks=[asked_for] if gated and number else [])
            for number, path in enumerate(paths)
        ]
        or empty,
        "ids": [path.stem for path in paths] or ["none"],
    }


# What is committed -------------------------------------------------------------


def drift(notebooks, folder):
    """Name the student versions that are missing, old, or left over."""
    wanted = {path.name: notebook_bytes(student_version(read_release(path))) for path in notebooks}
    there = {path.name: path.read_bytes() for path in folder.glob("*.ipynb")}
    return sorted(name for name in wanted | there if wanted.get(name) != there.get(name))


def test_the_student_versions_are_those_that_the_notebooks_generate():
    assert drift(NOTEBOOKS, ROOT / "notebooks" / "student") == [], (
        "python -m coursekit student writes them anew"
    )


def test_a_student_version_that_drifted_is_found(tmp_path):
    (tmp_path / "student").mkdir()
    path = tmp_path / "tiny.ipynb"
    path.write_text(json.dumps(solved()))
    assert drift([path], tmp_path / "student") == ["tiny.ipynb"]
    (tmp_path / "student" / "tiny.ipynb").write_bytes(
        notebook_bytes(student_version(read_release(path)))
    )
    assert drift([path], tmp_path / "student") == []
    path.write_text(json.dumps(put(solved(), "shift", "shift = 1")))
    assert drift([path], tmp_path / "student") == ["tiny.ipynb"]
    assert drift([], tmp_path / "student") == ["tiny.ipynb"]


def dependent(cells):
    """Name the cells of the course that need what only a student's answer defines."""
    names = [(cell, names_of(source_of(cell))) for cell in cells if cell["cell_type"] == "code"]
    own = [found for cell, found in names if kind(cell) in ("code", "train")]
    course = {name for found in own for name in found.binds}
    theirs = {name for cell, found in names if kind(cell) == "exercise" for name in found.binds}
    return [
        cell["id"]
        for cell, found in names
        if kind(cell) in ("code", "train") and found.needs & (theirs - course)
    ]


@pytest.mark.parametrize("path", **parameters(NOTEBOOKS))
def test_the_notebook_goes_on_without_the_students_functions(path):
    assert dependent(read_release(path).cells) == []


def test_a_notebook_that_needs_a_students_function_is_found():
    notebook = solved()
    assert dependent(release(notebook).cells) == []
    notebook["cells"].append(code("later", "def f():\n    return square(3)"))
    assert dependent(release(notebook).cells) == ["later"]


def unexpected(notebook):
    """Name the cells that failed with anything but an answer that is not written yet."""
    found = []
    for cell in notebook["cells"]:
        if cell["cell_type"] != "code":
            continue
        errors = [out["ename"] for out in cell["outputs"] if out["output_type"] == "error"]
        allowed = ["NotImplementedError"] if kind(cell) in ("exercise", "check") else []
        found += [(cell["id"], name) for name in errors if name not in allowed]
    return found


def execute(notebook, folder, monkeypatch, **environment):
    """Run all cells of a notebook, on and on, and store what they put out."""
    nbclient, nbformat = pytest.importorskip("nbclient"), pytest.importorskip("nbformat")
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    node = nbformat.reads(json.dumps(notebook), as_version=4)
    client = nbclient.NotebookClient(
        node, timeout=300, allow_errors=True, resources={"metadata": {"path": str(folder)}}
    )
    client.execute()
    return node


@asked_for
@pytest.mark.parametrize("path", **parameters(with_exercises()))
def test_a_student_version_fails_only_where_an_answer_is_missing(path, monkeypatch):
    ran = execute(
        json.loads(notebook_bytes(student_version(read_release(path)))),
        path.parent, monkeypatch, COURSEKIT_PROFILE="smoke", OMP_NUM_THREADS="1",
    )  # fmt: skip
    assert unexpected(ran) == []


def test_failures_elsewhere_are_found(tmp_path, monkeypatch):
    notebook = student_version(release())
    cell_of(notebook, "train")["source"] = "model = 1"
    notebook["cells"].append(code("bad", "[][0]"))
    ran = execute(notebook, tmp_path, monkeypatch)
    # These two checks call what is not written; the last cell has no such excuse.
    assert unexpected(ran) == [("bad", "IndexError")]
    assert "NotImplementedError" in json.dumps(cell_of(ran, "check-square")["outputs"])


# And back ----------------------------------------------------------------------

CALLER = """
import importlib as _importlib
import inspect as _inspect
for _name in {names!r}:
    _parts = _name.split(".")
    for _cut in range(len(_parts) - 1, 0, -1):
        try:
            _thing = _importlib.import_module(".".join(_parts[:_cut]))
            break
        except ImportError:
            continue
    for _part in _parts[_cut:]:
        _thing = getattr(_thing, _part)
    _needed = [p for p in _inspect.signature(_thing).parameters.values() if p.default is p.empty]
    try:
        _thing(*[None for p in _needed if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)])
    except BaseException:
        pass
"""


def pasted(parsed, notebook):
    """Paste the solutions into a student version."""
    for cell in parsed.cells:
        if kind(cell) == "exercise":
            lines = source_of(cell).splitlines()
            answer = "\n".join(line for line in lines if line.strip() not in (BEGIN, END))
            cell_of(notebook, cell["id"])["source"] = answer
    return notebook


def calling(source, names):
    """Let each solution of an exercise call some functions first, and swallow what they raise."""
    text = CALLER.format(names=list(names))

    def call(mark):
        indent = mark[1]
        lines = (f"{indent}{line}" if line else "" for line in text.splitlines())
        return "\n".join([mark[0], *lines])

    return re.sub(rf"^([ \t]*){re.escape(BEGIN)}$", call, source, flags=re.M)


def forbidden(parsed, notebook):
    """A right answer to every exercise, each of which calls what its probes forbid."""
    guilty = copy.deepcopy(parsed)
    for exercise in guilty.exercises:
        cell = next(
            cell for cell in guilty.cells
            if kind(cell) == "exercise" and source_of(cell) == exercise.source
        )  # fmt: skip
        names = dict.fromkeys(name for probe in exercise.probes for name in probe.forbids)
        cell["source"] = calling(exercise.source, names)
    return pasted(guilty, notebook)


def round_trip(path, folder):
    """Grade a blank, a solved and a cheating submission made from a student version."""
    parsed = read_release(path)
    handed_out = json.loads(notebook_bytes(student_version(parsed)))
    submissions = folder / "submissions"
    submissions.mkdir()
    for name, notebook in {
        "blank": handed_out,
        "solved": colab(pasted(parsed, copy.deepcopy(handed_out))),
        "cheating": forbidden(parsed, copy.deepcopy(handed_out)),
    }.items():
        (submissions / f"{name}.ipynb").write_text(json.dumps(notebook), "utf-8")
    return grade(path, submissions, folder / "grades", sandboxed=sandbox.probe().ok, workers=1)


def judge(grades):
    assert {mark.verdict for mark in grades["blank"].marks} == {"blank"}
    assert {mark.verdict for mark in grades["solved"].marks} == {"right"}
    assert grades["solved"].total == grades["solved"].maximum > 0
    for mark in grades["cheating"].marks:
        assert mark.verdict == ("forbidden" if mark.probe.forbids else "right")
        assert not mark.probe.forbids or "calls" in mark.message


@pytest.mark.parametrize("path", **parameters(with_exercises(), gated=True))
def test_solutions_pasted_back_get_full_marks_and_borrowed_ones_none(path, tmp_path):
    judge(round_trip(path, tmp_path))


def test_the_cheating_answer_is_right_but_for_the_call(monkeypatch):
    called = []
    monkeypatch.setattr(math, "gcd", lambda *args: called.append(args))
    solution = cell_of(solved(), "exercise-square")["source"]
    names = {}
    exec(calling(solution, ["math.gcd"]), names)
    assert names["square"](3) == 9 and called
