"""Bijections with their log-determinants: what a normalising flow is made of.

Every bijection has `forward(x, context) -> (z, logdet)` and `inverse(z, context) -> x`. The log of
|det dz/dx| is (B,), in nats; the determinants of a chain multiply, so their logarithms add up.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from coursekit.errors import CourseError
from coursekit.networks import Shape, check_pictures


def sum_values(value: Tensor) -> Tensor:
    """Sum over all but the batch: (B, ...) -> (B,)."""
    return value.flatten(1).sum(dim=1)


def check_size(x: Tensor, size: int, where: str) -> None:
    """Raise unless dimension 1 of a batch has this size: anything else may broadcast unseen."""
    if x.ndim < 2 or x.shape[1] != size:
        raise CourseError(
            f"{where}: the batch has shape {tuple(x.shape)}; expected (B, {size}, ...)."
        )


class Bijection(nn.Module):
    """An invertible map; as it stands, the identity."""

    def forward(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Map x to z, and measure log|det dz/dx|.

        Args:
            x: (B, ...).
            context: (B, M), what a conditional map is told; None for nothing.

        Returns:
            z, and the log-determinant, (B,) nats.
        """
        return x, x.new_zeros(len(x))

    def inverse(self, z: Tensor, context: Tensor | None = None) -> Tensor:
        """Map z back: what `forward` made of x becomes x again."""
        return z


