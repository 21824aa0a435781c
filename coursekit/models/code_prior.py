"""An autoregressive prior over code maps: with it, a VQ-VAE draws new pictures."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from coursekit.errors import CourseError
from coursekit.models.base import Model
from coursekit.models.codes import check_codes
from coursekit.models.conditions import Condition, Labels
from coursekit.models.vqvae import VQVAE
from coursekit.models.vqvae import vqvae as build_vqvae


def gate(x: Tensor) -> Tensor:
    """tanh(a) * sigmoid(b) of the two halves a and b of the channels: (B, 2C, ...) -> (B, C, ...).

    Source: van den Oord et al., Conditional Image Generation with PixelCNN Decoders (2016), eq. 2.
    """
    a, b = x.chunk(2, dim=1)
    return torch.tanh(a) * torch.sigmoid(b)


class GatedLayer(nn.Module):
    """One layer of the two stacks of a gated PixelCNN.

    The vertical stack at a place knows rows above it, all across; the horizontal stack knows what
    stands left of it in its own row, and is told what the vertical one knows. No place knows
    itself. Convolutions reach up and to the left alone, so nothing has to be masked.

    Args:
        channels: of both stacks.
        condition: M, size of the condition; 0 for none.
        first: the layer that reads the codes: it may not look at its own place (of the
            horizontal stack) or row (of the vertical one), and reaches two places far; later
            layers read what earlier ones made, which is allowed, and reach one place further.
    """

    def __init__(self, channels: int, condition: int = 0, first: bool = False) -> None:
        super().__init__()
        self.first = first
        self.wide = 2 if first else 1  # how far it reaches to either side
        self.vertical = nn.Conv2d(channels, 2 * channels, (2, 2 * self.wide + 1))
        self.horizontal = nn.Conv2d(channels, 2 * channels, (1, 2))
        self.down = nn.Conv2d(2 * channels, 2 * channels, 1)
        self.out = nn.Conv2d(channels, channels, 1)
        self.told = nn.Linear(condition, 4 * channels, bias=False) if condition else None

    def _told(self, c: Tensor, half: int) -> Tensor | float:
        """What the condition adds to the vertical (0) or the horizontal (1) stack."""
        return 0.0 if self.told is None else self.told(c).chunk(2, dim=1)[half][:, :, None, None]

    def look_up_rows(self, v: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
        """Vertical stack: v (B, C, H, W) -> the next v, and what the horizontal one is told."""
        rows = v.shape[2]
        above = F.pad(v, (self.wide, self.wide, 2 if self.first else 1, 0))
        seen = self.vertical(above)[:, :, :rows]
        return gate(seen + self._told(c, 0)), self.down(seen)

    def look_left(self, h: Tensor, below: Tensor, c: Tensor) -> Tensor:
        """Horizontal stack: h (B, C, H, W) and what the vertical one says -> the next h."""
        columns = h.shape[3]
        left = F.pad(h, (2 if self.first else 1, 0, 0, 0))
        seen = self.horizontal(left)[:, :, :, :columns]
        new = self.out(gate(seen + below + self._told(c, 1)))
        return new if self.first else h + new


class CodePrior(Model):
    """A gated PixelCNN over the code maps of a frozen VQ-VAE.

    log p(k) = sum_i log p(k_i | k_1, ..., k_(i-1), y), places in raster order, row by row.

    Args:
        vqvae: trained before; frozen here, and always in evaluation mode.
        channels: of both stacks.
        layers: with at least (side of the map - 2) of them each place sees all places before it.
        classes: labels it is conditional on; 0 for none.

    Source: van den Oord et al., Conditional Image Generation with PixelCNN Decoders (2016).
    """

    def __init__(self, vqvae: VQVAE, channels: int = 64, layers: int = 6, classes: int = 0) -> None:
        super().__init__()
        if channels < 1 or layers < 1 or classes < 0:
            raise CourseError(
                f"CodePrior: channels is {channels}, layers {layers} and classes {classes}; give "
                "at least one channel and one layer, and no negative number of classes."
            )
        self.vqvae = vqvae.requires_grad_(False).eval()
        self.condition = Labels(classes) if classes else Condition()
        self.embedding = nn.Embedding(vqvae.codes, channels)
        self.place = nn.Parameter(torch.zeros(1, channels, *vqvae.map_shape))
        self.stack = nn.ModuleList(
            GatedLayer(channels, self.condition.size, first=layer == 0) for layer in range(layers)
        ).to(memory_format=torch.channels_last)
        self.head = nn.Sequential(
            nn.ReLU(), nn.Conv2d(channels, channels, 1), nn.ReLU(),
            nn.Conv2d(channels, vqvae.codes, 1),
        ).to(memory_format=torch.channels_last)  # fmt: skip

    def train(self, mode: bool = True) -> CodePrior:
        """As for any module, but the VQ-VAE stays in evaluation mode."""
        super().train(mode)
        self.vqvae.eval()
        return self

    @property
    def shape(self) -> tuple[int, int, int]:
        """(C, H, W) of a picture."""
        return self.vqvae.shape

    def _embed(self, indices: Tensor) -> Tensor:
        return self.embedding(indices).movedim(3, 1)

    def _vertical(self, embedded: Tensor, c: Tensor) -> list[Tensor]:
        """What each layer's vertical stack tells the horizontal one, for the rows given."""
        said, v = [], embedded
        for layer in self.stack:
            assert isinstance(layer, GatedLayer)
            v, below = layer.look_up_rows(v, c)
            if layer.first:
                v = v + self.place[:, :, : v.shape[2]]
            said.append(below)
        return said

    def _horizontal(self, embedded: Tensor, said: list[Tensor], place: Tensor, c: Tensor) -> Tensor:
        """Logits, (B, codes, rows, W), for rows whose vertical stack is known."""
        h = embedded
        for layer, below in zip(self.stack, said, strict=True):
            assert isinstance(layer, GatedLayer)
            h = layer.look_left(h, below, c)
            if layer.first:
                h = h + place
        return self.head(h)

    def logits(self, indices: Tensor, y: Tensor | None = None) -> Tensor:
        """Logits of each place's code given the codes before it in raster order.

        Args:
            indices: code maps, int64 (B, h, w).
            y: labels, (B,), for a conditional prior.

        Returns:
            (B, codes, h, w); those at a place do not depend on the code there or on later ones.
        """
        if tuple(indices.shape[1:]) != self.vqvae.map_shape:
            raise CourseError(
                f"CodePrior: the codes have shape {tuple(indices.shape)}; expected "
                f"(B, {', '.join(map(str, self.vqvae.map_shape))})."
            )
        check_codes(indices, self.vqvae.codes)
        embedded = self._embed(indices)
        c = self.condition(embedded, y).to(embedded.dtype)
        return self._horizontal(embedded, self._vertical(embedded, c), self.place, c)

    def log_prob(self, indices: Tensor, y: Tensor | None = None) -> Tensor:
        """Log-probability of code maps, (B,) nats; arguments as for `logits`."""
        logits = self.logits(indices, y)
        return -F.cross_entropy(logits, indices, reduction="none").flatten(1).sum(dim=1)

    def loss(
        self, x: Tensor, y: Tensor | None = None, generator: torch.Generator | None = None
    ) -> Tensor:
        """-log p of the code map of each picture: not a likelihood of the picture itself.

        Args:
            x: pictures, (B, C, H, W) in [0, 1]; the VQ-VAE turns them into codes.
            y: labels, (B,), for a conditional prior.
            generator: not used; nothing is drawn.

        Returns:
            Nats, (B,).
        """
        return -self.log_prob(self.vqvae.codes_of(x), y)

    def bits_per_code(self, nats: float | Tensor) -> Any:
        """Nats of a code map to bits for each of its codes."""
        return nats / (math.prod(self.vqvae.map_shape) * math.log(2))

    def _conditions(self, labels: int | Tensor) -> Tensor:
        """What was asked for, a number or labels or one-hot rows, as conditions (B, M)."""
        if isinstance(labels, int):
            return self.condition.by_turns(labels, self.device)
        if labels.ndim == 1 and isinstance(self.condition, Labels):
            return self.condition.one_hot(labels).to(self.device)
        self.condition.check(labels)
        return labels

    @torch.no_grad()
    def sample_codes(
        self,
        labels: int | Tensor,
        temperature: float = 1.0,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """Draw code maps, place after place in raster order.

        The vertical stack is run once a row and the horizontal one on that row alone: the draws
        are those of softmax(logits / temperature) at each place, at a fraction of the work.

        Args:
            labels: one for each map, (B,), or how many maps: labels go by turns then.
            temperature: the logits are divided by it; below 1, likelier codes.
            generator: source of the draws.

        Returns:
            int64, (B, h, w).

        Raises:
            CourseError: for a temperature that is not above 0, or labels the prior does not know.
        """
        if not temperature > 0:
            raise CourseError(f"sample_codes: temperature is {temperature}; it must be above 0.")
        c = self._conditions(labels)
        height, width = self.vqvae.map_shape
        codes = torch.zeros(len(c), height, width, dtype=torch.int64, device=c.device)
        for row in range(height):
            here = slice(row, row + 1)
            said = self._vertical(self._embed(codes[:, : row + 1]), c)
            told = [below[:, :, here] for below in said]
            for column in range(width):
                embedded = self._embed(codes[:, here])
                logits = self._horizontal(embedded, told, self.place[:, :, here], c)
                shares = torch.softmax(logits[:, :, 0, column] / temperature, dim=1)
                codes[:, row, column] = torch.multinomial(shares, 1, generator=generator)[:, 0]
        return codes

    def sample_given(
        self,
        c: Tensor,
        mean: bool = False,
        temperature: float = 1.0,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """Draw a picture for each condition.

        Args:
            c: labels, (B,), or conditions, (B, M).
            mean: changes nothing: the decoder adds no noise that could be left out.
            temperature: as for `sample_codes`.
            generator: source of the draws.

        Returns:
            Pictures, (B, C, H, W) in [0, 1].
        """
        return self.vqvae.decode_codes(self.sample_codes(c, temperature, generator))

    def sample(
        self,
        n: int,
        mean: bool = False,
        temperature: float = 1.0,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """Draw n pictures, (n, C, H, W) in [0, 1]; with labels, the classes by turns 0, 1, 2, ...

        Arguments as for `sample_given`.
        """
        return self.vqvae.decode_codes(self.sample_codes(n, temperature, generator))


def code_prior(
    vqvae: dict[str, Any] | None = None, channels: int = 64, layers: int = 6, classes: int = 0
) -> CodePrior:
    """Build a code prior around a VQ-VAE with fresh weights; its checkpoint fills both.

    Args:
        vqvae: arguments of `models.vqvae.vqvae`.
        channels: of both stacks.
        layers: of the stacks.
        classes: labels it is conditional on; 0 for none.

    Example:
        >>> small = {"hidden": 8, "residual_hidden": 4, "codes": 8, "size": 4}
        >>> code_prior(small, channels=4, layers=2).sample(3).shape
        torch.Size([3, 3, 32, 32])
    """
    return CodePrior(build_vqvae(**(vqvae or {})), channels, layers, classes)
