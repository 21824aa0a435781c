"""What stands where on this machine: the first thing to look at when something does not work."""

from __future__ import annotations

import os
import platform
import shutil
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path

from coursekit import __version__, synthetic
from coursekit.data import formats, synthetic_cache
from coursekit.data.caches import read_cache
from coursekit.data.splits import TITLES
from coursekit.errors import CourseError
from coursekit.files import data_folder_and_reason, package_repository, sha256

PACKAGES = (
    "torch", "torchvision", "numpy", "matplotlib", "ipywidgets", "tqdm", "safetensors",
    "scikit-learn", "jupyterlab", "nbval",
)  # fmt: skip


def report() -> str:
    """Describe the installation; a part that is broken is described as broken, never raised.

    Returns:
        Lines of text: versions, device, profile, the data folder and why it is that one, the data
        sets in it (sound or what is wrong), checkpoints, ledger.

    Example:
        >>> print(report().splitlines()[0].split()[0])
        coursekit
    """
    parts: tuple[tuple[str, Callable[[], Iterator[str]]], ...] = (
        ("Versions", _versions),
        ("Machine", _machine),
        ("Data folder", _folder),
        ("Data sets", _data_sets),
        ("Checkpoints", _checkpoints),
        ("Ledger", _ledger),
    )
    where = package_repository()
    lines = [f"coursekit {__version__} " + (f"from {where}" if where else "as installed")]
    for title, part in parts:
        lines += ["", title]
        try:
            for line in part():
                lines.append(f"  {line}")
        except (CourseError, OSError) as error:
            lines.append(f"  {error}")
    return "\n".join(lines)


def _versions() -> Iterator[str]:
    yield f"Python {platform.python_version()} on {platform.platform()}"
    for package in PACKAGES:
        try:
            yield f"{package} {metadata.version(package)}"
        except metadata.PackageNotFoundError:
            yield f"{package} is not installed"


def _machine() -> Iterator[str]:
    import torch

    from coursekit.profiles import profile

    if torch.cuda.is_available():
        yield f"device: CUDA, {torch.cuda.get_device_name()}"
    elif torch.backends.mps.is_available():
        yield "device: Apple MPS"
    else:
        yield "device: CPU"
    yield f"threads: torch uses {torch.get_num_threads()} of {os.cpu_count()} cores"
    set_by = "COURSEKIT_PROFILE" if os.environ.get("COURSEKIT_PROFILE") else "the device"
    yield f"profile: {profile()} (from {set_by})"


def _folder() -> Iterator[str]:
    folder, reason = data_folder_and_reason()
    yield f"{folder}: {reason}"
    there = folder
    while not there.exists() and there != there.parent:
        there = there.parent
    if there != folder:
        yield "it does not exist yet and is made when something is kept in it"
    if not there.is_dir():
        yield f"{there} is a file: remove it, or set COURSEKIT_DATA to a folder"
    elif os.access(there, os.W_OK):
        yield f"writable, {shutil.disk_usage(there).free / 1e9:.1f} GB free"
    else:
        yield "not writable: nothing can be downloaded or kept; set COURSEKIT_DATA to another"


def _data_sets() -> Iterator[str]:
    folder, _ = data_folder_and_reason()
    for name in formats.PUBLISHED:
        found = formats.state(name, folder)
        if found == "absent":
            found += f": python -m coursekit download {name}"
        yield f"{TITLES[name]}: {found}"
    for name in synthetic.CLASS_NAMES:
        cache = synthetic_cache(name, folder)
        if not cache.is_file():
            kept = "drawn when asked for"
        else:
            kept = "kept, sound" if read_cache(cache) else "kept but damaged, will be drawn anew"
        yield f"{TITLES[name]}: {kept}"


def _checkpoints() -> Iterator[str]:
    from coursekit.checkpoints import checkpoint_folder, manifest

    folders = (data_folder_and_reason()[0] / "checkpoints", checkpoint_folder())
    cards = manifest()
    if not cards:
        yield "the manifest lists none"
    for name, card in sorted(cards.items()):
        path = next((f / card["file"] for f in folders if (f / card["file"]).is_file()), None)
        yield f"{name} ({card.get('dataset', 'unknown data')}): {_weights(path, card['sha256'])}"


def _weights(path: Path | None, expected: str) -> str:
    if path is None:
        return "absent"
    return "sound" if sha256(path) == expected else f"damaged: {path} has another checksum"


def _ledger() -> Iterator[str]:
    from coursekit.ledger import ledger_path, records

    kept = records()
    yield f"{len(kept)} figures in {ledger_path()}"
