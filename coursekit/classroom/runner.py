"""Running one rebuilt notebook, shut in, and saying what came of each cell.

    run -> pytest (a process of its own) -> the plugin -> a kernel in the sandbox

The process in between reads everything that a kernel sends, so that nothing a submission does can
reach the grader's own memory; it writes plain JSON.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from coursekit.classroom import gates, sandbox
from coursekit.classroom.limits import Limits
from coursekit.classroom.results import CellResult
from coursekit.errors import CourseError

__all__ = ["CellResult", "Limits", "Run", "execute", "run"]

_PREFIX = "coursekit-"
_SLACK_SECONDS = 60.0  # beyond the limits, for pytest itself
# Two checkers of formats that no notebook needs take longer to import than all the rest of pytest.
_LAUNCH = """
import sys
sys.modules.update(dict.fromkeys(("rfc3987_syntax", "isoduration")))
import pytest
sys.exit(pytest.main(sys.argv[1:]))
"""


@dataclass(frozen=True)
class Run:
    """A whole run.

    Attributes:
        cells: one result for each cell, in order.
        start_seconds: what the kernels' starts took, together.
        kernels: how many were started.
        seconds: the whole, from call to return.
    """

    cells: list[CellResult]
    start_seconds: float
    kernels: int
    seconds: float


def run(
    notebook: Mapping[str, Any], seed: int, limits: Limits, sandboxed: bool = True
) -> list[CellResult]:
    """Run a rebuilt notebook.

    Args:
        notebook: as `submissions.rebuild` makes it: nbformat 4, code cells only; the metadata
            `coursekit` of each says its role, its exercise and, for a probe, id and forbids.
        seed: of the run; each probe gets its own from it.
        limits: what the submission may use.
        sandboxed: False runs it with this user's rights and files.

    Returns:
        A result for each cell, in order. A submission that breaks everything has results too.

    Raises:
        Unprotected: sandboxed, and this machine cannot shut a kernel in.
        CourseError: no kernel starts; a probe forbids a function that the library does not have.
    """
    return execute(notebook, seed, limits, sandboxed).cells


def execute(notebook: Mapping[str, Any], seed: int, limits: Limits, sandboxed: bool = True) -> Run:
    """Do what `run` does, and say how long the parts of it took."""
    started = time.monotonic()
    mode = "none"
    if sandboxed:
        protection = sandbox.probe()
        if not protection.ok:
            raise sandbox.Unprotected(
                "This machine cannot shut a submission in (" + "; ".join(protection.lines) + "): "
                "mend that, or choose --no-sandbox for submissions that you trust."
            )
        mode = protection.mode
    _check_forbids(notebook)
    _sweep()
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=_short_folder()))
    lock = _lock(folder)
    try:
        results = folder / "results.jsonl"
        job = {"limits": asdict(limits), "seed": seed, "mode": mode, "results": str(results)}
        job["grader"] = os.getpid()
        (folder / "job.json").write_text(json.dumps(job), encoding="utf-8")
        (folder / "notebook.ipynb").write_text(json.dumps(dict(notebook)), encoding="utf-8")
        results.touch()
        ended = _pytest(folder, limits)
        lines = _lines(results)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)
    return _collect(notebook, lines, ended, time.monotonic() - started)


def _check_forbids(notebook: Mapping[str, Any]) -> None:
    """Find an instructor's slip before anything starts."""
    for cell in notebook["cells"]:
        probe = cell["metadata"].get("coursekit", {}).get("probe", {})
        for name in probe.get("forbids", []):
            if name.split(".")[0] == gates.PACKAGE.name:
                gates.find(gates.PACKAGE, name)


def _lock(folder: Path) -> int:
    """Mark a folder as in use for as long as this process lives."""
    handle = os.open(folder, os.O_RDONLY)
    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    return handle


def _sweep() -> None:
    """Remove folders of runs whose grader was killed."""
    for folder in Path(_short_folder()).glob(f"{_PREFIX}*"):
        with suppress(OSError):
            if folder.stat().st_mtime < time.time() - 60:
                os.close(_lock(folder))
                shutil.rmtree(folder, ignore_errors=True)


def _short_folder() -> str:
    """Where sockets can stand: their paths may have about 100 characters."""
    folder = tempfile.gettempdir()
    return folder if len(folder) <= 50 else "/tmp"


def _pytest(folder: Path, limits: Limits) -> str:
    """Run the plugin in a process of its own; say how it ended if not by itself."""
    # The settings of whoever grades, and a conftest beside a submission, count for nothing.
    argv = [
        sys.executable, "-c", _LAUNCH, "-c", os.devnull, "--noconftest", "--rootdir",
        str(folder), "-p", "no:cacheprovider", "-q", "--tb=line", "-p", "nbval.plugin", "-p",
        "coursekit.classroom.plugin", "--coursekit-job", str(folder / "job.json"),
        str(folder / "notebook.ipynb"),
    ]  # fmt: skip
    env = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    paths = [str(gates.PACKAGE.parent), *filter(None, [env.get("PYTHONPATH")])]
    env |= {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONSAFEPATH": "1", "TMPDIR": str(folder)}
    env["PYTHONPATH"] = os.pathsep.join(paths)
    with open(folder / "pytest.log", "wb") as log:
        process = subprocess.Popen(
            argv, cwd=folder, env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            start_new_session=True,
        )  # fmt: skip
        try:
            process.wait(limits.total_seconds + 2 * limits.start_seconds + _SLACK_SECONDS)
        except subprocess.TimeoutExpired:
            return "the run was ended: it took longer than its limits allow"
        finally:
            with suppress(OSError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    if process.returncode in (0, 1):
        return ""
    words = (folder / "pytest.log").read_text(encoding="utf-8", errors="replace").strip()
    return f"the run broke off (pytest, {process.returncode}): {words[-3000:]}"


def _lines(results: Path) -> list[dict[str, Any]]:
    lines = []
    for line in results.read_text(encoding="utf-8").splitlines():
        with suppress(ValueError):  # a line cut off
            lines.append(json.loads(line))
    return lines


def _collect(
    notebook: Mapping[str, Any], lines: list[dict[str, Any]], ended: str, seconds: float
) -> Run:
    starts = [line["start_seconds"] for line in lines if "start_seconds" in line]
    found = {line["cell"]["cell_id"]: line["cell"] for line in lines if "cell" in line}
    cells = []
    for cell in notebook["cells"]:
        if cell["id"] in found:
            values = dict(found[cell["id"]])
            cells.append(CellResult(**{**values, "forbidden": tuple(values["forbidden"])}))
        else:
            cells.append(CellResult(cell["id"], "skipped", message=ended or "not run"))
    broken = [line["broken"] for line in lines if "broken" in line]
    if not found:
        broken.append(ended or "no cell was run")
    if broken and notebook["cells"]:
        raise CourseError(f"The grader itself failed, so this counts for nothing: {broken[0]}")
    return Run(cells, sum(starts), len(starts), seconds)
