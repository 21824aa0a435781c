"""Finding, reading and rebuilding what students hand in."""

import copy
import json
import os

import pytest
from classroom_tiny import (
    BLANK_SQUARE,
    as_bytes,
    cell_of,
    code,
    colab,
    put,
    release,
    solved,
    words,
)

from coursekit.classroom import submissions
from coursekit.classroom.output_files import file_names
from coursekit.classroom.rebuilding import rebuild
from coursekit.classroom.student import student_version
from coursekit.classroom.submissions import Unreadable, collect, load, read, shown_name
from coursekit.errors import CourseError


def rebuilt(notebook):
    return rebuild(release(), read(as_bytes(notebook)))


def layout(notebook):
    """(id, role) of the cells that would run."""
    cells = rebuilt(notebook).notebook["cells"]
    return [(cell["id"], cell["metadata"]["coursekit"]["role"]) for cell in cells]


def student():
    return student_version(release())


# Finding ---------------------------------------------------------------------


def test_files_and_folders_are_found_and_the_rest_is_listed(tmp_path):
    for name in ("anna.ipynb", "bert.IPYNB", "notes.txt", ".hidden.ipynb"):
        (tmp_path / name).write_text("{}")
    for name in ("cleo/tiny.ipynb", "cleo/picture.png", "dora/other.ipynb"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("{}")
    (tmp_path / "empty").mkdir()
    (tmp_path / "link.ipynb").symlink_to(tmp_path / "anna.ipynb")
    (tmp_path / "cleo" / "deep").mkdir()
    os.mkfifo(tmp_path / "pipe.ipynb")
    (tmp_path / "emil").mkdir()
    (tmp_path / "emil" / "tiny.ipynb").symlink_to(tmp_path / "anna.ipynb")
    found, ignored = collect(tmp_path, "tiny.ipynb")
    assert [(one.name, one.path.name) for one in found] == [
        ("anna", "anna.ipynb"),
        ("bert", "bert.IPYNB"),
        ("cleo", "tiny.ipynb"),
    ]
    assert ignored == [
        ".hidden.ipynb: hidden",
        "cleo/deep: not named tiny.ipynb",
        "cleo/picture.png: not named tiny.ipynb",
        "dora/other.ipynb: not named tiny.ipynb",
        "emil/tiny.ipynb: a link",
        "empty/: empty",
        "link.ipynb: a link",
        "notes.txt: not a notebook",
        "pipe.ipynb: not a plain file",
    ]


def test_two_files_that_claim_one_name_are_told_apart(tmp_path):
    (tmp_path / "anna").mkdir()
    for name in ("anna.ipynb", "anna/tiny.ipynb", "ANNA.ipynb", "bert.ipynb"):
        (tmp_path / name).write_text("{}")
    found, _ = collect(tmp_path, "tiny.ipynb")
    assert sorted(one.name for one in found) == [
        "ANNA.ipynb",
        "anna.ipynb (again)",
        "anna/tiny.ipynb",
        "bert",
    ]


def test_names_that_cannot_be_shown_are_spelled_out(tmp_path):
    hostile = os.fsdecode(b"a\xff\nb.ipynb")
    (tmp_path / hostile).write_text("{}")
    (tmp_path / "a\u202eb.ipynb").write_text("{}")
    found, _ = collect(tmp_path, "tiny.ipynb")
    assert {one.name for one in found} == {"a\\xff\\nb", "a\\u202eb"}
    for one in found:
        assert load(one.path) == b"{}"
        one.name.encode("utf-8")
    assert shown_name("Zoë Ångström") == "Zoë Ångström"


def test_a_missing_folder_gets_a_sentence(tmp_path):
    with pytest.raises(CourseError, match="cannot be read as a folder"):
        collect(tmp_path / "none", "tiny.ipynb")


def test_file_names_are_safe_and_unique():
    hostile = [
        "anna", "ANNA", "Bert", "../../etc/passwd", "..", "", "a/b", "a-b", "<script>", "con",
        "x" * 300, "x" * 301, "日本", "中国", "nul.ipynb", ".htaccess", "bert\\u202e", "é", "e",
        "a-b-c14cddc0", "a/b\x00",
    ]  # fmt: skip
    files = file_names(hostile)
    assert len({file.casefold() for file in files.values()}) == len(hostile)
    for file in files.values():
        assert 0 < len(file) <= 60 and not file.startswith((".", "-"))
        assert set(file) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-")
    assert files["Bert"] == "Bert" and files["anna"] != "anna"
    assert files["con"] != "con" and not files["nul.ipynb"].startswith("nul")
    # A name that looks like another's numbered file name cannot take its place.
    stolen = file_names(["a/b"])["a/b"]
    assert len(set(file_names(["a/b", stolen]).values())) == 2


# Reading ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "empty"),
        (b"  \n", "empty"),
        (b"hello", "not a notebook, or it was cut off"),
        (as_bytes(solved())[:-40], "cut off"),
        ("é".encode("latin-1"), "not UTF-8"),
        (as_bytes(solved()).decode().encode("utf-16"), "not UTF-8"),
        (b"[" * 100_000, "cut off"),
        (b'{"cells": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "cut off"),
        (b'{"cells": ' + b"9" * 10_000 + b"}", "cut off"),
        (b"[]", "format 4"),
        (b"null", "format 4"),
        (b'{"worksheets": []}', "format 4"),
        (b'{"cells": {}}', "format 4"),
        (b'{"cells": [3]}', "Cell 1 is not"),
        (b'{"cells": [{"cell_type": "code"}]}', "Cell 1 is not"),
        (b'{"cells": [{"cell_type": "code", "source": [1]}]}', "Cell 1 is not"),
        (b'{"cells": [{"cell_type": ["code"], "source": "x"}]}', "Cell 1 is not"),
        (as_bytes({"cells": [code("a", "x" * 600_000)]}), "too many to read"),
        (as_bytes({"cells": [words("a", "x")] * 5_001}), "5000 is the limit"),
    ],
)
def test_what_is_no_notebook_gets_a_reason(body, message):
    with pytest.raises(Unreadable, match=message):
        read(body)


