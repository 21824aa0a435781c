"""Comparing outside, and what a result earns."""

import json

import pytest
from classroom_tiny import release

from coursekit.classroom.marking import (
    Grade,
    close,
    expectations,
    mark_submission,
    said,
    without_run,
)
from coursekit.classroom.task import bounded
from coursekit.errors import CourseError

NAN, INF = float("nan"), float("inf")
RIGHT = {"square": [1.0, 4.0], "sums": [10.0, 1], "sums-mean": 2.5}


@pytest.mark.parametrize(
    ("yours", "reference", "tolerance", "agree"),
    [
        (1.0, 1.0, 0, True),
        (1, 1.0, 0, True),
        (1.2, 1.0, 0.1, True),
        (1.21, 1.0, 0.1, False),
        (0.8, 1.0, 0.1, True),
        (100.0, 101.0, 0.01, True),
        (-101.0, 101.0, 0.01, False),
        ([1.0, [2.0]], [1.0, [2.0]], 0, True),
        ([1.0, 2.0], [1.0, [2.0]], 1, False),
        ([1.0, [2.0]], [1.0, 2.0], 1, False),
        ([1.0], [1.0, 1.0], 1, False),
        ([1.0, 1.0], [1.0], 1, False),
        ([], [], 1, True),
        ([], 1.0, 1, False),
        (1.0, [1.0], 1, False),
        (NAN, NAN, 1, False),
        (NAN, 1.0, 1, False),
        (INF, INF, 1, False),
        (INF, 1.0, INF, False),
        (10**400, 1.0, 1, False),
        (True, 1.0, 1, False),
        ("1", 1.0, 1, False),
        (None, 1.0, 1, False),
        ({"0": 1.0}, [1.0], 1, False),
    ],
)
def test_comparing(yours, reference, tolerance, agree):
    assert close(yours, reference, tolerance) is agree


def test_an_object_equal_to_everything_is_no_number():
    class Sly(float):
        def __eq__(self, other):
            return True

        def __sub__(self, other):
            return 0.0

        def __abs__(self):
            return 0.0

        def __hash__(self):
            return 0

    assert not close(Sly(3), 1.0, 0.1) and bounded(Sly(3)) is None


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        (3, 3.0),
        ([1, [2.5, []]], [1.0, [2.5, []]]),
        ([INF], [INF]),
        ([True], None),
        ("3", None),
        ({"a": 1}, None),
        (None, None),
        ((1, 2), None),
        ([10**400], None),
        ([0.0] * 200_000, None),
    ],
)
def test_only_small_plain_results_are_kept(value, kept):
    assert bounded(value) == kept


def test_a_deep_result_is_dropped():
    deep = 1.0
    for _ in range(5000):
        deep = [deep]
    assert bounded(deep) is None


def cell(status="ok", value=None, message="", forbidden=()):
    return {
        "cell_id": "x",
        "status": status,
        "value": value,
        "message": message,
        "seconds": 1.0,
        "forbidden": list(forbidden),
    }


def result(**changes):
    """What grade_one returns for a right submission, with changes to its probes and the rest."""
    probes = {name: cell(value=value) for name, value in RIGHT.items()}
    probes |= changes.pop("probes", {})
    return {
        "probes": probes,
        "exercises": {"square": cell(), "sums": cell()},
        "checks": {},
        "extras": [],
        "answers": {"think-why": "", "think-one": ""},
        "code": {"square": "def square(x): ...", "sums": "..."},
        "notes": [],
        "seconds": 3.0,
        **changes,
    }


def grade(**changes):
    return mark_submission(release(), result(**changes), RIGHT)


def test_a_right_submission_gets_all_points():
    right = grade()
    assert (right.total, right.maximum, right.notes) == (4.5, 4.5, ())
    assert {mark.verdict for mark in right.marks} == {"right"}


def test_half_the_work_earns_half_the_points():
    assert grade(probes={"sums": cell(value=[11.0, 1])}).total == 3.5
    assert grade(probes={"sums-mean": cell(value=0.0)}).total == 3.0


