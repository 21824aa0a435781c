"""Parsing a solved notebook, finding its cells in a submission, and what needs what."""

import json

import pytest
from classroom_tiny import code, colab, put, release, solved, words

from coursekit.classroom.cells import kind, marker, read_release
from coursekit.classroom.dependencies import names_of, needed, trim_imports
from coursekit.classroom.matching import match
from coursekit.errors import CourseError


def found(submission):
    """Release cell's id -> the source found for it."""
    parsed = release()
    pairs = match(parsed, submission)
    return {
        parsed.cells[other]["id"]: submission[place]["source"] for place, other in pairs.items()
    }


def test_a_release_is_read():
    parsed = release()
    assert [(e.id, e.points) for e in parsed.exercises] == [("square", 2), ("sums", 2.5)]
    assert [p.id for p in parsed.probes] == ["square", "sums", "sums-mean"]
    assert parsed.probes[0].forbids == ("math.pow",) and parsed.probes[2].exercise == "sums"
    first, second = parsed.questions
    assert (first.id, first.points, second.id, second.points) == ("think-why", 2, "think-one", 1)
    assert "x^2" in first.words and "Signs cancel" in first.model
    assert "And for i" in second.words and "Model answer" not in second.words


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda n: n["cells"][5].pop("id"), "needs an id"),
        (lambda n: n["cells"][5].update(id="shift"), "needs an id"),
        (lambda n: n["cells"].insert(0, n["cells"].pop(7)), "below its exercise"),
        (lambda n: n["cells"][7]["metadata"].clear(), "points=NUMBER"),
        (lambda n: n["cells"][7]["metadata"]["coursekit"]["probe"].pop("tolerance"), "tolerance"),
        (lambda n: n["cells"][7]["metadata"]["coursekit"]["probe"].update(points=3), "differ"),
        (lambda n: n["cells"][7]["metadata"]["coursekit"]["probe"].update(id="sq"), "differ"),
        (lambda n: put(n, "probe-square", "# PROBE square\n1"), "points=NUMBER"),
        (lambda n: n["cells"][16]["metadata"].clear(), "without the tag"),
        (lambda n: put(n, "think-why-answer", "Because."), 'no "*Model answer.*"'),
        (lambda n: put(n, "exercise-sums", "# EXERCISE square"), "stands there twice"),
        (lambda n: n.pop("cells"), "not a notebook"),
    ],
)
def test_a_release_that_breaks_a_rule_is_refused(change, message):
    notebook = solved()
    change(notebook)
    with pytest.raises(CourseError, match="tiny") as error:
        release(notebook)
    assert message in str(error.value)


def test_a_file_that_is_no_notebook_is_refused(tmp_path):
    with pytest.raises(CourseError, match="is its name right"):
        read_release(tmp_path / "none.ipynb")
    (tmp_path / "a.ipynb").write_text("{")
    with pytest.raises(CourseError, match="not a notebook"):
        read_release(tmp_path / "a.ipynb")
    (tmp_path / "b.ipynb").write_text(json.dumps(solved()))
    assert read_release(tmp_path / "b.ipynb").name == "b"


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("# EXERCISE a-b", ("exercise", "a-b")),
        ("\n#EXERCISE a\nx", ("exercise", "a")),
        ("# my answer\n# CHECK a", ("check", "a")),
        ("x = 1\n# CHECK a", None),
        ("# EXERCISE", None),
        ("# EXERCISES a", None),
        ("print('# PROBE a points=1')", None),
        ("", None),
    ],
)
def test_markers(source, expected):
    assert marker(source) == expected


def test_kinds():
    kinds = " ".join(kind(cell) for cell in release().cells)
    assert kinds == (
        "text code code code code exercise check probe text train code exercise check probe probe "
        "text question question text"
    )


def test_cells_are_found_by_id_whatever_their_sources_and_order():
    notebook = solved()
    put(notebook, "exercise-square", "def square(x):\n    return 1")
    notebook["cells"].reverse()
    assert found(notebook["cells"])["exercise-square"] == "def square(x):\n    return 1"
    assert len(found(notebook["cells"])) == len(notebook["cells"])


def test_cells_are_found_by_metadata_where_ids_were_renewed():
    cells = solved()["cells"]
    for number, cell in enumerate(cells):
        cell["metadata"] = {"coursekit": {"cell": cell["id"]}}
        cell["id"] = f"new-{number}"
        cell["source"] = f"changed {number}"
    assert found(cells)["exercise-sums"] == "changed 11"


def test_an_id_says_more_than_metadata_which_a_copy_shares():
    cells = solved()["cells"]
    cells[5]["metadata"] = {"coursekit": {"cell": "exercise-square"}}
    cells.insert(0, {**cells[5], "id": "copy", "source": "copied"})
    assert found(cells)["exercise-square"] != "copied"


def test_cells_are_found_in_a_notebook_from_colab():
    notebook = solved()
    answer = "# mine\n# EXERCISE square\nsquare = lambda x: x ** 2"
    put(notebook, "exercise-square", answer)
    put(notebook, "think-why-answer", "**Your answer** (`think-why`):\n\nBecause.")
    put(notebook, "think-one", "**Your answer** (`think-one`):\n\nNo.")
    cells = colab(notebook)["cells"]
    cells.insert(3, {"cell_type": "code", "source": "mine = 1", "metadata": {}})
    mine = found(cells)
    assert mine["exercise-square"] == answer
    assert mine["think-why-answer"].endswith("Because.")
    assert mine["shift"] == "shift = 100" and "mine = 1" not in mine.values()


