"""A course notebook so small that it is graded in a moment, and a runner that needs no kernel."""

from __future__ import annotations

import contextlib
import importlib
import io
import json
import types
from concurrent.futures import Future
from unittest import mock

from coursekit.classroom.cells import parse

SQUARE = """# EXERCISE square
def square(x):
    \"\"\"x times x.\"\"\"
    ### BEGIN SOLUTION
    return x * x
    ### END SOLUTION"""
SUMS = """# EXERCISE sums
def total(values):
    ### BEGIN SOLUTION
    return sum(values) + shift
    ### END SOLUTION


def mean(values):
    ### BEGIN SOLUTION
    return sum(values) / len(values)
    ### END SOLUTION"""
BLANK_SQUARE = SQUARE.replace(
    "    ### BEGIN SOLUTION\n    return x * x\n    ### END SOLUTION",
    '    raise NotImplementedError("square: your answer goes here.")',
)


def code(name, source, *tags, **coursekit):
    metadata = {"tags": list(tags)} if tags else {}
    if coursekit:
        metadata["coursekit"] = coursekit
    return {
        "cell_type": "code",
        "id": name,
        "metadata": metadata,
        "source": source,
        "execution_count": 1,
        "outputs": [{"output_type": "stream", "name": "stdout", "text": "the answer is x * x"}],
    }


def words(name, source, *tags):
    return {
        "cell_type": "markdown",
        "id": name,
        "metadata": {"tags": list(tags)} if tags else {},
        "source": source,
    }


def probe(name, points, source, *forbids, tolerance=1e-6):
    facts = {
        "id": name,
        "points": points,
        "tolerance": tolerance,
        "feedback": f"The results of {name} differ from the reference.",
        "forbids": list(forbids),
    }
    return code(f"probe-{name}", f"# PROBE {name} points={points}\n{source}", probe=facts)


def solved():
    """The solved notebook, as json reads it."""
    return {
        "cells": [
            words("title", "# A tiny notebook"),
            code("set-up", "seed = 0"),
            code("imports", "import json\nimport math\nimport random"),
            code("unneeded", "picture = [[0] * 10] * 10"),
            code("shift", "shift = 100"),
            code("exercise-square", SQUARE),
            code("check-square", '# CHECK square\nassert square(3) == 9, "3 gives another number"'),
            probe(
                "square",
                2,
                "draw = random.Random(seed)\n[square(draw.random()) for _ in range(5)]",
                "math.pow",
            ),
            words("train-md", "Now train."),
            code("train", "model = 1 / 0", "train"),
            code("after-train", "curve = [model]"),
            code("exercise-sums", SUMS),
            code("check-sums", "# CHECK sums\nassert mean([2, 4]) == 3"),
            probe(
                "sums",
                1,
                "draw = random.Random(seed)\n[total([draw.random() for _ in range(4)]), 1]",
            ),
            probe("sums-mean", 1.5, "draw = random.Random(seed)\nmean([draw.random(), 2.0])"),
            words("think-why", "**Think 1 (2 points).** Why is $x^2 >= 0$?"),
            words(
                "think-why-answer", "*Model answer.* Signs cancel.\n\n*Rubric.* 2 points.", "answer"
            ),
            words(
                "think-one",
                "**Think 2 (1 point).** And for i?\n\n*Model answer.* It is not.",
                "answer",
            ),
            words("end", "This is the end."),
        ],
        "metadata": {"kernelspec": {"name": "conda-env-mine", "display_name": "Mine"}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }


def release(notebook=None):
    return parse(notebook or solved(), "tiny")


def cell_of(notebook, name):
    return next(cell for cell in notebook["cells"] if cell.get("id") == name)


def put(notebook, name, source):
    """Write a source into a cell, and return the notebook."""
    cell_of(notebook, name)["source"] = source
    return notebook


def colab(notebook):
    """What Colab makes of a notebook: format 4.0, no ids, no metadata of ours."""
    cells = [{**cell, "metadata": {"id": f"x{n}"}} for n, cell in enumerate(notebook["cells"])]
    for cell in cells:
        del cell["id"]
    return {**notebook, "cells": cells, "nbformat_minor": 0, "metadata": {"colab": {}}}


def as_bytes(notebook):
    return json.dumps(notebook).encode()


class InlinePool:
    """Runs a task at once, in this process; counts what it was given."""

    lost = (MemoryError,)
    width = 1

    def __init__(self):
        self.calls = []

    def submit(self, function, *args):
        self.calls.append((function.__name__, args))
        future = Future()
        try:
            future.set_result(function(*args))
        except BaseException as error:
            future.set_exception(error)
        return future

    def renew(self):
        return False

    def close(self, at_once=False):
        pass


def _last_expression(source, names):
    *first, last = source.rstrip().split("\n")
    exec("\n".join(first), names)
    return eval(last, names)


def _forbidden(names, called):
    """Put raisers in the place of the named functions."""
    stack = contextlib.ExitStack()
    for name in names:
        owner, _, attribute = name.rpartition(".")

        def stop(*args, name=name, **more):
            called.append(name)
            raise RuntimeError("write this one yourself")

        stack.enter_context(mock.patch.object(importlib.import_module(owner), attribute, stop))
    return stack


def _run_cell(cell, names, seed, result):
    facts = cell["metadata"]["coursekit"]
    called = []
    out = io.StringIO()
    value = None
    try:
        if facts["role"] == "probe":
            with _forbidden(facts["probe"]["forbids"], called):
                value = _last_expression(cell["source"], {**names, "seed": seed})
        else:
            with contextlib.redirect_stdout(out):
                exec(cell["source"], names)
    except SystemExit:
        return result(cell["id"], "died", None, "the kernel ended", 0.1, ())
    except TimeoutError:
        return result(cell["id"], "timeout", None, "", 60.0, ())
    except Exception as error:
        words = f"{type(error).__name__}: {error}"
        return result(cell["id"], "error", None, words, 0.1, tuple(called))
    return result(cell["id"], "ok", value, out.getvalue(), 0.1, tuple(called))


def fake_runner():
    """A stand-in for coursekit.classroom.runner, without a kernel or any protection."""
    import dataclasses

    result = dataclasses.make_dataclass(
        "CellResult", ["cell_id", "status", "value", "message", "seconds", "forbidden"]
    )

    def run(notebook, seed, limits, sandboxed=True):
        module.runs.append(notebook)
        names = {}
        return [_run_cell(cell, names, seed, result) for cell in notebook["cells"]]

    module = types.ModuleType("coursekit.classroom.runner")
    module.run = run
    module.runs = []
    return module
