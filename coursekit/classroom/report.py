"""What a grading run leaves behind: the table, a page for each student, the answers to read."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path

from coursekit.classroom import pages
from coursekit.classroom.cells import Question, Release
from coursekit.classroom.marking import Grade
from coursekit.classroom.output_files import file_names, write_if_changed
from coursekit.errors import CourseError

NO_ANSWER = "no answer"
Marks = dict[str, dict[str, str]]

_SIGNS = tuple("=+-@\uff1d\uff0b\uff0d\uff20")
_CONTROL = ("\t", "\r", "\n")


def quoted(cell: str) -> str:
    """Keep a spreadsheet from taking a cell for a formula.

    Args:
        cell: any text.

    Returns:
        The text, with an apostrophe before a first character that begins a formula.

    Example:
        >>> quoted("=1+1"), quoted("anna")
        ("'=1+1", 'anna')
    """
    # Spreadsheets pass over blanks, and some take the wide forms of the signs for the signs.
    first = cell.strip("\ufeff").lstrip()[:1]
    return f"'{cell}" if cell[:1] in _CONTROL or first in _SIGNS else cell


def columns(release: Release) -> list[str]:
    """Return the table's columns: student, probes, sums, and a column for each question."""
    return [
        "student",
        *(probe.id for probe in release.probes),
        "total",
        "maximum",
        "seconds",
        "notes",
        *(question.id for question in release.questions),
        *(["with_questions"] if release.questions else []),
    ]


def read_marks(path: Path, release: Release) -> Marks:
    """Read back what a person typed into the questions' columns.

    Args:
        path: grades.csv of an earlier run; it need not be there.
        release: the release.

    Returns:
        Student, as written in the table -> question id -> what stands in the cell.

    Raises:
        CourseError: a file of that name that is no such table, and would be overwritten.
    """
    if not path.exists():
        return {}
    try:
        body = path.read_text("utf-8-sig")
        # A spreadsheet set to a language with decimal commas saves semicolons.
        head = body.partition("\n")[0]
        rows = list(csv.DictReader(io.StringIO(body), delimiter=";" if ";" in head else ","))
    except (OSError, ValueError, csv.Error):
        rows = []
    if not rows or "student" not in rows[0] or "total" not in rows[0]:
        raise CourseError(f"{path} is not a table this command wrote: move it, or name a folder.")
    marks: Marks = {}
    for row in rows:
        mine = {question.id: (row.get(question.id) or "").strip() for question in release.questions}
        marks[str(row["student"])] = {
            name: words for name, words in mine.items() if words != NO_ANSWER
        }
    return marks


def points_of(words: str, question: Question) -> float | None:
    """Read a mark that a person typed.

    Args:
        words: the table's cell.
        question: the question.

    Returns:
        The points, or None where nothing, no number, or an impossible number stands there.

    Example:
        >>> points_of("1,5", Question("think", 2, "", "")), points_of("3", Question("t", 2, "", ""))
        (1.5, None)
    """
    try:
        points = float(words.replace(",", "."))
    except ValueError:
        return None
    return points if 0 <= points <= question.points else None


def table(release: Release, grades: Mapping[str, Grade], typed: Marks) -> str:
    """Write the marks as CSV.

    Args:
        release: the release.
        grades: student -> grade.
        typed: what a person had typed into the questions' columns; it stays.

    Returns:
        The table: a row for each student.
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([quoted(name) for name in columns(release)])
    for name, grade in grades.items():
        mine = typed.get(quoted(name), {})
        notes = list(grade.notes)
        cells = []
        for question in release.questions:
            words = mine.get(question.id, "")
            if not words and not grade.answers.get(question.id):
                words = NO_ANSWER
            if words not in ("", NO_ANSWER) and points_of(words, question) is None:
                notes.append(f"{question.id}: no mark from 0 to {question.points:g}")
            cells.append(words)
        row = [
            name,
            *(f"{mark.points:g}" for mark in grade.marks),
            f"{grade.total:g}",
            f"{grade.maximum:g}",
            f"{grade.seconds:.1f}",
            "; ".join(notes),
            *cells,
        ]
        if release.questions:
            marks = [
                0.0 if words == NO_ANSWER else points_of(words, question)
                for words, question in zip(cells, release.questions, strict=True)
            ]
            done = [mark for mark in marks if mark is not None]
            row.append(f"{grade.total + sum(done):g}" if len(done) == len(marks) else "")
        writer.writerow([quoted(cell) for cell in row])
    return out.getvalue()


def write(output: Path, release: Release, grades: Mapping[str, Grade], typed: Marks) -> None:
    """Write grades.csv, feedback/STUDENT.html and answers/QUESTION.html.

    Args:
        output: the folder.
        release: the release.
        grades: student -> grade.
        typed: the questions' marks, from `read_marks`.
    """
    names = file_names(list(grades))
    for name, grade in grades.items():
        mine = typed.get(quoted(name), {})
        marks = {q.id: points_of(mine.get(q.id, ""), q) for q in release.questions}
        page = pages.feedback(release, name, grade, marks)
        write_if_changed(output / "feedback" / f"{names[name]}.html", page.encode())
    for question in release.questions:
        page = pages.answers(question, {name: grade.answers for name, grade in grades.items()})
        write_if_changed(output / "answers" / f"{question.id}.html", page.encode())
    write_if_changed(output / "grades.csv", table(release, grades, typed).encode())


def summary(output: Path, grades: Mapping[str, Grade]) -> str:
    """Say in a few lines what came of a run.

    Args:
        output: the folder of the grades.
        grades: student -> grade.

    Returns:
        Lines to print.
    """
    totals = sorted(grade.total for grade in grades.values())
    maximum = max(grade.maximum for grade in grades.values())
    noted = [name for name, grade in grades.items() if grade.notes]
    lines = [
        f"{output / 'grades.csv'}: {len(grades)} students, median {_median(totals):g} of "
        f"{maximum:g} points",
        f"{output / 'feedback'}: a page for each student",
    ]
    if any(grade.answers for grade in grades.values()):
        lines.append(
            f"{output / 'answers'}: answers to read; type their marks into grades.csv and run the "
            "same command again"
        )
    if noted:
        some = ", ".join(noted[:8]) + (" ..." if len(noted) > 8 else "")
        lines.append(f"with notes, see the table: {some}")
    return "\n".join(lines)


def _median(values: Sequence[float]) -> float:
    middle = len(values) // 2
    return values[middle] if len(values) % 2 else (values[middle - 1] + values[middle]) / 2
