"""A whole grading run, on a runner without a kernel: what is run, kept, marked and written."""

import csv
import json
import sys

import pytest
from classroom_tiny import (
    BLANK_SQUARE,
    SQUARE,
    InlinePool,
    as_bytes,
    cell_of,
    code,
    colab,
    fake_runner,
    put,
    release,
    solved,
)

from coursekit.__main__ import main
from coursekit.classroom.grade import grade
from coursekit.classroom.limits import Limits
from coursekit.classroom.student import student_version
from coursekit.errors import CourseError


class Course:
    """A course on disk: its release, the submissions, and grading runs over them."""

    def __init__(self, folder, runner):
        self.folder, self.runner = folder, runner
        self.notebook = folder / "tiny.ipynb"
        self.submissions, self.output = folder / "in", folder / "out"
        self.submissions.mkdir()
        self.notebook.write_bytes(as_bytes(solved()))
        self.said = []

    def hand_in(self, name, notebook):
        (self.submissions / f"{name}.ipynb").write_bytes(
            notebook if isinstance(notebook, bytes) else as_bytes(notebook)
        )

    def grade(self, **options):
        self.pool = options.pop("pool", None) or InlinePool()
        return grade(
            self.notebook,
            self.submissions,
            self.output,
            **{"sandboxed": False, "progress": False, "pool": self.pool, "seed": 1} | options,
            say=self.said.append,
        )

    @property
    def runs(self):
        """How many notebooks ran since last asked, the reference among them."""
        runs = len(self.runner.runs)
        self.runner.runs.clear()
        return runs

    def rows(self):
        with open(self.output / "grades.csv", encoding="utf-8") as file:
            return {row["student"]: row for row in csv.DictReader(file)}

    def files(self):
        return {
            str(path.relative_to(self.output)): (path.read_bytes(), path.stat().st_mtime_ns)
            for path in self.output.rglob("*")
            if path.is_file()
        }


@pytest.fixture
def course(tmp_path, monkeypatch):
    runner = fake_runner()
    monkeypatch.setitem(sys.modules, "coursekit.classroom.runner", runner)
    return Course(tmp_path, runner)


def student():
    return student_version(release())


def answered(**sources):
    """The student version with answers pasted in."""
    notebook = student()
    for name, source in sources.items():
        put(notebook, f"exercise-{name}", source)
    return notebook


def solution(name):
    return cell_of(solved(), f"exercise-{name}")["source"]


def pasted():
    """A student version with all solutions pasted back."""
    return answered(square=solution("square"), sums=solution("sums"))


def test_solutions_pasted_back_get_full_marks(course):
    course.hand_in("anna", pasted())
    course.hand_in("colab", colab(pasted()))
    course.hand_in("solved", solved())
    grades = course.grade()
    assert {name: one.total for name, one in grades.items()} == dict.fromkeys(grades, 4.5)
    assert all(one.total == one.maximum for one in grades.values())


def test_each_earns_what_it_deserves(course):
    square = "# EXERCISE square\ndef square(x):\n    return {}"
    alone = ("half", "def mean(v): return sum(v) / 2\n\ndef total(v): return 0")
    cases = {
        "blank": (student(), 0),
        "cube": (answered(square=square.format("x * x * x")), 0),
        "pow": (answered(square="# EXERCISE square\nsquare = lambda x: x ** 2"), 2),
        "forbidden": (answered(square=square.format("math.pow(x, 2)")), 0),
        "half": (answered(sums=alone[1]), 1.5),
        "exit": (answered(square=square.format("exit()"), sums=solution("sums")), 2.5),
        "helper": (answered(square=square.format("helper(x)")), 2),
        "syntax": (answered(square="def square(x:", sums=solution("sums")), 2.5),
        "sly": (answered(square=square.format("type('', (), {'__eq__': lambda *a: True})()")), 0),
    }
    cases["helper"][0]["cells"].insert(4, code("mine", "def helper(x): return x * x"))
    for name, (notebook, _) in cases.items():
        course.hand_in(name, notebook)
    grades = course.grade()
    assert {name: one.total for name, one in grades.items()} == {
        name: points for name, (_, points) in cases.items()
    }
    assert grades["forbidden"].marks[0].verdict == "forbidden"
    assert "square: calls a forbidden block" in grades["forbidden"].notes
    assert "square" in course.rows()["exit"]["notes"]


