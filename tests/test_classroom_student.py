"""Student versions: what goes out, what stays, and that nothing is given away."""

import copy
import json

import nbformat
import pytest
from classroom_tiny import BLANK_SQUARE, cell_of, code, put, release, solved, words

from coursekit.__main__ import main
from coursekit.classroom.student import blank, notebook_bytes, student_version, write
from coursekit.errors import CourseError


def student(notebook=None):
    return student_version(release(notebook))


def source(notebook, name):
    return "".join(cell_of(notebook, name)["source"])


def test_solutions_probes_answers_and_outputs_are_gone():
    body = notebook_bytes(student()).decode()
    for secret in (
        "PROBE",
        "x * x\\n",
        "SOLUTION",
        "Signs cancel",
        "Rubric",
        "It is not",
        "answer is",
    ):
        assert secret not in body
    assert "forbids" not in body and "math.pow" not in body


def test_everything_else_stays():
    notebook = student()
    assert source(notebook, "exercise-square") == BLANK_SQUARE
    assert source(notebook, "set-up") == solved()["cells"][1]["source"]
    assert source(notebook, "check-sums") == "# CHECK sums\nassert mean([2, 4]) == 3"
    assert cell_of(notebook, "train")["metadata"]["tags"] == ["train"]
    ids = [cell["id"] for cell in notebook["cells"]]
    assert ids == [c["id"] for c in solved()["cells"] if not c["id"].startswith("probe")]
    nbformat.validate(nbformat.from_dict(notebook))


def test_an_exercise_with_two_functions_asks_for_both():
    text = source(student(), "exercise-sums")
    assert text.count('raise NotImplementedError("sums: your answer goes here.")') == 2
    names = {}
    exec(text, names)
    with pytest.raises(NotImplementedError):
        names["mean"]([1])


def test_a_question_becomes_a_box_to_write_in():
    notebook = student()
    assert source(notebook, "think-why-answer").startswith("**Your answer** (`think-why`):\n\n*")
    both = source(notebook, "think-one")
    assert both.startswith("**Think 2 (1 point).** And for i?\n\n**Your answer** (`think-one`):")
    assert cell_of(notebook, "think-one")["metadata"]["tags"] == ["answer"]


def test_the_same_notebook_gives_the_same_bytes():
    one = notebook_bytes(student())
    other = copy.deepcopy(solved())
    for cell in other["cells"]:
        if cell["cell_type"] == "code":
            cell["outputs"], cell["execution_count"] = [], 99
            cell["metadata"]["execution"] = {"start": "now"}
            cell["source"] = cell["source"].splitlines(keepends=True)
    other["metadata"] = {"kernelspec": {"name": "another"}, "widgets": {}}
    assert notebook_bytes(student(other)) == one
    assert notebook_bytes(student(put(solved(), "shift", "shift = 1"))) != one


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("exercise-square", "# EXERCISE square\nx = 1", "put the answer between"),
        ("exercise-square", "# EXERCISE square\n### BEGIN SOLUTION\nx = 1", "put the answer"),
        ("exercise-square", "# EXERCISE square\n### END SOLUTION", "has no partner"),
        ("shift", "### BEGIN SOLUTION\nshift = 1\n### END SOLUTION", "cell shift: a solution"),
        ("title", "It is\n### END SOLUTION", "cell title: a solution"),
    ],
)
def test_a_notebook_that_would_give_a_solution_away_is_refused(name, text, message):
    with pytest.raises(CourseError, match="tiny") as error:
        student(put(solved(), name, text))
    assert message in str(error.value)


def test_nested_marks_are_refused():
    with pytest.raises(CourseError, match="no partner"):
        blank("### BEGIN SOLUTION\n### BEGIN SOLUTION\n### END SOLUTION", "a")


def test_tags_of_the_course_are_dropped_but_train():
    notebook = solved()
    cell_of(notebook, "shift")["metadata"]["tags"] = ["nbval-check-output", "train"]
    assert cell_of(student(notebook), "shift")["metadata"]["tags"] == ["train"]


def test_pictures_in_the_text_stay():
    notebook = solved()
    notebook["cells"][0]["attachments"] = {"a.png": {"image/png": "AAAA"}}
    assert student(notebook)["cells"][0]["attachments"] == {"a.png": {"image/png": "AAAA"}}


def test_the_command_writes_and_leaves_alone_what_is_right(tmp_path, capsys):
    (tmp_path / "tiny.ipynb").write_text(json.dumps(solved()))
    arguments = ["student", str(tmp_path / "tiny.ipynb"), "-o", str(tmp_path / "out")]
    assert main(arguments) == 0
    assert "2 exercises (4.5 points), 2 questions" in capsys.readouterr().out
    target = tmp_path / "out" / "tiny.ipynb"
    before = target.stat().st_mtime_ns
    assert main(arguments) == 0 and target.stat().st_mtime_ns == before
    target.write_text("drifted")
    assert main(arguments) == 0 and target.read_bytes() == notebook_bytes(student())


def test_the_solved_notebook_is_never_overwritten(tmp_path):
    path = tmp_path / "tiny.ipynb"
    path.write_text(json.dumps(solved()))
    with pytest.raises(CourseError, match="overwritten"):
        write(path, tmp_path)
    assert json.loads(path.read_text()) == solved()


def test_raw_cells_are_survived():
    notebook = solved()
    notebook["cells"].append({**words("raw", "some text"), "cell_type": "raw"})
    assert source(student(notebook), "raw") == "some text"
    notebook["cells"].append(code("empty", ""))
    assert source(student(notebook), "empty") == ""
