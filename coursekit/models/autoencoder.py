"""Autoencoders: a picture squeezed through a bottleneck and drawn again; no probability in it."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from coursekit.data import add_noise
from coursekit.errors import CourseError
from coursekit.models.base import Model
from coursekit.networks import MNIST_SHAPE, Shape, check_pictures, mlp


class Autoencoder(Model):
    """Encoder f and decoder g, trained to give each picture back: g(f(x)) near x.

    loss(x) = 1/D sum_d (g(f(x + noise))_d - x_d)^2, a squared error on [0, 1], not nats.
    With noise it is a denoising autoencoder: the target is the clean picture.

    Args:
        encoder: pictures (B, C, H, W) -> codes, (B, K) or a stack of maps.
        decoder: codes -> pictures, (B, C, H, W) in [0, 1].
        shape: (C, H, W) of a picture.
        noise: standard deviation of the noise on the encoder's input, which is clipped to [0, 1].

    Source: Vincent et al., Extracting and Composing Robust Features with Denoising Autoencoders
    (2008), section 2.

    Example:
        >>> mlp_autoencoder(latent_size=2, hidden=(8,)).encode(torch.zeros(3, 1, 28, 28)).shape
        torch.Size([3, 2])
    """

    unit = "squared grey range"
    no_samples = (
        "An autoencoder has no distribution over its codes, so nothing can be drawn from it; "
        "decode codes of your own choice, or take a VAE."
    )

    def __init__(
        self, encoder: nn.Module, decoder: nn.Module, shape: Shape, noise: float = 0.0
    ) -> None:
        super().__init__()
        if not 0 <= noise < math.inf:
            raise CourseError(f"Autoencoder: noise is {noise}; it must be at least 0.")
        self.encoder = encoder
        self.decoder = decoder
        self.shape = shape
        self.noise = noise

    def encode(self, x: Tensor) -> Tensor:
        """The code of each picture, (B, K) (or maps); nothing is drawn."""
        check_pictures(x, self.shape, "encoder")
        return self.encoder(x)

    def decode(self, z: Tensor) -> Tensor:
        """The picture of each code, (B, C, H, W) in [0, 1]."""
        return self.decoder(z)

    def forward(self, x: Tensor) -> Tensor:
        """Pictures to their reconstructions, both (B, C, H, W)."""
        return self.decode(self.encode(x))

    @torch.no_grad()
    def reconstruct(self, x: Tensor) -> Tensor:
        """As `forward`, without gradients."""
        return self(x)

    def loss(
        self, x: Tensor, y: Tensor | None = None, generator: torch.Generator | None = None
    ) -> Tensor:
        """Mean squared error of each picture's reconstruction, over its pixels.

        Args:
            x: clean pictures, (B, C, H, W).
            y: labels; this model does not use them.
            generator: source of the noise.

        Returns:
            Squared grey range, (B,).
        """
        seen = add_noise(x, self.noise, generator) if self.noise else x
        return (self(seen) - x).square().flatten(1).mean(dim=1)


def mlp_autoencoder(
    latent_size: int = 2, hidden: Sequence[int] = (512, 256, 128), shape: Shape = MNIST_SHAPE
) -> Autoencoder:
    """Build a fully connected autoencoder with a sigmoid output; the decoder mirrors the encoder.

    Args:
        latent_size: K.
        hidden: widths of the encoder's hidden layers; reversed in the decoder.
        shape: (C, H, W).
    """
    dims = math.prod(shape)
    encoder = nn.Sequential(nn.Flatten(), mlp([dims, *hidden, latent_size]))
    decoder = nn.Sequential(
        mlp([latent_size, *reversed(hidden), dims], final=nn.Sigmoid), nn.Unflatten(1, shape)
    )
    return Autoencoder(encoder, decoder, shape)


def _halve(width_in: int, width_out: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(width_in, width_out, 3, padding=1),
        nn.BatchNorm2d(width_out),
        nn.LeakyReLU(),
        nn.MaxPool2d(2, ceil_mode=True),
    )


def conv_denoiser(
    channels: Sequence[int] = (16, 16, 16), noise: float = 0.5, shape: Shape = MNIST_SHAPE
) -> Autoencoder:
    """Build a denoising convolutional autoencoder: three times halved, three times doubled.

    Each half: convolution 3x3, BatchNorm, LeakyReLU, pooling; back: transposed convolutions with
    BatchNorm and LeakyReLU between them, a sigmoid at the end. 28 x 28 pictures are 4 x 4 maps in
    the middle, cut back to 28 x 28 at the end.

    Args:
        channels: after each of the three convolutions; the last is the bottleneck's.
        noise: standard deviation of the training noise, in units of the grey range.
        shape: (C, H, W).
    """
    if len(channels) != 3:
        raise CourseError(f"conv_denoiser: channels is {list(channels)}; give three widths.")
    first, second, third = channels
    encoder = nn.Sequential(_halve(shape[0], first), _halve(first, second), _halve(second, third))
    decoder = nn.Sequential(
        nn.ConvTranspose2d(third, second, 4, stride=2, padding=1),
        nn.BatchNorm2d(second),
        nn.LeakyReLU(),
        nn.ConvTranspose2d(second, first, 4, stride=2, padding=1),
        nn.BatchNorm2d(first),
        nn.LeakyReLU(),
        nn.ConvTranspose2d(first, shape[0], 4, stride=2, padding=1),
        _Crop(shape),
        nn.Sigmoid(),
    )
    return Autoencoder(encoder, decoder, shape, noise)


class _Crop(nn.Module):
    """Cut the borders off that ceiling division has added."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.height, self.width = shape[1:]

    def forward(self, x: Tensor) -> Tensor:
        top, left = (x.shape[2] - self.height) // 2, (x.shape[3] - self.width) // 2
        return x[:, :, top : top + self.height, left : left + self.width]