def test_an_edited_cell_of_the_course_is_known_by_its_likeness():
    long = "\n".join(f"step_{n} = {n}" for n in range(8))
    notebook = solved()
    put(notebook, "train", long)
    parsed = release(notebook)
    edited = colab(notebook)["cells"]
    edited[9]["source"] = long.replace("step_3 = 3", "step_3 = 33")
    assert match(parsed, edited)[9] == 9
    edited[9]["source"] = "something = 'else'"
    assert 9 not in match(parsed, edited)


def test_of_two_copies_the_first_is_the_cell():
    cells = colab(solved())["cells"]
    cells.insert(6, {**cells[5], "source": "# EXERCISE square\nsecond = 2"})
    mine = match(release(), cells)
    assert mine[5] == 5 and 6 not in mine


def test_metadata_of_any_kind_are_survived():
    cells = [
        {"cell_type": "code", "source": "x", "metadata": {"tags": {"answer": 1}, "coursekit": 3}},
        {"cell_type": "markdown", "source": "*Model answer.* x", "metadata": {"tags": ["answer"]}},
    ]
    assert match(release(), cells) == {}


@pytest.mark.parametrize(
    ("source", "needs", "binds"),
    [
        ("x = y", "y", "x"),
        ("x = x + 1", "x", "x"),
        ("x = 1\nz = x", "", "x z"),
        ("import a.b as c, d", "", "c d"),
        ("def f(n):\n    return f(n - 1) + g + len([i for i in n])", "g", "f"),
        ("class A(B):\n    c = d\n    def m(self):\n        return self.e + h", "B d h", "A"),
        ("def f():\n    global w\n    w = q", "q", "f w"),
        ("for i in items:\n    print(i, j)", "items j", "i"),
        ("for i in i:\n    s = s + i", "i s", "i s"),
        ("for a, b[k] in pairs:\n    c = a\nelse:\n    c", "b k pairs", "a c"),
        ("s = 0\nfor i in items:\n    s += i", "items", "i s"),
        ("s += 1", "s", "s"),
        ("with a as b, c(b) as d:\n    e = b + d\ne", "a c", "b d e"),
        ("with a:\n    b", "a b", ""),
        ("if a:\n    b = 1\nelse:\n    c = b\nb", "a b", "b c"),
        ("while (n := f()):\n    g(n)", "f g", "n"),
        ("try:\n    a = f()\nexcept E as e:\n    g(a, e)\nelse:\n    h(a)", "E a f g h", "a"),
        ("try:\n    a = 1\nfinally:\n    a", "a", "a"),
        ("for w in ws:\n    fs = [lambda v: v * w * u]", "u ws", "fs w"),
        ("match a:\n    case [b]:\n        c = b", "a b", "b c"),
        ("%matplotlib inline\nimport numpy as np", "", "np"),
        ("files = !ls\nhelp?\nx = 1", "", "files x"),
        ("from math import *", "", "*"),
        ("@deco\ndef f(): return f", "deco", "f"),
        ("def broken(:", "", ""),
        ("(" * 5000, "", ""),
        ("-" * 15000 + "x", "", ""),
    ],
)
def test_names(source, needs, binds):
    names = names_of(source)
    assert (names.needs, names.binds) == (set(needs.split()), set(binds.split()))


def test_a_source_too_long_to_look_at_needs_every_word():
    names = names_of("a = b\n" + "#" * 30_000)
    assert {"a", "b"} <= names.needs and not names.binds


def test_what_is_needed_is_followed_to_its_beginning():
    sources = ["a = 1", "b = a", "c = 3", "d = 4", "use(b)", "d = 5", "def f():\n    return later"]
    sources.append("later = c")
    must = {4, 6}
    chosen = needed([(names_of(s), place in must) for place, s in enumerate(sources)])
    assert chosen == {0, 1, 2, 4, 6, 7}


def test_cells_with_no_text_are_survived():
    assert match(release(), [code("a", ""), words("b", "")]) == {}


@pytest.mark.parametrize(
    ("source", "wanted", "left"),
    [
        (
            "import math, torch\nimport torch.nn.functional as F",
            "F",
            "import torch.nn.functional as F",
        ),
        ("import a.b\nimport a.c\nimport d", "a", "import a.b\nimport a.c"),
        ("from . import x, y as z", "y", ""),
        ("import math\nx = 1", "", "x = 1"),
        ("import math, os\nx = math.pi", "", "import math\nx = math.pi"),
        (
            "import os\ntry:\n    import a\nexcept ImportError:\n    os.abort()",
            "",
            "import os\ntry:\n    import a\nexcept ImportError:\n    os.abort()",
        ),
        ("from math import *\nimport os", "", "from math import *\nimport os"),
        ("import (", "", "import ("),
    ],
)
def test_imports_that_nobody_needs_are_left_out(source, wanted, left):
    assert trim_imports(source, set(wanted.split())) == left
