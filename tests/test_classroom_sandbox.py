"""What a kernel is shut in with, tried out from inside."""

from __future__ import annotations

import errno
import json
import os
import signal
import struct
import subprocess
import sys
import time
from pathlib import Path

import pytest
from classroom_kernels import need_sandbox

from coursekit.classroom import namespaces, sandbox, seccomp, watch
from coursekit.classroom.limits import Limits
from coursekit.classroom.runner import run
from coursekit.files import package_repository

MODES = ["root", "user"] if hasattr(os, "geteuid") and os.geteuid() == 0 else ["user"]
SMALL = namespaces.Bounds(memory_mb=300, disk_mb=8, cpu_seconds=20, threads=40, open_files=64)


def allowed(program, number, *arguments, architecture=0xC000003E):
    """Run the filter on a call, as the system would: None if allowed, else what it answers."""
    data = struct.pack("=iIQ6Q", number, architecture, 0, *arguments, *[0] * (6 - len(arguments)))
    steps = [struct.unpack_from("=HBBI", program, at) for at in range(0, len(program), 8)]
    value, at = 0, 0
    while True:
        operation, yes, no, operand = steps[at]
        at += 1
        if operation == 0x20:
            (value,) = struct.unpack_from("=I", data, operand)
        elif operation == 0x06:
            if operand == 0x7FFF0000:
                return None
            return "killed" if operand == 0x80000000 else operand & 0xFFFF
        else:
            holds = {0x15: value == operand, 0x35: value >= operand, 0x45: value & operand}
            at += yes if holds[operation] else no


@pytest.mark.parametrize(
    ("machine", "column", "architecture"),
    [("x86_64", 0, 0xC000003E), ("aarch64", 1, 0xC00000B7)],
)
def test_filter_refuses_what_it_should_and_nothing_else(machine, column, architecture):
    program = seccomp.filter_bytes(machine)

    def call(number, *arguments):
        return allowed(program, number, *arguments, architecture=architecture)

    for name, numbers in seccomp.DENIED.items():
        assert call(numbers[column]) == errno.EPERM, name
    clone, socket, clone3 = ((56, 41, 435), (220, 198, 435))[column]
    assert call(clone3) == errno.ENOSYS
    assert call(clone, 0x3D0F00) is None  # a thread
    assert call(clone, 0x10000000 | 17) == errno.EPERM  # a user namespace
    assert [call(socket, family) for family in (1, 2, 10, 16)] == [None] * 4
    assert [call(socket, family) for family in (40, 38, 17, 0)] == [errno.EPERM] * 4
    special = {numbers[column] for numbers in seccomp.DENIED.values()} | {clone, socket, clone3}
    assert all(call(number) is None for number in range(470) if number not in special)
    assert allowed(program, 0, architecture=0x40000003) == "killed"  # another machine's calls
    if machine == "x86_64":
        assert call(0x40000000) == "killed"


def test_a_process_tree_is_counted():
    code = "import os, time; x = bytearray(40_000_000); os.fork(); os.fork(); time.sleep(30)"
    process = subprocess.Popen([sys.executable, "-S", "-c", code])
    try:
        for _ in range(100):
            time.sleep(0.1)
            loose, strict = watch.usage(process.pid, 1e9), watch.usage(process.pid, 10)
            if loose.processes == 4 and loose.memory_mb > 150:
                break
        assert strict.processes == 4
        assert loose.memory_mb > 150 > strict.memory_mb > 38  # shared pages, counted once
        below = watch.descendants(process.pid)
    finally:
        for one in watch.descendants(process.pid):
            os.kill(one, signal.SIGKILL)
        process.wait()
    assert len(below) == 4
    assert watch.descendants(process.pid) == {}


def shut_in(tmp_path, mode, code, bounds=SMALL, **more):
    """Run Python inside; return what it prints as JSON."""
    place = namespaces.Place(tmp_path / "seen", tmp_path / "sockets", tmp_path / "seen")
    for folder in (tmp_path / "seen", tmp_path / "sockets"):
        folder.mkdir(exist_ok=True)
        folder.chmod(0o755)
    argv = namespaces.command([sys.executable, "-S", "-c", code], place, bounds, mode)
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False, **more)
    assert done.stdout, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(params=MODES)
def mode(request):
    need_sandbox()
    return request.param


LOOK_AROUND = """
import json, os
found = {}
for path in PATHS:
    try:
        found[path] = sorted(os.listdir(path))
    except NotADirectoryError:
        found[path] = "a file"
    except OSError:
        found[path] = None
print(json.dumps(found))
"""


def test_solutions_submissions_and_homes_are_not_there(tmp_path, mode):
    other = tmp_path / "submissions" / "ada"
    other.mkdir(parents=True)
    (other / "01_vae.ipynb").write_text("{}")
    (tmp_path / "expected.json").write_text("{}")
    paths = [tmp_path / "submissions", tmp_path / "expected.json", Path.home() / ".ssh", "/var/log"]
    root = package_repository()
    if root:
        names = ("notebooks", "tests", ".git", "data", "data/results.json", "coursekit")
        paths += [root / name for name in names]
    paths = [str(path) for path in paths]
    found = shut_in(tmp_path, mode, f"PATHS = {paths}\n{LOOK_AROUND}")
    assert {path: there for path, there in found.items() if there} == {}


