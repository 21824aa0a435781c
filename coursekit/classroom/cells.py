"""The cells of a course notebook: exercises, checks, probes and questions.

A notebook is a plain dictionary, as json reads it. The solved notebook, read as a `Release`, says
what is graded.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from coursekit.errors import CourseError
from coursekit.notebook_files import text

Cell = dict[str, Any]

BEGIN, END = "### BEGIN SOLUTION", "### END SOLUTION"
MODEL_ANSWER = "*Model answer.*"
BOX = "**Your answer** (`{}`):"
PLACEHOLDER = "*Double-click here and write.*"

_MARKER = re.compile(r"#\s*(EXERCISE|CHECK|PROBE)\s+([A-Za-z0-9][\w-]*)((?:\s+\w+=\S+)*)\s*$")
ANSWER_BOX = re.compile(r"^\s*\*\*Your answer\*\* \(`([\w-]+)`\):[ \t]*$", re.M)
_POINTS = re.compile(r"\((\d+(?:\.\d+)?) points?\b")


@dataclass(frozen=True)
class Probe:
    """One graded measurement of an exercise.

    Attributes:
        id: its name, a column of the marks.
        exercise: the exercise it belongs to.
        points: what a right result earns.
        tolerance: t in |yours - reference| <= t * (1 + |reference|).
        feedback: the sentence for a result that is not right.
        forbids: dotted names of functions that the answer may not call.
        source: the code; its last expression is the result.
    """

    id: str
    exercise: str
    points: float
    tolerance: float
    feedback: str
    forbids: tuple[str, ...]
    source: str


@dataclass(frozen=True)
class Exercise:
    """An exercise cell with the probes that grade it."""

    id: str
    source: str
    probes: tuple[Probe, ...]

    @property
    def points(self) -> float:
        """What the whole exercise earns."""
        return sum(probe.points for probe in self.probes)


@dataclass(frozen=True)
class Question:
    """A question to be answered in words and marked by a person.

    Attributes:
        id: its name: the cell's id, less `-answer`.
        points: from the question's own words, "(2 points)"; 0 where they name none.
        words: the question as the student reads it, markdown.
        model: the model answer and its rubric, markdown.
    """

    id: str
    points: float
    words: str
    model: str


@dataclass(frozen=True)
class Release:
    """A solved notebook, read for grading: its name, its cells and what is graded."""

    name: str
    cells: tuple[Cell, ...]
    exercises: tuple[Exercise, ...]
    questions: tuple[Question, ...]

    @property
    def probes(self) -> tuple[Probe, ...]:
        """All probes, in the notebook's order."""
        return tuple(probe for exercise in self.exercises for probe in exercise.probes)


def source_of(cell: Mapping[str, Any]) -> str:
    """Return a cell's source with plain line ends.

    Args:
        cell: a cell; its source is a string or a list of lines.

    Returns:
        The source, without line ends of other systems and without blanks at its end.
    """
    return text(cell["source"]).replace("\r\n", "\n").replace("\r", "\n").rstrip()


def tags_of(cell: Mapping[str, Any]) -> list[str]:
    """Return a cell's tags, none where the metadata hold no list."""
    tags = cell.get("metadata", {}).get("tags", [])
    return tags if isinstance(tags, list) else []


def marker(source: str) -> tuple[str, str] | None:
    r"""Read the marker that an exercise, check or probe cell begins with.

    Args:
        source: a code cell's source.

    Returns:
        (kind in lower case, id), or None. Other comments may stand above the marker.

    Example:
        >>> marker("# PROBE kl-standard-normal points=2\n1 + 1")
        ('probe', 'kl-standard-normal')
        >>> marker("x = 1  # EXERCISE later") is None
        True
    """
    for line in source.splitlines():
        found = _MARKER.match(line.strip())
        if found:
            return found[1].lower(), found[2]
        if line.strip() and not line.lstrip().startswith("#"):
            return None
    return None


def kind(cell: Mapping[str, Any]) -> str:
    """Say what a cell of the release is.

    Args:
        cell: a cell.

    Returns:
        "exercise", "check", "probe", "question", "train", "code", or "text" for all that is not
        run.
    """
    if cell["cell_type"] == "code":
        found = marker(source_of(cell))
        if found:
            return found[0]
        return "train" if "train" in tags_of(cell) else "code"
    return "question" if cell["cell_type"] == "markdown" and "answer" in tags_of(cell) else "text"


def question_id(cell: Mapping[str, Any]) -> str:
    """Return the name of the question that a cell with the tag `answer` holds."""
    return str(cell["id"]).removesuffix("-answer")