def test_the_size_is_known_before_all_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr(submissions, "MAX_BYTES", 1_000_000)
    path = tmp_path / "a.ipynb"
    path.write_bytes(b" " * 1_000_001)
    with pytest.raises(Unreadable, match="larger than 1 MB"):
        load(path)
    path.write_bytes(b" " * 1_000_000)
    assert len(load(path)) == 1_000_000


def test_links_pipes_and_what_is_gone_are_not_read(tmp_path):
    (tmp_path / "a").write_text("x")
    (tmp_path / "link").symlink_to(tmp_path / "a")
    os.mkfifo(tmp_path / "pipe")
    for name in ("link", "pipe", "none", "."):
        with pytest.raises(Unreadable):
            load(tmp_path / name)


def test_only_sources_and_names_are_kept():
    notebook = solved()
    cell = notebook["cells"][4]
    cell["metadata"] = {"tags": ["raises-exception", 3], "coursekit": {"cell": "x", "probe": 1}}
    cell["source"] = ["a = 1\n", "b = 2 # \ud800"]
    cell["id"] = 5
    assert read(json.dumps(notebook).encode())[4] == {
        "cell_type": "code",
        "source": "a = 1\nb = 2 # \ufffd",
        "metadata": {"tags": ["raises-exception"], "coursekit": {"cell": "x"}},
    }
    assert len(read(b"\xef\xbb\xbf" + as_bytes(notebook))) == len(notebook["cells"])


# Rebuilding ------------------------------------------------------------------


def test_the_reference_runs_what_is_needed_and_no_more():
    assert layout(solved()) == [
        ("set-up", "release"),
        ("imports", "release"),
        ("shift", "release"),
        ("exercise-square", "exercise"),
        ("probe-square", "probe"),
        ("check-square", "check"),
        ("exercise-sums", "exercise"),
        ("probe-sums", "probe"),
        ("probe-sums-mean", "probe"),
        ("check-sums", "check"),
    ]


def test_imports_that_nobody_needs_are_left_out():
    def imports(notebook):
        return cell_of(rebuilt(notebook).notebook, "imports")["source"]

    assert imports(student()) == "import random"
    notebook = put(student(), "exercise-square", "# EXERCISE square\nsquare = math.sqrt")
    assert imports(notebook) == "import math\nimport random"


def test_a_colab_notebook_is_rebuilt_alike():
    blank = [part for part in layout(solved()) if part[0] != "shift"]
    assert layout(colab(student())) == layout(student()) == blank


def test_the_students_tags_checks_probes_and_points_count_for_nothing():
    notebook = student()
    put(notebook, "check-square", "# CHECK square\nprint('square: right on 5 of 5.')")
    notebook["cells"].append(code("probe-square", "# PROBE square points=99\n1"))
    for cell in notebook["cells"]:
        cell["metadata"]["tags"] = ["nbval-skip", "raises-exception", "train"]
    notebook["metadata"]["kernelspec"] = {"name": "evil"}
    cells = rebuilt(notebook).notebook["cells"]
    assert [c["id"] for c in cells] == [name for name, _ in layout(student())]
    assert not any("tags" in cell["metadata"] for cell in cells)
    sources = "".join(cell["source"] for cell in cells)
    assert "points=99" not in sources and "5 of 5" not in sources
    assert "PROBE square points=2" in sources
    assert rebuilt(notebook).notebook["metadata"]["kernelspec"]["name"] == "python3"


