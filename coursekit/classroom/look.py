"""Looks around from inside the sandbox and prints what it finds, as JSON.

Started as a script with one argument: a JSON list of paths that must not be seen, and last a
folder that may be seen but not written to.
"""

from __future__ import annotations

import ctypes
import json
import os
import socket
import sys
from typing import Any

_TELLING = ("notebooks", "submissions", ".git", ".ssh", ".bashrc")
_NEW_USER_NAMESPACE = 0x10000000


def held(path: str) -> bool:
    """Whether something is there; an empty folder may stand on the way to what is to be seen.

    Example:
        >>> held("/no/such/thing"), held(__file__)
        (False, True)
    """
    if os.path.isdir(path):
        return any(held(os.path.join(path, n)) for n in os.listdir(path) if n in _TELLING)
    return os.path.exists(path)


def writable(folder: str) -> bool:
    """Whether a file can be made in a folder."""
    name = os.path.join(folder, ".trial")
    try:
        with open(name, "w", encoding="ascii"):
            pass
        os.unlink(name)
    except OSError:
        return False
    return True


def look(hidden: list[str], visible: str) -> dict[str, Any]:
    """Find out what can be seen and done from here."""
    import resource

    names = ("DATA", "FSIZE", "NPROC", "NOFILE", "CPU")
    limits = [resource.getrlimit(getattr(resource, f"RLIMIT_{name}"))[1] for name in names]
    with open("/proc/self/status", encoding="ascii") as file:
        status = dict(line.split(":", 1) for line in file)
    inside = ("/", "/usr", "/etc", "/dev", sys.prefix, visible)
    return {
        "files": [path for path in hidden if held(path)],
        "written": [folder for folder in inside if writable(folder)],
        "network": [name for _, name in socket.if_nameindex()],
        # The namespace's first process and this one.
        "alone": len([name for name in os.listdir("/proc") if name.isdigit()]) <= 2,
        "limited": all(value != resource.RLIM_INFINITY for value in limits),
        "privileged": int(status["CapEff"], 16) != 0
        or os.geteuid() == 0
        or status["NoNewPrivs"].strip() != "1",
        "filtered": status["Seccomp"].strip() == "2"
        and ctypes.CDLL(None).unshare(_NEW_USER_NAMESPACE) != 0,
    }


if __name__ == "__main__":
    *hidden_paths, visible_folder = json.loads(sys.argv[1])
    print(json.dumps(look(hidden_paths, visible_folder)))
