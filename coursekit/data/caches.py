"""Splits kept in the data folder, so that they are drawn or read only once."""

from __future__ import annotations

import json
import zlib
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from coursekit.data.splits import Split
from coursekit.errors import CourseError
from coursekit.files import atomic_path


def _sum(tensors: dict[str, Tensor]) -> str:
    """CRC-32 over all parts in the order of their names: tells a damaged file, and is quick."""
    crc = 0
    for name in sorted(tensors):
        crc = zlib.crc32(tensors[name].contiguous().numpy().data, crc)
    return f"{crc:08x}"


def write_cache(path: Path, splits: dict[str, Split], about: dict[str, Any]) -> bool:
    """Keep splits and what belongs to them in one file; where that fails, say so in one line.

    Args:
        path: the file, `.safetensors`; written whole or not at all.
        splits: the splits by name.
        about: anything JSON can hold, such as class names; handed back by `read_cache`.

    Returns:
        True if the file was written.
    """
    tensors: dict[str, Tensor] = {}
    for name, split in splits.items():
        tensors |= {f"{name}/pictures": split.pictures, f"{name}/labels": split.labels}
        tensors |= {f"{name}/factors/{key}": part for key, part in (split.factors or {}).items()}
    # Slices of one another may share memory, which safetensors refuses.
    tensors = {name: part.clone().contiguous() for name, part in tensors.items()}
    try:
        with atomic_path(path) as temporary:
            save_file(tensors, temporary, {"about": json.dumps(about), "crc32": _sum(tensors)})
    except (CourseError, OSError, SafetensorError) as error:
        print(f"Not kept for the next time: {path.name} ({error})")
        return False
    return True


def read_cache(path: Path) -> tuple[dict[str, Split], dict[str, Any]] | None:
    """Read what `write_cache` kept.

    Args:
        path: the file.

    Returns:
        The splits by name and what was kept with them; None if there is no such file or it is
        damaged (the caller then makes it anew).
    """
    if not path.is_file():
        return None
    try:
        with safe_open(path, framework="pt") as file:
            header = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        if header["crc32"] != _sum(tensors):
            return None
        about = json.loads(header["about"])
        splits = {}
        for name in {key.partition("/")[0] for key in tensors}:
            start = f"{name}/factors/"
            factors = {k.removeprefix(start): v for k, v in tensors.items() if k.startswith(start)}
            splits[name] = Split(
                tensors[f"{name}/pictures"], tensors[f"{name}/labels"], factors or None
            )
    except (SafetensorError, OSError, KeyError, ValueError):
        return None
    return splits, about
