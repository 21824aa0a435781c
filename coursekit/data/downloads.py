"""Fetching the published data sets: with progress, checked sums, and going on where it was cut."""

from __future__ import annotations

import gzip
import http.client
import os
import shutil
import tarfile
import urllib.error
import urllib.request
import zlib
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

from coursekit.data import formats
from coursekit.data.splits import TITLES
from coursekit.errors import CourseError
from coursekit.files import atomic_path, data_folder

TIMEOUT = 30.0  # seconds without a byte before a server counts as silent
TRIES = 3  # times a cut connection is taken up again, for each address
BLOCK = 1 << 16


class _NotFetched(Exception):
    """A server did not give the file; its message says why."""


def download(
    name: str, folder: str | os.PathLike[str] | None = None, progress: bool = True
) -> Path:
    """Download a published data set into the data folder, where torchvision finds it too.

    Addresses and MD5 sums are torchvision's. A file takes its place only when it is whole and
    its sum is right; what was fetched before a cut waits in `.download/` and is gone on with.

    Args:
        name: "mnist" (11 MB to fetch), "fashion_mnist" (30 MB) or "cifar10" (170 MB).
        folder: the data folder; `coursekit.files.data_folder()` if None.
        progress: show a bar for each file.

    Returns:
        The folder that now holds the files.

    Raises:
        CourseError: if the name is unknown, the folder cannot be written, or no server gives
            the file with the right sum.
    """
    if name not in formats.PUBLISHED:
        drawn = "is drawn by coursekit and needs no download" if name in TITLES else "is unknown"
        raise CourseError(
            f"The data set {name!r} {drawn}: choose one of {', '.join(formats.PUBLISHED)}."
        )
    where = data_folder() if folder is None else Path(folder)
    target, waiting = formats.folder_of(name, where), where / ".download"
    for packed, md5, addresses, files in _parcels(name):
        if all(formats.sound(name, where, file) for file in files):
            continue
        part = waiting / packed
        try:
            waiting.mkdir(parents=True, exist_ok=True)
            _fetch(name, addresses, part, md5, progress)
            for file in files:
                with atomic_path(target / file) as temporary, open(temporary, "wb") as out:
                    _unpack(name, part, file, out)
            part.unlink()
        except OSError as error:
            raise CourseError(
                f"{TITLES[name]} cannot be written to {where} ({error.strerror or error}): mend "
                "that, or set COURSEKIT_DATA to a folder of your own."
            ) from error
        except (EOFError, zlib.error, tarfile.TarError, KeyError) as error:
            part.unlink(missing_ok=True)
            raise CourseError(f"{part.name} cannot be unpacked ({error}): try again.") from error
    if waiting.is_dir() and not any(waiting.iterdir()):
        waiting.rmdir()
    if progress:
        print(f"{TITLES[name]} is complete in {target}.")
    return target


def _parcels(name: str) -> list[tuple[str, str, list[str], list[str]]]:
    """List what is fetched: packed name, its MD5 sum, addresses, and the files it holds."""
    kind: Any = formats.torchvision_class(name)
    if name == "cifar10":
        return [(kind.filename, kind.tgz_md5, [kind.url], list(formats.sums_of(name)))]
    return [
        (packed, md5, [mirror + packed for mirror in kind.mirrors], [packed.removesuffix(".gz")])
        for packed, md5 in kind.resources
    ]


def _unpack(name: str, part: Path, file: str, out: IO[bytes]) -> None:
    if name == "cifar10":
        # Only the members asked for are read, so that an archive can write nowhere else.
        with tarfile.open(part) as archive:
            member = archive.extractfile(f"{formats.torchvision_class(name).base_folder}/{file}")
            if member is None:
                raise KeyError(file)
            shutil.copyfileobj(member, out)
    else:
        with gzip.open(part) as unpacked:
            shutil.copyfileobj(unpacked, out)


def _fetch(name: str, addresses: list[str], part: Path, md5: str, progress: bool) -> None:
    """Fetch one file to `part` from the first address that gives it with the right sum."""
    from torchvision.datasets.utils import check_integrity

    reasons = []
    for address in addresses:
        host = urlsplit(address).netloc
        for _ in range(TRIES):
            begun = part.is_file() and part.stat().st_size > 0
            try:
                _go_on(address, part, progress)
            except _NotFetched as error:
                reasons.append(f"{host}: {error}")
                if part.is_file() and part.stat().st_size > 0:
                    continue  # cut off: take it up again
                break
            if check_integrity(part, md5):
                return
            part.unlink(missing_ok=True)
            reasons.append(f"{host}: the MD5 sum of what it sent is wrong")
            if not begun:
                break  # the server itself sends wrong bytes; otherwise the begun part may have
    why = "; ".join(dict.fromkeys(reasons))
    part_stays = part.is_file() and part.stat().st_size > 0
    raise CourseError(
        f"{TITLES[name]} could not be downloaded, {part.name} did not come ({why}): check the "
        f"network and run `python -m coursekit download {name}` again"
        + (", it goes on where it stopped." if part_stays else ".")
    )


def _go_on(address: str, part: Path, progress: bool) -> None:
    """Fetch one address to `part`, after the bytes that are there already."""
    from tqdm import tqdm

    start = part.stat().st_size if part.is_file() else 0
    headers = {"User-Agent": "coursekit"} | ({"Range": f"bytes={start}-"} if start else {})
    try:
        with urllib.request.urlopen(
            urllib.request.Request(address, headers=headers), timeout=TIMEOUT
        ) as response:
            if response.status != http.HTTPStatus.PARTIAL_CONTENT:
                start = 0  # the server sends the whole file anew
            length = response.headers.get("Content-Length")
            total = start + int(length) if length and length.isdigit() else None
            done = start
            with (
                open(part, "ab" if start else "wb") as file,
                tqdm(total=total, initial=start, unit="B", unit_scale=True, desc=part.name,
                     disable=not progress) as bar,
            ):  # fmt: skip
                while block := response.read(BLOCK):
                    _write(file, block)
                    done += len(block)
                    bar.update(len(block))
    except urllib.error.HTTPError as error:
        if error.code == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            return  # nothing is left to fetch: the sum will tell whether what is there is right
        raise _NotFetched(f"it answers {error.code} {error.reason}") from error
    except (OSError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", None) or error
        raise _NotFetched(f"no connection, {reason}") from error
    if total is not None and done < total:
        raise _NotFetched(f"the connection was cut after {done:,} of {total:,} bytes")


def _write(file: IO[bytes], block: bytes) -> None:
    """Write a block; a full disk must not be taken for a broken network."""
    try:
        file.write(block)
    except OSError as error:
        raise CourseError(
            f"{file.name} cannot be written ({error.strerror}): make room, or set COURSEKIT_DATA "
            "to a folder on another disk."
        ) from error
