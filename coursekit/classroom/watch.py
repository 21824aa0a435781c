"""Looking at a kernel's processes from outside, through /proc: how many, and how much memory."""

from __future__ import annotations

import os
from dataclasses import dataclass

_PAGE = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096


@dataclass(frozen=True)
class Usage:
    """What a process and all its descendants use.

    Attributes:
        processes: their number, the first included.
        memory_mb: resident memory, each shared page counted once where the system tells.
    """

    processes: int = 0
    memory_mb: float = 0.0


def _table() -> dict[int, tuple[int, int]]:
    """Process id -> (its parent's id, resident pages) for all that can be seen."""
    table = {}
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            with open(f"/proc/{name}/stat", "rb") as file:
                # The name of a program may hold anything; the rest follows its last bracket.
                fields = file.read().rpartition(b")")[2].split()
            table[int(name)] = (int(fields[1]), int(fields[21]))
        except (OSError, IndexError, ValueError):
            continue
    return table


def descendants(root: int) -> dict[int, int]:
    """The processes below one: id -> resident pages.

    Args:
        root: a process id; counts too, if it lives.

    Example:
        >>> os.getpid() in descendants(os.getppid())
        True
    """
    try:
        table = _table()
    except OSError:
        return {}
    children: dict[int, list[int]] = {}
    for process, (parent, _) in table.items():
        children.setdefault(parent, []).append(process)
    found, waiting = {}, [root] if root in table else []
    while waiting:
        process = waiting.pop()
        if process not in found:
            found[process] = table[process][1]
            waiting += children.get(process, [])
    return found


def _proportional_kb(process: int) -> int | None:
    try:
        with open(f"/proc/{process}/smaps_rollup", encoding="ascii") as file:
            return next(int(line.split()[1]) for line in file if line.startswith("Pss:"))
    except (OSError, StopIteration, ValueError):
        return None


def usage(root: int, enough_mb: float) -> Usage:
    """Count the processes below one and their memory.

    Args:
        root: a process id.
        enough_mb: below this the simple sum, which counts shared pages more than once, will do.

    Returns:
        Zeros where the system has no /proc.
    """
    found = descendants(root)
    memory = sum(found.values()) * _PAGE / 2**20
    if memory > enough_mb:
        shares = {process: _proportional_kb(process) for process in found}
        memory = sum(
            found[process] * _PAGE / 2**20 if share is None else share / 1024
            for process, share in shares.items()
        )
    return Usage(len(found), memory)
