"""The contract of a likelihood: what a decoder's output says about a picture."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from coursekit.errors import CourseError
from coursekit.likelihoods.densities import bits_per_dim, sum_per_example


def soft_bounds(value: Tensor, low: float, high: float) -> Tensor:
    """Keep values between two bounds, with a slope that is nowhere 0.

    low + softplus(high - softplus(high - value) - low): the value itself well inside.
    """
    return low + F.softplus(high - F.softplus(high - value) - low)


def uniform(like: Tensor, generator: torch.Generator | None) -> Tensor:
    """Draw uniform numbers in (0, 1), without its ends, in the shape of a tensor."""
    # a draw of exactly 0 or 1 would send an inverse distribution function to infinity
    return torch.empty_like(like).uniform_(generator=generator).clamp_(1e-7, 1 - 1e-7)


def grey_levels(x: Tensor) -> Tensor:
    """Read pictures in [0, 1], prepared as "grey", as their 256 levels: round(255 x)."""
    return (255 * x).round()


class Likelihood(nn.Module):
    """What a decoder's output means: a distribution over pictures, p(x|z).

    A decoder gives `params_per_channel` numbers for each value of the picture, as a tensor of
    shape (B, P * C, H, W): first all first parameters, then all second ones.

    Attributes:
        name: how tables call it.
        params_per_channel: P, numbers that the decoder gives for each value of a picture.
        scale: what its log_prob measures: "binary" (a mass over {0, 1}), "density" (a density
            on [0, 1], 8 bits to add for the integer picture) or "mass" (a mass over 256 values).
        preparation: how pictures are prepared for it, a name for `coursekit.data.prepare`.
    """

    name: ClassVar[str] = "likelihood"
    params_per_channel: int = 1
    scale: ClassVar[str] = "binary"

    @property
    def preparation(self) -> str:
        """What `coursekit.data.prepare` makes for it: binary, dequantised or grey pictures."""
        return {"binary": "dynamic", "density": "dequantised", "mass": "grey"}[self.scale]

    def log_prob_each(self, params: Tensor, x: Tensor) -> Tensor:
        """Log-probability of each value of the pictures x, (B, C, H, W) nats."""
        raise NotImplementedError

    def log_prob(self, params: Tensor, x: Tensor, seen: Tensor | None = None) -> Tensor:
        """Log-probability of pictures given the decoder's output: the sum over their values.

        Args:
            params: the decoder's output, (B, P * C, H, W).
            x: pictures, (B, C, H, W), prepared as `preparation` says.
            seen: bool, broadcastable to x; only the values where it is true are counted.

        Returns:
            Nats, (B,).
        """
        values = self.log_prob_each(params, x)
        return sum_per_example(values if seen is None else torch.where(seen, values, 0.0))

    def mean(self, params: Tensor) -> Tensor:
        """Mean picture, (B, C, H, W) in [0, 1]."""
        raise NotImplementedError

    def sample(self, params: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Draw one picture for each row of params, (B, C, H, W) in [0, 1]."""
        raise NotImplementedError

    def bits_per_dim(self, nats: Tensor | float, dims: int) -> Tensor | float:
        """Convert a negative log-likelihood to bits/dim of what this likelihood describes.

        A density on (v + u)/256 has 8 bits added, so that it speaks of the 8-bit picture:
        bits/dim = -log2 p / D + 8. A probability mass needs no 8.

        Args:
            nats: negative log-likelihood per picture.
            dims: values in a picture.

        Returns:
            Bits per dimension.
        """
        return bits_per_dim(nats, dims) + (8.0 if self.scale == "density" else 0.0)

    def split(self, params: Tensor) -> tuple[Tensor, ...]:
        """Cut the decoder's output into its P parameters, each (B, C, H, W)."""
        if params.ndim != 4 or params.shape[1] % self.params_per_channel:
            raise CourseError(
                f"{self.name}: the decoder gave shape {tuple(params.shape)}; expected "
                f"(B, {self.params_per_channel} * C, H, W)."
            )
        return params.chunk(self.params_per_channel, dim=1)
