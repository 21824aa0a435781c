"""The VQ-VAE: an autoencoder whose bottleneck is a map of codes out of a learned codebook."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from coursekit.errors import CourseError
from coursekit.models.base import Model
from coursekit.models.quantisers import (
    EMAQuantizer,
    FiniteScalarQuantizer,
    Quantised,
    Quantiser,
    VectorQuantizer,
)
from coursekit.networks import Residual, Shape, check_pictures

KINDS = ("loss", "ema", "rotation", "fsq")


class VQTerms(NamedTuple):
    """The parts of a VQ-VAE's loss for a batch, and what the quantiser did.

    Attributes:
        error: mean squared error of each picture over its values, (B,).
        quantised: the quantiser's answer; its `loss` is the other part.
    """

    error: Tensor
    quantised: Quantised


class VQVAE(Model):
    """Encoder, quantiser and decoder: each place of the encoder's map is given one code.

    loss(x) = 1/D sum_d (g(e(x))_d - x_d)^2 + the quantiser's loss, not nats: with all codes
    equally probable beforehand the KL term of a VAE is a constant, log K for each place.

    Args:
        encoder: pictures (B, C, H, W) less 1/2 -> vectors (B, D, h, w).
        quantiser: vectors -> codes.
        decoder: codes' vectors (B, D, h, w) -> pictures less 1/2.
        shape: (C, H, W) of a picture.

    Source: van den Oord et al., Neural Discrete Representation Learning (2017), section 3.
    """

    unit = "squared grey range"
    no_samples = (
        "A VQ-VAE has no prior over its codes, so nothing can be drawn from it; train a code "
        "prior on its code maps, or decode codes of your own choice."
    )

    def __init__(
        self, encoder: nn.Module, quantiser: Quantiser, decoder: nn.Module, shape: Shape
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.quantiser = quantiser
        self.decoder = decoder
        self.shape: Shape = (shape[0], shape[1], shape[2])

    @property
    def codes(self) -> int:
        """K, how many codes there are."""
        return self.quantiser.codes

    @property
    def map_shape(self) -> tuple[int, int]:
        """(h, w) of a picture's code map."""
        return self.shape[1] // 4, self.shape[2] // 4

    def encode(self, x: Tensor) -> Tensor:
        """What the encoder says before codes are chosen, (B, D, h, w), for (B, C, H, W)."""
        check_pictures(x, self.shape, "VQ-VAE")
        return self.encoder(x - 0.5)

    def terms(self, x: Tensor) -> VQTerms:
        """The parts of the loss; in training mode the quantiser learns from this batch.

        Args:
            x: pictures, (B, C, H, W) in [0, 1].
        """
        quantised = self.quantiser.quantise(self.encode(x))
        error = (self.decoder(quantised.z_q) + 0.5 - x).square().flatten(1).mean(dim=1)
        return VQTerms(error, quantised)

    def loss(
        self, x: Tensor, y: Tensor | None = None, generator: torch.Generator | None = None
    ) -> Tensor:
        """Mean squared error of each picture over its values, plus the quantiser's loss.

        Args:
            x: pictures, (B, C, H, W) in [0, 1].
            y: labels; this model does not use them.
            generator: not used; the restarts of dead codes draw from torch's own.

        Returns:
            (B,).
        """
        error, quantised = self.terms(x)
        return error + quantised.loss

    @torch.no_grad()
    def codes_of(self, x: Tensor) -> Tensor:
        """The code map of each picture, int64 (B, h, w); nothing learns from it."""
        learning = self.quantiser.training
        self.quantiser.eval()
        try:
            return self.quantiser.quantise(self.encode(x)).indices
        finally:
            self.quantiser.train(learning)

    @torch.no_grad()
    def decode_codes(self, indices: Tensor) -> Tensor:
        """Code maps, int64 (B, h, w), to pictures, (B, C, H, W) in [0, 1]."""
        height, width = self.map_shape
        if indices.ndim != 3 or tuple(indices.shape[1:]) != (height, width):
            raise CourseError(
                f"VQ-VAE: the codes have shape {tuple(indices.shape)}; expected "
                f"(B, {height}, {width})."
            )
        return (self.decoder(self.quantiser.look_up(indices)) + 0.5).clamp(0, 1)

    def reconstruct(self, x: Tensor) -> Tensor:
        """Pictures to codes and back, (B, C, H, W) in [0, 1]."""
        return self.decode_codes(self.codes_of(x))


