"""Executing a notebook in a fresh kernel, with one line that says how far it is."""

from __future__ import annotations

import importlib
import os
import sys
import time
from pathlib import Path
from types import ModuleType
from typing import Any

from coursekit.errors import CourseError
from coursekit.files import data_folder

# Without a terminal, a sign of life this often is enough.
QUIET_SECONDS = 20.0


def need(module: str) -> ModuleType:
    """Import what only the `classroom` extra brings.

    Args:
        module: a module's full name.

    Returns:
        The module.

    Raises:
        CourseError: it is not installed; says how to mend that.

    Example:
        >>> need("nbformat").__name__
        'nbformat'
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise CourseError(
            f"Running notebooks needs {module.partition('.')[0]}, which is not installed: "
            'pip install "coursekit[classroom]", or in a checkout make course.'
        ) from error


class _Line:
    """One line for a notebook: rewritten in a terminal, repeated now and then elsewhere."""

    def __init__(self, name: str, total: int) -> None:
        self.name, self.total = name, total
        self.terminal = sys.stdout.isatty()
        self.start = time.monotonic()
        self.last = -QUIET_SECONDS

    def _clock(self) -> str:
        seconds = int(time.monotonic() - self.start)
        return f"{seconds // 60}:{seconds % 60:02d}"

    def cell(self, number: int, name: str) -> None:
        line = f"{self.name}: cell {number} of {self.total}, {self._clock()}"
        if self.terminal:
            print(f"\r{line}  {name}"[:79].ljust(80), end="", flush=True)
        elif time.monotonic() - self.last >= QUIET_SECONDS:
            print(line, flush=True)
            self.last = time.monotonic()

    def end(self, words: str) -> None:
        line = f"{self.name}: {words}, {self._clock()}"
        print(f"\r{line:<80}" if self.terminal else line, flush=True)


def execute(notebook: Any, folder: Path, name: str, profile: str | None = None) -> str | None:
    """Run a notebook in a fresh kernel of this very Python, with a line of progress.

    Args:
        notebook: nbformat's notebook; its outputs are replaced in place.
        folder: where the kernel starts.
        name: what to call it in the line of progress.
        profile: value of COURSEKIT_PROFILE in the kernel; as it is outside if None.

    Returns:
        None, or one sentence on the cell that failed.

    Raises:
        CourseError: nbclient is not installed.
    """
    nbclient, exceptions = need("nbclient"), need("nbclient.exceptions")
    manager, kernelspec = need("jupyter_client.manager"), need("jupyter_client.kernelspec")
    kernel = need("ipykernel.kernelspec").get_kernel_dict()

    class ThisPython(manager.AsyncKernelManager):  # type: ignore[name-defined]
        @property
        def kernel_spec(self) -> Any:
            return kernelspec.KernelSpec(**kernel)

    code = [cell for cell in notebook.cells if cell.cell_type == "code" and cell.source.strip()]
    for cell in code:
        cell.execution_count, cell.outputs = None, []
    line, at = _Line(name, len(code)), 0

    def before(cell: Any, cell_index: int) -> None:
        nonlocal at
        if cell.cell_type == "code" and cell.source.strip():
            at += 1
            line.cell(at, cell.get("id", ""))

    client = nbclient.NotebookClient(
        notebook,
        timeout=None,
        kernel_name="python3",
        kernel_manager_class=ThisPython,
        # On one's own machine, the remark that a kernel's messages are not encrypted only worries.
        extra_arguments=["--log-level=CRITICAL"],
        resources={"metadata": {"path": str(folder)}},
        coalesce_streams=True,
        record_timing=False,
        store_widget_state=False,
        on_cell_execute=before,
    )
    try:
        client.execute(env=_environment(profile))
    except exceptions.CellExecutionError as error:
        words = f"{error.ename}: {error.evalue}".strip().splitlines()[0]
    except (exceptions.DeadKernelError, AssertionError):
        # On a signal nbclient shuts the kernel down, and then stumbles over its absence.
        if hasattr(client, "_async_cleanup_kernel_future"):
            raise KeyboardInterrupt from None
        words = "the kernel died (was there too little memory?)"
    else:
        line.end(f"{len(code)} cells")
        return None
    where = code[at - 1].get("id", "") if at else ""
    line.end(f"FAILED at cell {at} of {len(code)}")
    return f"{name}: cell {where} ({at} of {len(code)}) failed: {words}"


def _environment(profile: str | None) -> dict[str, str]:
    # The debugger's remark on frozen modules says nothing to a reader.
    env = {**os.environ, "PYDEVD_DISABLE_FILE_VALIDATION": "1"}
    if profile is not None:
        env["COURSEKIT_PROFILE"] = profile
    if env.get("COURSEKIT_DATA"):
        # The kernel starts in the notebook's folder, where a relative path means another one.
        env["COURSEKIT_DATA"] = str(data_folder().resolve())
    return env
