"""The attack corpus, graded: each earns what it deserves, and costs the others nothing."""

from __future__ import annotations

import json
import random

import pytest
from attacks import PER_SUBMISSION, RIGHT, answers, attacks, code, release, submissions
from classroom_kernels import need_sandbox
from classroom_tiny import InlinePool, colab

from coursekit.classroom.grade import grade
from coursekit.classroom.limits import Limits
from coursekit.classroom.marking import VERDICTS

LIMITS = Limits(
    cell_seconds=1.5, total_seconds=300, memory_mb=600, disk_mb=40, output_kb=300, threads=100
)
FULL = 2 * PER_SUBMISSION
HANDS = {hand.name: hand for hand in submissions()}


def bare(cells):
    facts = {"kernelspec": {"name": "../../evil", "display_name": "R", "language": "R"}}
    whole = {"cells": cells, "metadata": facts, "nbformat": 4, "nbformat_minor": 5}
    return json.dumps(whole).encode()


def shapes():
    """Right, wrong, partial and blank; from Colab; with everything around the answers changed."""
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
    blank = ['raise NotImplementedError("stamp")'] * PER_SUBMISSION
    flood = [code(f"mine-{n}", f"x{n} = {n}") for n in range(1000)]
    partial = [None, "return None", "return [1, 2, 3, 4]", RIGHT.replace("[:4]", "[:3]")]
    return {
        "right": (FULL, bare(right)),
        "colab": (FULL, json.dumps(colab(answers())).encode()),
        "edited": (FULL, bare(edited)),
        "shuffled": (FULL, bare(shuffled)),
        "thousand": (FULL, bare([*right[:2], *flood, *right[2:]])),
        "partial": (FULL - 6, json.dumps(answers(*partial)).encode()),
        "blank": (0, json.dumps(answers(*blank)).encode()),
        "nothing": (0, bare([])),
    }


def no_notebooks():
    right = json.dumps(answers())
    return {
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


@pytest.fixture(scope="module")
def grades(tmp_path_factory):
    """All of it in one grading run: student -> grade."""
    need_sandbox()
    folder = tmp_path_factory.mktemp("corpus")
    (folder / "in").mkdir()
    (folder / "course.ipynb").write_text(json.dumps(release()))
    bodies = {name: hand.body for name, hand in HANDS.items()}
    bodies |= {name: body for name, (_, body) in shapes().items()} | no_notebooks()
    for name, body in bodies.items():
        (folder / "in" / f"{name}.ipynb").write_bytes(body)
    return grade(
        folder / "course.ipynb", folder / "in", folder / "out",
        seed=11, limits=LIMITS, progress=False, pool=InlinePool(),
    )  # fmt: skip


def test_the_corpus_is_whole():
    names = [(module, attack.name) for module, found in attacks() for attack in found]
    assert len(names) >= 60
    assert sum(len(hand.placed) for hand in HANDS.values()) == len(names)


@pytest.mark.parametrize("name", list(HANDS))
def test_attacks_earn_what_they_deserve(name, grades):
    marks = {mark.probe.id: mark for mark in grades[name].marks}
    told = []
    for placed in HANDS[name].placed:
        mark = marks.pop(f"stamp-{placed.number}")
        attack = placed.attack
        words = f"{mark.verdict} {mark.message} {mark.details}"
        said = any(one in f"{words} {VERDICTS[mark.verdict]}" for one in attack.says.split("|"))
        if mark.points != 2 * attack.earns or not said:
            told.append(f"{attack.name}: {mark.points} points, {words[:600]}")
    assert not told, "\n".join(told)
    assert all(mark.points == 2 for mark in marks.values())  # exercises that nobody attacked
    assert grades[name].seconds < LIMITS.total_seconds


@pytest.mark.parametrize("name", list(shapes()))
def test_an_answer_counts_whatever_stands_around_it(name, grades):
    assert grades[name].total == shapes()[name][0], grades[name].notes
    verdicts = {mark.verdict for mark in grades[name].marks}
    assert verdicts >= {"blank": {"blank"}, "nothing": {"missing"}}.get(name, set())


@pytest.mark.parametrize("name", list(no_notebooks()))
def test_files_that_are_no_notebooks_say_why(name, grades):
    assert grades[name].total == 0
    assert len(grades[name].unreadable) > 10
