"""Submissions that try everything, with the marks that each honestly deserves.

An attack is an answer to one exercise (and extra cells around it). All exercises of the release
ask for the same: `stamp_N(text)`, the first four digits of a SHA-256 sum, as numbers; which the
library's `coursekit.files.sha256` would do for a file, and which the probes forbid. Several attacks
stand in one submission, each in an exercise of its own, so that it shows whether one of them
touches the marks of another. In an attack's sources {f} stands for the function's name, and RIGHT
for a right body.
"""

from __future__ import annotations

import importlib
import json
import pkgutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

PER_SUBMISSION = 6
FORBIDS = ("coursekit.files.sha256", "hashlib.file_digest")
RIGHT = "return [int(digit, 16) for digit in hashlib.sha256(text.encode()).hexdigest()[:4]]"
# A right answer by way of the library's block, for attacks that try to reach it.
LIBRARY = """
def by_library(text, block=None):
    with open("/tmp/text", "w") as file:
        file.write(text)
    return [int(digit, 16) for digit in (block or files.sha256)("/tmp/text")[:4]]
"""


@dataclass(frozen=True)
class Attack:
    """One attempt.

    Attributes:
        name: what it tries.
        answer: the exercise's cell.
        earns: whether it deserves the exercise's points.
        says: words that the mark must contain (verdict, message or details); | stands for or.
        before: an extra cell above the exercise.
        after: an extra cell between the exercise and its probe.
    """

    name: str
    answer: str
    earns: bool = False
    says: str = ""
    before: str = ""
    after: str = ""


@dataclass(frozen=True)
class Placed:
    """An attack, and the exercise of its submission in which it stands."""

    attack: Attack
    number: int


@dataclass(frozen=True)
class Hand:
    """One submission: its bytes and what stands where in it."""

    name: str
    body: bytes
    placed: list[Placed] = field(default_factory=list)


def attacks() -> Iterator[tuple[str, list[Attack]]]:
    """All attacks, by module."""
    for info in pkgutil.iter_modules(__path__):
        module = importlib.import_module(f"{__name__}.{info.name}")
        if hasattr(module, "ATTACKS"):
            yield info.name, module.ATTACKS


def code(name: str, source: str, **facts: Any) -> dict[str, Any]:
    return {
        "cell_type": "code",
        "id": name,
        "metadata": {"coursekit": facts} if facts else {},
        "source": source,
        "execution_count": None,
        "outputs": [],
    }


def exercise(number: int, body: str) -> str:
    return f"# EXERCISE stamp-{number}\ndef stamp_{number}(text):\n    {body}"


def release(exercises: int = PER_SUBMISSION) -> dict[str, Any]:
    """The solved notebook, as json reads it."""
    imports = "import hashlib\nimport random\n\nfrom coursekit import files"
    cells = [code("imports", imports), code("seed", "seed = 0")]
    for n in range(1, exercises + 1):
        solution = f"### BEGIN SOLUTION\n    {RIGHT}\n    ### END SOLUTION"
        facts = {
            "id": f"stamp-{n}",
            "points": 2,
            "tolerance": 1e-9,
            "feedback": "The digits differ from the reference.",
            "forbids": list(FORBIDS),
        }
        probe = f"draw = random.Random(seed)\n[stamp_{n}(str(draw.random())) for _ in range(3)]"
        cells += [
            code(f"exercise-{n}", exercise(n, solution)),
            code(f"check-{n}", f"# CHECK stamp-{n}\nassert len(stamp_{n}('x')) == 4"),
            code(f"probe-{n}", f"# PROBE stamp-{n} points=2\n{probe}", probe=facts),
        ]
    # The notebook needs `files`, so that the import stays in what students run.
    cells.append(code("last", "print(files.sha256.__doc__)"))
    return {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}


def answers(*bodies: str | None) -> dict[str, Any]:
    """A submission with these bodies of the functions; right ones where there is None."""
    made = release(PER_SUBMISSION)
    kept = []
    for cell in made["cells"]:
        kind, _, number = cell["id"].partition("-")
        if kind == "exercise":
            body = bodies[int(number) - 1] if int(number) <= len(bodies) else None
            cell["source"] = exercise(int(number), RIGHT if body is None else body)
        if kind != "probe":
            kept.append(cell)
    return {**made, "cells": kept}


def filled(source: str, number: int) -> str:
    for name, text in (("{f}", f"stamp_{number}"), ("{n}", str(number)), ("RIGHT", RIGHT)):
        source = source.replace(name, text)
    return source.strip("\n")


def submissions() -> Iterator[Hand]:
    """The corpus: the attacks of each module, dealt out to submissions."""
    for module, found in attacks():
        for first in range(0, len(found), PER_SUBMISSION):
            placed, made = [], answers()
            cells: list[dict[str, Any]] = []
            chosen = dict(enumerate(found[first : first + PER_SUBMISSION], 1))
            for cell in made["cells"]:
                kind, _, number = cell["id"].partition("-")
                attack = chosen.get(int(number)) if kind == "exercise" else None
                if attack is None:
                    cells.append(cell)
                    continue
                n = int(number)
                placed.append(Placed(attack, n))
                answer = f"# EXERCISE stamp-{n}\n{filled(attack.answer, n)}"
                extra = [(attack.before, "before"), (attack.after, "after")]
                above, below = (
                    [code(f"{where}-{n}", filled(text, n))] if text else [] for text, where in extra
                )
                cells += [*above, {**cell, "source": answer}, *below]
            name = f"{module}-{first // PER_SUBMISSION + 1}"
            yield Hand(name, json.dumps({**made, "cells": cells}).encode(), placed)