def test_only_its_own_folder_can_be_written(tmp_path, mode):
    places = ["/", "/usr", "/etc", "/dev", "/proc", "/bin", sys.prefix, str(tmp_path / "seen")]
    code = f"""
import json, os
written = []
for folder in {places} + ["/tmp", "/dev/shm"]:
    try:
        open(os.path.join(folder, "trial"), "w").close()
        written.append(folder)
    except OSError:
        pass
print(json.dumps(written))
"""
    assert shut_in(tmp_path, mode, code) == ["/tmp", "/dev/shm"]
    assert not (tmp_path / "seen" / "trial").exists()


def test_its_folder_and_memory_have_an_end(tmp_path, mode):
    code = """
import json
def fails(action):
    try:
        action()
    except (OSError, MemoryError) as error:
        return type(error).__name__
def disk():
    for n in range(20):
        with open(f"/tmp/{n}", "wb") as file:
            file.write(bytes(1_000_000))
def one_file():
    with open("/dev/shm/x", "wb") as file:
        file.write(bytes(20_000_000))
print(json.dumps([fails(disk), fails(one_file), fails(lambda: bytearray(500_000_000))]))
"""
    assert shut_in(tmp_path, mode, code) == ["OSError", "OSError", "MemoryError"]


def test_no_network_no_privileges_no_new_namespaces(tmp_path, mode):
    code = """
import ctypes, json, os, socket
def fails(action):
    try:
        action()
    except OSError as error:
        return error.errno
libc = ctypes.CDLL(None, use_errno=True)
print(json.dumps({
    "names": [name for _, name in socket.if_nameindex()],
    "connect": fails(lambda: socket.create_connection(("192.0.2.1", 80), 2)),
    "vsock": fails(lambda: socket.socket(40, socket.SOCK_STREAM)),
    "memfd": fails(lambda: os.memfd_create("x")),
    "unshare": [libc.unshare(0x10000000), ctypes.get_errno()],
    "fork": os.waitpid(os.fork() or os._exit(0), 0)[1],
    "root": os.geteuid() == 0,
    "others": len([n for n in os.listdir("/proc") if n.isdigit()]),
    "environment": sorted(os.environ),
}))
"""
    environment = {**os.environ, "AWS_SECRET_ACCESS_KEY": "hush"}
    found = shut_in(tmp_path, mode, code, env=environment)
    assert found["names"] == ["lo"]
    assert found["connect"] == errno.ENETUNREACH
    assert found["fork"] == 0
    assert found["others"] <= 2
    assert not [name for name in found["environment"] if "AWS" in name or "PYTEST" in name]
    if mode == "root":
        assert not found["root"]
    if seccomp.filter_bytes():
        assert found["vsock"] == found["memfd"] == errno.EPERM
        assert found["unshare"] == [-1, errno.EPERM]


def test_processes_are_limited_and_die_with_the_first(tmp_path, mode):
    code = """
import os, sys, time
for n in range(200):
    try:
        if os.fork() == 0:
            os.setsid()
            time.sleep(60)
            os._exit(0)
    except BlockingIOError:
        break
print(n, flush=True)
time.sleep(60)
"""
    place = namespaces.Place(tmp_path / "seen", tmp_path / "sockets", tmp_path / "seen")
    place.visible.mkdir()
    place.sockets.mkdir()
    argv = namespaces.command([sys.executable, "-S", "-c", code], place, SMALL, mode)
    process = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
    try:
        made = int(process.stdout.readline())
        assert made >= 20
        if mode == "root" or os.geteuid() != 0:  # the system counts no processes of root's own
            assert made < SMALL.threads
        below = watch.descendants(process.pid)
        assert len(below) > 20
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
    for _ in range(100):
        left = [one for one in below if Path(f"/proc/{one}").exists()]
        if not left:
            break
        time.sleep(0.05)
    assert not left


def test_what_holds_is_told_in_plain_words():
    need_sandbox()
    protection = sandbox.probe()
    assert protection.mode in ("root", "user")
    assert len(protection.lines) >= 6
    assert all("shut in" in line for line in protection.lines)


@pytest.fixture
def anew():
    """Forget what was tried out, before the test and after it."""
    sandbox.probe.cache_clear()
    yield
    sandbox.probe.cache_clear()


def test_without_bubblewrap_it_says_what_to_install_and_refuses(monkeypatch, anew):
    monkeypatch.setattr(sandbox, "program_path", lambda name: None if name == "bwrap" else name)
    protection = sandbox.probe()
    assert not protection.ok
    if sys.platform == "linux":
        assert "apt install bubblewrap" in protection.lines[0]
    with pytest.raises(sandbox.Unprotected, match="--no-sandbox"):
        run({"cells": []}, 1, Limits())


def probe_with(script, folder, monkeypatch):
    """What the start-up probe makes of a `bwrap` that is this shell script."""
    if sys.platform != "linux":
        pytest.skip("bubblewrap exists for Linux only")
    fake = folder / "bwrap"
    fake.write_text(f"#!/bin/sh\n{script}\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    return sandbox.probe()


def test_a_bubblewrap_that_fails_is_not_believed(tmp_path, monkeypatch, anew):
    script = "echo 'bwrap: setting up uid map: Permission denied' >&2\nexit 1"
    protection = probe_with(script, tmp_path, monkeypatch)
    assert not protection.ok
    assert "Permission denied" in protection.lines[0]


def test_a_bubblewrap_that_shuts_nothing_in_is_not_believed(tmp_path, monkeypatch, anew):
    script = 'while [ "$1" != -- ]; do shift; done; shift\nexec "$@"'
    protection = probe_with(script, tmp_path, monkeypatch)
    assert not protection.ok
    assert any(line.startswith("NOT SHUT IN: files") for line in protection.lines)
