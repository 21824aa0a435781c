"""The command that runs a kernel shut in: bubblewrap's namespaces, limits, the filter of calls."""

from __future__ import annotations

import os
import secrets
import shutil
import site
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from coursekit.classroom.seccomp import filter_bytes
from coursekit.errors import CourseError
from coursekit.files import data_folder, package_repository

# What of /etc a program needs; the names of this machine's users are not among it.
_ETC = ("ld.so.cache", "ld.so.conf", "ld.so.conf.d", "alternatives", "localtime", "fonts", "ssl")
# What of the data folder a notebook may read.
DATA_FOLDERS = ("MNIST", "FashionMNIST", "cifar-10-batches-py", "synthetic", "checkpoints")
_PACKAGE = Path(__file__).resolve().parent.parent


class Unprotected(CourseError):
    """This machine cannot shut a kernel in."""


@dataclass(frozen=True)
class Bounds:
    """What the kernel and each of its processes may use; see `limits.Limits`."""

    memory_mb: int = 4096
    disk_mb: int = 256
    cpu_seconds: int = 1800
    threads: int = 256
    open_files: int = 512


@dataclass(frozen=True)
class Place:
    """The folders that a kernel sees besides the system.

    Attributes:
        visible: read only, at the same path inside.
        sockets: writable; the runner removes it before a notebook's code runs.
        library: the folder of the staged library, inside `visible`.
        data: where the data sets appear, inside `visible`.
    """

    visible: Path
    sockets: Path
    library: Path
    data: Path = field(default=Path("/nonexistent"))


def environment(place: Place, protected: bool = True) -> dict[str, str]:
    """The variables that a kernel starts with.

    Args:
        place: its folders.
        protected: False where there is no sandbox: then they are added to the grader's own.
    """
    home = "/tmp/home"
    variables = {
        "PYTHONPATH": str(place.library),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYDEVD_DISABLE_FILE_VALIDATION": "1",
        "COURSEKIT_PROFILE": "smoke",
        "COURSEKIT_DATA": str(place.data),
    } | {f"{name}_NUM_THREADS": "1" for name in ("OMP", "MKL", "OPENBLAS", "NUMEXPR")}
    if not protected:
        own = {name: value for name, value in os.environ.items() if name != "PYTHONSAFEPATH"}
        return {**own, **variables, "COURSEKIT_DATA": str(data_folder())}
    return variables | {
        "PATH": f"{Path(python()).parent}:/usr/local/bin:/usr/bin:/bin",
        "HOME": home,
        "IPYTHONDIR": f"{home}/ipython",
        "MPLCONFIGDIR": f"{home}/matplotlib",
        "TMPDIR": "/tmp",
        "USER": "student",
        "LOGNAME": "student",
        "LANG": "C.UTF-8",
    }


def font_lists() -> list[Path]:
    """Matplotlib's lists of fonts on this machine: making one takes a kernel seconds."""
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "matplotlib"
    return sorted(Path(os.environ.get("MPLCONFIGDIR", cache)).glob("fontlist-*.json"))


def program_path(name: str) -> str | None:
    """Where a system program lies, if it does."""
    return shutil.which(name) or shutil.which(name, path="/usr/bin:/bin:/usr/sbin:/sbin")


def python() -> str:
    """This Python's path, without the detours by which it may have been called."""
    return os.path.abspath(sys.executable)


