"""A pytest plugin: nbval's collector, made strict, for one rebuilt notebook.

pytest runs outside of the sandbox; only the kernel is shut in. nbval finds the cells and talks to
the kernel; what a cell is and what came of it is decided here, from the notebook's metadata as the
grader wrote it and from what is seen outside, never by a tag, a marker or an output.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from nbval.plugin import IPyNbCell, IPyNbFile, NbCellError

from coursekit.classroom import gates
from coursekit.classroom.kernel import COURSE, PROBE
from coursekit.classroom.kernels import Outcome, StrictKernel
from coursekit.classroom.limits import Limits
from coursekit.classroom.results import CellResult, clean, numbers, probe_seed

MAX_EXTRA_ENDS = 3  # deaths and timeouts of a student's extra cells, before the rest is left out
EXTRA_SHARE = 1 / 3  # of the time, for all extra cells together
_TIME_IS_UP = "not run: the time for one submission is used up"
_REPLAYED = ("release", "extra", "exercise")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the one option: where the job is described."""
    parser.addoption("--coursekit-job", help="JSON file written by coursekit.classroom.runner")


def pytest_configure(config: pytest.Config) -> None:
    """Keep this process, too, within bounds: it reads what a kernel sends."""
    if config.getoption("--coursekit-job"):
        try:
            import resource

            # The soft limit only: a kernel, started from here, may have more.
            hard = resource.getrlimit(resource.RLIMIT_DATA)[1]
            resource.setrlimit(resource.RLIMIT_DATA, (2 << 30, hard))
        except (ImportError, OSError, ValueError):
            pass


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Collect the notebook ourselves; nbval's own hook does nothing without its options."""
    if file_path.suffix == ".ipynb" and parent.config.getoption("--coursekit-job"):
        return StrictFile.from_parent(parent, path=file_path)
    return None


