"""What a grading run keeps on disk between runs: grades that are known, and the seed."""

from __future__ import annotations

import hashlib
import json
import secrets
from pathlib import Path

from coursekit.classroom.cells import Release, kind, source_of, tags_of
from coursekit.classroom.marking import Grade
from coursekit.classroom.output_files import write_if_changed
from coursekit.classroom.student import notebook_bytes
from coursekit.errors import CourseError


def lean(release: Release) -> bytes:
    """Return the release's notebook without outputs: all that decides a grade, and no more."""
    cells = []
    for cell in release.cells:
        probe = cell.get("metadata", {}).get("coursekit", {}).get("probe")
        metadata = {"tags": tags_of(cell)} | ({"coursekit": {"probe": probe}} if probe else {})
        cells.append(
            {
                "cell_type": cell["cell_type"],
                "id": cell["id"],
                "metadata": metadata if kind(cell) != "text" else {},
                "source": source_of(cell),
            }
        )
    return notebook_bytes({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5})


class Store:
    """Grades kept on disk, so that nothing is run twice.

    Args:
        folder: where they are; private to the user.
        release: the release.
        basis: the bytes of all that decides a grade, apart from the submission.
    """

    def __init__(self, folder: Path, release: Release, basis: bytes) -> None:
        self.folder, self.release = folder, release
        self._basis = hashlib.sha256(basis).digest()

    def _path(self, submission: bytes) -> Path:
        key = hashlib.sha256(self._basis + hashlib.sha256(submission).digest()).hexdigest()
        return self.folder / f"{key}.json"

    def find(self, submission: bytes) -> Grade | None:
        """Return the grade of these bytes, if it is known."""
        try:
            facts = json.loads(self._path(submission).read_text("utf-8"))
            return Grade.from_dict(facts, self.release)
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def keep(self, submission: bytes, grade: Grade) -> None:
        """Write a grade down."""
        write_if_changed(self._path(submission), json.dumps(grade.as_dict()).encode())


def settle_seed(folder: Path, seed: int | None) -> int:
    """Choose the seed: the one asked for, else that of the run before, else a fresh one.

    Args:
        folder: where the last run's seed is kept.
        seed: the seed that was asked for.

    Returns:
        The seed, which is now written down.
    """
    file = folder / "seed"
    if seed is None:
        try:
            seed = int(file.read_text("ascii"))
        except (OSError, ValueError):
            seed = secrets.randbelow(2**31)
    write_if_changed(file, f"{seed}\n".encode())
    return seed


def private_folder(folder: Path) -> Path:
    """Make a folder that only this user may look into.

    Args:
        folder: its path.

    Returns:
        The same path.

    Raises:
        CourseError: it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o700)
    except OSError as error:
        raise CourseError(f"{folder} cannot be written ({error.strerror}).") from None
    return folder