def test_a_submission_that_cannot_be_read_does_not_stop_the_others(course):
    course.hand_in("anna", pasted())
    course.hand_in("empty", b"")
    course.hand_in("cut", as_bytes(solved())[:500])
    grades = course.grade()
    assert grades["anna"].total == 4.5 and grades["empty"].total == 0
    assert course.rows()["cut"]["notes"] == "The file is not a notebook, or it was cut off."
    assert "not a notebook" in (course.output / "feedback" / "cut.html").read_text()


def test_a_second_run_runs_nothing_and_changes_nothing(course):
    course.hand_in("anna", pasted())
    course.hand_in("bert", student())
    course.hand_in("cut", b"{")
    course.grade()
    assert course.runs == 3
    before = course.files()
    course.grade()
    assert course.runs == 0 and course.pool.calls == [] and course.files() == before


def test_only_what_changed_is_run_again(course):
    course.hand_in("anna", student())
    course.hand_in("bert", student())
    course.grade()
    # Two equal notebooks are two tasks of one run, and one stored grade.
    assert course.runs == 3
    course.hand_in("anna", pasted())
    before = course.files()
    assert course.grade()["anna"].total == 4.5
    assert course.runs == 2
    changed = {name for name, facts in course.files().items() if before.get(name) != facts}
    assert {name for name in changed if not name.startswith(".results")} == {
        "grades.csv",
        "feedback/anna.html",
    }


@pytest.mark.parametrize(
    "change",
    [
        lambda course: {"seed": 2},
        lambda course: {"limits": Limits(cell_seconds=3)},
        lambda course: (
            course.notebook.write_bytes(as_bytes(put(solved(), "shift", "shift = 1"))) and {}
        ),
    ],
)
def test_what_decides_a_grade_makes_it_run_again(course, change):
    course.hand_in("anna", pasted())
    course.grade()
    assert course.runs == 2
    course.grade(**(change(course) or {}))
    assert course.runs == 2


def test_new_outputs_in_the_solved_notebook_run_nothing_again(course):
    course.hand_in("anna", pasted())
    course.grade()
    notebook = solved()
    cell_of(notebook, "shift")["outputs"] = []
    notebook["metadata"] = {}
    course.notebook.write_bytes(as_bytes(notebook))
    assert course.runs == 2
    course.grade()
    assert course.runs == 0


def test_a_run_that_is_cut_off_goes_on_where_it_stopped(course, monkeypatch):
    for name in ("anna", "bert", "cleo"):
        course.hand_in(name, put(pasted(), "title", name))
    real = course.runner.run

    def cut(notebook, *rest):
        if len(course.runner.runs) == 3:
            raise KeyboardInterrupt
        return real(notebook, *rest)

    monkeypatch.setattr(course.runner, "run", cut)
    with pytest.raises(KeyboardInterrupt):
        course.grade()
    assert course.runs == 3 and not (course.output / "grades.csv").exists()
    monkeypatch.setattr(course.runner, "run", real)
    assert {one.total for one in course.grade().values()} == {4.5}
    assert course.runs == 2


def test_a_task_that_is_lost_is_run_again_alone(course, monkeypatch):
    for name in ("anna", "killer"):
        course.hand_in(name, put(pasted(), "exercise-square", f"{SQUARE}\nname = '{name}'"))
    real, lost = course.runner.run, []

    def run(notebook, *rest):
        text = json.dumps(notebook)
        if "killer" in text or ("anna" in text and not lost):
            lost.append(1)
            raise KeyboardInterrupt
        return real(notebook, *rest)

    class Fragile(InlinePool):
        lost = (KeyboardInterrupt,)

    monkeypatch.setattr(course.runner, "run", run)
    grades = course.grade(pool=Fragile())
    assert grades["anna"].total == 4.5 and grades["killer"].total == 0
    assert "again and again" in grades["killer"].notes[0] and len(lost) == 4
    # It is not held to be known: the next run tries again.
    monkeypatch.setattr(course.runner, "run", real)
    assert course.grade(pool=Fragile())["killer"].total == 4.5


