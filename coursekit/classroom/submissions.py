"""What students hand in: finding it, and reading it carefully.

A submission is hostile until shown otherwise: it may be no notebook, a link, enormous, or cut off.
"""

from __future__ import annotations

import json
import os
import stat
import unicodedata
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from coursekit.classroom.cells import Cell
from coursekit.errors import CourseError

MAX_BYTES = 25_000_000
MAX_CELLS = 5_000
MAX_SOURCE = 500_000


class Unreadable(CourseError):
    """A submission that cannot be graded; the message is the reason, written for the student."""


@dataclass(frozen=True)
class Submission:
    """One file to grade: the student's name as it is shown, and where the file lies."""

    name: str
    path: Path


def shown_name(name: str) -> str:
    r"""Make a file's name fit for a page and a table.

    Args:
        name: as the file system gives it.

    Returns:
        The name, with bytes that are not UTF-8 and invisible characters spelled out.

    Example:
        >>> shown_name("anna\u202egpj")
        'anna\\u202egpj'
    """
    whole = os.fsencode(name).decode("utf-8", "backslashreplace")
    return "".join(
        letter.encode("unicode_escape").decode()
        if unicodedata.category(letter) in ("Cc", "Cf", "Co", "Cn", "Zl", "Zp")
        else letter
        for letter in unicodedata.normalize("NFC", whole)
    )


def collect(folder: Path, notebook_name: str) -> tuple[list[Submission], list[str]]:
    """Find the submissions in a folder: NAME.ipynb, or NAME/NOTEBOOK.

    Args:
        folder: the folder handed to the grader.
        notebook_name: the release's file name, such as "01_vae.ipynb".

    Returns:
        The submissions, sorted by name, and a line for each thing that was ignored. Where two
        files claim one name, each is shown with its path in place of the name.

    Raises:
        CourseError: there is no such folder.
    """
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError as error:
        raise CourseError(f"{folder} cannot be read as a folder ({error.strerror}).") from None
    found: list[tuple[str, Path]] = []
    ignored: list[str] = []
    for entry in entries:
        path = Path(entry.path)
        if entry.is_symlink():
            ignored.append(f"{shown_name(entry.name)}: a link")
        elif entry.name.startswith("."):
            ignored.append(f"{shown_name(entry.name)}: hidden")
        elif entry.is_dir():
            _look_inside(path, notebook_name, found, ignored)
        elif path.suffix.lower() != ".ipynb":
            ignored.append(f"{shown_name(entry.name)}: not a notebook")
        elif not entry.is_file():
            ignored.append(f"{shown_name(entry.name)}: not a plain file")
        else:
            found.append((shown_name(path.stem), path))
    claims = Counter(name.casefold() for name, _ in found)
    submissions: dict[str, Submission] = {}
    for name, path in sorted(found):
        alone = claims[name.casefold()] == 1
        shown = name if alone else shown_name(str(path.relative_to(folder)))
        # Two names that differ in what cannot be shown may still look alike.
        while shown.casefold() in submissions:
            shown += " (again)"
        submissions[shown.casefold()] = Submission(shown, path)
    return list(submissions.values()), ignored


def _look_inside(
    folder: Path, notebook_name: str, found: list[tuple[str, Path]], ignored: list[str]
) -> None:
    name = shown_name(folder.name)
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError as error:
        ignored.append(f"{name}/: cannot be read ({error.strerror})")
        return
    for entry in entries:
        if entry.name == notebook_name and entry.is_file(follow_symlinks=False):
            found.append((name, Path(entry.path)))
        else:
            what = "a link" if entry.is_symlink() else f"not named {notebook_name}"
            ignored.append(f"{name}/{shown_name(entry.name)}: {what}")
    if not entries:
        ignored.append(f"{name}/: empty")


def load(path: Path) -> bytes:
    """Read a submission's bytes: a plain file that is not too large, and nothing else.

    Args:
        path: the file.

    Returns:
        Its bytes.

    Raises:
        Unreadable: it is not such a file.
    """
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    try:
        with open(os.open(path, flags), "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise Unreadable("This is not a plain file.")
            body = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise Unreadable(f"The file cannot be read ({error.strerror}).") from None
    if len(body) > MAX_BYTES:
        raise Unreadable(
            f"The file is larger than {MAX_BYTES // 1_000_000} MB: clear the outputs, save, and "
            "hand it in again."
        )
    return body


def read(body: bytes) -> list[Cell]:
    """Read a notebook's cells out of bytes that may hold anything.

    Args:
        body: the file.

    Returns:
        The cells, each with cell_type, source (one string), metadata (tags and the cell's name
        alone) and, where it has one, id.

    Raises:
        Unreadable: it is not a notebook; the message says what is wrong.
    """
    if not body.strip():
        raise Unreadable("The file is empty.")
    try:
        notebook = json.loads(body.decode("utf-8-sig"))
    except UnicodeDecodeError:
        raise Unreadable("The file is not UTF-8 text, as a notebook must be.") from None
    except (ValueError, RecursionError, MemoryError):
        raise Unreadable("The file is not a notebook, or it was cut off.") from None
    cells = notebook.get("cells") if isinstance(notebook, dict) else None
    if not isinstance(cells, list):
        raise Unreadable("The file is not a notebook of format 4: open it in Jupyter and save it.")
    if len(cells) > MAX_CELLS:
        raise Unreadable(f"The notebook has {len(cells)} cells, and {MAX_CELLS} is the limit.")
    return [_plain(cell, number) for number, cell in enumerate(cells, 1)]


def _plain(cell: Any, number: int) -> Cell:
    source = cell.get("source") if isinstance(cell, dict) else None
    if isinstance(source, list) and all(isinstance(line, str) for line in source):
        source = "".join(source)
    if not isinstance(source, str) or not isinstance(cell.get("cell_type"), str):
        raise Unreadable(f"Cell {number} is not a notebook's cell.")
    if len(source) > MAX_SOURCE:
        raise Unreadable(f"Cell {number} has {len(source):,} characters, too many to read.")
    # JSON can hold half a character, which no file can.
    source = source.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    plain: Cell = {"cell_type": cell["cell_type"], "source": source, "metadata": {}}
    facts = cell.get("metadata")
    facts = facts if isinstance(facts, dict) else {}
    tags, name = facts.get("tags"), facts.get("coursekit")
    if isinstance(tags, list):
        plain["metadata"]["tags"] = [tag for tag in tags if isinstance(tag, str)]
    if isinstance(name, dict) and isinstance(name.get("cell"), str):
        plain["metadata"]["coursekit"] = {"cell": name["cell"]}
    if isinstance(cell.get("id"), str):
        plain["id"] = cell["id"]
    return plain