class Chain(Bijection):
    """Bijections one after another: log|det| = sum_i log|det J_i|.

    Args:
        *bijections: from the data to the base distribution.
    """

    def __init__(self, *bijections: Bijection) -> None:
        super().__init__()
        self.bijections = nn.ModuleList(bijections)

    def forward(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Map x to z; the log-determinants add up, (B,)."""
        total = x.new_zeros(len(x))
        for bijection in self.bijections:
            x, logdet = bijection(x, context)
            total = total + logdet
        return x, total

    def inverse(self, z: Tensor, context: Tensor | None = None) -> Tensor:
        """Map z to x, the maps in the opposite order."""
        for bijection in reversed(list(self.bijections)):
            assert isinstance(bijection, Bijection)
            z = bijection.inverse(z, context)
        return z


class Flatten(Bijection):
    """Pictures to rows of numbers; nothing is stretched, so the log-determinant is 0.

    Args:
        shape: (C, H, W).
    """

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape

    def forward(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """(B, C, H, W) -> (B, C H W)."""
        check_pictures(x, self.shape, "flow")
        return x.flatten(1), x.new_zeros(len(x))

    def inverse(self, z: Tensor, context: Tensor | None = None) -> Tensor:
        """(B, C H W) -> (B, C, H, W)."""
        return z.reshape(len(z), *self.shape)


class Squeeze(Bijection):
    """Each 2 x 2 patch of a channel becomes four channels; only places change.

    Channel 4 c + 2 i + j holds the pixels of row i and column j of the patches of channel c, so
    every other channel is a checkerboard's worth of the picture away from the next.

    Source: Dinh et al., Density estimation using Real NVP (2017), section 3.6.

    Example:
        >>> Squeeze()(torch.arange(4.0).view(1, 1, 2, 2))[0].flatten().tolist()
        [0.0, 1.0, 2.0, 3.0]
    """

    def forward(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """(B, C, H, W) -> (B, 4 C, H/2, W/2)."""
        if x.ndim != 4 or x.shape[2] % 2 or x.shape[3] % 2:
            raise CourseError(
                f"Squeeze: the batch has shape {tuple(x.shape)}; give (B, C, H, W) with even H, W."
            )
        return nn.functional.pixel_unshuffle(x, 2), x.new_zeros(len(x))

    def inverse(self, z: Tensor, context: Tensor | None = None) -> Tensor:
        """(B, 4 C, H, W) -> (B, C, 2 H, 2 W)."""
        return nn.functional.pixel_shuffle(z, 2)


class Scaling(Bijection):
    """NICE's last layer: z_d = x_d * exp(s_d), log|det| = sum_d s_d.

    Additive couplings keep volumes; this layer lets the flow say which dimensions vary much.

    Args:
        size: D.

    Source: Dinh et al., NICE: Non-linear Independent Components Estimation (2015), section 3.3.
    """

    def __init__(self, size: int) -> None:
        super().__init__()
        self.log_scale = nn.Parameter(torch.zeros(size))

    def forward(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """(B, D) -> (B, D), and the same log-determinant for each row."""
        check_size(x, len(self.log_scale), "Scaling")
        return x * self.log_scale.exp(), self.log_scale.sum().expand(len(x))

    def inverse(self, z: Tensor, context: Tensor | None = None) -> Tensor:
        """(B, D) -> (B, D)."""
        return z * (-self.log_scale).exp()


class ActNorm(Bijection):
    """z = (x - shift) * exp(s), one shift and one s a channel, started from the first batch.

    After the first training batch each channel of z has mean 0 and deviation 1; from then on
    shift and s are parameters like others. log|det| = (values of a channel) * sum_c s_c.

    Args:
        channels: C, the size of dimension 1.

    Source: Kingma and Dhariwal, Glow (2018), section 3.1.
    """

    started: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.shift = nn.Parameter(torch.zeros(channels))
        self.log_scale = nn.Parameter(torch.zeros(channels))
        self.register_buffer("started", torch.tensor(False))
        self._ready = False  # a look at the buffer would make a GPU wait at every step

    @torch.no_grad()
    def _start(self, x: Tensor) -> None:
        if not self.started:
            values = x.transpose(0, 1).flatten(1)
            if values.shape[1] < 2:
                raise CourseError(
                    f"ActNorm starts from its first batch, but one of shape {tuple(x.shape)} has "
                    "no deviation; give more than one picture."
                )
            self.shift.copy_(values.mean(dim=1))
            self.log_scale.copy_(-values.std(dim=1).clamp_min(1e-3).log())
            self.started.fill_(True)
        self._ready = True

    def _load_from_state_dict(self, *args: Any, **kwargs: Any) -> None:
        super()._load_from_state_dict(*args, **kwargs)
        self._ready = False  # the weights may be those of a flow that has not started yet

    def _shaped(self, value: Tensor, x: Tensor) -> Tensor:
        return value.view(1, -1, *[1] * (x.ndim - 2))

    def forward(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """(B, C, ...) -> the same shape, and the same log-determinant for each."""
        check_size(x, len(self.shift), "ActNorm")
        if self.training and not self._ready:
            self._start(x)
        z = (x - self._shaped(self.shift, x)) * self._shaped(self.log_scale, x).exp()
        places = x[0, 0].numel()
        return z, (places * self.log_scale.sum()).expand(len(x))

    def inverse(self, z: Tensor, context: Tensor | None = None) -> Tensor:
        """The same shape."""
        return z * self._shaped(-self.log_scale, z).exp() + self._shaped(self.shift, z)


class InvertibleConv(Bijection):
    """A 1 x 1 convolution as a learned, invertible mixing of channels: z = W x at every place.

    W = P L (U + diag(sign * exp(s))) with a fixed permutation P, a unit lower triangle L and a
    strict upper triangle U, so that log|det| = H W sum_c s_c costs nothing.

    Args:
        channels: C.

    Source: Kingma and Dhariwal, Glow (2018), section 3.2.
    """

    permutation: Tensor
    sign: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        rotation = torch.linalg.qr(torch.randn(channels, channels))[0]
        p, lower, upper = torch.linalg.lu(rotation)
        diagonal = upper.diagonal()
        self.register_buffer("permutation", p)
        self.register_buffer("sign", diagonal.sign())
        self.lower = nn.Parameter(lower.tril(-1))
        self.upper = nn.Parameter(upper.triu(1))
        self.log_diagonal = nn.Parameter(diagonal.abs().log())

    def _factors(self) -> tuple[Tensor, Tensor]:
        identity = torch.eye(len(self.sign), device=self.sign.device, dtype=self.lower.dtype)
        diagonal = torch.diag(self.sign * self.log_diagonal.exp())
        return self.lower.tril(-1) + identity, self.upper.triu(1) + diagonal

    def forward(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """(B, C, H, W) -> the same shape."""
        check_size(x, len(self.sign), "InvertibleConv")
        lower, upper = self._factors()
        weight = self.permutation @ lower @ upper
        z = nn.functional.conv2d(x, weight[:, :, None, None])
        return z, (x.shape[2] * x.shape[3] * self.log_diagonal.sum()).expand(len(x))

    def inverse(self, z: Tensor, context: Tensor | None = None) -> Tensor:
        """The same shape, by two triangular systems."""
        lower, upper = self._factors()
        columns = z.flatten(2).transpose(0, 1).flatten(1)  # (C, B H W)
        y = self.permutation.T @ columns
        y = torch.linalg.solve_triangular(lower, y, upper=False, unitriangular=True)
        x = torch.linalg.solve_triangular(upper, y, upper=True)
        return x.view(z.shape[1], len(z), -1).transpose(0, 1).reshape(z.shape)


class MultiScale(Bijection):
    """Levels of a flow; after each but the last, half of the channels go straight to z.

    What leaves early describes the fine detail; the rest goes on at a coarser scale, which saves
    time. z is one row of numbers, the parts of the levels side by side.

    Args:
        levels: bijections of feature maps.
        shape: (C, H, W) of the pictures.
        context_size: M, what the levels are told.

    Source: Dinh et al., Density estimation using Real NVP (2017), section 3.6.
    """

    def __init__(self, levels: list[Bijection], shape: Shape, context_size: int = 0) -> None:
        super().__init__()
        self.levels = nn.ModuleList(levels)
        self.eval()  # zeros are no batch to start an ActNorm from
        context = torch.zeros(1, context_size) if context_size else None
        with torch.no_grad():
            parts = self._split(torch.zeros(1, *shape), context)[0]
        self.train()
        self.shapes = [part.shape[1:] for part in parts]

    def _split(self, x: Tensor, context: Tensor | None) -> tuple[list[Tensor], Tensor]:
        parts, total = [], x.new_zeros(len(x))
        for number, level in enumerate(self.levels):
            x, logdet = level(x, context)
            total = total + logdet
            if number < len(self.levels) - 1:
                x, done = x.chunk(2, dim=1)
                parts.append(done)
        return [*parts, x], total

    def forward(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """(B, C, H, W) -> (B, C H W)."""
        parts, total = self._split(x, context)
        return torch.cat([part.flatten(1) for part in parts], dim=1), total

    def inverse(self, z: Tensor, context: Tensor | None = None) -> Tensor:
        """(B, C H W) -> (B, C, H, W)."""
        sizes = [shape.numel() for shape in self.shapes]
        rows = z.split(sizes, dim=1)
        parts = [r.view(len(z), *shape) for r, shape in zip(rows, self.shapes, strict=True)]
        x = parts.pop()
        for level in reversed(list(self.levels)):
            assert isinstance(level, Bijection)
            x = level.inverse(x, context)
            if parts:
                x = torch.cat([x, parts.pop()], dim=1)
        return x
