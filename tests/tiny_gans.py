"""GANs so small that a whole training takes a moment, and the ways to run one."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import tiny
import torch

from coursekit.history import GANHistory
from coursekit.models.gan import GAN, dcgan, mlp_gan
from coursekit.two_players import fit_gan


def mlp(seed: int = 0, **changes: Any) -> GAN:
    """Fully connected, pictures of 4 x 4, dropout in the discriminator."""
    settings: dict[str, Any] = {"latent_size": 3, "hidden": (6,), "judge_hidden": (8,)}
    with tiny.seeded(seed):
        return mlp_gan(**(settings | {"shape": tiny.SHAPE} | changes))


def conv(seed: int = 0) -> GAN:
    """Convolutional: its generator has BatchNorm."""
    with tiny.seeded(seed):
        return dcgan(latent_size=3, width=2, shape=tiny.SHAPE)


def run(model: GAN, **changes: Any) -> GANHistory:
    """Three epochs of four steps."""
    settings: dict[str, Any] = {"epochs": 3, "batch_size": 16, "lr": 1e-2, "progress": False}
    data = changes.pop("data", None)
    return fit_gan(model, tiny.data() if data is None else data, **(settings | changes))


def curves(history: GANHistory) -> dict[str, Any]:
    """All numbers that a seed fixes: everything but the clock and the pictures."""
    kept = asdict(history)
    return {name: kept[name] for name in kept if name not in ("seconds", "snapshots")}


def same_snapshots(one: GANHistory, other: GANHistory) -> bool:
    """Whether two runs left the same pictures after the same epochs."""
    return one.snapshots.keys() == other.snapshots.keys() and all(
        torch.equal(one.snapshots[epoch], other.snapshots[epoch]) for epoch in one.snapshots
    )
