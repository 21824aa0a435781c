"""Generative adversarial networks: a generator, and a discriminator that judges its pictures."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from coursekit.errors import CourseError
from coursekit.models.base import Model
from coursekit.networks import MNIST_SHAPE, Shape, mlp

_leaky: Callable[[], nn.Module] = partial(nn.LeakyReLU, 0.2)


def centred(x: Tensor) -> Tensor:
    """Pictures in [0, 1] on the scale on which a GAN works, [-1, 1]: 2 x - 1."""
    return 2 * x - 1


class GAN(Model):
    """Two players: a generator makes pictures of latents, a discriminator tells them from real.

    Inside, pictures lie in [-1, 1]; `decode` and `sample` give them in [0, 1].

    Args:
        generator: latents (B, K) -> (B, *shape) in [-1, 1]; its last layer is a tanh.
        discriminator: (B, *shape) -> (B,) or (B, 1) logits; positive says "real".
        latent_size: K.
        shape: (C, H, W) of a picture.

    Source: Goodfellow et al., Generative Adversarial Nets (2014).
    """

    def __init__(
        self,
        generator: nn.Module,
        discriminator: nn.Module,
        latent_size: int,
        shape: Sequence[int] = MNIST_SHAPE,
    ) -> None:
        super().__init__()
        self.generator = generator
        self.discriminator = discriminator
        self.latent_size = latent_size
        self.shape = tuple(shape)

    def loss(
        self, x: Tensor, y: Tensor | None = None, generator: torch.Generator | None = None
    ) -> Tensor:
        """Refuse: there is no one loss that both players would lower.

        Raises:
            CourseError: always.
        """
        raise CourseError(
            "A GAN has no loss of its own and no likelihood: what one player gains the other "
            "loses; train it with coursekit.two_players.fit_gan."
        )

    def draw_latents(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        """Draw z ~ N(0, I), (n, K), on the model's device."""
        return torch.randn(n, self.latent_size, generator=generator, device=self.device)

    def generate(self, z: Tensor) -> Tensor:
        """Pictures (B, *shape) in [-1, 1] for latents (B, K); gradients flow through."""
        if z.ndim != 2 or z.shape[1] != self.latent_size:
            raise CourseError(
                f"generator: the latents have shape {tuple(z.shape)}; expected "
                f"(B, {self.latent_size})."
            )
        return self.generator(z)

    def decode(self, z: Tensor) -> Tensor:
        """Pictures (B, *shape) in [0, 1] for latents (B, K)."""
        return (self.generate(z) + 1) / 2

    def judge(self, x: Tensor) -> Tensor:
        """One logit for each picture, (B,); sigmoid(logit) is the probability of "real".

        Args:
            x: pictures, (B, *shape), in [-1, 1]: real ones go through `centred` first.

        Raises:
            CourseError: for another shape.
        """
        if tuple(x.shape[1:]) != self.shape or not x.is_floating_point():
            raise CourseError(
                f"discriminator: the batch is {x.dtype} of shape {tuple(x.shape)}; expected floats "
                f"of shape (B, {', '.join(map(str, self.shape))}), in [-1, 1]."
            )
        return self.discriminator(x).reshape(len(x))

    @torch.no_grad()
    def sample(
        self,
        n: int,
        mean: bool = False,
        temperature: float = 1.0,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """Draw z ~ N(0, I) and show G(z).

        Args:
            n: how many pictures.
            mean: no difference: a generator adds no noise to what it makes of z.
            temperature: factor on z; below 1 it stays nearer to 0.
            generator: source of the draws.

        Returns:
            Pictures, (n, *shape) in [0, 1].
        """
        return self.decode(temperature * self.draw_latents(n, generator))


class PointGAN(GAN):
    """A GAN of points of the plane: nothing is scaled, `decode` is `generate`."""

    def decode(self, z: Tensor) -> Tensor:
        """Points (B, 2) for latents (B, K)."""
        return self.generate(z)


def _mlp_judge(dims: int, hidden: Sequence[int], dropout: float) -> nn.Sequential:
    layers: list[nn.Module] = [nn.Flatten()]
    for width_in, width_out in pairwise([dims, *hidden]):
        layers += [nn.Linear(width_in, width_out), _leaky(), nn.Dropout(dropout)]
    return nn.Sequential(*layers, nn.Linear([dims, *hidden][-1], 1))


def mlp_gan(
    latent_size: int = 32,
    hidden: Sequence[int] = (128, 256, 512),
    judge_hidden: Sequence[int] = (512, 256),
    dropout: float = 0.3,
    shape: Shape = MNIST_SHAPE,
) -> GAN:
    """Build a fully connected GAN.

    Args:
        latent_size: K.
        hidden: widths of the generator's hidden layers, LeakyReLU 0.2 after each.
        judge_hidden: widths of the discriminator's.
        dropout: share of the discriminator's hidden units that training hides.
        shape: (C, H, W).

    Example:
        >>> mlp_gan(latent_size=2, hidden=(8,), judge_hidden=(8,)).sample(3).shape
        torch.Size([3, 1, 28, 28])
    """
    dims = math.prod(shape)
    generator = nn.Sequential(
        mlp([latent_size, *hidden, dims], _leaky), nn.Tanh(), nn.Unflatten(1, tuple(shape))
    )
    return GAN(generator, _mlp_judge(dims, judge_hidden, dropout), latent_size, shape)


def _start(network: nn.Module, std: float = 0.02) -> None:
    """Start all weights from N(0, std^2), all biases from 0."""
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            nn.init.normal_(layer.weight, 0.0, std)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)


