"""Data sets as uint8 tensors in memory, with fixed splits.

`load(name)` gives a `DataSet` with a training, a validation and a test `Split`; `prepare` (and
`binarise`, `dequantise` ...) turns its bytes into what a model is trained on.
"""

from __future__ import annotations

import os
from pathlib import Path

from coursekit import synthetic
from coursekit.data import formats
from coursekit.data.caches import read_cache, write_cache
from coursekit.data.folders import load_folder
from coursekit.data.preparations import (
    PREPARATIONS,
    add_noise,
    binarise,
    dequantise,
    mask,
    prepare,
    quantise,
    threshold,
)
from coursekit.data.splits import TITLES, DataSet, Split, check_count, fixed_shuffle
from coursekit.errors import CourseError
from coursekit.files import data_folder

__all__ = [
    "NAMES",
    "PREPARATIONS",
    "DataSet",
    "Split",
    "add_noise",
    "binarise",
    "dequantise",
    "load",
    "mask",
    "prepare",
    "quantise",
    "threshold",
]

NAMES = ("auto", "mnist", "fashion_mnist", "cifar10", "digits", "scenes", "folder:PATH")
CHOOSE = 10_000  # published training pictures kept apart for validation
SYNTHETIC_SIZES = {"train": 50_000, "validation": 10_000, "test": 10_000}


def _published(name: str, folder: Path) -> DataSet:
    pictures, labels, test_pictures, test_labels = formats.read_published(name, folder)
    order = fixed_shuffle(len(pictures))
    fit, choose = order[:-CHOOSE], order[-CHOOSE:]
    return DataSet(
        name=name,
        train=Split(pictures[fit], labels[fit]),
        validation=Split(pictures[choose], labels[choose]),
        test=Split(test_pictures, test_labels),
        class_names=formats.class_names(name),
        note=f"{TITLES[name]}: the first {len(fit):,} of a fixed shuffle of its training pictures "
        f"to fit, the other {CHOOSE:,} to choose, its {len(test_labels):,} test pictures to "
        "report.",
    )


def synthetic_cache(name: str, folder: Path) -> Path:
    """Return the file below the data folder in which a synthetic set is kept."""
    return folder / "synthetic" / f"{name}-{synthetic.VERSION}.safetensors"


def _synthetic(name: str, limit: int | None, folder: Path) -> DataSet:
    """Read a synthetic set from its cache, or draw as much of it as is asked for."""
    cache = synthetic_cache(name, folder)
    sizes = dict(SYNTHETIC_SIZES)
    if limit is not None:
        rest = max(limit // 5, 200)
        sizes = {split: min(n, limit if split == "train" else rest) for split, n in sizes.items()}
    kept = read_cache(cache)
    if kept is not None and set(kept[0]) == set(sizes):
        splits = {split: kept[0][split].take(n) for split, n in sizes.items()}
    else:
        draw = synthetic.digits if name == "digits" else synthetic.scenes
        # Each split has a seed of its own, so that no picture stands in two of them.
        splits = {split: Split(*draw(n, seed)) for seed, (split, n) in enumerate(sizes.items())}
        if limit is None:
            write_cache(cache, splits, {})
    return DataSet(
        name=name,
        train=splits["train"],
        validation=splits["validation"],
        test=splits["test"],
        class_names=synthetic.CLASS_NAMES[name],
        note=f"{TITLES[name].capitalize()}, drawn by coursekit (version {synthetic.VERSION}), "
        "each split from a seed of its own.",
    )


def load(
    name: str = "auto", *, limit: int | None = None, folder: str | os.PathLike[str] | None = None
) -> DataSet:
    """Load a data set into memory; nothing is downloaded.

    Args:
        name: "mnist", "fashion_mnist", "cifar10" (files in the data folder); "digits", "scenes"
            (drawn here); "folder:PATH" (your own pictures; a path that is not there is looked
            for in the data folder); "auto": MNIST if its files stand in
            the data folder, else the synthetic digits, with a line that says so.
        limit: number of training pictures; validation and test get a fifth of it each, at least
            200 (fewer where there are not so many). All of them if None.
        folder: the data folder; `coursekit.files.data_folder()` if None.

    Returns:
        The data set, its pictures as uint8 tensors on the CPU, its splits the same at every call.

    Raises:
        CourseError: if the name is unknown, or files are missing or damaged.

    Example:
        >>> data = load("digits", limit=300)
        >>> data.title, data.shape, len(data.train), len(data.test)
        ('synthetic digits', (1, 28, 28), 300, 200)
    """
    if limit is not None:
        check_count(limit, "load(limit=...)")
    where = data_folder() if folder is None else Path(folder)
    if name == "auto":
        name = "mnist" if formats.present("mnist", where) else "digits"
        if name == "digits":
            print(
                "MNIST is not in the data folder, so these are synthetic digits. "
                "To get MNIST: python -m coursekit download mnist"
            )
    if name in synthetic.CLASS_NAMES:
        return _synthetic(name, limit, where)
    if name in formats.PUBLISHED:
        data = _published(name, where)
    elif name.startswith("folder:"):
        data = load_folder(name.partition(":")[2], where)
    else:
        raise CourseError(f"There is no data set {name!r}: choose one of {', '.join(NAMES)}.")
    return data if limit is None else data.first(limit, max(limit // 5, 200))