class StrictFile(IPyNbFile):
    """The notebook, its kernel and the rules of the run."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        job = json.loads(Path(self.config.getoption("--coursekit-job")).read_text(encoding="utf-8"))
        self.limits = Limits(**job["limits"])
        self.seed, self.mode = int(job["seed"]), str(job["mode"])
        self.results, self.grader = Path(job["results"]), int(job["grader"])
        self.end = time.monotonic() + self.limits.total_seconds
        self.kernel: StrictKernel | None = None
        self.folder: Path | None = None
        self.apart = False  # whether each exercise gets a kernel without the others' cells
        self.running: str | None = None  # the exercise that the kernel was started for
        self.good: list[StrictCell] = []  # what a fresh kernel has to run again
        self.ended: set[str] = set()  # exercises of which a probe died or timed out
        self.extra_ends, self.extra_left = 0, EXTRA_SHARE * self.limits.total_seconds
        self.forbids: list[str] = []

    def collect(self) -> Iterator[StrictCell]:
        """Take nbval's cells without the options that it read from their text and tags."""
        cells = [
            StrictCell.from_parent(
                self,
                name=found.name,
                cell_num=found.cell_num,
                cell=found.cell,
                options={"skip": False},
            )
            for found in super().collect()
        ]
        exercises = [cell.about["exercise"] for cell in cells]
        for index, cell in enumerate(cells):
            cell.to_come = len(set(exercises[index:]) - {None})
            self.forbids += cell.about.get("probe", {}).get("forbids", [])
        yield from cells

    def setup(self) -> None:
        """Start nothing: the first cell does."""

    def teardown(self) -> None:
        """End the kernel."""
        self.stop()
        if os.getppid() != self.grader:  # nobody is left to clear up
            shutil.rmtree(self.results.parent, ignore_errors=True)

    def note(self, **words: Any) -> None:
        """Write a line of results; what is written stands, whatever happens next."""
        with open(self.results, "a", encoding="utf-8") as file:
            file.write(json.dumps(words) + "\n")

    def stop(self) -> None:
        """End the kernel, if there is one, and remove its folder."""
        if self.kernel is not None:
            self.kernel.stop()
            self.kernel = None
        if self.folder is not None:
            shutil.rmtree(self.folder, ignore_errors=True)
            self.folder = None

    def _start(self) -> StrictKernel:
        self.stop()
        self.folder = Path(tempfile.mkdtemp(prefix="k", dir=self.results.parent))
        self.folder.chmod(0o711)
        for attempt in (1, 2):
            try:
                place = self.folder / str(attempt)
                place.mkdir(mode=0o711)
                kernel = StrictKernel(place, self.forbids, self.limits, self.mode, self.grader)
                break
            except RuntimeError as error:
                # A machine that is too busy for a moment must cost nobody marks.
                if attempt == 2:
                    self.note(broken=str(error))
                    pytest.exit(f"no kernel: {error}", 3)
        self.note(start_seconds=kernel.start_seconds)
        return kernel

    def ready(self, cell: StrictCell) -> StrictKernel | None:
        """The kernel, with the earlier good cells run in it; None when the time is used up."""
        exercise = cell.about["exercise"]
        if self.apart and self.running != exercise:
            self.stop()
        while self.kernel is None or not self.kernel.alive:
            if time.monotonic() >= self.end:
                return None
            self.kernel, self.running = self._start(), exercise
            for earlier in self.replays(exercise):
                outcome = earlier.run_in(self.kernel)
                if outcome.status in ("timeout", "died"):
                    self.good.remove(earlier)  # it does not end the same way twice
                    self.stop()
                    break
        return self.kernel

    def replays(self, exercise: str | None) -> list[StrictCell]:
        """What a fresh kernel has to run again before it comes to an exercise."""
        return [
            cell
            for cell in self.good
            if not self.apart
            or cell.about["role"] == "release"
            or cell.about["exercise"] == exercise
        ]

    def seconds_for(self, cell: StrictCell) -> float:
        """How long a cell may take: its limit, or less where the exercises to come need a share."""
        left = self.end - time.monotonic()
        if cell.about["role"] == "release":
            # The course's own cells import torch, which on a busy machine takes long.
            return min(max(self.limits.cell_seconds, self.limits.start_seconds), left)
        if cell.about["role"] == "extra":
            left = min(left, self.extra_left)
        return min(self.limits.cell_seconds, left / max(cell.to_come, 1))


def _starved(outcome: Outcome) -> bool:
    """Whether a cell died, or failed for want of memory, threads, disk or files."""
    name, words = outcome.reply.get("ename"), str(outcome.reply.get("evalue"))[:500]
    wants = ("MemoryError", "OSError", "BlockingIOError")
    hungry = name in wants or "new thread" in words or "allocate memory" in words
    return outcome.status == "died" or (outcome.status == "error" and hungry)


