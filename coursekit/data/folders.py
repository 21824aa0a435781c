"""Any folder of pictures as a data set.

Three layouts are read: `train/` and `test/` (and `validation/` or `val/`) with a folder for each
class in them, as torchvision's ImageFolder takes it; a folder for each class; pictures alone.
"""

from __future__ import annotations

import hashlib
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from coursekit.data.caches import read_cache, write_cache
from coursekit.data.splits import DataSet, Split, fixed_shuffle
from coursekit.errors import CourseError

SUFFIXES = (".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".pgm", ".tif", ".tiff", ".webp", ".gif")
MOST_BYTES = 8 * 2**30  # pictures lie in memory; more than this is a mistake rather than a wish
Found = list[tuple[str, str]]  # files with the name of their class


def load_folder(path: str | os.PathLike[str], data_folder: Path, progress: bool = True) -> DataSet:
    """Read a folder of pictures of one size; the result is kept in the data folder.

    Args:
        path: the folder, or its name in the data folder. Without a `test/` folder in it, a fixed
            shuffle keeps a tenth of the pictures for validation and a tenth for the test; without
            `validation/` or `val/`, a sixth of the training pictures is kept for validation, as
            with MNIST.
        data_folder: where the result is kept (in `pictures/`), until a file of the folder changes.
        progress: show a bar when reading takes longer than a second.

    Returns:
        A data set named "folder:PATH"; one channel if all pictures are grey, else three.

    Raises:
        CourseError: if the folder is missing or empty, a picture cannot be read, or sizes differ.
    """
    root = Path(path).expanduser()
    if str(path) and not root.is_dir() and (data_folder / root).is_dir():
        root = data_folder / root
    if not str(path) or not root.is_dir():
        raise CourseError(f"There is no folder {str(path)!r} to read pictures from.")
    layout = _layout(root)
    found = {name: _pictures(place) for name, place in layout.items()}
    for name, place in layout.items():
        if not found[name]:
            raise CourseError(
                f"There are no pictures in {place}: it should hold files such as .png or .jpg, "
                "alone or in a folder for each class."
            )
    cache = data_folder / "pictures" / f"{root.resolve().name}-{_print(root, found)}.safetensors"
    kept = read_cache(cache)
    if kept is None:
        classes = sorted({label for some in found.values() for _, label in some})
        splits = _split(_read(root, found, classes, progress))
        write_cache(cache, splits, {"classes": classes})
    else:
        splits, classes = kept[0], kept[1]["classes"]
    n, rest, last = (len(splits[name]) for name in ("train", "validation", "test"))
    return DataSet(
        name=f"folder:{path}",
        train=splits["train"],
        validation=splits["validation"],
        test=splits["test"],
        class_names=tuple(classes),
        note=f"The {n + rest + last:,} pictures of {root.resolve().name}: {n:,} to fit, {rest:,} "
        f"to choose, {last:,} to report.",
    )


def _layout(root: Path) -> dict[str, Path]:
    """Return the folder of each split that the user made; {"all": root} where there is none."""
    train, test = root / "train", root / "test"
    validation = next((root / n for n in ("validation", "val") if (root / n).is_dir()), None)
    if not train.is_dir() and not test.is_dir():
        return {"all": root}
    if not (train.is_dir() and test.is_dir()):
        there, missing = (train, test) if train.is_dir() else (test, train)
        raise CourseError(
            f"{root} holds {there.name}/ but no {missing.name}/: make both, or put the classes "
            "straight into the folder."
        )
    made = {"train": train, "test": test}
    return made if validation is None else made | {"validation": validation}


def _pictures(folder: Path) -> Found:
    """List the pictures of a folder in a fixed order, with their class: the folder's name."""
    found: Found = []
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        # Deeper folders belong to the class above them, as with torchvision's ImageFolder.
        inside = Path(place).relative_to(folder).parts
        label = inside[0] if inside else "pictures"
        for name in sorted(names):
            if not name.startswith(".") and name.lower().endswith(SUFFIXES):
                found.append((os.path.join(place, name), label))
    return found


def _print(root: Path, found: dict[str, Found]) -> str:
    """Return a short sum over names, sizes and dates: it changes when the pictures do."""
    digest = hashlib.sha256(os.fsencode(root.resolve()))
    digest.update(b"each split shuffled")  # what is kept in the order of folders is read anew
    for name, some in found.items():
        for file, label in some:
            about = os.stat(file)
            line = f"{name}\0{label}\0{file}\0{about.st_size}\0{about.st_mtime_ns}\n"
            digest.update(os.fsencode(line))
    return digest.hexdigest()[:16]


def _decode(file: str) -> NDArray[np.uint8]:
    """Return a picture as bytes, (H, W) if grey and (H, W, 3) if coloured."""
    from PIL import Image

    try:
        with Image.open(file) as picture:
            if picture.mode not in ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr"):
                raise CourseError(
                    f"{file} has pixels of the kind {picture.mode}: convert it to 8 bits."
                )
            grey = picture.mode in ("1", "L", "LA")
            return np.asarray(picture.convert("L" if grey else "RGB"), dtype=np.uint8)
    except CourseError:
        raise
    except Exception as error:  # PIL raises many kinds for damaged files
        raise CourseError(f"{file} cannot be read as a picture ({error}).") from error


def _read(
    root: Path, found: dict[str, Found], classes: list[str], progress: bool
) -> dict[str, Split]:
    from tqdm import tqdm

    files = [file for some in found.values() for file, _ in some]
    first = _decode(files[0])
    height, width = first.shape[:2]
    n, size = len(files), height * width * 3
    if n * size > MOST_BYTES:
        raise CourseError(
            f"The {n:,} pictures of {root} would take {n * size / 2**30:.0f} GB of memory at "
            f"{width} x {height}: scale them down first."
        )
    everything, coloured = np.empty((n, 3, height, width), dtype=np.uint8), False
    bar = tqdm(total=n, desc=root.name, unit=" pictures", leave=False, delay=1,
               disable=not progress)  # fmt: skip
    with bar, ThreadPoolExecutor(max_workers=max(2, min(8, torch.get_num_threads()))) as pool:
        # A part at a time, so that a bad picture ends the reading at once.
        for start in range(0, n, 2048):
            part = files[start : start + 2048]
            for i, pixels in enumerate(pool.map(_decode, part, chunksize=64), start):
                if pixels.shape[:2] != (height, width):
                    raise CourseError(
                        f"The pictures of {root} are not of one size: {files[0]} is {width} x "
                        f"{height} (width x height) but {files[i]} is {pixels.shape[1]} x "
                        f"{pixels.shape[0]}; scale or cut them to one size first."
                    )
                coloured |= pixels.ndim == 3
                everything[i] = pixels.transpose(2, 0, 1) if pixels.ndim == 3 else pixels
            bar.update(len(part))
    pictures = torch.from_numpy(everything if coloured else everything[:, :1].copy())
    place = {label: index for index, label in enumerate(classes)}
    splits: dict[str, Split] = {}
    start = 0
    for name, some in found.items():
        labels = torch.tensor([place[label] for _, label in some], dtype=torch.int64)
        splits[name] = Split(pictures[start : start + len(some)], labels)
        start += len(some)
    return splits


def _split(splits: dict[str, Split]) -> dict[str, Split]:
    """Complete the three splits by a fixed shuffle."""

    def parts(split: Split, shares: dict[str, int]) -> dict[str, Any]:
        order, done, start = fixed_shuffle(len(split)), {}, 0
        for name, share in shares.items():
            chosen = order[start : start + share]
            done[name] = Split(split.pictures[chosen], split.labels[chosen])
            start += share
        return done

    source = "all" if "all" in splits else "train"
    n = len(splits[source])
    if source == "all":
        kept = max(1, n // 10)
        shares = {"train": n - 2 * kept, "validation": kept, "test": kept}
    elif "validation" in splits:
        shares = {"train": n}
    else:
        shares = {"train": n - max(1, n // 6), "validation": max(1, n // 6)}
    if shares["train"] < 1:
        raise CourseError(
            f"{n} pictures are too few to split: at least 3 are needed, 2 beside a test folder."
        )
    done = splits | parts(splits[source], shares)
    # a split that comes as folders is sorted by class: its first pictures would be of one class
    for name in {"validation", "test"} & set(splits):
        done |= parts(splits[name], {name: len(splits[name])})
    return done
