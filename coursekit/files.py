"""Where data, weights and figures are found, and how files are written whole or not at all."""

from __future__ import annotations

import hashlib
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock

from coursekit.errors import CourseError


def _is_repository(folder: Path) -> bool:
    return (folder / "notebooks").is_dir() and (folder / "coursekit" / "__init__.py").is_file()


def repository(start: Path | None = None) -> Path | None:
    """Find the course's repository in which a folder lies.

    Args:
        start: where to begin; the working directory if None.

    Returns:
        The nearest folder at or above `start` that holds `notebooks/` and `coursekit/`, or None.
    """
    here = (start or Path.cwd()).resolve()
    return next((folder for folder in (here, *here.parents) if _is_repository(folder)), None)


def package_repository() -> Path | None:
    """Find the checkout that the imported package lies in; None for an installed wheel."""
    folder = Path(__file__).resolve().parent.parent
    return folder if _is_repository(folder) else None


def _user_cache() -> Path:
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData" / "Local"))
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))
    return base / "coursekit"


def data_folder_and_reason() -> tuple[Path, str]:
    """Name the data folder and say why it is that one."""
    chosen = os.environ.get("COURSEKIT_DATA")
    if chosen:
        return Path(chosen).expanduser(), "COURSEKIT_DATA says so"
    root = repository()
    if root is not None:
        return root / "data", "the working directory lies in the course's repository"
    return _user_cache(), "COURSEKIT_DATA is not set and there is no repository around"


def data_folder() -> Path:
    """Name the folder for data sets, caches and downloaded weights.

    `COURSEKIT_DATA` if set; else `data/` of the repository in which the working directory lies;
    else the user's cache folder. The folder need not exist yet.
    """
    return data_folder_and_reason()[0]


@contextmanager
def atomic_path(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Give a temporary path beside `path`; rename it on success, remove it on any failure.

    Args:
        path: the file to write; missing folders above it are made.

    Yields:
        The temporary path to write to, with the same suffix.

    Raises:
        CourseError: if the folder cannot be written.

    Example:
        >>> import tempfile; folder = Path(tempfile.mkdtemp())
        >>> with atomic_path(folder / "a.txt") as temporary:
        ...     _ = temporary.write_text("whole")
        >>> (folder / "a.txt").read_text(), len(list(folder.iterdir()))
        ('whole', 1)
    """
    target = Path(path)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(
            dir=target.parent, prefix=f".{target.stem}-", suffix=target.suffix
        )
        os.close(handle)
    except OSError as error:
        raise CourseError(
            f"The folder {target.parent} cannot be written ({error.strerror}): mend its "
            "permissions, or set COURSEKIT_DATA to a folder of your own."
        ) from error
    temporary = Path(name)
    try:
        yield temporary
        # mkstemp makes private files; a course folder is often shared, so follow the umask.
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def locked(path: str | os.PathLike[str]) -> Iterator[None]:
    """Keep other processes out while a file is read, changed and written.

    Two trainings that end in the same instant would otherwise each write back what the other one
    does not have. The lock is a file in the system's temporary folder.

    Args:
        path: the file that is changed; it need not exist.
    """
    place = str(Path(path).resolve())
    name = hashlib.sha256(place.encode()).hexdigest()[:16]
    with FileLock(Path(tempfile.gettempdir()) / f"coursekit-{name}.lock", timeout=60):
        yield


def sha256(path: str | os.PathLike[str]) -> str:
    """Return a file's SHA-256 sum as 64 hexadecimal digits."""
    with open(path, "rb") as file:
        digest = hashlib.sha256()
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
