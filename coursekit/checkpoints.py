"""Trained weights: safetensors files with a manifest that says what each is."""

from __future__ import annotations

import http.client
import json
import os
import re
import shutil
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from coursekit.data import DataSet
from coursekit.errors import CourseError
from coursekit.files import atomic_path, data_folder, locked, package_repository, sha256
from coursekit.models.autoencoder import conv_denoiser, mlp_autoencoder
from coursekit.models.base import Model
from coursekit.models.classifier import digit_classifier
from coursekit.models.code_prior import code_prior
from coursekit.models.cvae import mlp_completer, mlp_cvae
from coursekit.models.flows import conv_flow, mlp_flow
from coursekit.models.gan import dcgan, mlp_gan
from coursekit.models.vae import conv_vae, mlp_vae
from coursekit.models.vqvae import vqvae

BUILDERS: dict[str, Callable[..., Model]] = {
    "mlp_vae": mlp_vae,
    "conv_vae": conv_vae,
    "mlp_autoencoder": mlp_autoencoder,
    "conv_denoiser": conv_denoiser,
    "mlp_cvae": mlp_cvae,
    "mlp_completer": mlp_completer,
    "digit_classifier": digit_classifier,
    "mlp_flow": mlp_flow,
    "conv_flow": conv_flow,
    "mlp_gan": mlp_gan,
    "dcgan": dcgan,
    "vqvae": vqvae,
    "code_prior": code_prior,
}
MAX_BYTES = 8_000_000
_PACKAGE = Path(__file__).parent
_MANIFEST = _PACKAGE / "manifest.json"
_said: set[str] = set()  # the sentences of `shipped`, each printed once
Card = dict[str, Any]


def checkpoint_folder() -> Path:
    """Where the course's own checkpoints stand: the checkout's, else the data folder's."""
    root = package_repository()
    return (root / "data" if root else data_folder()) / "checkpoints"


def save_weights(model: nn.Module, path: str | os.PathLike[str], half: bool = False) -> None:
    """Write a model's weights to a safetensors file, whole or not at all.

    Args:
        model: any module.
        path: the file.
        half: store large tensors as 16-bit floats; measure figures on the reloaded file then.
    """
    tensors = {}
    for name, value in model.state_dict().items():
        value = value.detach().cpu()
        if half and value.dtype == torch.float32 and value.numel() > 1024:
            value = value.half()
        tensors[name] = value.contiguous()
    with atomic_path(path) as temporary:
        save_file(tensors, temporary)


def load_weights(model: nn.Module, path: str | os.PathLike[str]) -> None:
    """Read weights from a safetensors file into a model of the same architecture.

    Args:
        model: filled in place; left as it was if anything is wrong.
        path: the file. Only safetensors is read: it holds numbers and cannot hold code.

    Raises:
        CourseError: if the file is missing, cut short, not safetensors (a pickle, say), or of
            another architecture.
    """
    path = Path(path)
    if not path.is_file():
        raise CourseError(f"There is no checkpoint {path}; check the name, or train it anew.")
    try:
        tensors = load_file(path)
    except SafetensorError as error:
        raise CourseError(
            f"{path} is cut short or is not a safetensors file ({error}); fetch it again. "
            "Pickled checkpoints are never opened: they can run code."
        ) from error
    own = model.state_dict()
    wrong = sorted(set(own) ^ set(tensors)) or sorted(
        name for name, value in tensors.items() if value.shape != own[name].shape
    )
    if wrong:
        raise CourseError(
            f"{path} belongs to another architecture: {wrong[0]!r} "
            f"({len(wrong)} in all) does not fit; build the model with the manifest's arguments."
        )
    model.load_state_dict({name: value.to(own[name].dtype) for name, value in tensors.items()})


def manifest() -> dict[str, Card]:
    """Read the manifest: what each checkpoint is, under its name.

    A card has file, sha256, builder, arguments, dataset, prepare, command, seed, parameters,
    figures (ledger ids and values) and history (the training curves).
    """
    return json.loads(_MANIFEST.read_text("utf-8"))