def box_text(source: str) -> str | None:
    r"""Return what a student wrote below the line that opens the answer box.

    Args:
        source: a markdown cell's source.

    Returns:
        The text without the line and the placeholder; None where the line is missing.

    Example:
        >>> box_text("**Your answer** (`think-kl`):\n\nBecause.")
        'Because.'
    """
    found = ANSWER_BOX.search(source)
    return source[found.end() :].replace(PLACEHOLDER, "").strip() if found else None


def read_release(path: Path) -> Release:
    """Read a solved notebook and hold it against the rules for one.

    Args:
        path: the .ipynb.

    Returns:
        The release.

    Raises:
        CourseError: not a notebook, or one that cannot be graded; the message names the cell.
    """
    try:
        notebook = json.loads(path.read_text("utf-8"))
    except OSError as error:
        raise CourseError(f"{path} cannot be read ({error.strerror}): is its name right?") from None
    except ValueError as error:
        raise CourseError(f"{path} is not a notebook: {error}.") from None
    return parse(notebook, path.stem)


def parse(notebook: Any, name: str) -> Release:
    """Find the exercises, probes and questions of a solved notebook.

    Args:
        notebook: the notebook as json reads it.
        name: what to call it in messages.

    Returns:
        The release.

    Raises:
        CourseError: it breaks a rule; the message names the cell.
    """
    if not isinstance(notebook, dict) or not isinstance(notebook.get("cells"), list):
        raise CourseError(f"{name} is not a notebook of format 4: open and save it in Jupyter.")
    cells = tuple(notebook["cells"])
    ids = [cell.get("id") for cell in cells]
    if None in ids or len(set(ids)) < len(ids):
        raise CourseError(f"{name}: every cell needs an id of its own; save it as nbformat 4.5.")
    exercises: list[tuple[str, str, list[Probe]]] = []
    questions: list[Question] = []
    for number, cell in enumerate(cells):
        what, source = kind(cell), source_of(cell)
        where = f"{name}, cell {cell['id']}"
        if what == "exercise":
            exercises.append((_marker_id(source), source, []))
        elif what == "probe":
            if not exercises:
                raise CourseError(f"{where}: a probe must stand below its exercise.")
            exercises[-1][2].append(_probe(cell, exercises[-1][0], where))
        elif what == "question":
            before = source_of(cells[number - 1]) if number else ""
            questions.append(_question(cell, before, where))
        elif what == "text" and MODEL_ANSWER in source:
            raise CourseError(f"{where}: a model answer without the tag `answer`; add the tag.")
    release = Release(
        name,
        cells,
        tuple(Exercise(key, source, tuple(probes)) for key, source, probes in exercises),
        tuple(questions),
    )
    columns = [probe.id for probe in release.probes]
    columns += [question.id for question in release.questions]
    for what, names in (
        ("exercise", [exercise.id for exercise in release.exercises]),
        ("probe or question", columns),
    ):
        twice = sorted({entry for entry in names if names.count(entry) > 1})
        if twice:
            raise CourseError(f"{name}: the {what} {twice[0]} stands there twice; rename one.")
    return release


def _marker_id(source: str) -> str:
    found = marker(source)
    assert found is not None
    return found[1]


def _probe(cell: Cell, exercise: str, where: str) -> Probe:
    source = source_of(cell)
    line = next(line for line in source.splitlines() if _MARKER.match(line.strip()))
    options = dict(part.split("=", 1) for part in line.split() if "=" in part)
    facts = cell.get("metadata", {}).get("coursekit", {}).get("probe", {})
    try:
        probe = Probe(
            _marker_id(source),
            exercise,
            float(options["points"]),
            float(facts["tolerance"]),
            str(facts["feedback"]),
            tuple(str(name) for name in facts.get("forbids", ())),
            source,
        )
    except (KeyError, ValueError, TypeError) as error:
        raise CourseError(
            f"{where}: a probe needs points=NUMBER in its first line, and tolerance and feedback "
            f"in metadata.coursekit.probe ({error!r})."
        ) from None
    if facts.get("id", probe.id) != probe.id or facts.get("points", probe.points) != probe.points:
        raise CourseError(f"{where}: id or points differ between first line and metadata.")
    return probe


def _question(cell: Cell, before: str, where: str) -> Question:
    words, found, model = source_of(cell).partition(MODEL_ANSWER)
    if not found:
        raise CourseError(f'{where}: the tag `answer` is there, but no "{MODEL_ANSWER}" begins.')
    words = words.strip() or before
    points = _POINTS.search(words)
    return Question(
        question_id(cell), float(points[1]) if points else 0.0, words, found + model.rstrip()
    )
