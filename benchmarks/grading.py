"""How long grading a submission takes, how much of it is start-up, and what a second worker brings.

Grades right submissions of a notebook with 1 and with 2 workers, in the sandbox, and takes one
run apart. Run on an idle machine:

    python benchmarks/grading.py [--notebook notebooks/01_vae.ipynb] [--submissions 6]
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import tempfile
import time
from pathlib import Path

from coursekit.classroom import sandbox
from coursekit.classroom.cells import read_release
from coursekit.classroom.grade import grade
from coursekit.classroom.limits import Limits
from coursekit.classroom.rebuilding import rebuild
from coursekit.classroom.runner import execute
from coursekit.classroom.store import lean
from coursekit.classroom.submissions import read

COMMAND = "python benchmarks/grading.py"
TORCH = {"cell_type": "code", "id": "torch", "source": "import torch", "metadata": {}}


def parts(notebook: Path) -> dict[str, float]:
    """Take one run apart: seconds of the process, the kernel, importing torch, and the cells."""
    release = read_release(notebook)
    rebuilt = rebuild(release, read(lean(release))).notebook
    first = {**TORCH, "outputs": [], "execution_count": None}
    first["metadata"] = {"coursekit": {"role": "release", "exercise": None}}
    run = execute({**rebuilt, "cells": [first, *rebuilt["cells"]]}, 1, Limits())
    seconds = [cell.seconds for cell in run.cells]
    return {
        "process": run.seconds - run.start_seconds - sum(seconds),
        "kernel": run.start_seconds,
        "torch": seconds[0],
        "cells": sum(seconds[1:]),
        "whole": run.seconds,
    }


def together(notebook: Path, submissions: int, workers: int) -> float:
    """Seconds for grading so many submissions with so many workers, the reference's run too."""
    release = read_release(notebook)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "in").mkdir()
        for number in range(submissions):
            cells = json.loads(lean(release))
            cells["metadata"] = {"number": number}  # no two alike: a known one is not run again
            (folder / "in" / f"student-{number}.ipynb").write_text(json.dumps(cells))
        started = time.perf_counter()
        with contextlib.redirect_stdout(io.StringIO()):
            grades = grade(
                notebook, folder / "in", folder / "out", workers=workers, seed=1, progress=False
            )
        seconds = time.perf_counter() - started
    wrong = [name for name, one in grades.items() if one.total != one.maximum]
    if wrong:
        raise SystemExit(f"These should have had full marks: {', '.join(wrong)}")
    return seconds


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    root = Path(__file__).resolve().parents[1]
    parser.add_argument("--notebook", type=Path, default=root / "notebooks" / "01_vae.ipynb")
    parser.add_argument("--submissions", type=int, default=6)
    arguments = parser.parse_args()
    print(*sandbox.probe().lines, sep="\n")
    parts(arguments.notebook)  # once for the disk's sake
    found = parts(arguments.notebook)
    start = found["process"] + found["kernel"] + found["torch"]
    print(f"\none run of {arguments.notebook.name}, {os.cpu_count()} cores: {found['whole']:.1f} s")
    for name, what in (
        ("process", "pytest and the collector"),
        ("kernel", "the kernel, shut in"),
        ("torch", "importing torch"),
        ("cells", "all cells"),
    ):
        print(f"  {found[name]:5.2f} s  {what}")
    print(f"start-up: {start:.1f} s, {100 * start / found['whole']:.0f} % of the run\n")
    few, many = 2, 2 + arguments.submissions
    for workers in (1, 2):
        # The difference leaves out what is done once: the pool's start and the reference's run.
        short, long = (together(arguments.notebook, number, workers) for number in (few, many))
        each = (long - short) / (many - few)
        print(
            f"{workers} worker(s): {each:.1f} s for each further submission; {many} in {long:.0f} s"
        )


if __name__ == "__main__":
    main()