def save(name: str, model: nn.Module, card: Card, half: bool = True) -> Path:
    """Write a checkpoint and its manifest entry.

    Args:
        name: what `pretrained` will call it.
        model: the trained model.
        card: builder, arguments, dataset, prepare, command, seed; sum and file are filled in.
        half: store large tensors as 16-bit floats.

    Returns:
        The file.

    Raises:
        CourseError: if the file would be larger than a shipped checkpoint may be.
    """
    path = checkpoint_folder() / f"{name}.safetensors"
    with atomic_path(path) as temporary:
        save_weights(model, temporary, half)
        size = temporary.stat().st_size
        if size > MAX_BYTES:
            raise CourseError(
                f"The checkpoint {name} would be {size / 1e6:.1f} MB and {MAX_BYTES / 1e6:.0f} MB "
                "is the limit; make the network narrower, or ship samples in its place."
            )
    _describe(name, path, card | {"samples_only": False})
    return path


def save_samples(name: str, pictures: Tensor, card: Card) -> Path:
    """Write samples of a model that is too large to ship, and its manifest entry.

    Args:
        name: of the checkpoint.
        pictures: (N, C, H, W) in [0, 1]; stored as bytes.
        card: as for `save`.
    """
    path = checkpoint_folder() / f"{name}-samples.safetensors"
    with atomic_path(path) as temporary:
        save_file(
            {"pictures": (255 * pictures).round().to(torch.uint8).cpu().contiguous()}, temporary
        )
    _describe(name, path, card | {"samples_only": True})
    return path


def _describe(name: str, path: Path, card: Card) -> None:
    """Enter a file in the manifest; the file that the entry named before is taken away."""
    before = manifest().get(name, {}).get("file", path.name)
    size = path.stat().st_size
    update_card(name, card | {"file": path.name, "bytes": size, "sha256": sha256(path)})
    if before != path.name:
        (path.parent / before).unlink(missing_ok=True)


def samples_of(name: str) -> Tensor:
    """Samples of a model that is too large to ship, (N, C, H, W) in [0, 1].

    Raises:
        CourseError: where the course has none of this name, or the file is damaged.
    """
    card = manifest().get(name, {})
    if not card.get("samples_only"):
        raise CourseError(f"There are no stored samples of {name!r}; ask pretrained for the model.")
    return load_file(_check(_find(name, card), card))["pictures"].float() / 255


def write_snapshots(snapshots: dict[int, Tensor], path: str | os.PathLike[str]) -> None:
    """Write what a model drew during its training, whole or not at all.

    Args:
        snapshots: after which epoch -> uint8 pictures (N, C, H, W), always of the same latents.
        path: the safetensors file.
    """
    with atomic_path(path) as temporary:
        save_file({str(epoch): part.contiguous() for epoch, part in snapshots.items()}, temporary)


def save_snapshots(name: str, written: Path) -> Path:
    """Put a file of `write_snapshots` beside a checkpoint, and into its manifest entry.

    Args:
        name: of the checkpoint.
        written: the file.

    Returns:
        The copy.
    """
    path = checkpoint_folder() / f"{name}-snapshots.safetensors"
    with atomic_path(path) as temporary:
        shutil.copyfile(written, temporary)
    card = {"file": path.name, "bytes": path.stat().st_size, "sha256": sha256(path)}
    update_card(name, {"snapshots": card})
    return path


def snapshots_of(name: str) -> dict[int, Tensor]:
    """What a model drew of always the same latents during its training.

    Returns:
        After which epoch (0: before the first) -> pictures (N, C, H, W) in [0, 1], in order.

    Raises:
        CourseError: where the course has none of this name, or the file is damaged.
    """
    entry = manifest().get(name, {})
    if "snapshots" not in entry:
        raise CourseError(f"There are no snapshots of a training of {name!r}.")
    card = entry["snapshots"] | {"command": entry["command"]}
    stored = load_file(_check(_find(f"{name} (snapshots)", card), card))
    return {epoch: stored[str(epoch)].float() / 255 for epoch in sorted(map(int, stored))}


def update_card(name: str, card: Card) -> None:
    """Write fields of a manifest entry; the other fields stay."""
    with locked(_MANIFEST), atomic_path(_MANIFEST) as temporary:
        entries = manifest()
        entries[name] = entries.get(name, {}) | card
        temporary.write_text(json.dumps(entries, indent=1, sort_keys=True) + "\n", "utf-8")


def address() -> tuple[str, str]:
    """The course's repository and tag, both empty until somebody hosts it and stamps them."""
    root = package_repository()
    path = (root or _PACKAGE) / "pyproject.toml"
    text = path.read_text("utf-8") if path.is_file() else ""
    section = text.partition("[tool.coursekit]")[2].partition("\n[")[0]
    found = dict(re.findall(r'^(repository|ref)\s*=\s*"([^"]*)"', section, re.MULTILINE))
    return found.get("repository", ""), found.get("ref", "")