class StrictCell(IPyNbCell):
    """One cell: run, judged from outside, written down."""

    to_come = 0

    @property
    def about(self) -> dict[str, Any]:
        """What the grader wrote about this cell."""
        about = self.cell.metadata.get("coursekit", {})
        return {"role": "release", "exercise": None, **about}

    def setup(self) -> None:
        """Nothing of nbval's: a timeout is no reason to expect failures."""

    def reason_to_skip(self, seconds: float) -> str:
        """Why this cell is not to be run; "" if it is."""
        file, role, exercise = self.parent, self.about["role"], self.about["exercise"]
        if file.end <= time.monotonic():
            return _TIME_IS_UP
        if role == "check" and exercise in file.ended:
            return "not run: a probe of this exercise came to no end"
        if role == "extra" and file.extra_ends >= MAX_EXTRA_ENDS:
            return "not run: several extra cells before it ran into the limits"
        if role == "extra" and seconds <= 0:
            return "not run: the time for extra cells is used up"
        return ""

    def runtest(self) -> None:
        """Run the cell and write down what came of it; pytest sees a failure unless it is ok."""
        started = time.monotonic()
        skipped = self.reason_to_skip(self.parent.seconds_for(self))
        kernel = None if skipped else self.parent.ready(self)
        if kernel is None:
            result = CellResult(self.cell.id, "skipped", message=skipped or _TIME_IS_UP)
        else:
            started = time.monotonic()
            result = self._judge(self._second_chance(self.run_in(kernel)))
        self._account(result, time.monotonic() - started)
        if result.status != "ok":
            raise NbCellError(self.cell_num, result.status, "", None)

    def run_in(self, kernel: StrictKernel) -> Outcome:
        """Run the cell's source in a kernel."""
        file, about = self.parent, self.about
        seconds = max(file.seconds_for(self), 1.0)
        if about["role"] == "release":
            return kernel.execute(f"{COURSE}\n{self.cell.source}", seconds)
        if about["role"] != "probe":
            return kernel.execute(self.cell.source, seconds)
        probe = about["probe"]
        kernel.forbid([*probe.get("forbids", []), *gates.ALWAYS])
        try:
            own = probe_seed(file.seed, probe["id"])
            return kernel.execute(f"{PROBE}\nseed = {own}\n{self.cell.source}", seconds)
        finally:
            kernel.forbid([])

    def _second_chance(self, outcome: Outcome) -> Outcome:
        """Where a kernel died or had nothing left, try without the other exercises' cells.

        A thread, a full disk or memory that another cell left behind may have been the reason;
        then this exercise and those to come are run apart from it.
        """
        file, exercise = self.parent, self.about["exercise"]
        if self.about["role"] not in ("exercise", "probe") or not _starved(outcome):
            return outcome
        everything = len(file.good)
        file.apart = True
        if len(file.replays(exercise)) < everything:
            file.stop()
            kernel = file.ready(self)
            second = self.run_in(kernel) if kernel is not None else outcome
            file.apart = not _starved(second)
            return second
        file.apart = False
        return outcome

    def _judge(self, outcome: Outcome) -> CellResult:
        name, reply = self.cell.id, outcome.reply
        if outcome.status in ("timeout", "died"):
            return CellResult(name, outcome.status, message=clean(outcome.reason, 500))
        probe = self.about["role"] == "probe"
        known = {*self.about["probe"].get("forbids", []), *gates.ALWAYS} if probe else set()
        said = reply.get("forbidden")
        forbidden = tuple(n for n in sorted(known) if isinstance(said, list) and n in said)
        if outcome.status == "error":
            first = f"{clean(reply.get('ename'), 100)}: {clean(reply.get('evalue'), 2000)}"
            lines = reply.get("traceback")
            below = (
                "\n".join(clean(line) for line in lines[:200]) if isinstance(lines, list) else ""
            )
            message = first if probe or not below else f"{first}\n{below}"
            return CellResult(name, "error", message=clean(message, 4000), forbidden=forbidden)
        if not probe:
            printed = clean(outcome.printed, 4000) if self.about["role"] == "check" else ""
            return CellResult(name, "ok", message=printed)
        try:
            value = numbers(reply.get("value"))
        except ValueError as error:
            return CellResult(name, "error", message=str(error), forbidden=forbidden)
        return CellResult(name, "ok", value=value, forbidden=forbidden)

    def _account(self, result: CellResult, seconds: float) -> None:
        """Keep the books: who is run again, whose time is used up."""
        file, role = self.parent, self.about["role"]
        cut_off = result.status in ("timeout", "died")
        if role in _REPLAYED and result.status in ("ok", "error"):
            file.good.append(self)
        if role == "probe" and cut_off:
            file.ended.add(self.about["exercise"])
        if role == "extra":
            file.extra_ends += cut_off
            file.extra_left -= seconds
        file.note(cell=asdict(result) | {"seconds": round(seconds, 3)})

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], *_: Any) -> str:
        """Say it shortly: nobody reads pytest's own report."""
        return str(excinfo.value)
