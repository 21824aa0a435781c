"""Reading the published files of MNIST, Fashion-MNIST and CIFAR-10, with checks at every step."""

from __future__ import annotations

import gzip
import hashlib
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from coursekit.data.splits import TITLES
from coursekit.errors import CourseError

# MD5 sums of the unpacked files; torchvision knows only those of the packed ones.
UNPACKED_MD5: dict[str, dict[str, str]] = {
    "mnist": {
        "train-images-idx3-ubyte": "6bbc9ace898e44ae57da46a324031adb",
        "train-labels-idx1-ubyte": "a25bea736e30d166cdddb491f175f624",
        "t10k-images-idx3-ubyte": "2646ac647ad5339dbf082846283269ea",
        "t10k-labels-idx1-ubyte": "27ae3e4e09519cfbb04c329615203637",
    },
    "fashion_mnist": {
        "train-images-idx3-ubyte": "f4a8712d7a061bf5bd6d2ca38dc4d50a",
        "train-labels-idx1-ubyte": "9018921c3c673c538a1fc5bad174d6f9",
        "t10k-images-idx3-ubyte": "8181f5470baa50b63fa0f6fddb340f0a",
        "t10k-labels-idx1-ubyte": "15d484375f8d13e6eb1aabb0c3f46965",
    },
}
# Where torchvision keeps the files; written out, as importing torchvision takes a second.
FOLDERS = {
    "mnist": "MNIST/raw",
    "fashion_mnist": "FashionMNIST/raw",
    "cifar10": "cifar-10-batches-py",
}
IDX_SIZES = {"train": 60_000, "t10k": 10_000}
PUBLISHED = ("mnist", "fashion_mnist", "cifar10")

Arrays = tuple[Tensor, Tensor, Tensor, Tensor]  # train pictures, labels, test pictures, labels


def torchvision_class(name: str) -> Any:
    """Return torchvision's class for a published data set: it knows addresses, names and sums."""
    from torchvision import datasets

    return {
        "mnist": datasets.MNIST,
        "fashion_mnist": datasets.FashionMNIST,
        "cifar10": datasets.CIFAR10,
    }[name]


def class_names(name: str) -> tuple[str, ...]:
    """Return the name of each label of a published data set."""
    if name == "mnist":
        return tuple("0123456789")
    if name == "fashion_mnist":
        return tuple(torchvision_class(name).classes)
    # torchvision has these only inside the data files.
    return ("airplane", "automobile", "bird", "cat", "deer",
            "dog", "frog", "horse", "ship", "truck")  # fmt: skip


def _command(name: str) -> str:
    return f"`python -m coursekit download {name}`"


def _broken(name: str, path: Path, what: str) -> CourseError:
    return CourseError(
        f"{TITLES[name]} is damaged: {path} {what}; {_command(name)} fetches it anew."
    )


def folder_of(name: str, folder: Path) -> Path:
    """Return the folder below the data folder in which torchvision keeps a data set's files."""
    return folder / FOLDERS[name]


def sums_of(name: str) -> dict[str, str]:
    """Return the MD5 sum of each unpacked file of a published data set."""
    if name != "cifar10":
        return UNPACKED_MD5[name]
    kind = torchvision_class(name)
    files = {file: md5 for file, md5 in (*kind.train_list, *kind.test_list)}
    return files | {kind.meta["filename"]: kind.meta["md5"]}


def _find(folder: Path, file: str) -> Path | None:
    plain, packed = folder / file, folder / f"{file}.gz"
    return plain if plain.is_file() else packed if packed.is_file() else None


def present(name: str, folder: Path) -> bool:
    """Say whether any file of a published data set stands in the data folder, sound or not."""
    raw = folder_of(name, folder)
    return any(_find(raw, file) is not None for file in sums_of(name)) if raw.is_dir() else False