def dcgan(
    latent_size: int = 64, width: int = 32, shape: Shape = MNIST_SHAPE, spectral: bool = False
) -> GAN:
    """Build a convolutional GAN, small enough for a CPU.

    The generator goes from a quarter of the size to the whole in two transposed convolutions, with
    BatchNorm; the discriminator halves the picture three times, without: with BatchNorm its answer
    to one picture would depend on the others in the batch.

    Args:
        latent_size: K.
        width: of the layers next to the picture; it doubles with each halving of the size.
        shape: (C, H, W), height and width divisible by 4.
        spectral: divide each of the discriminator's weight matrices by its largest singular value.

    Source: Radford et al., Unsupervised Representation Learning with Deep Convolutional GANs
    (2016), for the form and the start N(0, 0.02); Miyato et al., Spectral Normalization for GANs
    (2018), for `spectral`.

    Example:
        >>> dcgan(latent_size=2, width=2).sample(3).shape
        torch.Size([3, 1, 28, 28])
    """
    channels, height, side = shape
    if height % 4 or side % 4:
        raise CourseError(
            f"dcgan halves a picture twice; {height} x {side} is not divisible by 4: pad or crop "
            "the pictures."
        )
    small = (height // 4, side // 4)
    generator = nn.Sequential(
        nn.Linear(latent_size, 4 * width * math.prod(small), bias=False),
        nn.Unflatten(1, (4 * width, *small)),
        nn.BatchNorm2d(4 * width), nn.ReLU(),
        nn.ConvTranspose2d(4 * width, 2 * width, 4, stride=2, padding=1, bias=False),
        nn.BatchNorm2d(2 * width), nn.ReLU(),
        nn.ConvTranspose2d(2 * width, channels, 4, stride=2, padding=1), nn.Tanh(),
    )  # fmt: skip
    judge = nn.Sequential(
        nn.Conv2d(channels, width, 4, stride=2, padding=1), _leaky(),
        nn.Conv2d(width, 2 * width, 4, stride=2, padding=1), _leaky(),
        nn.Conv2d(2 * width, 4 * width, 3, stride=2, padding=1), _leaky(),
        nn.Flatten(), nn.Linear(4 * width * math.prod(-(-size // 2) for size in small), 1),
    )  # fmt: skip
    for network in (generator, judge):
        _start(network)
        # the layout in which a CPU convolves faster; what comes in and goes out is as before
        network.to(memory_format=torch.channels_last)
    if spectral:
        for layer in judge:
            if isinstance(layer, nn.Conv2d | nn.Linear):
                spectral_norm(layer)
    return GAN(generator, judge, latent_size, shape)


def point_gan(latent_size: int = 2, width: int = 128) -> PointGAN:
    """Build a GAN of points of the plane, two hidden layers each, for the toy.

    Example:
        >>> point_gan(width=8).sample(3).shape
        torch.Size([3, 2])
    """
    generator = mlp([latent_size, width, width, 2], nn.ReLU)
    return PointGAN(generator, mlp([2, width, width, 1], _leaky), latent_size, (2,))