def _residuals(hidden: int, residual_hidden: int, layers: int) -> list[nn.Module]:
    """Blocks x + conv 1x1 (ReLU (conv 3x3 (ReLU x))), and a ReLU behind the last."""
    blocks: list[nn.Module] = [
        Residual(
            nn.Sequential(
                nn.ReLU(),
                nn.Conv2d(hidden, residual_hidden, 3, padding=1, bias=False),
                nn.ReLU(),
                nn.Conv2d(residual_hidden, hidden, 1, bias=False),
            )
        )
        for _ in range(layers)
    ]
    return [*blocks, nn.ReLU()]


def vqvae(
    hidden: int = 128,
    residual_hidden: int = 32,
    residual_layers: int = 2,
    codes: int = 512,
    size: int = 64,
    commitment_cost: float = 0.25,
    quantiser: str = "ema",
    restart: int = 0,
    shape: Shape = (3, 32, 32),
    decay: float = 0.99,
    levels: Sequence[int] = (8, 8, 8),
) -> VQVAE:
    """Build a VQ-VAE: two strided convolutions, residual blocks, codes, and the same back.

    A picture of 32 x 32 has a map of 8 x 8 codes, one of 28 x 28 a map of 7 x 7.

    Args:
        hidden: channels of the encoder's and decoder's maps at a quarter of the size; half as
            many at half the size. Even.
        residual_hidden: channels inside a residual block.
        residual_layers: how many residual blocks on either side.
        codes: K.
        size: D, numbers in a code.
        commitment_cost: beta.
        quantiser: "loss" (codebook loss), "ema" (moving averages), "rotation" (moving averages
            and the rotation trick's gradient), "fsq" (finite scalar quantisation).
        restart: see `quantisers.VectorQuantizer`.
        shape: (C, H, W), height and width divisible by 4.
        decay: of the moving averages.
        levels: for "fsq" alone, where they take the place of size; their product is `codes`.

    Example:
        >>> model = vqvae(hidden=8, residual_hidden=4, codes=16, size=4, shape=(1, 28, 28))
        >>> model.codes_of(torch.zeros(2, 1, 28, 28)).shape
        torch.Size([2, 7, 7])
    """
    channels, height, width = shape
    if height % 4 or width % 4:
        raise CourseError(
            f"vqvae: it halves a picture twice; {height} x {width} is not divisible by 4: pad or "
            "crop the pictures."
        )
    if hidden < 2 or hidden % 2 or residual_hidden < 1 or residual_layers < 0:
        raise CourseError(
            f"vqvae: hidden is {hidden}, residual_hidden {residual_hidden} and residual_layers "
            f"{residual_layers}; hidden must be even and above 0, and the others not negative."
        )
    made = _quantiser(quantiser, codes, size, commitment_cost, restart, decay, levels)
    half = hidden // 2
    encoder = nn.Sequential(
        nn.Conv2d(channels, half, 4, stride=2, padding=1),
        nn.ReLU(),
        nn.Conv2d(half, hidden, 4, stride=2, padding=1),
        nn.ReLU(),
        nn.Conv2d(hidden, hidden, 3, padding=1),
        *_residuals(hidden, residual_hidden, residual_layers),
        nn.Conv2d(hidden, made.size, 1),
    )
    decoder = nn.Sequential(
        nn.Conv2d(made.size, hidden, 3, padding=1),
        *_residuals(hidden, residual_hidden, residual_layers),
        nn.ConvTranspose2d(hidden, half, 4, stride=2, padding=1),
        nn.ReLU(),
        nn.ConvTranspose2d(half, channels, 4, stride=2, padding=1),
    )
    # the layout in which a CPU convolves faster; what comes in and goes out is not touched by it
    fast = torch.channels_last
    return VQVAE(encoder.to(memory_format=fast), made, decoder.to(memory_format=fast), shape)


def _quantiser(
    kind: str, codes: int, size: int, commitment_cost: float, restart: int, decay: float,
    levels: Sequence[int],
) -> Quantiser:  # fmt: skip
    if kind == "loss":
        return VectorQuantizer(codes, size, commitment_cost, restart)
    if kind in ("ema", "rotation"):
        return EMAQuantizer(
            codes, size, commitment_cost, restart, rotate=kind == "rotation", decay=decay
        )
    if kind == "fsq":
        made = FiniteScalarQuantizer(levels)
        if made.codes != codes:
            raise CourseError(
                f"vqvae: the levels {list(levels)} make {made.codes} codes and codes is {codes}; "
                "give both the same number."
            )
        return made
    raise CourseError(f"vqvae: quantiser is {kind!r}; the choices are {', '.join(KINDS)}.")
