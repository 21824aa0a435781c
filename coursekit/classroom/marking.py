"""Marking: a student's results held against the reference's, outside of any kernel."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from coursekit.classroom.cells import Probe, Release
from coursekit.errors import CourseError

VERDICTS = {
    "right": "Right",
    "wrong": "Not right yet",
    "blank": "Not answered",
    "missing": "Cell missing",
    "error": "Stopped with an error",
    "forbidden": "Calls the library's own block",
    "timeout": "Took too long",
    "died": "Ended the kernel",
    "skipped": "Not run",
}
MISHAPS = {
    "error": "Your code stopped with an error, so there is no result to compare.",
    "timeout": "Your code did not come to an end within the time limit.",
    "died": "Your code ended the Python process it ran in: memory, a crash, or an exit.",
    "skipped": "This was not run: the time for the whole notebook was used up before it.",
}
_PLACE = re.compile(r"^Cell In\[\d+\], line \d+.*(?:\n.+)*", re.M)


@dataclass(frozen=True)
class Mark:
    """What one probe earned, and why.

    Attributes:
        probe: the probe.
        points: what was earned: all of its points or none.
        verdict: a key of VERDICTS.
        message: what happened, in a sentence or two; "" for a right result.
        details: words from the student's own run, such as an error with its traceback.
    """

    probe: Probe
    points: float
    verdict: str
    message: str = ""
    details: str = ""


@dataclass(frozen=True)
class Grade:
    """All that is known about one submission.

    Attributes:
        marks: one for each probe, in the notebook's order.
        seconds: how long the run took.
        notes: what a person should know; also in the table.
        answers: question id -> the student's words.
        code: exercise id -> the student's cell.
        checks: exercise id -> what the visible check said.
        extras: messages of the student's own cells that failed.
        unreadable: why the file could not be graded, else "".
    """

    marks: tuple[Mark, ...]
    seconds: float
    notes: tuple[str, ...] = ()
    answers: Mapping[str, str] = field(default_factory=dict)
    code: Mapping[str, str] = field(default_factory=dict)
    checks: Mapping[str, str] = field(default_factory=dict)
    extras: tuple[str, ...] = ()
    unreadable: str = ""

    @property
    def total(self) -> float:
        """The points earned."""
        return sum(mark.points for mark in self.marks)

    @property
    def maximum(self) -> float:
        """The points that could be earned."""
        return sum(mark.probe.points for mark in self.marks)

    def as_dict(self) -> dict[str, Any]:
        """Return the grade as JSON takes it; the probes by their ids."""
        marks = [[mark.probe.id, mark.verdict, mark.message, mark.details] for mark in self.marks]
        return asdict(replace(self, marks=())) | {"marks": marks}

    @classmethod
    def from_dict(cls, facts: Mapping[str, Any], release: Release) -> Grade:
        """Read a grade back.

        Args:
            facts: what `as_dict` gave.
            release: the same release.

        Returns:
            The grade.

        Raises:
            KeyError: it was the grade of another release.
        """
        probes = {probe.id: probe for probe in release.probes}
        marks = []
        for name, verdict, message, details in facts["marks"]:
            points = probes[name].points if verdict == "right" else 0.0
            marks.append(Mark(probes[name], points, verdict, message, details))
        return cls(
            **{
                **facts,
                "marks": tuple(marks),
                "notes": tuple(facts["notes"]),
                "extras": tuple(facts["extras"]),
            }
        )


def close(yours: Any, reference: Any, tolerance: float) -> bool:
    """Say whether two results agree: the same structure, and each number near enough.

    |yours - reference| <= t * (1 + |reference|); what is not finite agrees with nothing.

    Args:
        yours: a number, or nested lists of numbers.
        reference: the same, from the reference run.
        tolerance: t.

    Returns:
        Whether all numbers agree.

    Example:
        >>> close([1.0, [2.00001]], [1.0, [2.0]], 1e-4)
        True
        >>> close([1.0, 2.0], [1.0, [2.0]], 1e-4), close(float("nan"), 1.0, 1e-4)
        (False, False)
    """
    if isinstance(reference, list):
        if not isinstance(yours, list) or len(yours) != len(reference):
            return False
        pairs = zip(yours, reference, strict=True)
        return all(close(one, other, tolerance) for one, other in pairs)
    if not _is_number(yours) or not _is_number(reference):
        return False
    try:
        return abs(float(yours) - float(reference)) <= tolerance * (1 + abs(float(reference)))
    except OverflowError:
        return False


def _is_number(value: Any) -> bool:
    # Exact types: a boolean is no number here, and nothing else may come out of JSON.
    if type(value) is int:
        return True
    return type(value) is float and math.isfinite(value)


def _same_shape(yours: Any, reference: Any) -> bool:
    # Goes only as deep as the reference does: the other side may be anything.
    if isinstance(reference, list):
        if not isinstance(yours, list) or len(yours) != len(reference):
            return False
        return all(map(_same_shape, yours, reference))
    return not isinstance(yours, list)


def _finite(value: Any) -> bool:
    return all(map(_finite, value)) if isinstance(value, list) else _is_number(value)


def expectations(release: Release, result: Mapping[str, Any]) -> dict[str, Any]:
    """Take the expected values out of the reference run.

    Args:
        release: the release.
        result: what `grade_one` returned for its own solution.

    Returns:
        Probe id -> expected value.

    Raises:
        CourseError: a probe of the reference gave no finite numbers, or its solution calls what
            the probe forbids; so nothing can be graded.
    """
    expected = {}
    for probe in release.probes:
        cell = result["probes"].get(probe.id, {})
        if cell.get("status") != "ok" or not _finite(cell.get("value")):
            words = said(cell) or str(cell.get("status"))
            raise CourseError(
                f"{release.name}: the reference's own run of probe {probe.id} gave no finite "
                f"numbers ({words.splitlines()[0]}), so nothing can be graded: mend the notebook."
            )
        if cell.get("forbidden"):
            raise CourseError(
                f"{release.name}: the solution of {probe.exercise} calls "
                f"{', '.join(cell['forbidden'])}, which probe {probe.id} forbids."
            )
        expected[probe.id] = cell["value"]
    return expected


def mark_submission(
    release: Release, result: Mapping[str, Any], expected: Mapping[str, Any]
) -> Grade:
    """Give a submission its marks.

    Args:
        release: the release.
        result: what `grade_one` returned: the results of its cells, sorted by what they are.
        expected: probe id -> expected value.

    Returns:
        The grade.
    """
    code, answers = result["code"], result["exercises"]
    marks = [
        _mark(
            probe,
            result["probes"].get(probe.id, {}),
            answers.get(probe.exercise, {}),
            code.get(probe.exercise),
            expected[probe.id],
        )
        for probe in release.probes
    ]
    return Grade(
        marks=tuple(marks),
        seconds=float(result["seconds"]),
        notes=(*result["notes"], *_notes(marks)),
        answers=dict(result["answers"]),
        code=dict(code),
        checks={
            key: said(cell).removeprefix("CheckFailed: ")
            for key, cell in result["checks"].items()
            if cell["status"] == "error"
        },
        extras=tuple(
            said(cell, place=True) or str(cell["status"])
            for cell in result["extras"]
            if cell["status"] in ("error", "timeout", "died")
        ),
    )


def said(cell: Mapping[str, Any], place: bool = False) -> str:
    """Shorten what a cell's run said to what a student can use.

    Args:
        cell: its result; an error's message is "ENAME: EVALUE" and a traceback.
        place: whether to add where in the student's own code it happened.

    Returns:
        The words before the traceback, once each, and perhaps the last place in a cell.
    """
    head, _, trace = str(cell.get("message", "")).strip().partition("\n----------")
    lines = list(dict.fromkeys(head.splitlines()))
    where = _PLACE.findall(trace) if place else []
    return "\n".join(lines + (["", where[-1].rstrip()] if where else []))


def without_run(release: Release, reason: str, verdict: str = "skipped") -> Grade:
    """Make the grade of a submission that was not run, or whose run brought nothing back.

    Args:
        release: the release.
        reason: why, in a sentence for the student.
        verdict: a key of VERDICTS.

    Returns:
        A grade without points.
    """
    marks = tuple(Mark(probe, 0.0, verdict, reason) for probe in release.probes)
    return Grade(marks, 0.0, (reason,), unreadable=reason)


def _mark(
    probe: Probe,
    cell: Mapping[str, Any],
    answer: Mapping[str, Any],
    code: str | None,
    reference: Any,
) -> Mark:
    status, words = str(cell.get("status", "skipped")), said(cell)
    if cell.get("forbidden"):
        names = ", ".join(cell["forbidden"])
        reason = f"Your answer calls {names}. This block is yours to write, so it earns nothing."
        return Mark(probe, 0.0, "forbidden", reason)
    if status == "ok":
        return _compare(probe, cell.get("value"), reference)
    begun = str(answer.get("status", "ok"))
    if begun in ("timeout", "died") or (begun == "error" and words.startswith("NameError")):
        # What went wrong began in the exercise's own cell: a syntax error, an endless loop.
        status, words = begun, said(answer, place=True) or words
    if code is None:
        return Mark(probe, 0.0, "missing", "The cell of this exercise is not in your notebook.")
    if words.startswith("NotImplementedError") and "raise NotImplementedError" in code:
        return Mark(probe, 0.0, "blank", "The cell still raises NotImplementedError.")
    verdict = status if status in MISHAPS else "skipped"
    return Mark(probe, 0.0, verdict, MISHAPS[verdict], words)


def _compare(probe: Probe, value: Any, reference: Any) -> Mark:
    if close(value, reference, probe.tolerance):
        return Mark(probe, probe.points, "right")
    message = probe.feedback
    if not _same_shape(value, reference):
        message += " The result does not have the shape that was asked for."
    elif not _finite(value):
        message += " Some of the numbers are infinite or undefined (NaN)."
    return Mark(probe, 0.0, "wrong", message)


def _notes(marks: Sequence[Mark]) -> list[str]:
    words = {
        "forbidden": "calls a forbidden block",
        "timeout": "took too long",
        "died": "ended the kernel",
        "missing": "cell missing",
    }
    return [f"{mark.probe.id}: {words[mark.verdict]}" for mark in marks if mark.verdict in words]
