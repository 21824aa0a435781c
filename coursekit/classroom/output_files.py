"""Writing files: names made from students' names, which may hold anything; and nothing twice."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from coursekit.files import atomic_path

_RESERVED = re.compile(r"(?i)(con|prn|aux|nul|com\d|lpt\d)(\..*)?")
_NUMBERED = re.compile(r"-[0-9a-f]{8}$")
_MAX = 60


def write_if_changed(path: Path, body: bytes) -> None:
    """Write a file whole or not at all, and leave it alone where it holds the same already."""
    if not path.is_file() or path.read_bytes() != body:
        with atomic_path(path) as temporary:
            temporary.write_bytes(body)


def file_names(names: Sequence[str]) -> dict[str, str]:
    """Give each name a file name, without its suffix, that is safe anywhere and unique.

    A plain name stays as it is. Any other, and any two that a file system may take for one, get
    a few digits of the name's own SHA-256 sum at the end.

    Args:
        names: the names as shown; each once.

    Returns:
        Name -> file name of letters, digits, `.`, `_` and `-`, at most 60 of them.

    Example:
        >>> file_names(["anna", "../etc/passwd"])
        {'anna': 'anna', '../etc/passwd': 'etc-passwd-7fef78f5'}
    """
    plain = {name: _plain(name) for name in names}
    claims = Counter(candidate.casefold() for candidate in plain.values())
    return {
        name: candidate
        if candidate == name and claims[candidate.casefold()] == 1 and not _NUMBERED.search(name)
        else f"{candidate[: _MAX - 9]}-{_digits(name)}"
        for name, candidate in plain.items()
    }


def _plain(name: str) -> str:
    ascii_name = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    candidate = re.sub(r"[^\w.-]+", "-", ascii_name).strip("-. ")[:_MAX].rstrip("-.")
    return "student" if not candidate or _RESERVED.fullmatch(candidate) else candidate


def _digits(name: str) -> str:
    return hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:8]
