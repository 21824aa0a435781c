"""Small stand-ins for the published files, with the right layout and sums of their own."""

from __future__ import annotations

import gzip
import hashlib
from pathlib import Path

import numpy as np
import pytest

from coursekit import data
from coursekit.data import formats

TRAIN, TEST = 600, 100


def idx(array: np.ndarray) -> bytes:
    """The bytes of an idx file: magic number, sizes, values."""
    head = (0x0800 + array.ndim).to_bytes(4, "big")
    return head + b"".join(n.to_bytes(4, "big") for n in array.shape) + array.tobytes()


def idx_files() -> dict[str, bytes]:
    """Four files whose pictures carry their own number, and whose labels follow from it."""
    files = {}
    for prefix, n, start in (("train", TRAIN, 0), ("t10k", TEST, 10_000)):
        number = np.arange(n) + start
        pictures = np.zeros((n, 28, 28), np.uint8)
        pictures[:, 0, 0], pictures[:, 0, 1] = number // 256, number % 256
        files[f"{prefix}-images-idx3-ubyte"] = idx(pictures)
        files[f"{prefix}-labels-idx1-ubyte"] = idx((number % 10).astype(np.uint8))
    return files


def use_small_sets(monkeypatch: pytest.MonkeyPatch, files: dict[str, bytes]) -> None:
    """Make the library expect these files in place of the real ones."""
    sums = {name: hashlib.md5(content).hexdigest() for name, content in files.items()}
    monkeypatch.setitem(formats.UNPACKED_MD5, "mnist", sums)
    monkeypatch.setattr(formats, "IDX_SIZES", {"train": TRAIN, "t10k": TEST})
    monkeypatch.setattr(data, "CHOOSE", TEST)


def write_mnist(folder: Path, files: dict[str, bytes], packed: bool = False) -> Path:
    """Write the files where torchvision keeps them; return that folder."""
    raw = folder / "MNIST" / "raw"
    raw.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        path = raw / f"{name}.gz" if packed else raw / name
        path.write_bytes(gzip.compress(content) if packed else content)
    return raw
