"""Rebuilding a submission for grading: the release's skeleton with the student's answers in it.

Of what a student hands in, only the sources of cells are used; the student's checks, probes, tags
and metadata count for nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from coursekit.classroom.cells import (
    MODEL_ANSWER,
    Cell,
    Release,
    box_text,
    kind,
    marker,
    question_id,
    source_of,
)
from coursekit.classroom.dependencies import names_of, needed, trim_imports
from coursekit.classroom.matching import match
from coursekit.notebook_files import KERNELSPEC

MAX_ANSWER = 20_000


@dataclass(frozen=True)
class Rebuilt:
    """A submission, ready to run.

    Attributes:
        notebook: code cells in running order; metadata.coursekit says what each is.
        answers: question id -> the student's words; "" where there are none.
        code: exercise id -> the student's cell; missing where they deleted it.
        notes: what a person should know.
    """

    notebook: dict[str, Any]
    answers: dict[str, str]
    code: dict[str, str]
    notes: list[str] = field(default_factory=list)


@dataclass
class _Part:
    """A cell on its way into the rebuilt notebook."""

    name: str
    role: str
    exercise: str | None
    source: str
    probe: dict[str, Any] | None = None


def rebuild(release: Release, cells: Sequence[Cell]) -> Rebuilt:
    """Put a student's answers and extra cells into the release's skeleton.

    Left out are cells tagged `train`, the student's own checks, and cells of the course that no
    answer, probe or extra cell needs. A cell of the course that the student changed runs after
    the course's own, as an extra cell. In an exercise the order is: answer, extra cells, probes,
    check.

    Args:
        release: what was handed out.
        cells: what came back, from `read`.

    Returns:
        The notebook to run, and the answers.
    """
    pairs = match(release, cells)
    found = {place: cells[other] for other, place in pairs.items()}
    parts: list[_Part] = []
    notes: list[str] = []
    code: dict[str, str] = {}
    extras = _extras(release, cells, pairs)
    _add_extras(parts, extras.get(-1, []), None)
    exercise: str | None = None
    waiting: _Part | None = None
    probed: set[str] = set()
    last_probe = {probe.exercise: probe.id for probe in release.probes}
    for place, cell in enumerate(release.cells):
        what, source, name = kind(cell), source_of(cell), str(cell["id"])
        theirs = source_of(found[place]) if place in found else None
        if what == "exercise":
            exercise = (marker(source) or ("", ""))[1]
            if theirs is None:
                notes.append(f"the cell of exercise {exercise} is missing")
            else:
                code[exercise] = theirs
                parts.append(_Part(name, "exercise", exercise, theirs))
        elif what == "check":
            part = _Part(name, "check", exercise, source)
            if exercise in last_probe and exercise not in probed:
                waiting = part
            else:
                parts.append(part)
        elif what == "probe":
            probe = next(one for one in release.probes if one.source == source)
            facts = {"id": probe.id, "forbids": list(probe.forbids)}
            parts.append(_Part(name, "probe", probe.exercise, source, facts))
            if last_probe[probe.exercise] == probe.id:
                probed.add(probe.exercise)
                parts += [waiting] if waiting else []
                waiting = None
        elif what == "code":
            parts.append(_Part(name, "release", None, source))
            if theirs is not None and theirs != source:
                parts.append(_Part(f"changed-{name[:56]}", "changed", None, theirs))
        _add_extras(parts, extras.get(place, []), exercise)
    return Rebuilt(_notebook(_choose(parts)), _answers(release, cells, pairs), code, notes)


def _extras(
    release: Release, cells: Sequence[Cell], pairs: Mapping[int, int]
) -> dict[int, list[str]]:
    """Collect the student's own code cells, under the place of the release cell above them."""
    extras: dict[int, list[str]] = {}
    above = -1
    for place, cell in enumerate(cells):
        above = pairs.get(place, above)
        if place not in pairs and cell["cell_type"] == "code" and source_of(cell):
            extras.setdefault(above, []).append(source_of(cell))
    return extras


def _add_extras(parts: list[_Part], sources: Sequence[str], exercise: str | None) -> None:
    for source in sources:
        number = sum(part.role == "extra" for part in parts) + 1
        parts.append(_Part(f"extra-cell-{number}", "extra", exercise, source))


def _choose(parts: Sequence[_Part]) -> list[_Part]:
    must = ("exercise", "probe", "check", "extra")
    names = [names_of(part.source) for part in parts]
    chosen = sorted(needed([(n, part.role in must) for n, part in zip(names, parts, strict=True)]))
    wanted = {name for place in chosen for name in names[place].needs}
    for place in chosen:
        if parts[place].role == "release":
            parts[place].source = trim_imports(parts[place].source, wanted)
    return [parts[place] for place in chosen]


def _notebook(parts: Sequence[_Part]) -> dict[str, Any]:
    cells: list[Cell] = []
    for part in parts:
        role = "extra" if part.role == "changed" else part.role
        facts: dict[str, Any] = {"role": role, "exercise": part.exercise}
        if part.probe:
            facts["probe"] = part.probe
        cells.append(
            {
                "cell_type": "code",
                "id": part.name,
                "metadata": {"coursekit": facts},
                "source": part.source,
                "execution_count": None,
                "outputs": [],
            }
        )
    return {
        "cells": cells,
        "metadata": {"kernelspec": dict(KERNELSPEC)},
        "nbformat": 4,
        "nbformat_minor": 5,
    }


def _answers(release: Release, cells: Sequence[Cell], pairs: Mapping[int, int]) -> dict[str, str]:
    answers = {question.id: "" for question in release.questions}
    current: str | None = None
    for place, cell in enumerate(cells):
        source = source_of(cell)
        if place in pairs:
            known = release.cells[pairs[place]]
            current = question_id(known) if kind(known) == "question" else None
            if current is not None:
                words = box_text(source)
                if words is None:
                    words = source.removeprefix(source_of(known).partition(MODEL_ANSWER)[0].strip())
                answers[current] = words.strip()[:MAX_ANSWER]
        elif current is not None and cell["cell_type"] == "markdown":
            # Written in a cell of its own, below the box.
            answers[current] = f"{answers[current]}\n\n{source}".strip()[:MAX_ANSWER]
    return answers
