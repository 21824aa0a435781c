"""Shutting a kernel in: bubblewrap's namespaces, limits on resources, a filter of system calls."""

from __future__ import annotations

import functools
import json
import os
import secrets
import shutil
import site
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
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
class Protection:
    """What of a kernel is shut in here, as tried out.

    Attributes:
        ok: submissions can be run safely.
        mode: "root" (namespaces made by root, the kernel runs as a user that owns nothing), "user"
            (made by an ordinary user) or "none".
        lines: one plain sentence for each thing that is or is not shut in.
    """

    ok: bool
    mode: str
    lines: tuple[str, ...]


@dataclass(frozen=True)
class Bounds:
    """What the kernel and each of its processes may use; see `runner.Limits`."""

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
        return {**os.environ, **variables, "COURSEKIT_DATA": str(data_folder())}
    return variables | {
        "PATH": f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin",
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


def _program(name: str) -> str | None:
    return shutil.which(name) or shutil.which(name, path="/usr/bin:/bin:/usr/sbin:/sbin")


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
    folders = {Path(os.path.realpath(name)) for name in found} | {Path(name) for name in found}
    ordered = sorted((f for f in folders if f.is_dir()), key=lambda f: len(f.parts))
    kept: list[Path] = []
    for folder in ordered:
        if not any(above in (folder, *folder.parents) for above in [Path("/usr"), *kept]):
            kept.append(folder)
    home = Path.home()
    for folder in kept:
        if folder in (Path("/"), home, *home.parents):
            raise Unprotected(f"Python lies in {folder} itself, so nothing beside it can be hidden.")
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


def _limits(bounds: Bounds, mode: str) -> list[str]:
    """The prlimit command in front of the kernel's own."""
    program = _program("prlimit")
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
        # Counted for the user: for root's spare user, and inside the user's own namespace.
        options["nproc"] = bounds.threads
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
    program = _program("bwrap")
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
            _program("setpriv") or "setpriv", "--reuid", user, "--regid", user, "--clear-groups",
            "--no-new-privs", "--inh-caps=-all", "--bounding-set=-all", "--", *limited,
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


@functools.cache
def probe() -> Protection:
    """Try out, once in a process, what can be shut in here.

    Returns:
        What holds and what does not; `ok` only if all that matters does.
    """
    if sys.platform != "linux":
        return Protection(False, "none", ("nothing is shut in: bubblewrap exists for Linux only",))
    for name in ("bwrap", "prlimit"):
        if _program(name) is None:
            package = {"bwrap": "bubblewrap", "prlimit": "util-linux"}[name]
            line = f"nothing is shut in: {name} is not installed (apt install {package})"
            return Protection(False, "none", (line,))
    modes = ["root", "user"] if os.geteuid() == 0 and _program("setpriv") else ["user"]
    result = Protection(False, "none", ("nothing is shut in",))
    for mode in modes:
        result = _try(mode)
        if result.ok:
            break
    return result


def _try(mode: str) -> Protection:
    hidden = [Path.cwd(), Path.home(), *([_PACKAGE.parent / "notebooks"] if package_repository() else [])]
    with tempfile.TemporaryDirectory(prefix="ck-") as name:
        place = Place(Path(name, "seen"), Path(name, "sockets"), Path(name, "seen"))
        place.visible.mkdir()
        place.visible.chmod(0o755)
        place.sockets.mkdir()
        secret = Path(name, "secret")
        secret.write_text("secret", encoding="utf-8")
        script = place.visible / "look.py"
        script.write_text(_LOOK, encoding="utf-8")
        argument = json.dumps([str(p) for p in (secret, *hidden, place.visible)])
        try:
            argv = command([sys.executable, "-S", str(script), argument], place, Bounds(), mode)
            done = subprocess.run(
                argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False
            )
        except (OSError, subprocess.SubprocessError, CourseError) as error:
            return Protection(False, "none", (f"nothing is shut in: {error}",))
    try:
        seen = json.loads(done.stdout)
    except ValueError:
        why = (done.stderr.strip().splitlines() or ["bwrap gave no reason"])[-1]
        hint = " (user namespaces may be switched off on this machine)" if mode == "user" else ""
        return Protection(False, "none", (f"nothing is shut in: {why}{hint}",))
    return _judge(seen, mode)


def _judge(seen: Mapping[str, object], mode: str) -> Protection:
    who = "a user that owns nothing" if mode == "root" else "this user, in a namespace of their own"
    facts = [
        (seen["files"] == [], "files: only Python, the library and the data sets, read only",
         f"files: these can be seen inside: {seen['files']}"),
        (seen["written"] == [], "writing: into its own /tmp, limited in size",
         f"writing: also into {seen['written']}"),
        (seen["network"] == ["lo"], "network: none", f"network: {seen['network']}"),
        (seen["processes"] == 1, f"processes: their own, as {who}; all die with the kernel",
         "processes: others' can be seen"),
        (seen["limited"], "memory, files and number of processes: limited",
         "memory, files and number of processes: not limited"),
        (not seen["privileged"], "privileges: none", "privileges: the kernel runs with some"),
    ]  # fmt: skip
    lines = [f"{'shut in' if good else 'NOT SHUT IN'}: {yes if good else no}" for good, yes, no in facts]
    extra = "system calls: those that go around the limits are refused"
    lines.append(
        f"shut in: {extra}" if seen["filtered"] else f"not shut in: {extra.replace('are', 'are not')}"
    )
    return Protection(all(good for good, _, _ in facts), mode, tuple(lines))


# Looks around from inside; prints what it finds as JSON.
_LOOK = '''
import ctypes, json, os, resource, socket, sys
*hidden, visible = json.loads(sys.argv[1])
def held(path):
    # An empty folder may stand on the way to one that is to be seen.
    if os.path.isdir(path):
        return any(held(os.path.join(path, n)) for n in os.listdir(path)
                   if n in ("notebooks", ".git", "submissions", ".ssh", ".bashrc"))
    return os.path.exists(path)
def writable(folder):
    try:
        name = os.path.join(folder, ".trial")
        open(name, "w").close()
        os.unlink(name)
        return True
    except OSError:
        return False
names = ("DATA", "FSIZE", "NPROC", "NOFILE", "CPU")
limits = [resource.getrlimit(getattr(resource, "RLIMIT_" + n))[1] for n in names]
status = dict(line.split(":", 1) for line in open("/proc/self/status"))
print(json.dumps({
    "files": [p for p in hidden if held(p)],
    "written": [p for p in ("/", "/usr", "/etc", "/dev", sys.prefix, visible) if writable(p)],
    "network": [name for _, name in socket.if_nameindex()],
    "processes": 1 if len([n for n in os.listdir("/proc") if n.isdigit()]) <= 2 else 2,
    "limited": all(value != resource.RLIM_INFINITY for value in limits),
    "privileged": int(status["CapEff"], 16) != 0 or os.geteuid() == 0
                  or status["NoNewPrivs"].strip() != "1",
    "filtered": status["Seccomp"].strip() == "2"
                and ctypes.CDLL(None).unshare(0x10000000) != 0,
}))
'''