def test_extra_cells_run_where_they_stand_before_the_probe():
    notebook = student()
    place = [cell["id"] for cell in notebook["cells"]].index("check-square")
    notebook["cells"][place + 1 : place + 1] = [code("mine-2", "second = 2")]
    notebook["cells"][place:place] = [code("mine-1", "first = 1")]
    notebook["cells"].insert(0, code("mine-0", "zeroth = 0"))
    names = [name for name, _ in layout(notebook)]
    assert names[:3] == ["extra-cell-1", "set-up", "imports"]
    assert names[3:7] == ["exercise-square", "extra-cell-2", "extra-cell-3", "probe-square"]


def test_a_changed_cell_of_the_course_runs_after_the_courses_own_if_it_is_needed():
    notebook = put(student(), "shift", "shift = 5\nhelper = 7")
    assert "changed-shift" not in dict(layout(notebook))
    put(notebook, "exercise-sums", "# EXERCISE sums\ndef total(v): return helper + shift")
    assert ("changed-shift", "extra") in layout(notebook)
    names = [name for name, _ in layout(notebook)]
    assert names.index("changed-shift") == names.index("shift") + 1


def test_a_changed_training_cell_is_left_out():
    for notebook in (student(), colab(student())):
        cell = next(c for c in notebook["cells"] if "model = 1 / 0" in "".join(c["source"]))
        cell["source"] = "model = 1 / 0\nepochs = 900"
        assert not any(role == "extra" for _, role in layout(notebook))


def test_cells_in_another_order_run_in_the_releases():
    notebook = student()
    notebook["cells"].reverse()
    assert layout(notebook) == layout(student())


def test_a_deleted_exercise_is_noted_and_nothing_stands_in_its_place():
    notebook = student()
    notebook["cells"].remove(cell_of(notebook, "exercise-square"))
    result = rebuilt(notebook)
    assert "exercise-square" not in [cell["id"] for cell in result.notebook["cells"]]
    assert result.notes == ["the cell of exercise square is missing"]
    assert "square" not in result.code and "sums" in result.code


def test_answers_are_collected():
    notebook = student()
    put(notebook, "think-why-answer", "**Your answer** (`think-why`):\n\nTwo signs cancel.")
    place = notebook["cells"].index(cell_of(notebook, "think-why-answer"))
    notebook["cells"].insert(place + 1, words("more", "And zero stays."))
    expected = {"think-why": "Two signs cancel.\n\nAnd zero stays.", "think-one": ""}
    assert rebuilt(notebook).answers == expected
    assert rebuilt(colab(notebook)).answers == expected


def test_an_answer_without_its_box_is_found_by_id():
    notebook = put(student(), "think-one", "**Think 2 (1 point).** And for i?\n\nIt is minus one.")
    assert rebuilt(notebook).answers["think-one"] == "It is minus one."


def test_an_answer_is_cut_to_a_readable_length():
    notebook = put(student(), "think-one", "**Your answer** (`think-one`):\n" + "a" * 1_000_000)
    with pytest.raises(Unreadable):
        rebuilt(notebook)
    notebook = put(student(), "think-one", "**Your answer** (`think-one`):\n" + "a" * 400_000)
    assert len(rebuilt(notebook).answers["think-one"]) == 20_000


def test_own_text_below_other_cells_is_no_answer():
    notebook = student()
    notebook["cells"].insert(1, words("mine", "My notes."))
    notebook["cells"].append(words("more", "The end was good."))
    assert set(rebuilt(notebook).answers.values()) == {""}
    assert layout(notebook) == layout(student())


def test_a_thousand_cells_are_rebuilt_quickly():
    notebook = student()
    many = [code(f"mine-{n}", f"value_{n} = {n}\nprint(value_{n})") for n in range(1000)]
    notebook["cells"][3:3] = many
    assert len(rebuilt(colab(notebook)).notebook["cells"]) > 1000
    assert len({name for name, _ in layout(notebook)}) == len(layout(notebook))


def test_nothing_of_the_release_is_changed_by_rebuilding():
    parsed = release()
    before = copy.deepcopy(parsed.cells)
    rebuild(parsed, read(as_bytes(put(student(), "exercise-square", BLANK_SQUARE))))
    assert parsed.cells == before