def available(dataset: str) -> list[str]:
    """Names of the checkpoints trained on a data set ("mnist", "digits")."""
    return sorted(name for name, card in manifest().items() if card.get("dataset") == dataset)


def _find(name: str, card: Card) -> Path:
    folders = [data_folder() / "checkpoints", checkpoint_folder()]
    for folder in folders:
        if (folder / card["file"]).is_file():
            return folder / card["file"]
    repository, ref = address()
    if not repository:
        raise CourseError(
            f"The file of the checkpoint {name!r} ({card['file']}) is not in {folders[0]}; copy it "
            f"there from the course's data/checkpoints, or train it: {card['command']}."
        )
    target = folders[0] / card["file"]
    fetch(f"{repository}/raw/{ref}/data/checkpoints/{card['file']}", target, card["sha256"])
    return target


def _find_weights(name: str, card: Card) -> Path:
    if card.get("samples_only"):
        raise CourseError(
            f"The weights of {name!r} ({card['parameters']:,} parameters) are too large to ship; "
            f"its curves, figures and samples are here. To have the model: {card['command']}."
        )
    return _find(name, card)


def _check(path: Path, card: Card) -> Path:
    if sha256(path) != card["sha256"]:
        raise CourseError(
            f"{path} does not match its checksum in the manifest: it is damaged or another "
            f"version; delete it and fetch it again, or train it: {card['command']}."
        )
    return path


def fetch(url: str, target: Path, expected_sha256: str) -> None:
    """Download one checkpoint and check its sum; leave nothing behind if either fails.

    Raises:
        CourseError: if the address does not answer, the download is cut off, or the sum differs.
    """
    with atomic_path(target) as temporary:
        try:
            with urllib.request.urlopen(url, timeout=30) as answer, temporary.open("wb") as file:
                while block := answer.read(1 << 16):
                    file.write(block)
        except (OSError, ValueError, http.client.HTTPException) as error:
            raise CourseError(
                f"{url} could not be fetched ({' '.join(str(error).split())}); check the "
                "connection and try again."
            ) from error
        if sha256(temporary) != expected_sha256:
            raise CourseError(
                f"{url} came with a wrong checksum (cut off, or another version); try again, or "
                f"copy the file to {target.parent} by hand."
            )


def pretrained(name: str) -> Any:
    """Load a checkpoint that the course ships.

    Looks in the data folder, then in the checkout, then (where the course has an address) fetches
    the file; the sum is checked each time.

    Args:
        name: a name in the manifest.

    Returns:
        The model (of the class that its builder makes), in evaluation mode; `card` on it is the
        manifest's entry.

    Raises:
        CourseError: for an unknown name, a missing file, or one that does not match its sum.
    """
    entries = manifest()
    if name not in entries:
        names = ", ".join(sorted(entries)) or "none"
        raise CourseError(f"There is no checkpoint {name!r}; the names are {names}.")
    card = entries[name]
    path = _check(_find_weights(name, card), card)
    model = BUILDERS[card["builder"]](**card["arguments"])
    load_weights(model, path)
    model.card = card
    return model.eval()


def shipped(name: str, data: DataSet) -> Any | None:
    """Load the course's long run of a model on a data set, or say once why there is none.

    Args:
        name: what the run on MNIST is called; that on other data is "classifier-digits", say. Or
            the whole name of a run on these very data, such as "vqvae-photos".
        data: the data set that the model must have been trained on.

    Returns:
        What `pretrained` gives, or None where nothing was trained on these data or the file is
        not to be had; one sentence is printed then.

    Raises:
        CourseError: if there is a file that does not match its sum.
    """
    own = data.name == "mnist" or name in available(data.name)
    full = name if own else f"{name}-{data.name}"
    cards = manifest()
    if full in available(data.name):
        try:
            _find_weights(full, cards[full])
        except CourseError as error:
            missing = str(error)
        else:
            return pretrained(full)
    else:
        missing = f"No long run {full!r} is shipped for {data.title}"
        if any(card.get("dataset") == data.name for card in cards.values()):
            missing += f"; python -m coursekit train {full} makes it"
        missing += "."
    if missing not in _said:
        _said.add(missing)
        print(missing)
    return None
