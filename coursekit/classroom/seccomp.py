"""A filter of system calls: what a notebook never needs and a namespace does not stop.

Namespaces leave some ways around the limits: memory that no process shows (memfd, System V shared
memory, a file system of one's own in a nested user namespace), sockets that know no network
namespace (vsock), and the calls through which kernels have been broken before. Each of these
answers "operation not permitted"; everything else is allowed.
"""

from __future__ import annotations

import errno
import platform
import struct

# What the filter denies: name -> its number on (x86_64, aarch64).
DENIED = {
    "memfd_create": (319, 279),
    "memfd_secret": (447, 447),
    "shmget": (29, 194),
    "msgget": (68, 186),
    "unshare": (272, 97),
    "setns": (308, 268),
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "move_mount": (429, 429),
    "open_tree": (428, 428),
    "fsopen": (430, 430),
    "fsmount": (432, 432),
    "mount_setattr": (442, 442),
    "open_by_handle_at": (304, 265),
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "io_uring_setup": (425, 425),
}
# Looked at more closely: socket (its family), clone (its flags), clone3 (flags out of sight).
_SPECIAL = {"socket": (41, 198), "clone": (56, 220), "clone3": (435, 435)}
_MACHINES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}
_FAMILIES = (1, 2, 10, 16)  # unix, inet, inet6, netlink
_NEW_NAMESPACE = 0x7E020000  # any CLONE_NEW... flag
_X32 = 0x40000000

_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_ALLOW, _KILL = 0x7FFF0000, 0x80000000
_NUMBER, _ARCHITECTURE, _FIRST_ARGUMENT = 0, 4, 16  # offsets in struct seccomp_data


def _refuse(number: int) -> int:
    return 0x00050000 | number


def filter_bytes(machine: str | None = None) -> bytes | None:
    """The filter as a classic BPF program.

    Args:
        machine: processor, as `platform.machine()` names it; this one's if None.

    Returns:
        8 bytes for each instruction; None where the numbers of the calls are not known here.

    Example:
        >>> len(filter_bytes("x86_64")) % 8, filter_bytes("abacus")
        (0, None)
    """
    known = _MACHINES.get(machine or platform.machine())
    if known is None:
        return None
    column, architecture = known
    denied, unknown = _refuse(errno.EPERM), _refuse(errno.ENOSYS)
    socket, clone, clone3 = (_SPECIAL[name][column] for name in ("socket", "clone", "clone3"))
    # (operation, how many to skip if true, and if false, operand)
    program: list[tuple[int, int, int, int]] = [
        (_LOAD, 0, 0, _ARCHITECTURE),
        (_EQUAL, 1, 0, architecture),
        (_RETURN, 0, 0, _KILL),
        (_LOAD, 0, 0, _NUMBER),
    ]
    if column == 0:
        program += [(_AT_LEAST, 0, 1, _X32), (_RETURN, 0, 0, _KILL)]
    for numbers in DENIED.values():
        program += [(_EQUAL, 0, 1, numbers[column]), (_RETURN, 0, 0, denied)]
    # The C library falls back to clone, whose flags can be seen.
    program += [(_EQUAL, 0, 1, clone3), (_RETURN, 0, 0, unknown)]
    program += [
        (_EQUAL, 0, 3, clone),
        (_LOAD, 0, 0, _FIRST_ARGUMENT),
        (_ANY_BIT, 0, 1, _NEW_NAMESPACE),
        (_RETURN, 0, 0, denied),
        # If this was clone, the first argument stands here now: its flags are no call's number.
        (_LOAD, 0, 0, _NUMBER),
        (_EQUAL, 0, len(_FAMILIES) + 2, socket),
        (_LOAD, 0, 0, _FIRST_ARGUMENT),
    ]
    for index, family in enumerate(_FAMILIES):
        program.append((_EQUAL, len(_FAMILIES) - index, 0, family))
    program += [(_RETURN, 0, 0, denied), (_RETURN, 0, 0, _ALLOW)]
    return b"".join(struct.pack("=HBBI", *instruction) for instruction in program)
