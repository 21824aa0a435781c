"""What tests of the runner share: rebuilt notebooks, and whether kernels can be shut in here."""

from __future__ import annotations

import functools
import os

import pytest

from coursekit.classroom import sandbox
from coursekit.classroom.limits import Limits
from coursekit.classroom.runner import execute

LIMITS = Limits(cell_seconds=5, total_seconds=240, memory_mb=700, disk_mb=40, output_kb=300)


def need_sandbox():
    """Skip the test where kernels cannot be shut in; fail where that is demanded."""
    protection = sandbox.probe()
    if not protection.ok:
        reason = "; ".join(protection.lines)
        if os.environ.get("COURSEKIT_REQUIRE_SANDBOX"):
            pytest.fail(f"COURSEKIT_REQUIRE_SANDBOX is set, but {reason}")
        pytest.skip(reason)


def cell(role, source, exercise=None, forbids=(), name=None):
    about = {"role": role, "exercise": exercise}
    if role == "probe":
        about["probe"] = {"id": name or exercise, "forbids": list(forbids)}
    return {"cell_type": "code", "source": source, "metadata": {"coursekit": about}}


def task(exercise, answer, *forbids, probe="f(2)", extra=()):
    """An exercise's cells, in the order in which they run."""
    return [
        cell("exercise", answer, exercise),
        *(cell("extra", source, exercise) for source in extra),
        cell("probe", probe, exercise, forbids),
        cell("check", f"print('checked {exercise}')", exercise),
    ]


def notebook(*cells):
    common = {"outputs": [], "execution_count": None}
    numbered = [{**common, "id": f"cell-{n}", **one} for n, one in enumerate(cells)]
    return {"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": numbered}


def graded(*cells, limits=LIMITS, seed=5, sandboxed=True):
    """Run cells; return the run and, for each exercise, its results by role."""
    if sandboxed:
        need_sandbox()
    made = notebook(*cells)
    run = execute(made, seed, limits, sandboxed)
    found: dict = {}
    for one, result in zip(made["cells"], run.cells, strict=True):
        about = one["metadata"]["coursekit"]
        found.setdefault(about["exercise"], {})[about["role"]] = result
    return run, found


needs_sandbox = functools.partial(pytest.fixture(autouse=True, scope="module"), need_sandbox)