def test_the_graders_own_trouble_with_one_does_not_stop_the_others(course, monkeypatch):
    course.hand_in("anna", pasted())
    course.hand_in("odd", put(pasted(), "exercise-square", f"{SQUARE}\n'odd'"))
    real = course.runner.run

    def run(notebook, *rest):
        if "'odd'" in json.dumps(notebook):
            raise RuntimeError("no kernel")
        return real(notebook, *rest)

    monkeypatch.setattr(course.runner, "run", run)
    grades = course.grade()
    assert grades["anna"].total == 4.5
    assert grades["odd"].notes == ("The grader could not run this: RuntimeError: no kernel",)
    monkeypatch.setattr(course.runner, "run", real)
    assert course.grade()["odd"].total == 4.5


def test_a_reference_that_fails_stops_before_anybody_is_graded(course):
    course.hand_in("anna", pasted())
    course.notebook.write_bytes(as_bytes(put(solved(), "shift", "shift = None")))
    with pytest.raises(CourseError, match="the reference's own run of probe sums"):
        course.grade()
    assert not (course.output / "grades.csv").exists()


def test_the_seed_is_fresh_and_then_stays(course):
    course.hand_in("anna", pasted())
    course.grade(seed=None)
    first = (course.output / ".results" / "seed").read_text()
    assert course.runs == 2
    course.grade(seed=None)
    assert course.runs == 0 and (course.output / ".results" / "seed").read_text() == first
    course.output = course.folder / "other"
    course.grade(seed=None)
    assert (course.output / ".results" / "seed").read_text() != first


def test_no_expected_value_and_no_result_is_written(course):
    probe = "# PROBE sums-mean points=1.5\nmean([1, 1234.5])"
    course.notebook.write_bytes(as_bytes(put(solved(), "probe-sums-mean", probe)))
    course.hand_in("anna", pasted())
    course.grade()
    assert course.rows()["anna"]["sums-mean"] == "1.5"
    assert not any(b"617.75" in body for body, _ in course.files().values())
    assert (course.output / ".results").stat().st_mode & 0o077 == 0


def test_what_goes_to_a_worker_holds_no_marks_and_no_expectations(course):
    course.hand_in("anna", pasted())
    course.grade()
    names = [name for name, _ in course.pool.calls]
    assert names == ["grade_one", "grade_one"]
    release_json, name, body, seed, _, sandboxed = course.pool.calls[1][1]
    assert (name, seed, sandboxed) == ("tiny", 1, False)
    assert body == (course.submissions / "anna.ipynb").read_bytes()
    assert "answer is" not in release_json


def test_marks_that_a_person_typed_stay_and_count(course):
    notebook = put(pasted(), "think-why-answer", "**Your answer** (`think-why`):\n\nSigns.")
    course.hand_in("=anna", notebook)
    course.hand_in("bert", pasted())
    course.grade()
    rows = course.rows()
    assert rows["'=anna"]["think-why"] == "" and rows["'=anna"]["with_questions"] == ""
    assert rows["bert"]["think-why"] == "no answer" and rows["bert"]["with_questions"] == "4.5"
    table = course.output / "grades.csv"
    table.write_text(table.read_text().replace(",,no answer,", ',"1,5",no answer,'))
    course.grade()
    row = course.rows()["'=anna"]
    assert (row["think-why"], row["total"], row["with_questions"]) == ("1,5", "4.5", "6")
    page = next((course.output / "feedback").glob("anna-*.html")).read_text()
    assert "1.5 of 2 points" in page
    # A student who answers later is not held to the old "no answer".
    course.hand_in("bert", notebook)
    course.grade()
    assert course.rows()["bert"]["think-why"] == ""