def _spare_user() -> int:
    """A user id that owns nothing and has no other process, within those this machine maps."""
    try:
        with open("/proc/self/uid_map", encoding="ascii") as file:
            size = max(int(line.split()[0]) + int(line.split()[2]) for line in file)
    except (OSError, ValueError, IndexError):
        size = 60_000
    low, high = (10**9, 2 * 10**9) if size > 2 * 10**9 else (size // 2, size - 1)
    return low + secrets.randbelow(max(high - low, 1))


def _parents(path: Path) -> Iterator[str]:
    """Options that make the folders above a path, open to the kernel's user."""
    for folder in reversed(path.parents[:-1]):
        yield from ("--perms", "0755", "--dir", str(folder))


def _python_folders() -> list[Path]:
    """The folders that this Python and its packages live in, outermost first."""
    found = {sys.prefix, sys.base_prefix, sys.exec_prefix, sys.base_exec_prefix}
    found |= set(site.getsitepackages())
    if site.ENABLE_USER_SITE:
        found.add(site.getusersitepackages())
    folders = {Path(path(name)) for name in found for path in (os.path.realpath, os.path.abspath)}
    ordered = sorted((f for f in folders if f.is_dir()), key=lambda f: len(f.parts))
    kept: list[Path] = []
    for folder in ordered:
        if not any(above in (folder, *folder.parents) for above in [Path("/usr"), *kept]):
            kept.append(folder)
    home = Path.home()
    for folder in kept:
        if folder in (Path("/"), home, *home.parents):
            raise Unprotected(
                f"Python lies in {folder} itself, so nothing beside it can be hidden: use a venv."
            )
    return kept


def _mounts(place: Place, bounds: Bounds) -> list[str]:
    """What stands where in the kernel's file system; all else is not there."""
    size = str(bounds.disk_mb * 2**20)
    options = ["--ro-bind", "/usr", "/usr"]
    for name in ("bin", "sbin", "lib", "lib32", "lib64", "libx32"):
        path = Path("/", name)
        if path.is_symlink():
            options += ["--symlink", os.readlink(path), str(path)]
        elif path.is_dir():
            options += ["--ro-bind", str(path), str(path)]
    options += ["--perms", "0755", "--dir", "/etc"]
    for name in _ETC:
        options += ["--ro-bind-try", f"/etc/{name}", f"/etc/{name}"]
    passwd = place.visible / "passwd"
    if passwd.exists():
        options += ["--ro-bind", str(passwd), "/etc/passwd"]
    options += ["--proc", "/proc", "--dev", "/dev"]
    options += ["--perms", "1777", "--size", size, "--tmpfs", "/dev/shm", "--remount-ro", "/dev"]
    options += ["--perms", "1777", "--size", size, "--tmpfs", "/tmp"]
    python = _python_folders()
    for folder in python:
        options += [*_parents(folder), "--ro-bind", str(folder), str(folder)]
    if any(folder in _PACKAGE.parents for folder in [Path("/usr"), *python]):
        # A checkout or an installed package inside one of Python's folders.
        options += ["--tmpfs", str(_PACKAGE), "--remount-ro", str(_PACKAGE)]
        for name in ("notebooks", "tests", "data", ".git") if package_repository() else ():
            if (_PACKAGE.parent / name).is_dir():
                options += ["--tmpfs", str(_PACKAGE.parent / name)]
                options += ["--remount-ro", str(_PACKAGE.parent / name)]
    for folder, how in ((place.visible, "--ro-bind"), (place.sockets, "--bind")):
        options += [*_parents(folder), how, str(folder), str(folder)]
    for name in DATA_FOLDERS:
        if (place.data / name).is_dir() and (data_folder() / name).is_dir():
            options += ["--ro-bind", str(data_folder() / name), str(place.data / name)]
    return [*options, "--remount-ro", "/", "--chdir", "/tmp"]


def _own_threads() -> int:
    """How many threads this user has, where the system does not count by namespace."""
    try:
        release = tuple(int(part) for part in os.uname().release.split(".")[:2])
    except ValueError:
        release = (0, 0)
    if release >= (5, 14):
        return 0
    count = 0
    for folder in Path("/proc").glob("[0-9]*/task"):
        with suppress(OSError):
            count += len(list(folder.iterdir())) if folder.stat().st_uid == os.getuid() else 0
    return count


def _limits(bounds: Bounds, mode: str) -> list[str]:
    """The prlimit command in front of the kernel's own."""
    program = program_path("prlimit")
    if program is None:
        return []
    import resource  # not there on Windows

    megabyte = 2**20
    options = {
        # Memory that is written to; torch reserves far more addresses than it uses.
        "data": bounds.memory_mb * megabyte,
        "as": (bounds.memory_mb + 12 * 1024) * megabyte,
        "fsize": bounds.disk_mb * megabyte,
        "cpu": bounds.cpu_seconds,
        "nofile": bounds.open_files,
        "core": 0,
        "msgqueue": 0,
    }
    if mode != "none":
        # Counted for the user: root's spare one, or this one inside its namespace. Before Linux
        # 5.14 all that this user runs counts.
        options["nproc"] = bounds.threads + (_own_threads() if mode == "user" else 0)
    for name, value in list(options.items()):
        # Whoever grades may be limited too; nobody may go beyond that.
        hard = resource.getrlimit(getattr(resource, f"RLIMIT_{name.upper()}"))[1]
        options[name] = value if hard == resource.RLIM_INFINITY else min(value, hard)
    return [program, *(f"--{name}={value}:{value}" for name, value in options.items()), "--"]


def command(inner: Sequence[str], place: Place, bounds: Bounds, mode: str) -> list[str]:
    """The command that runs another one shut in.

    Args:
        inner: what to run.
        place: the folders that it sees.
        bounds: its limits.
        mode: as `Protection.mode` says; "none" leaves only the limits.

    Returns:
        An argv. The process that it starts takes all its descendants with it when it dies.
    """
    limited = [*_limits(bounds, mode), *inner]
    if mode == "none":
        return limited
    program = program_path("bwrap")
    if program is None:
        raise Unprotected("bubblewrap (bwrap) is not installed: apt install bubblewrap")
    options = [
        "--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts", "--unshare-cgroup-try",
        "--die-with-parent", "--new-session", "--clearenv", "--hostname", "kernel",
    ]  # fmt: skip
    for name, value in environment(place).items():
        options += ["--setenv", name, value]
    if mode == "root":
        user = str(_spare_user())
        os.chown(place.sockets, int(user), int(user))
        options += ["--cap-drop", "ALL"]
        for capability in ("CAP_SETUID", "CAP_SETGID", "CAP_SETPCAP"):
            options += ["--cap-add", capability]
        limited = [
            program_path("setpriv") or "setpriv", "--reuid", user, "--regid", user,
            "--clear-groups", "--no-new-privs", "--inh-caps=-all", "--bounding-set=-all", "--",
            *limited,
        ]  # fmt: skip
    else:
        options += ["--unshare-user"]
    options += _mounts(place, bounds)
    rules = filter_bytes()
    if rules is None:
        return [program, *options, "--", *limited]
    path = place.visible / "seccomp"
    path.write_bytes(rules)
    shell = 'exec "$@" 9<"$0"'
    return ["/bin/sh", "-c", shell, str(path), program, *options, "--seccomp", "9", "--", *limited]
