"""Finding the cells of a release in what a student handed in.

Colab drops the cells' ids and metadata, students copy, edit, delete and move cells: so several
ways are tried, the surest first.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from coursekit.classroom.cells import (
    ANSWER_BOX,
    MODEL_ANSWER,
    Cell,
    Release,
    kind,
    marker,
    question_id,
    source_of,
)

_SIMILAR = 0.5


def match(release: Release, submission: Sequence[Cell]) -> dict[int, int]:
    """Find the release's cells in a submission.

    By cell id, then by `metadata.coursekit.cell`, then by the first-line marker or the answer
    box, then by equal source; at last an edited cell is recognised by its likeness, between
    neighbours that were found.

    Args:
        release: what was handed out.
        submission: the cells that came back.

    Returns:
        Place in the submission -> place in the release; each place occurs once.
    """
    pairs: dict[int, int] = {}
    free = dict(enumerate(release.cells))
    for key in KEYS:
        names: dict[Any, int] = {}
        for place, cell in free.items():
            if (name := key(cell)) is not None:
                names.setdefault(name, place)
        for place, cell in enumerate(submission):
            if place not in pairs and (name := key(cell)) in names:
                pairs[place] = names.pop(name)
                del free[pairs[place]]
    pairs.update(_by_likeness(release, submission, pairs))
    return pairs


def _by_id(cell: Cell) -> Any:
    name = cell.get("id")
    return (cell["cell_type"], name) if isinstance(name, str) else None


def _by_metadata(cell: Cell) -> Any:
    facts = cell.get("metadata", {}).get("coursekit")
    name = facts.get("cell") if isinstance(facts, dict) else None
    # The release carries no such metadata: there the cell's own id is the name.
    name = cell.get("id") if name is None else name
    return (cell["cell_type"], name) if isinstance(name, str) else None


def _by_marker(cell: Cell) -> Any:
    source = source_of(cell)
    if cell["cell_type"] == "code":
        return marker(source)
    if kind(cell) == "question" and MODEL_ANSWER in source and isinstance(cell.get("id"), str):
        return "question", question_id(cell)
    found = ANSWER_BOX.search(source)
    return ("question", found[1]) if found else None


def _by_source(cell: Cell) -> Any:
    source = source_of(cell)
    return (cell["cell_type"], source) if source else None


KEYS: tuple[Callable[[Cell], Any], ...] = (_by_id, _by_metadata, _by_marker, _by_source)


def _by_likeness(
    release: Release, submission: Sequence[Cell], pairs: Mapping[int, int]
) -> Iterator[tuple[int, int]]:
    taken = set(pairs.values())
    after = [len(release.cells)] * (len(submission) + 1)
    for place in reversed(range(len(submission))):
        after[place] = pairs.get(place, after[place + 1])
    before = -1
    for place, cell in enumerate(submission):
        if place in pairs:
            before = pairs[place]
            continue
        if cell["cell_type"] != "code" or marker(source_of(cell)):
            continue
        lines = Counter(source_of(cell).splitlines())
        for other in range(before + 1, after[place]):
            known = release.cells[other]
            if other in taken or kind(known) not in ("code", "train"):
                continue
            if _likeness(lines, Counter(source_of(known).splitlines())) >= _SIMILAR:
                taken.add(other)
                before = other
                yield place, other
                break


def _likeness(one: Counter[str], other: Counter[str]) -> float:
    return 2 * (one & other).total() / max(1, one.total() + other.total())
