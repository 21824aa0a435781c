"""A normalising flow of pictures: dequantiser, bijections, base; and a density of points."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from coursekit.errors import CourseError
from coursekit.likelihoods import gaussian_log_prob
from coursekit.models.base import Model
from coursekit.models.conditions import Condition
from coursekit.models.flows.bijections import Bijection
from coursekit.models.flows.preprocessing import MarginalGaussian, UniformDequantiser
from coursekit.networks import MNIST_SHAPE, Shape, check_pictures, device_of


class Density(nn.Module):
    """A density made by change of variables.

    log p(x) = log N(z; 0, std^2 I) + log|det dz/dx|, z = forward(x)

    Args:
        bijection: data to z, rows of `size` numbers.
        size: D.
        std: standard deviation of the base.
    """

    def __init__(self, bijection: Bijection, size: int, std: float = 1.0) -> None:
        super().__init__()
        self.bijection = bijection
        self.size = size
        self.std = std

    def base_log_prob(self, z: Tensor) -> Tensor:
        """The base's log N(z; 0, std^2 I), (B,) nats, for z (B, D)."""
        return gaussian_log_prob(z, torch.zeros_like(z), torch.full_like(z, 2 * math.log(self.std)))

    def log_prob(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """Log-density of x, (B,) nats.

        Args:
            x: what the bijection takes.
            context: (B, M), or None.
        """
        z, logdet = self.bijection(x, context)
        return self.base_log_prob(z) + logdet

    @torch.no_grad()
    def sample(
        self,
        n: int,
        temperature: float = 1.0,
        context: Tensor | None = None,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """Draw z from the base and send it backwards.

        Args:
            n: how many.
            temperature: factor on the base's deviation.
            context: (n, M), or None.
            generator: source of the draws.
        """
        z = torch.randn(n, self.size, generator=generator, device=device_of(self))
        return self.bijection.inverse(temperature * self.std * z, context)


class Flow(Model):
    """A flow of 8-bit pictures, conditional on labels if wanted.

    -log P(v|c) <= E_q(x|v)[log q(x|v) - log p(x|c)], with q the dequantiser.

    Args:
        bijection: pictures (B, C, H, W) in [0, 1] -> z (B, D).
        shape: (C, H, W).
        condition: what every coupling is told; nothing if None.
        dequantiser: levels -> (x, log q); uniform noise if None.
    """

    def __init__(
        self,
        bijection: Bijection,
        shape: Shape = MNIST_SHAPE,
        condition: Condition | None = None,
        dequantiser: nn.Module | None = None,
    ) -> None:
        super().__init__()
        self.density = Density(bijection, math.prod(shape))
        self.shape = shape
        self.condition = condition or Condition()
        self.dequantiser = dequantiser or UniformDequantiser()

    def count(self, pictures: Tensor) -> None:
        """Set the histograms of a `MarginalGaussian` from training pictures, uint8 (N, C, H, W)."""
        for module in self.modules():
            if isinstance(module, MarginalGaussian):
                module.count(pictures)

    def _context(self, x: Tensor, y: Tensor | None) -> Tensor | None:
        return self.condition(x, y) if self.condition.size else None

    def encode(self, x: Tensor, y: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Pictures to z.

        Args:
            x: (B, C, H, W), continuous values in [0, 1].
            y: labels, (B,), for a conditional flow.

        Returns:
            z, (B, D), and log|det dz/dx|, (B,).
        """
        check_pictures(x, self.shape, "flow")
        return self.density.bijection(x, self._context(x, y))

    @torch.no_grad()
    def decode(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        """z, (B, D), to pictures, (B, C, H, W) in [0, 1]; y: labels, for a conditional flow."""
        if z.ndim != 2 or z.shape[1] != self.density.size:
            raise CourseError(
                f"flow: z has shape {tuple(z.shape)}; expected (B, {self.density.size})."
            )
        return self.density.bijection.inverse(z, self._context(z, y)).clamp(0, 1)

    def log_prob(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        """Log-density of continuous pictures in [0, 1], (B,) nats: not the mass of 8-bit ones."""
        check_pictures(x, self.shape, "flow")
        return self.density.log_prob(x, self._context(x, y))

    def loss(
        self, x: Tensor, y: Tensor | None = None, generator: torch.Generator | None = None
    ) -> Tensor:
        """Bound on -log P(v) of the 8-bit picture, with one fresh draw of the noise.

        Args:
            x: grey pictures v / 255, (B, C, H, W): the noise is added here.
            y: labels, (B,), for a conditional flow.
            generator: source of the noise.

        Returns:
            Nats, (B,); `bits_per_dim` turns them into bits.
        """
        check_pictures(x, self.shape, "flow")
        scaled = 255 * x
        levels = scaled.round()
        if x.device.type == "cpu":  # elsewhere a look would make the device wait at each step
            off = (scaled - levels).abs() > 1e-2
            if (off | (levels < 0) | (levels > 255)).any():
                raise CourseError(
                    "The loss of a flow takes grey pictures v/255 and adds its own noise; give "
                    'prepare="grey", not dequantised pictures.'
                )
        noisy, log_q = self.dequantiser(levels, generator)
        return log_q - self.log_prob(noisy, y)

    def bits_per_dim(self, nats: float | Tensor) -> Any:
        """Nats of the 8-bit picture to bits for each of its values."""
        return nats / (self.density.size * math.log(2))

    @torch.no_grad()
    def sample_given(
        self,
        c: Tensor,
        mean: bool = False,
        temperature: float = 1.0,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """Draw a picture for each condition.

        Args:
            c: conditions, (B, M).
            mean: changes nothing: a flow has no noise to leave out.
            temperature: factor on z.
            generator: source of the draws.

        Returns:
            Pictures, (B, C, H, W) in [0, 1].
        """
        self.condition.check(c)
        context = c if self.condition.size else None
        return self.density.sample(len(c), temperature, context, generator).clamp(0, 1)

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
        c = self.condition.by_turns(n, self.device)
        return self.sample_given(c, mean, temperature, generator)

    @torch.no_grad()
    def log_weights(
        self, x: Tensor, y: Tensor | None, n: int, generator: torch.Generator | None = None
    ) -> Tensor:
        """Log-weights log p(x|c) - log q(x|v) of n draws of the noise, (n, B) nats.

        Their mean is the ELBO, and log of their mean exponential the importance-weighted bound.
        """
        return torch.stack([-self.loss(x, y, generator) for _ in range(n)])