@pytest.mark.parametrize(
    ("probe", "verdict", "words"),
    [
        (cell(value=[1.0, 4.1]), "wrong", "The results of square differ"),
        (cell(value=[1.0]), "wrong", "not have the shape"),
        (cell(value=[[1.0], 4.0]), "wrong", "not have the shape"),
        (cell(value=[1.0, NAN]), "wrong", "infinite or undefined"),
        (cell(value=None), "wrong", "not have the shape"),
        (cell("error", message="ValueError: no"), "error", "stopped with an error"),
        (cell("timeout"), "timeout", "time limit"),
        (cell("died"), "died", "ended the Python process"),
        (cell("skipped"), "skipped", "not run"),
        (cell("nonsense"), "skipped", "not run"),
        (cell(value=[1.0, 4.0], forbidden=["math.pow"]), "forbidden", "calls math.pow"),
        (cell("error", message="X", forbidden=["math.pow"]), "forbidden", "calls math.pow"),
    ],
)
def test_what_earns_nothing_says_why(probe, verdict, words):
    got = grade(probes={"square": probe})
    mark = got.marks[0]
    assert (mark.points, mark.verdict, got.total) == (0, verdict, 2.5)
    assert words in mark.message


def test_a_value_counts_only_where_the_probe_came_to_its_end():
    for status in ("error", "timeout", "died", "skipped"):
        probe = cell(status, value=RIGHT["square"])
        assert grade(probes={"square": probe}).marks[0].points == 0


def test_a_missing_result_earns_nothing():
    got = mark_submission(release(), result() | {"probes": {}}, RIGHT)
    assert got.total == 0 and {mark.verdict for mark in got.marks} == {"skipped"}


def test_a_blank_answer_and_a_deleted_one():
    blank = cell("error", message="NotImplementedError: square: your answer goes here.")
    code = {"square": "def square(x):\n    raise NotImplementedError()", "sums": "."}
    assert grade(probes={"square": blank}, code=code).marks[0].verdict == "blank"
    # A library may raise this too: then the answer is not blank.
    assert grade(probes={"square": blank}).marks[0].verdict == "error"
    gone = grade(probes={"square": blank}, code={"sums": "."})
    assert gone.marks[0].verdict == "missing" and "square: cell missing" in gone.notes


def test_what_began_in_the_answers_own_cell_is_told_from_there():
    trace = "SyntaxError: x\n---------- \nCell In[1], line 3\n    retrun 3\n\nSyntaxError: x"
    answers = {"square": cell("error", message=trace), "sums": cell()}
    unknown = cell("error", message="NameError: name 'square' is not defined")
    mark = grade(probes={"square": unknown}, exercises=answers).marks[0]
    assert mark.details == "SyntaxError: x\n\nCell In[1], line 3\n    retrun 3"
    other = cell("error", message="TypeError: mine")
    assert grade(probes={"square": other}, exercises=answers).marks[0].details == "TypeError: mine"
    # An answer whose cell fails at its end, behind the function, still works.
    assert grade(exercises=answers).total == 4.5


def test_words_before_a_traceback_are_shown_once():
    message = "CheckFailed: a\nCheckFailed: a\n" + "-" * 75 + "\nTraceback"
    assert said({"message": message}) == "CheckFailed: a"
    checks = {"square": cell("error", message=message), "sums": cell(message="right on 5 of 5.")}
    assert grade(checks=checks).checks == {"square": "a"}


def test_own_cells_that_fail_are_told_and_cost_nothing():
    extras = [cell(), cell("error", message="NameError: x"), cell("timeout", message="not done")]
    got = grade(extras=extras)
    assert got.extras == ("NameError: x", "not done") and got.total == 4.5


def test_notes_for_the_table():
    probes = {"square": cell("died"), "sums": cell("timeout"), "sums-mean": cell("error")}
    notes = grade(probes=probes, notes=["look here"]).notes
    assert notes == ("look here", "square: ended the kernel", "sums: took too long")


@pytest.mark.parametrize(
    ("probe", "message"),
    [
        (
            cell("error", message="KeyError: 1\n-----\nlong"),
            "square gave no finite numbers.*KeyError",
        ),
        (cell(value=[1.0, NAN]), "no finite numbers"),
        (cell(value=None), "no finite numbers"),
        (cell(value=[1.0], forbidden=["math.pow"]), "calls math.pow"),
    ],
)
def test_a_reference_that_does_not_work_stops_everything(probe, message):
    with pytest.raises(CourseError, match=message):
        expectations(release(), result(probes={"square": probe}))


def test_the_expected_values_are_the_references():
    assert expectations(release(), result()) == RIGHT


def test_a_grade_is_kept_whole():
    parsed = release()
    for one in (
        grade(
            probes={"square": cell("died", message="\u2028<b>")}, notes=["a"], extras=[cell("died")]
        ),
        without_run(parsed, "The file is empty."),
    ):
        assert Grade.from_dict(json.loads(json.dumps(one.as_dict())), parsed) == one


def test_a_grade_holds_no_expected_value():
    got = grade(probes={"square": cell(value=[123.25, 4.0])})
    assert "123.25" not in json.dumps(got.as_dict())