def test_a_mark_that_cannot_be_is_kept_and_noted(course):
    course.hand_in("anna", put(pasted(), "think-one", "**Your answer** (`think-one`):\nNo."))
    course.grade()
    path = course.output / "grades.csv"
    head, row = path.read_text().splitlines()
    path.write_text(f"{head}\n{row.removesuffix(',,')},7,\n")
    course.grade()
    row = course.rows()["anna"]
    assert row["think-one"] == "7" and row["with_questions"] == ""
    assert "think-one: no mark from 0 to 1" in row["notes"]


@pytest.mark.parametrize("table", ["name,total\nanna,3\n", "student,mark\nanna,3\n", ""])
def test_a_table_of_somebody_elses_is_not_overwritten(course, table):
    course.hand_in("anna", pasted())
    course.output.mkdir()
    (course.output / "grades.csv").write_text(table)
    with pytest.raises(CourseError, match="not a table this command wrote"):
        course.grade()
    assert (course.output / "grades.csv").read_text() == table


def test_answers_are_collected_on_a_page_for_each_question(course):
    words = "**Your answer** (`think-why`):\n\n<script>alert(1)</script> signs"
    course.hand_in("anna", put(pasted(), "think-why-answer", words))
    course.hand_in("bert", pasted())
    course.grade()
    page = (course.output / "answers" / "think-why.html").read_text()
    assert "&lt;script&gt;alert(1)&lt;/script&gt; signs" in page and "<script" not in page
    assert "Signs cancel" in page and "No answer: bert" in page


def test_ignored_files_are_said(course):
    course.hand_in("anna", pasted())
    (course.submissions / "notes.txt").write_text("x")
    course.grade()
    assert "ignored  notes.txt: not a notebook" in course.said


def test_nothing_to_grade_gets_a_sentence(course):
    with pytest.raises(CourseError, match="There is no submission"):
        course.grade()
    course.notebook.write_bytes(as_bytes({"cells": [solved()["cells"][0]]}))
    course.hand_in("anna", pasted())
    with pytest.raises(CourseError, match="nothing to grade"):
        course.grade()


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--workers", "0"], "--workers must be at least 1"),
        (["--cell-seconds", "-1"], "--cell-seconds must be above 0"),
        (["--memory-mb", "nan"], "--memory-mb must be above 0"),
        (["--workers", "2", "--scheduler", "tcp://h:1"], "exclude each other"),
    ],
)
def test_the_command_refuses_what_makes_no_sense(course, capsys, more, message):
    arguments = [str(course.notebook), str(course.submissions), "-o", str(course.output)]
    assert main(["grade", *arguments, *more]) == 2
    assert message in capsys.readouterr().err


def test_without_protection_nothing_is_run(course, monkeypatch):
    from coursekit.classroom import sandbox

    course.hand_in("anna", pasted())
    none = sandbox.Protection(False, "none", ("NOT SHUT IN: network",))
    monkeypatch.setattr(sandbox, "probe", lambda: none)
    with pytest.raises(CourseError, match="--no-sandbox"):
        course.grade(sandboxed=True)
    assert course.runs == 0 and "sandbox  NOT SHUT IN: network" in course.said


def test_hostile_names_stay_inside_the_folders(course):
    for name in ("<img src=x onerror=alert(1)>", "=cmd|'x'!A1", "~..", "con", "a\u202eb"):
        course.hand_in(name, student())
    course.grade()
    pages = list((course.output / "feedback").iterdir())
    assert len(pages) == 5 and all(page.suffix == ".html" for page in pages)
    assert all("<img" not in page.read_text() for page in pages)
    rows = list(course.rows())
    assert "'=cmd|'x'!A1" in rows and "a\\u202eb" in rows
    assert {path.name for path in course.folder.iterdir()} == {"in", "out", "tiny.ipynb"}


def test_the_blank_marker_of_an_exercise_is_recognised(course):
    course.hand_in("anna", answered(square=BLANK_SQUARE))
    assert {mark.verdict for mark in course.grade()["anna"].marks} == {"blank"}
