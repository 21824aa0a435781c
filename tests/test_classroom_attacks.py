"""The attack corpus, graded: each earns what it deserves, and costs the others nothing."""

from __future__ import annotations

import json
import random
import time
from pathlib import Path

import pytest
from attacks import PER_SUBMISSION, RIGHT, answers, attacks, code, release, submissions
from classroom_kernels import need_sandbox
from classroom_tiny import InlinePool, colab

from coursekit.classroom.grade import grade
from coursekit.classroom.limits import Limits
from coursekit.classroom.marking import VERDICTS

LIMITS = Limits(
    cell_seconds=2.5, total_seconds=400, memory_mb=600, disk_mb=40, output_kb=300, threads=100
)
FULL = 2 * PER_SUBMISSION
HANDS = {hand.name: hand for hand in submissions()}


def graded(folder: Path, bodies, limits=LIMITS):
    """Grade bytes as submissions; return student -> grade, and the seconds it took."""
    need_sandbox()
    (folder / "in").mkdir()
    (folder / "course.ipynb").write_text(json.dumps(release()))
    for name, body in bodies.items():
        (folder / "in" / f"{name}.ipynb").write_bytes(body)
    started = time.monotonic()
    grades = grade(
        folder / "course.ipynb", folder / "in", folder / "out",
        seed=11, limits=limits, progress=False, pool=InlinePool(),
    )  # fmt: skip
    return grades, time.monotonic() - started


def test_the_corpus_is_whole():
    names = [(module, attack.name) for module, found in attacks() for attack in found]
    assert len(names) >= 60
    assert sum(len(hand.placed) for hand in HANDS.values()) == len(names)


@pytest.mark.parametrize("name", list(HANDS))
def test_attacks_earn_what_they_deserve(name, tmp_path):
    hand = HANDS[name]
    grades, seconds = graded(tmp_path, {name: hand.body})
    marks = {mark.probe.id: mark for mark in grades[name].marks}
    told = []
    for placed in hand.placed:
        mark = marks.pop(f"stamp-{placed.number}")
        attack = placed.attack
        words = f"{mark.verdict} {mark.message} {mark.details}"
        said = attack.says in words or attack.says in VERDICTS[mark.verdict]
        if mark.points != 2 * attack.earns or not said:
            told.append(f"{attack.name}: {mark.points} points, {words[:600]}")
    assert not told, "\n".join(told)
    assert all(mark.points == 2 for mark in marks.values())
    assert seconds < LIMITS.total_seconds


def bare(cells):
    return json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}).encode()


def test_answers_in_every_shape(tmp_path):
    """Right, wrong, partial and blank; from Colab; with everything around them changed."""
    right = answers()["cells"]
    shuffled = [dict(cell) for cell in right if not cell["id"].startswith("check")]
    random.Random(3).shuffle(shuffled)
    edited = [dict(cell) for cell in right]
    for cell in edited:
        if cell["id"].startswith("check"):
            cell["source"] = cell["source"].split("\n")[0] + "\nraise SystemExit('cheat')"
        cell["metadata"] = {
            "tags": ["nbval-skip", "raises-exception", "train"],
            "coursekit": {"probe": {"id": "stamp-1", "points": 99}, "role": "probe"},
        }
        cell["outputs"] = [{"output_type": "stream", "name": "stdout", "text": "2 of 2"}]
    reversed_cells = [right[0], *right[:0:-1]]
    blank = ['raise NotImplementedError("stamp")'] * PER_SUBMISSION
    flood = [code(f"mine-{n}", f"x{n} = {n}") for n in range(1000)]
    partial = [None, "return None", "return [1, 2, 3, 4]", RIGHT.replace("[:4]", "[:3]")]
    foreign = {"kernelspec": {"name": "../../evil", "display_name": "R", "language": "R"}}
    bodies = {
        "right": bare(right),
        "colab": json.dumps(colab(answers())).encode(),
        "edited": bare(edited),
        "shuffled": bare(shuffled),
        "reversed": bare(reversed_cells),
        "thousand": bare([*right[:2], *flood, *right[2:]]),
        "foreign": json.dumps({**answers(), "metadata": foreign}).encode(),
        "partial": json.dumps(answers(*partial)).encode(),
        "blank": json.dumps(answers(*blank)).encode(),
        "nothing": bare([]),
    }
    grades, _ = graded(tmp_path, bodies)
    totals = {name: grade.total for name, grade in grades.items()}
    assert totals == {
        **dict.fromkeys(bodies, FULL), "partial": FULL - 6, "blank": 0, "nothing": 0,
    }  # fmt: skip
    assert {mark.verdict for mark in grades["blank"].marks} == {"blank"}
    assert {mark.verdict for mark in grades["nothing"].marks} == {"missing"}


def test_files_that_are_no_notebooks(tmp_path):
    right = json.dumps(answers())
    bodies = {
        "right": right.encode(),
        "empty": b"",
        "words": b"Dear professor, my dog ate it.",
        "truncated": right.encode()[: len(right) // 2],
        "large": b'{"cells": ["' + b"x" * 50_000_000 + b'"]}',
        "latin": '{"cells": [], "é": 1}'.encode("latin-1"),
        "binary": bytes(range(256)) * 100,
        "nested": b"[" * 10**6,
        "deep": b'{"cells": ' + b"[" * 900 + b"]" * 900 + b"}",
        "list": b"[1, 2]",
        "cells": b'{"cells": {"a": 1}, "nbformat": 4}',
        "numbers": b'{"cells": [1, 2, null], "nbformat": 4}',
        "old": b'{"worksheets": [], "nbformat": 3}',
        "constant": b"NaN",
    }
    grades, _ = graded(tmp_path, bodies)
    assert {name: grade.total for name, grade in grades.items()} == {
        **dict.fromkeys(bodies, 0), "right": FULL,
    }  # fmt: skip
    assert all(grade.unreadable for name, grade in grades.items() if name != "right")
