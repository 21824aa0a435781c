"""What a submission may use."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """What a submission may use; each field is a number.

    Attributes:
        cell_seconds: one cell.
        total_seconds: one submission, with all its restarts.
        start_seconds: a kernel's start.
        memory_mb: the kernel with all its processes.
        disk_mb: its own /tmp, which stands in memory.
        output_kb: what one cell may print or display.
        processes: how many there may be at once.
        threads: the same for threads.
        open_files: of each process.

    Example:
        >>> Limits(cell_seconds=5).total_seconds
        900.0
    """

    cell_seconds: float = 60.0
    total_seconds: float = 900.0
    start_seconds: float = 120.0
    memory_mb: int = 4096
    disk_mb: int = 256
    output_kb: int = 8192
    processes: int = 32
    threads: int = 256
    open_files: int = 512
