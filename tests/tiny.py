"""Models and data so small that a whole training run takes a moment."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from coursekit.data import DataSet, Split
from coursekit.models.vae import VAE, conv_vae, mlp_vae
from coursekit.networks import Encoder, mlp_decoder

SHAPE = (1, 4, 4)


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Draw from torch's own generator without changing it for anybody else."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield


def split(n: int, seed: int = 0, shape: tuple[int, int, int] = SHAPE) -> Split:
    """Random grey pictures; the labels count them, so that a picture can be followed."""
    generator = torch.Generator().manual_seed(seed)
    pictures = torch.randint(0, 256, (n, *shape), generator=generator, dtype=torch.uint8)
    return Split(pictures, torch.arange(n))


def data(train: int = 64, validation: int = 32, test: int = 32, **changes: Any) -> DataSet:
    """A data set of random pictures; its validation pictures may be none."""
    return DataSet(
        "tiny",
        split(train, 1, **changes),
        split(validation, 2, **changes),
        split(test, 3, **changes),
        ("a", "b"),
    )


def vae(seed: int = 0, **changes: Any) -> VAE:
    """A fully connected VAE of 4 x 4 pictures with 8 hidden units."""
    with seeded(seed):
        settings: dict[str, Any] = {"latent_size": 2, "hidden": (8,), "shape": SHAPE}
        return mlp_vae(**(settings | changes))


def conv(seed: int = 0, **changes: Any) -> VAE:
    """A convolutional VAE of 4 x 4 pictures: its batch normalisation keeps running means."""
    settings: dict[str, Any] = {"latent_size": 2, "channels": (2, 4), "hidden": (8,)}
    with seeded(seed):
        return conv_vae(**(settings | {"shape": SHAPE} | changes))


def dropout_vae(seed: int = 0) -> VAE:
    """A VAE that draws from torch's own generator while it trains."""
    with seeded(seed):
        layers = [nn.Flatten(), nn.Dropout(0.3), nn.Linear(16, 8), nn.Tanh(), nn.Linear(8, 4)]
        return VAE(Encoder(nn.Sequential(*layers), SHAPE), mlp_decoder(2, (8,), SHAPE))


def binary(n: int, seed: int = 0, shape: tuple[int, ...] = SHAPE) -> Tensor:
    """A float batch of 0s and 1s."""
    generator = torch.Generator().manual_seed(seed)
    return (torch.rand(n, *shape, generator=generator) < 0.5).float()


def weights(model: nn.Module) -> dict[str, Tensor]:
    """A copy of all weights and buffers."""
    return {name: value.clone() for name, value in model.state_dict().items()}


def same(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    """Whether two sets of weights are equal to the last bit."""
    return one.keys() == other.keys() and all(torch.equal(one[k], other[k]) for k in one)