def _read(name: str, folder: Path, file: str) -> tuple[Path, bytes]:
    """Read one file, unpacked if need be, and hold it against its MD5 sum."""
    raw = folder_of(name, folder)
    path = _find(raw, file)
    if path is None:
        raise CourseError(
            f"{TITLES[name]} is not complete: {raw / file} is missing; "
            f"{_command(name)} fetches it, or set COURSEKIT_DATA to the folder that holds it."
        )
    try:
        content = path.read_bytes()
        if path.suffix == ".gz":
            content = gzip.decompress(content)
    except (OSError, EOFError, zlib.error) as error:
        raise _broken(name, path, f"cannot be read ({error})") from error
    return path, content


def _check_md5(name: str, path: Path, content: bytes, expected: str) -> None:
    found = hashlib.md5(content, usedforsecurity=False).hexdigest()
    if found != expected:
        raise _broken(name, path, f"has the MD5 sum {found} instead of {expected}")


def sound(name: str, folder: Path, file: str) -> bool:
    """Say whether one file of a published data set is there and has the right MD5 sum."""
    try:
        path, content = _read(name, folder, file)
        _check_md5(name, path, content, sums_of(name)[file])
    except CourseError:
        return False
    return True


def _read_idx(name: str, folder: Path, file: str, shape: tuple[int, ...]) -> Tensor:
    """Read one idx file: magic number 0x0000080d (d axes of bytes), d sizes, then the bytes."""
    path, content = _read(name, folder, file)
    header = 4 + 4 * len(shape)
    magic = 0x0800 + len(shape)
    if len(content) < header:
        raise _broken(name, path, f"is cut off after {len(content)} bytes")
    start = int.from_bytes(content[:4], "big")
    if start != magic:
        raise _broken(name, path, f"starts with the number {start:#06x} instead of {magic:#06x}")
    sizes = tuple(int(size) for size in np.frombuffer(content[4:header], ">u4"))
    if sizes != shape:
        raise _broken(name, path, f"holds an array of shape {sizes} instead of {shape}")
    expected = header + int(np.prod(shape))
    if len(content) != expected:
        kind = "is cut off" if len(content) < expected else "is too long"
        raise _broken(name, path, f"{kind}: {len(content)} bytes instead of {expected}")
    _check_md5(name, path, content, sums_of(name)[file])
    array = np.frombuffer(content, np.uint8, offset=header).reshape(shape)
    return torch.from_numpy(array.copy())


def _read_idx_set(name: str, folder: Path) -> Arrays:
    parts: list[Tensor] = []
    for prefix, n in IDX_SIZES.items():
        pictures = _read_idx(name, folder, f"{prefix}-images-idx3-ubyte", (n, 28, 28))
        labels = _read_idx(name, folder, f"{prefix}-labels-idx1-ubyte", (n,))
        parts += [pictures[:, None], labels.long()]
    return parts[0], parts[1], parts[2], parts[3]


def _read_cifar10(folder: Path) -> Arrays:
    # The files are pickles, which may run code when read: so their sums are checked first.
    for file, md5 in sums_of("cifar10").items():
        path, content = _read("cifar10", folder, file)
        _check_md5("cifar10", path, content, md5)
    parts: list[Tensor] = []
    for train in (True, False):
        part = torchvision_class("cifar10")(folder, train=train)
        pictures = torch.from_numpy(part.data).permute(0, 3, 1, 2).contiguous()
        parts += [pictures, torch.tensor(part.targets, dtype=torch.int64)]
    return parts[0], parts[1], parts[2], parts[3]


def read_published(name: str, folder: Path) -> Arrays:
    """Read a published data set from the data folder, where torchvision would look for it.

    Args:
        name: mnist, fashion_mnist or cifar10.
        folder: the data folder; MNIST is sought in `MNIST/raw/`, packed (.gz) or not.

    Returns:
        Training pictures uint8 (N, C, H, W), their labels int64 (N,), test pictures and labels.

    Raises:
        CourseError: if a file is missing, cut off, of another shape, or has a wrong MD5 sum.
    """
    return _read_cifar10(folder) if name == "cifar10" else _read_idx_set(name, folder)


def state(name: str, folder: Path) -> str:
    """Say in a few words how a published data set stands: "absent", "sound" or what is wrong."""
    if not present(name, folder):
        return "absent"
    try:
        read_published(name, folder)
    except CourseError as error:
        return str(error)
    return "sound"
