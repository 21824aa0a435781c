"""Running many tasks on a pool that may break: on this machine, or on a Dask cluster.

A task that kills the process it runs in must not cost the others theirs. So whatever was lost is
run once more, alone; what is lost again was its own doing.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import (
    FIRST_COMPLETED,
    CancelledError,
    Executor,
    Future,
    ProcessPoolExecutor,
    wait,
)
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from typing import Any, Protocol, TypeVar

from coursekit.errors import CourseError

Key = TypeVar("Key")
GONE = "The Dask scheduler is gone. Start it again: the same command goes on from here."


class Pool(Protocol):
    """Where tasks run. Both kinds stand on the interface of `concurrent.futures`."""

    @property
    def lost(self) -> tuple[type[BaseException], ...]:
        """What a task's future raises where the task itself was lost."""

    @property
    def width(self) -> int:
        """How many tasks to keep submitted."""

    def submit(self, function: Callable[..., Any], *args: Any) -> Future[Any]:
        """Start a task."""

    def renew(self) -> bool:
        """Mend the pool after a loss; true if all that was submitted is lost with it."""

    def close(self, at_once: bool = False) -> None:
        """End it; what has not begun is dropped, and what runs is stopped if need be."""


class LocalPool:
    """Processes on this machine.

    Args:
        workers: how many.
    """

    lost: tuple[type[BaseException], ...] = (BrokenProcessPool, CancelledError)

    def __init__(self, workers: int) -> None:
        self.workers = workers
        self._executor = self._start()

    def _start(self) -> ProcessPoolExecutor:
        # Not forked: a fork of a process with threads (a progress bar's, torch's) may hang.
        context = multiprocessing.get_context("spawn")
        return ProcessPoolExecutor(self.workers, mp_context=context)

    @property
    def width(self) -> int:
        """A few more than there are workers, so that none waits."""
        return self.workers + 2

    def submit(self, function: Callable[..., Any], *args: Any) -> Future[Any]:
        """Start a task."""
        return self._executor.submit(function, *args)

    def renew(self) -> bool:
        """Start new processes: a pool that lost one gives up all its tasks."""
        self._executor.shutdown(wait=False, cancel_futures=True)
        self._executor = self._start()
        return True

    def close(self, at_once: bool = False) -> None:
        """End the processes; `at_once` interrupts them, so that they clean up behind themselves."""
        if at_once:
            for pid in list(self._executor._processes or ()):
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGINT)
        self._executor.shutdown(wait=True, cancel_futures=True)


class DaskPool:
    """A cluster of `dask.distributed`; it moves tasks from a worker that died to another.

    Args:
        address: the scheduler's, such as "tcp://10.0.0.5:8786".

    Raises:
        CourseError: nobody answers there, or dask.distributed is not installed.
    """

    def __init__(self, address: str, seconds: float = 15.0) -> None:
        try:
            from distributed import Client
            from distributed.comm.core import CommClosedError
            from distributed.scheduler import KilledWorker
        except ImportError:
            raise CourseError(
                "--scheduler needs dask.distributed: pip install 'coursekit[classroom]'."
            ) from None
        self.lost: tuple[type[BaseException], ...] = (
            KilledWorker,
            CommClosedError,
            CancelledError,
        )
        try:
            self._client = Client(address, timeout=seconds, set_as_default=False)
        except (OSError, ValueError) as error:
            raise CourseError(f"No Dask scheduler answers at {address} ({error}).") from None
        # Two equal submissions are two tasks, and nothing here is computed from its arguments.
        self._executor: Executor = self._client.get_executor(pure=False)

    @property
    def width(self) -> int:
        """Twice the cluster's threads, as many as there are just now."""
        try:
            return max(4, 2 * sum(self._client.nthreads().values()))
        except (OSError, TimeoutError) as error:
            raise CourseError(GONE) from error

    def submit(self, function: Callable[..., Any], *args: Any) -> Future[Any]:
        """Start a task."""
        return self._executor.submit(function, *args)

    def renew(self) -> bool:
        """Hold the scheduler to be alive; the cluster mends itself."""
        if self._client.status != "running":
            raise CourseError(GONE)
        return False

    def close(self, at_once: bool = False) -> None:
        """Leave the cluster; what runs there comes to its end."""
        self._executor.shutdown(wait=False)
        self._client.close()


def run_all(
    pool: Pool, function: Callable[..., Any], tasks: Iterable[tuple[Key, Sequence[Any]]]
) -> Iterator[tuple[Key, Any]]:
    """Run tasks and yield their results as they come.

    Args:
        pool: where they run.
        function: what to call; an exception that it raises ends everything.
        tasks: (key, arguments); taken as there is room for them.

    Yields:
        (key, result); the result is None where a task was lost even when it ran alone.
    """
    source = iter(tasks)
    waiting: dict[Future[Any], tuple[Key, Sequence[Any]]] = {}
    suspects: list[tuple[Key, Sequence[Any]]] = []

    def mend() -> None:
        if pool.renew():
            suspects.extend(waiting.values())
            waiting.clear()

    more = True
    while more or waiting:
        while more and len(waiting) < pool.width:
            task = next(source, None)
            more = task is not None
            if task is None:
                continue
            try:
                waiting[pool.submit(function, *task[1])] = task
            except pool.lost:
                suspects.append(task)
                mend()
        done, _ = wait(waiting, return_when=FIRST_COMPLETED)
        broken = False
        for future in done:
            task = waiting.pop(future)
            try:
                result = future.result()
            except pool.lost:
                suspects.append(task)
                broken = True
            else:
                yield task[0], result
        if broken:
            mend()
    for key, args in suspects:
        yield key, _alone(pool, function, args)


def _alone(pool: Pool, function: Callable[..., Any], args: Sequence[Any]) -> Any:
    # Twice: a machine short of memory may take a task that did nothing wrong.
    for _ in range(2):
        try:
            return pool.submit(function, *args).result()
        except pool.lost:
            pool.renew()
    return None
