"""Answers that look for the solution, for others' work, or for a way out."""

from attacks import Attack

SEARCH = """
import os
def {f}(text):
    words, found = ("sta" + "mp_{n}(",), []
    for folder, folders, names in os.walk("/"):
        if folder in ("/proc", "/dev", "/usr") or folder.endswith(("/lib", "/include", "/share")):
            folders[:], names = [], []
        for name in names:
            path = os.path.join(folder, name)
            try:
                if os.path.getsize(path) < 200_000 and any(
                    word in open(path, errors="replace").read() for word in words
                ):
                    found.append(path)
            except OSError:
                pass
    raise LookupError(f"found {found}")
"""
PROCESSES = """
import os
def {f}(text):
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            for what in ("environ", "cmdline", "cwd", "fd", "root"):
                path = f"/proc/{name}/{what}"
                try:
                    seen = open(path).read() if what in ("environ", "cmdline") else ""
                    if "PYTEST" in seen or "submissions" in seen:
                        found.append(path)
                except OSError:
                    pass
    raise LookupError(f"found {found}, {len([n for n in os.listdir('/proc') if n.isdigit()])}")
"""
NETWORK = """
import socket
def {f}(text):
    reached = []
    for family, address in [
        (socket.AF_INET, ("192.0.2.1", 80)), (socket.AF_INET, ("127.0.0.1", 22)),
        (socket.AF_INET, ("127.0.0.1", 8786)), (socket.AF_INET6, ("2001:db8::1", 80)),
        (getattr(socket, "AF_VSOCK", 40), (2, 1024)),
    ]:
        try:
            with socket.socket(family, socket.SOCK_STREAM) as there:
                there.settimeout(0.3)
                there.connect(address)
            reached.append(address)
        except OSError:
            pass
    try:
        socket.getaddrinfo("example.org", 80)
        reached.append("names")
    except OSError:
        pass
    raise LookupError(f"reached {reached}")
"""
CLIMB = """
import ctypes, os
def {f}(text):
    libc = ctypes.CDLL(None, use_errno=True)
    done = []
    for name, call in {
        "user": lambda: libc.unshare(0x10000000), "mount": lambda: libc.unshare(0x20000),
        "bind": lambda: libc.mount(b"/", b"/tmp", None, 4096, None),
        "root": lambda: libc.setuid(0), "chroot": lambda: libc.chroot(b"/tmp"),
        "trace": lambda: libc.ptrace(16, 1, 0, 0), "memfd": lambda: libc.memfd_create(b"x", 0),
        "limits": lambda: libc.setrlimit(6, (ctypes.c_ulong * 2)(10**6, 10**6)),
    }.items():
        if call() != -1:
            done.append(name)
    raise PermissionError(f"could {done}")
"""
SOCKETS = """
import glob, os
def {f}(text):
    folder = os.path.dirname(get_ipython().kernel.config.IPKernelApp.connection_file or "/tmp")
    wrote = []
    for place in {folder, *glob.glob("/tmp/*/"), *glob.glob("/tmp/*/*/*/")}:
        if not place.startswith(("/tmp/home", "/tmp/ipy")) and "coursekit-" in place:
            try:
                open(os.path.join(place, "x"), "w").close()
                wrote.append(place)
            except OSError:
                pass
    raise PermissionError(f"wrote {wrote}")
"""

ATTACKS = [
    Attack("the solution, on the disk", SEARCH, says="found []"),
    Attack("other processes", PROCESSES, says="found [], 2"),
    Attack("the network", NETWORK, says="reached []"),
    Attack("more rights", CLIMB, says="could []"),
    Attack("the kernel's own folder", SOCKETS, says="wrote []"),
    Attack("right, among them", "def {f}(text):\n    RIGHT", earns=True),
]
