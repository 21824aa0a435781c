"""From bytes to a base distribution's scale, by bijections that keep their own account.

A dequantiser turns levels v in 0..255 into x in [0, 1) and says with which density; everything
after it is a bijection with a log-determinant. So bits/dim is right by construction, whatever the
flow is fed with.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.special import ndtr, ndtri

from coursekit.errors import CourseError
from coursekit.likelihoods import LOG_2PI
from coursekit.models.flows.bijections import Bijection, sum_values
from coursekit.models.flows.couplings import MapNetwork

__all__ = [
    "Logit", "MarginalGaussian", "Scale", "UniformDequantiser", "VariationalDequantiser",
]  # fmt: skip


class Scale(Bijection):
    """z = (x - shift) / width with fixed numbers; log|det| = -D log(width).

    Args:
        shift: what becomes 0.
        width: what becomes 1.
    """

    def __init__(self, shift: float = 0.0, width: float = 1.0) -> None:
        super().__init__()
        if not width > 0:
            raise CourseError(f"Scale: width is {width}; it must be above 0.")
        self.shift, self.width = shift, width

    def forward(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """(B, ...) -> the same shape."""
        logdet = -x[0].numel() * math.log(self.width)
        return (x - self.shift) / self.width, x.new_full((len(x),), logdet)

    def inverse(self, z: Tensor, context: Tensor | None = None) -> Tensor:
        """(B, ...) -> the same shape."""
        return z * self.width + self.shift


class Logit(Bijection):
    """z = logit(alpha + (1 - 2 alpha) x), from [0, 1] to the real line.

    log|det| = sum_d log(1 - 2 alpha) - log s_d - log(1 - s_d), with s = alpha + (1 - 2 alpha) x.

    Args:
        alpha: how far the ends are kept from 0 and 1; above 0 and below 1/2.

    Source: Dinh et al., Density estimation using Real NVP (2017), section 4.1.
    """

    def __init__(self, alpha: float = 1e-6) -> None:
        super().__init__()
        if not 0 < alpha < 0.5:
            raise CourseError(f"Logit: alpha is {alpha}; it must be above 0 and below 0.5.")
        self.alpha = alpha

    def forward(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """(B, ...) in [0, 1] -> the same shape."""
        share = 1 - 2 * self.alpha
        low, high = self.alpha + share * x, self.alpha + share * (1 - x)
        log_low, log_high = low.log(), high.log()
        return log_low - log_high, sum_values(math.log(share) - log_low - log_high)

    def inverse(self, z: Tensor, context: Tensor | None = None) -> Tensor:
        """The same shape; in [0, 1] where z is in the reach of the forward map."""
        return (torch.sigmoid(z) - self.alpha) / (1 - 2 * self.alpha)


# single precision holds 255 + u only in steps of 2^-16: a larger u would leave its cell
_LARGEST = 1 - 2**-16

_EDGES = (0, 1, 2, 4, 8, 16, 32, 56, 80, 104, 128, 152, 176, 200, 224, 240, 248, 252, 253, 254,
          255, 256)  # fmt: skip


class MarginalGaussian(Bijection):
    """Each value through its own CDF, then through the inverse of the normal CDF.

    z_d = Phi^-1(F_d(x_d)), log|det| = sum_d log f_d(x_d) - log N(z_d; 0, 1), where f_d is the
    histogram of value d over the training pictures, constant inside a bin. Every z_d is then
    N(0, 1) by itself: with nothing behind it, log p(x) is that of independent histograms, and all
    that the couplings gain is dependence between pixels.

    Both tails are counted from their own end, so that a pixel that is 0 in nearly every picture
    loses no digits where it is not. Before `count` all bins are equally likely to be met.

    Args:
        dims: D, values of a picture.

    Source: the first step of Chen and Gopinath, Gaussianization (2001).
    """

    edges: Tensor
    logits: Tensor

    def __init__(self, dims: int) -> None:
        super().__init__()
        edges = torch.tensor(_EDGES, dtype=torch.float32) / 256
        self.register_buffer("edges", edges, persistent=False)
        widths = edges.diff()
        self.register_buffer("logits", widths.log().expand(dims, -1).clone())

    @torch.no_grad()
    def count(self, pictures: Tensor, strength: float = 20.0) -> None:
        """Set the histograms from training pictures.

        Args:
            pictures: uint8, (N, C, H, W).
            strength: how many pictures' worth of all pixels' common histogram each pixel's own
                is mixed with, so that no bin is empty.
        """
        if pictures.dtype != torch.uint8 or pictures[0].numel() != len(self.logits):
            raise CourseError(
                f"MarginalGaussian counts uint8 pictures of {len(self.logits)} values, but got "
                f"{pictures.dtype} of shape {tuple(pictures.shape)}."
            )
        bins = torch.bucketize(torch.arange(256) + 0.5, torch.tensor(_EDGES)) - 1
        values = bins.to(pictures.device)[pictures.flatten(1).int()]  # (N, D)
        counts = torch.stack([(values == k).sum(dim=0) for k in range(len(_EDGES) - 1)], dim=1)
        common = (counts.sum(dim=0) + 1).float()
        counts = counts + strength * common / common.sum()
        self.logits.copy_((counts / counts.sum(dim=1, keepdim=True)).log())

    def _rows(self, x: Tensor) -> Tensor:
        rows = x.flatten(1).contiguous()  # bucketize warns about anything else
        if rows.shape[1] != len(self.logits):
            raise CourseError(
                f"MarginalGaussian: the batch has shape {tuple(x.shape)}; expected "
                f"{len(self.logits)} values in each picture."
            )
        return rows

    def _tables(self) -> tuple[Tensor, Tensor, Tensor]:
        """Mass of each bin (D, K), and the mass below it and above it."""
        mass = self.logits.double().softmax(dim=1)
        below = mass.cumsum(dim=1) - mass
        above = mass.flip(1).cumsum(dim=1).flip(1) - mass
        dtype = self.logits.dtype
        return mass.to(dtype), below.clamp_min(0).to(dtype), above.clamp_min(0).to(dtype)

    def forward(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """(B, ...) in [0, 1], D values each -> the same shape."""
        mass, below, above = self._tables()
        flat = self._rows(x)
        k = (torch.bucketize(flat.detach(), self.edges, right=True) - 1).clamp(0, mass.shape[1] - 1)
        place = k + mass.shape[1] * torch.arange(len(mass), device=x.device)
        width = self.edges.diff()[k]
        share = (flat - self.edges[k]) / width
        inside = mass.take(place)
        lower = below.take(place) + inside * share
        upper = above.take(place) + inside * (1 - share)
        low_half = lower < upper
        # in single precision ndtri and ndtr are only right to 1e-5 in the tails
        tail = torch.where(low_half, lower, upper).clamp_min(1e-30)
        tail = ndtri(tail.double()).to(tail.dtype)
        z = torch.where(low_half, tail, -tail)
        logdet = (inside / width).log() + 0.5 * z.square() + 0.5 * LOG_2PI
        return z.view_as(x), logdet.sum(dim=1)

    def inverse(self, z: Tensor, context: Tensor | None = None) -> Tensor:
        """(B, ...) -> the same shape, in [0, 1]."""
        mass, below, above = self._tables()
        rows = self._rows(z).T.contiguous()  # (D, B)
        low_half = rows < 0
        tail = ndtr(-rows.double().abs()).to(rows.dtype)
        from_below = torch.searchsorted(below + mass, tail, right=True)
        from_above = (
            mass.shape[1] - 1 - torch.searchsorted((above + mass).flip(1), tail, right=True)
        )
        k = torch.where(low_half, from_below, from_above).clamp(0, mass.shape[1] - 1)
        start = torch.where(low_half, below.gather(1, k), above.gather(1, k))
        share = ((tail - start) / mass.gather(1, k)).clamp(0, 1)
        share = torch.where(low_half, share, 1 - share)
        x = self.edges[k] + share * self.edges.diff()[k]
        return x.T.reshape(z.shape)


class UniformDequantiser(nn.Module):
    """x = (v + u) / 256 with u ~ U[0, 1): density 256 in each dimension, D log 256 in all.

    log P(v) = log of the integral of p over v's cell >= E_u[log p(x)] - D log 256.

    Source: Theis, van den Oord and Bethge, A note on the evaluation of generative models (2016).
    """

    def forward(
        self, levels: Tensor, generator: torch.Generator | None = None
    ) -> tuple[Tensor, Tensor]:
        """A draw x ~ q(x|v), and log q(x|v).

        Args:
            levels: v as floats, (B, C, H, W), whole numbers from 0 to 255.
            generator: source of the noise.

        Returns:
            x of the same shape, in [0, 1), and nats, (B,).
        """
        noise = torch.empty_like(levels).uniform_(generator=generator)
        x = (levels + noise.clamp_max(_LARGEST)) / 256
        return x, x.new_full((len(x),), x[0].numel() * math.log(256))


class VariationalDequantiser(nn.Module):
    """Noise whose distribution is learned: u = sigmoid(m(v) + exp(s(v)) * e), e ~ N(0, I).

    log q(x|v) = D log 256 + sum_d log N(e_d) - s_d - log u_d - log(1 - u_d). The flow need not
    squeeze its density into the corners of the cells, and the bound gets tighter.

    Args:
        channels: C.
        width: channels inside the network that gives m and s from v.
        blocks: its residual blocks.

    Source: Ho et al., Flow++ (2019), section 3.1, with a diagonal q in place of a flow.
    """

    def __init__(self, channels: int = 1, width: int = 16, blocks: int = 1) -> None:
        super().__init__()
        self.network = MapNetwork(channels, 2 * channels, width, blocks)

    def forward(
        self, levels: Tensor, generator: torch.Generator | None = None
    ) -> tuple[Tensor, Tensor]:
        """A draw x ~ q(x|v), and log q(x|v); arguments as for `UniformDequantiser`."""
        shift, log_scale = self.network(levels / 127.5 - 1).chunk(2, dim=1)
        log_scale = 2 * torch.tanh(log_scale / 2) + 0.5  # N(0, 1.6^2): nearly even on [0, 1)
        e = torch.empty_like(levels).normal_(generator=generator)
        y = shift + log_scale.exp() * e
        log_u, log_v = nn.functional.logsigmoid(y), nn.functional.logsigmoid(-y)
        log_q = -0.5 * e.square() - 0.5 * LOG_2PI - log_scale - log_u - log_v
        x = (levels + log_u.exp().clamp_max(_LARGEST)) / 256
        return x, sum_values(log_q) + x[0].numel() * math.log(256)
