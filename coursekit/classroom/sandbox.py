"""Finding out whether a kernel can be shut in on this machine, by trying."""

from __future__ import annotations

import functools
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from coursekit.classroom.namespaces import Bounds, Place, Unprotected, command, program_path, python
from coursekit.errors import CourseError
from coursekit.files import package_repository

__all__ = ["Protection", "Unprotected", "probe"]

_PACKAGE = Path(__file__).resolve().parent.parent


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


@functools.cache
def probe() -> Protection:
    """Try out, once in a process, what can be shut in here.

    Returns:
        What holds and what does not; `ok` only if all that matters does.
    """
    if sys.platform != "linux":
        return Protection(False, "none", ("nothing is shut in: bubblewrap exists for Linux only",))
    for name in ("bwrap", "prlimit"):
        if program_path(name) is None:
            package = {"bwrap": "bubblewrap", "prlimit": "util-linux"}[name]
            line = f"nothing is shut in: {name} is not installed (apt install {package})"
            return Protection(False, "none", (line,))
    modes = ["root", "user"] if os.geteuid() == 0 and program_path("setpriv") else ["user"]
    result = Protection(False, "none", ("nothing is shut in",))
    for mode in modes:
        result = _try(mode)
        if result.ok:
            break
    return result


def _try(mode: str) -> Protection:
    hidden = [Path.cwd(), Path.home()]
    if package_repository():
        hidden += [_PACKAGE.parent / "notebooks", _PACKAGE.parent / ".git"]
    with tempfile.TemporaryDirectory(prefix="ck-") as name:
        place = Place(Path(name, "seen"), Path(name, "sockets"), Path(name, "seen"))
        place.visible.mkdir(mode=0o755)
        place.sockets.mkdir()
        secret = Path(name, "secret")
        secret.write_text("secret", encoding="utf-8")
        script = shutil.copy(Path(__file__).parent / "look.py", place.visible)
        paths = json.dumps([str(path) for path in (secret, *hidden, place.visible)])
        try:
            done = subprocess.run(
                command([python(), "-S", str(script), paths], place, Bounds(), mode),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=120,
                check=False,
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
    """Put into words what `look` found inside."""
    who = "a user that owns nothing" if mode == "root" else "this user, in a namespace of its own"
    facts = [
        (seen["files"] == [], "files: only Python, the library and the data sets, read only",
         f"files: these can be seen inside: {seen['files']}"),
        (seen["written"] == [], "writing: into its own /tmp, limited in size",
         f"writing: also into {seen['written']}"),
        (seen["network"] == ["lo"], "network: none", f"network: {seen['network']}"),
        (seen["alone"], f"processes: their own, as {who}; all die with the kernel",
         "processes: others' can be seen"),
        (seen["limited"], "memory, files and number of processes: limited",
         "memory, files and number of processes: not limited"),
        (not seen["privileged"], "privileges: none", "privileges: the kernel runs with some"),
    ]  # fmt: skip
    lines = [f"shut in: {well}" if good else f"NOT SHUT IN: {badly}" for good, well, badly in facts]
    if seen["filtered"]:
        lines.append("shut in: system calls that go around the limits are refused")
    else:
        lines.append("not shut in: system calls that go around the limits are not refused here")
    return Protection(all(good for good, _, _ in facts), mode, tuple(lines))
