"""Pools that break: on this machine and on a Dask cluster, with a real scheduler and workers."""

import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from classroom_tasks import run
from classroom_tiny import as_bytes, put, solved

from coursekit.classroom.grade import grade
from coursekit.classroom.scheduling import DaskPool, LocalPool, run_all
from coursekit.classroom.submissions import collect
from coursekit.errors import CourseError

TESTS = Path(__file__).parent


@contextmanager
def closing(pool):
    try:
        yield pool
    finally:
        pool.close()


@pytest.fixture
def importable(monkeypatch):
    """Let other processes import the tasks."""
    path = os.pathsep.join([str(TESTS), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep)
    monkeypatch.setenv("PYTHONPATH", path)


@pytest.fixture
def local(importable):
    with closing(LocalPool(2)) as pool:
        yield pool


def results(pool, tasks):
    return dict(run_all(pool, run, tasks))


def test_all_results_come_back(local):
    tasks = [(n, ("double", n)) for n in range(12)]
    assert results(local, tasks) == {n: 2 * n for n in range(12)}


def test_tasks_are_taken_as_there_is_room(local):
    taken = []

    def tasks():
        for n in range(9):
            taken.append(n)
            yield n, ("double", n)

    found = run_all(local, run, tasks())
    next(found)
    assert len(taken) <= local.width + 1
    assert len(list(found)) == 8


def test_no_tasks_are_no_work(local):
    assert results(local, []) == {}


def test_an_exception_of_a_task_is_raised(local):
    with pytest.raises(RuntimeError, match="task 3"):
        results(local, [(3, ("fail", 3))])


def test_a_killer_costs_the_others_nothing(local, tmp_path):
    tasks = [(n, ("slow", n, 0.05)) for n in range(6)]
    tasks.insert(2, ("always", ("kill", "always", str(tmp_path), 99)))
    tasks.insert(4, ("once", ("kill", "once", str(tmp_path), 1)))
    found = results(local, tasks)
    assert found == {n: n for n in range(6)} | {"always": None, "once": "once"}


def test_two_killers_do_not_hide_behind_each_other(local, tmp_path):
    tasks = [(name, ("kill", name, str(tmp_path), 99)) for name in ("a", "b")]
    tasks += [(n, ("double", n)) for n in range(3)]
    assert results(local, tasks) == {"a": None, "b": None, 0: 0, 1: 2, 2: 4}


def test_a_pool_that_is_closed_at_once_does_not_wait(importable):
    pool = LocalPool(1)
    future = pool.submit(run, "slow", 1, 600)
    wait_for(future.running)
    time.sleep(1)
    start = time.monotonic()
    pool.close(at_once=True)
    assert time.monotonic() - start < 60 and isinstance(future.exception(), KeyboardInterrupt)


# Dask --------------------------------------------------------------------------


def wait_for(condition, seconds=30.0, what="the cluster"):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := condition():
            return found
        time.sleep(0.05)
    raise TimeoutError(what)


class Cluster:
    """A scheduler and worker processes on this machine, each of its own."""

    def __init__(self, folder):
        self.folder, self.processes, self.workers = folder, [], []
        address = folder / "scheduler.json"
        self._start("scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard",
                    "--scheduler-file", str(address))  # fmt: skip
        self.file = address
        wait_for(lambda: address.exists() and address.read_text().endswith("}"), what="scheduler")
        import json

        self.address = json.loads(address.read_text())["address"]

    def _start(self, kind, *options):
        log = open(self.folder / f"{kind}-{len(self.processes)}.log", "wb")  # noqa: SIM115
        with log:
            process = subprocess.Popen(
                [sys.executable, "-m", "distributed.cli.dask_" + kind, *options],
                cwd=self.folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True,
            )  # fmt: skip
        self.processes.append(process)
        return process

    def add_worker(self):
        """Start a worker without a nanny, so that a killed one stays away."""
        worker = self._start(
            "worker", self.address, "--no-nanny", "--nthreads", "1", "--no-dashboard",
            "--host", "127.0.0.1", "--local-directory", str(self.folder),
            "--death-timeout", "60",
        )  # fmt: skip
        self.workers.append(worker)

    def close(self):
        for process in reversed(self.processes):
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


@pytest.fixture
def cluster(tmp_path, importable):
    pytest.importorskip("distributed")
    folder = tmp_path / "cluster"
    folder.mkdir()
    cluster = Cluster(folder)
    try:
        for _ in range(2):
            cluster.add_worker()
        yield cluster
    finally:
        cluster.close()


def workers_of(pool):
    return pool._client.scheduler_info()["workers"]


def test_a_worker_killed_in_the_middle_loses_no_task(cluster, tmp_path):
    with closing(DaskPool(cluster.address)) as pool:
        wait_for(lambda: len(workers_of(pool)) == 2, what="two workers")
        found = run_all(pool, run, [(n, ("slow", n, 0.3)) for n in range(10)])
        done = dict([next(found), next(found)])
        cluster.workers[0].kill()
        done |= dict(found)
        assert done == {n: n for n in range(10)}
        assert len(workers_of(pool)) == 1


def test_no_scheduler_gets_a_sentence(unused_port):
    with pytest.raises(CourseError, match="No Dask scheduler answers at tcp://127"):
        DaskPool(f"tcp://127.0.0.1:{unused_port}", seconds=1)


@pytest.fixture
def unused_port():
    pytest.importorskip("distributed")
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_a_scheduler_that_goes_away_gets_a_sentence(cluster):
    with closing(DaskPool(cluster.address)) as pool:
        wait_for(lambda: workers_of(pool), what="a worker")
        found = run_all(pool, run, [(n, ("slow", n, 0.2)) for n in range(20)])
        next(found)
        os.killpg(cluster.processes[0].pid, signal.SIGKILL)
        with pytest.raises(CourseError, match="scheduler is gone"):
            list(found)


def test_submissions_are_graded_on_a_cluster_that_loses_a_worker(cluster, tmp_path):
    from coursekit.classroom.sandbox import probe

    submissions = tmp_path / "in"
    submissions.mkdir()
    (tmp_path / "tiny.ipynb").write_bytes(as_bytes(solved()))
    slow = "# EXERCISE square\nimport time\ntime.sleep(1)\ndef square(x): return x * x + {}"
    for n, wrong in enumerate((0, 1, 0)):
        body = as_bytes(put(solved(), "exercise-square", slow.format(wrong)))
        (submissions / f"student-{n}.ipynb").write_bytes(body)
    assert len(collect(submissions, "tiny.ipynb")[0]) == 3
    sent = []

    class Killing(DaskPool):
        def submit(self, function, *args):
            future = super().submit(function, *args)
            # The reference, and then each submission: the third is the second of these.
            if function.__name__ == "grade_one":
                sent.append(future)
            if len(sent) == 3:
                time.sleep(0.5)
                cluster.workers[0].kill()
            return future

    grades = grade(
        tmp_path / "tiny.ipynb",
        submissions,
        tmp_path / "out",
        sandboxed=probe().ok,
        progress=False,
        pool=Killing(cluster.address),
        seed=5,
    )
    assert len(sent) == 4 and cluster.workers[0].poll() is not None
    assert [one.total for one in grades.values()] == [4.5, 2.5, 4.5]
    assert not any("process" in note for one in grades.values() for note in one.notes)
