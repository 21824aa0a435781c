"""Grading a folder of submissions: run each, compare outside, write the marks and the pages.

The tasks that go to other processes or machines return results, never marks; the expected values
stay in this process and are written to no file. Each grade is kept on disk as soon as it is known,
under a key made of all that decides it, so a run that is cut off goes on where it stopped.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from coursekit import __version__
from coursekit.classroom import report
from coursekit.classroom.cells import Release, read_release
from coursekit.classroom.limits import Limits
from coursekit.classroom.marking import Grade, expectations, mark_submission, without_run
from coursekit.classroom.scheduling import DaskPool, LocalPool, Pool, run_all
from coursekit.classroom.store import Store, lean, private_folder, settle_seed
from coursekit.classroom.submissions import Submission, Unreadable, collect, load
from coursekit.classroom.task import grade_one
from coursekit.errors import CourseError

if TYPE_CHECKING:
    from coursekit.classroom.sandbox import Protection

LOST = (
    "Running this notebook ended the grading process itself, again and again: look at it by hand."
)


def grade(
    release_path: Path,
    submissions: Path,
    output: Path,
    *,
    workers: int = 1,
    scheduler: str | None = None,
    seed: int | None = None,
    limits: Limits | None = None,
    sandboxed: bool = True,
    progress: bool = True,
    say: Callable[[str], None] = lambda line: None,
    pool: Pool | None = None,
) -> dict[str, Grade]:
    """Grade a folder of submissions and write the table, the pages and the answers.

    Args:
        release_path: the solved notebook.
        submissions: the folder with NAME.ipynb or NAME/NOTEBOOK.
        output: gets grades.csv, feedback/, answers/ and .results/ (what is known so far).
        workers: processes on this machine.
        scheduler: the address of a Dask scheduler, in place of processes.
        seed: the seed of the probes' inputs; by default that of the run before, or a fresh one.
        limits: time and memory; the runner's own by default.
        sandboxed: whether to insist that kernels are shut in.
        progress: whether to draw a progress bar.
        say: gets lines to print.
        pool: where to run, in place of `workers` and `scheduler`; for tests.

    Returns:
        Student -> grade, in the order of the table.

    Raises:
        CourseError: there is nothing to grade, or nothing can be graded safely.
    """
    limits = limits or Limits()
    release = read_release(release_path)
    if not release.probes and not release.questions:
        raise CourseError(f"{release_path} has no probe and no question, so nothing to grade.")
    found, ignored = collect(submissions, release_path.name)
    for line in ignored:
        say(f"ignored  {line}")
    if not found:
        raise CourseError(
            f"There is no submission in {submissions}: a file NAME.ipynb for each student, or a "
            f"folder NAME with {release_path.name} in it, is what is looked for."
        )
    typed = report.read_marks(output / "grades.csv", release)
    hidden = private_folder(output / ".results")
    seed = settle_seed(hidden, seed)
    body = lean(release)
    facts = [__version__, seed, asdict(limits), sandboxed]
    store = Store(hidden, release, body + json.dumps(facts, sort_keys=True).encode())
    grades, pending = _known(release, found, store)
    say(f"{len(found)} submissions of {release.name}: {len(pending)} to run, seed {seed}")
    if pending:
        place: Pool = pool or (
            DaskPool(scheduler) if scheduler else LocalPool(min(workers, len(pending)))
        )
        try:
            if sandboxed:
                _protect(place, say)
            task = (body.decode(), release.name)
            rest = (seed, limits, sandboxed)
            for name, grade_ in _run(place, release, pending, task, rest, store, progress):
                grades[name] = grade_
        except BaseException:
            place.close(at_once=True)
            raise
        place.close()
    ordered = {one.name: grades[one.name] for one in found}
    report.write(output, release, ordered, typed)
    return ordered


def _known(
    release: Release, found: list[Submission], store: Store
) -> tuple[dict[str, Grade], list[Submission]]:
    """Sort the submissions into those whose grade is known and those to run."""
    grades: dict[str, Grade] = {}
    pending = []
    for one in found:
        try:
            known = store.find(load(one.path))
        except Unreadable as error:
            known = without_run(release, str(error))
        if known is None:
            pending.append(one)
        else:
            grades[one.name] = known
    return grades, pending


def _protect(pool: Pool, say: Callable[[str], None]) -> None:
    from coursekit.classroom.sandbox import Unprotected, probe

    protection: Protection = pool.submit(probe).result()
    for line in protection.lines:
        say(f"sandbox  {line}")
    if not protection.ok:
        raise Unprotected(
            "Submissions cannot be shut in on this machine, and they may do anything: install "
            "bubblewrap (Linux), or pass --no-sandbox if you trust every one of them."
        )


def _run(
    pool: Pool,
    release: Release,
    pending: list[Submission],
    task: tuple[str, str],
    rest: tuple[int, Limits, bool],
    store: Store,
    progress: bool,
) -> Iterator[tuple[str, Grade]]:
    from tqdm import tqdm

    # The reference goes through the same pool and the same shut-in kernel as everybody else.
    reference = pool.submit(grade_one, *task, task[0].encode(), *rest).result()
    if "failed" in reference:
        raise CourseError(f"{release.name}: the reference did not run: {reference['failed']}")
    expected = expectations(release, reference)
    bodies: dict[str, bytes] = {}

    def tasks() -> Iterator[tuple[str, tuple[Any, ...]]]:
        for one in pending:
            try:
                bodies[one.name] = load(one.path)
            except Unreadable:
                # It changed under our hands; an empty one is reported as such.
                bodies[one.name] = b""
            yield one.name, (*task, bodies[one.name], *rest)

    with tqdm(total=len(pending), desc="grading", unit="", disable=not progress) as bar:
        for name, result in run_all(pool, grade_one, tasks()):
            body = bodies.pop(name)
            yield name, _settle(release, result, expected, body, store)
            bar.update()


def _settle(
    release: Release,
    result: Mapping[str, Any] | None,
    expected: Mapping[str, Any],
    body: bytes,
    store: Store,
) -> Grade:
    # What is the grader's own trouble is not kept: the next run tries again.
    if result is None:
        return without_run(release, LOST, "died")
    if "failed" in result:
        return without_run(release, f"The grader could not run this: {result['failed']}")
    if "unreadable" in result:
        grade_ = without_run(release, str(result["unreadable"]))
    else:
        grade_ = mark_submission(release, result, expected)
    store.keep(body, grade_)
    return grade_


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Give a parser the arguments of `grade`."""
    parser.add_argument("notebook", type=Path, help="the solved notebook")
    parser.add_argument("submissions", type=Path, help="folder with NAME.ipynb or NAME/NOTEBOOK")
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder for the grades")
    parser.add_argument("--workers", type=int, help="processes (default: one for each core)")
    parser.add_argument("--scheduler", metavar="ADDRESS", help="a Dask scheduler, tcp://HOST:PORT")
    parser.add_argument("--seed", type=int, help="seed of the probes (default: a fresh one)")
    parser.add_argument("--no-sandbox", action="store_true", help="run submissions unprotected")
    for name, what in (
        ("cell-seconds", "for one cell"),
        ("total-seconds", "for one submission"),
        ("memory-mb", "of memory for one submission"),
    ):
        parser.add_argument(f"--{name}", type=float, metavar="N", help=f"limit {what}")


def main(args: argparse.Namespace) -> int:
    """Grade as the arguments of `add_arguments` say, and print what came of it.

    Args:
        args: the parsed arguments.

    Returns:
        The exit status, 0.

    Raises:
        CourseError: there is nothing to grade, or nothing can be graded safely.
    """
    chosen = {}
    for field in fields(Limits):
        value = getattr(args, field.name, None)
        if value is not None:
            if not (math.isfinite(value) and value > 0):
                raise CourseError(f"--{field.name.replace('_', '-')} must be above 0.")
            chosen[field.name] = type(getattr(Limits(), field.name))(value)
    if args.workers is not None and args.workers < 1:
        raise CourseError("--workers must be at least 1.")
    if args.scheduler and args.workers:
        raise CourseError("--workers and --scheduler exclude each other: a cluster has its own.")
    grades = grade(
        args.notebook,
        args.submissions,
        args.output,
        workers=args.workers or _cores(),
        scheduler=args.scheduler,
        seed=args.seed,
        limits=Limits(**chosen),
        sandboxed=not args.no_sandbox,
        say=lambda line: print(line, file=sys.stderr, flush=True),
    )
    print(report.summary(args.output, grades))
    return 0


def _cores() -> int:
    # On Linux, those that this process may use.
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1
