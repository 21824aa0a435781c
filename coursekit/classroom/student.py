"""The student version of a notebook: solutions, probes, model answers and outputs taken out.

The same solved notebook always gives the same bytes, so that a test can hold the committed
student versions against what their notebooks generate.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from coursekit.classroom.cells import (
    BEGIN,
    BOX,
    END,
    MODEL_ANSWER,
    PLACEHOLDER,
    Cell,
    Release,
    kind,
    marker,
    question_id,
    read_release,
    source_of,
    tags_of,
)
from coursekit.classroom.output_files import write_if_changed
from coursekit.errors import CourseError
from coursekit.files import package_repository, repository
from coursekit.notebook_files import KERNELSPEC, LANGUAGE

KEPT_TAGS = ("train", "answer")


def blank(source: str, name: str) -> str:
    r"""Put `raise NotImplementedError` in the place of each solution.

    Args:
        source: an exercise cell, solved.
        name: the exercise's id, for the error's message.

    Returns:
        The source without what stands from BEGIN SOLUTION to END SOLUTION.

    Raises:
        CourseError: there is no solution, or its two marks do not pair up.

    Example:
        >>> cell = "def f(x):\n    ### BEGIN SOLUTION\n    return x\n    ### END SOLUTION"
        >>> print(blank(cell, "identity"))
        def f(x):
            raise NotImplementedError("identity: your answer goes here.")
    """
    lines: list[str] = []
    inside = False
    found = 0
    for line in source.splitlines():
        mark = line.strip()
        if mark in (BEGIN, END):
            if inside == (mark == BEGIN):
                raise CourseError(f"exercise {name}: {mark!r} has no partner; mend the pair.")
            inside = mark == BEGIN
            if inside:
                found += 1
                indent = line[: len(line) - len(line.lstrip())]
                lines.append(f'{indent}raise NotImplementedError("{name}: your answer goes here.")')
        elif not inside:
            lines.append(line)
    if inside or not found:
        raise CourseError(f"exercise {name}: put the answer between {BEGIN!r} and {END!r}.")
    return "\n".join(lines)


def _student_cell(cell: Cell) -> Cell | None:
    what, source = kind(cell), source_of(cell)
    if what == "probe":
        return None
    found = marker(source) if what == "exercise" else None
    if found:
        source = blank(source, found[1])
    elif what == "question":
        words = source.partition(MODEL_ANSWER)[0].strip()
        box = f"{BOX.format(question_id(cell))}\n\n{PLACEHOLDER}"
        source = f"{words}\n\n{box}" if words else box
    if BEGIN in source or END in source or MODEL_ANSWER in source:
        raise CourseError(f"cell {cell['id']}: a solution stands where it would be handed out.")
    metadata: dict[str, Any] = {}
    tags = [tag for tag in tags_of(cell) if tag in KEPT_TAGS]
    if tags:
        metadata["tags"] = tags
    if cell["cell_type"] == "code" or what == "question":
        # Some tools drop the ids and keep the metadata.
        metadata["coursekit"] = {"cell": cell["id"]}
    new: Cell = {
        "cell_type": cell["cell_type"],
        "id": cell["id"],
        "metadata": metadata,
        "source": source.splitlines(keepends=True),
    }
    if cell["cell_type"] == "code":
        new |= {"execution_count": None, "outputs": []}
    if cell.get("attachments"):
        new["attachments"] = cell["attachments"]
    return new


def student_version(release: Release) -> dict[str, Any]:
    """Make the notebook to hand out.

    Args:
        release: the solved notebook.

    Returns:
        The student's notebook: exercises raise NotImplementedError, questions have a box to
        write in; no probe, no output, no tag but `train` and `answer`; ids stay.

    Raises:
        CourseError: something that gives a solution away would be left in.
    """
    try:
        cells = [new for cell in release.cells if (new := _student_cell(cell)) is not None]
    except CourseError as error:
        raise CourseError(f"{release.name}, {error}") from None
    return {
        "cells": cells,
        "metadata": {"kernelspec": dict(KERNELSPEC), "language_info": dict(LANGUAGE)},
        "nbformat": 4,
        "nbformat_minor": 5,
    }


def notebook_bytes(notebook: dict[str, Any]) -> bytes:
    """Write a notebook down as Jupyter does: sorted keys, one blank of indent, UTF-8."""
    return (json.dumps(notebook, ensure_ascii=False, indent=1, sort_keys=True) + "\n").encode()


def write(path: Path, folder: Path) -> Path:
    """Write the student version of a notebook, under the same name in another folder.

    Args:
        path: the solved notebook.
        folder: where to; made if it is missing.

    Returns:
        The file written; it is left alone where it holds the same bytes already.

    Raises:
        CourseError: the notebook breaks a rule, or would be overwritten.
    """
    target = folder / path.name
    if target.resolve() == path.resolve():
        raise CourseError(f"{path} would be overwritten by its student version: name a folder.")
    body = notebook_bytes(student_version(read_release(path)))
    write_if_changed(target, body)
    return target


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Give a parser the arguments of `student`."""
    parser.add_argument(
        "notebooks", nargs="*", type=Path, help="solved notebooks (default: all of notebooks/)"
    )
    parser.add_argument(
        "-o", "--output", type=Path, help="folder for the student versions (notebooks/student)"
    )


def main(args: argparse.Namespace) -> int:
    """Write the student versions that the arguments of `add_arguments` ask for.

    Args:
        args: the parsed arguments.

    Returns:
        The exit status, 0.

    Raises:
        CourseError: there is no notebook, or one breaks a rule.
    """
    root = repository() or package_repository()
    paths = args.notebooks or sorted((root / "notebooks").glob("*.ipynb") if root else ())
    output = args.output or (root / "notebooks" / "student" if root else None)
    if not paths or output is None:
        raise CourseError("There is no notebook: name one, and a folder with -o.")
    for path in paths:
        release = read_release(path)
        target = write(path, output)
        points = sum(exercise.points for exercise in release.exercises)
        print(
            f"{target}: {len(release.exercises)} exercises ({points:g} points), "
            f"{len(release.questions)} questions"
        )
    return 0
