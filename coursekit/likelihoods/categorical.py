"""The categorical likelihood: a probability of its own for each bin of grey values."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from coursekit.errors import CourseError
from coursekit.likelihoods.base import Likelihood, grey_levels

LEVELS = 256


class Categorical(Likelihood):
    """8-bit pixels, sorted into k equal bins: p(v|z) = prod_d softmax(l_d)[bin(v_d)] p(v_d|bin).

    bin(v) = floor(v k / 256). With k = 256 each level has a bin of its own. With fewer the mass
    of a bin is shared among its 256 / k levels: equally, until `count_inside` puts the training
    pictures' own shares there.

    Args:
        bins: k, a divisor of 256, at least 2.

    Attributes:
        inside: log p(v|bin) for each of the 256 levels.

    Source of k = 256: van den Oord et al., Pixel Recurrent Neural Networks (2016), section 3.4.

    Example:
        >>> coin = Categorical(bins=2)  # half of the mass on each bin, spread over 128 levels
        >>> nats = -coin.log_prob(torch.zeros(1, 2, 1, 1), torch.zeros(1, 1, 1, 1)).item()
        >>> round(nats / math.log(2), 4)
        8.0
    """

    name = "categorical"
    scale = "mass"
    inside: Tensor

    def __init__(self, bins: int = LEVELS) -> None:
        super().__init__()
        if bins < 2 or LEVELS % bins:
            raise CourseError(f"Categorical: bins is {bins}; give a divisor of 256, 2 or more.")
        self.bins = bins
        self.width = LEVELS // bins
        self.params_per_channel = bins
        self.register_buffer("inside", torch.full((LEVELS,), -math.log(self.width)))

    def spread_evenly(self) -> None:
        """Share the mass of a bin equally among its levels: log2(256 / k) bits a pixel, exactly."""
        self.inside.fill_(-math.log(self.width))

    def count_inside(self, pictures: Tensor) -> None:
        """Share the mass of a bin as training pictures do, with one count added to each level.

        Args:
            pictures: uint8, any shape.
        """
        if pictures.dtype != torch.uint8:
            raise CourseError(f"Categorical: it counts uint8 pictures, not {pictures.dtype}.")
        counts = torch.bincount(pictures.flatten().long(), minlength=LEVELS).double() + 1
        within = counts.view(self.bins, self.width)
        shares = within / within.sum(dim=1, keepdim=True)
        self.inside.copy_(shares.log().flatten())

    def _log_masses(self, params: Tensor) -> Tensor:
        """Log-probability of each bin, (B, k, C, H, W)."""
        self.split(params)
        return F.log_softmax(params.unflatten(1, (self.bins, -1)), dim=1)

    def log_prob_each(self, params: Tensor, x: Tensor) -> Tensor:
        """The terms log softmax(l)[bin(v)] + log p(v|bin), v = round(255 x)."""
        if self.split(params)[0].shape != x.shape:
            raise CourseError(
                f"{self.name}: x has shape {tuple(x.shape)} and the decoder gave "
                f"{tuple(params.shape)}; expected (B, {self.bins} * C, H, W) for x (B, C, H, W)."
            )
        level = grey_levels(x).long()
        # bins last: a softmax along neighbouring numbers is several times faster
        logits = params.unflatten(1, (self.bins, -1)).movedim(1, -1).reshape(-1, self.bins)
        bins = torch.div(level, self.width, rounding_mode="floor")
        log_mass = -F.cross_entropy(logits, bins.flatten(), reduction="none")
        return log_mass.view_as(x) + self.inside[level]

    def mean(self, params: Tensor) -> Tensor:
        """Mean level, over 255."""
        levels = torch.arange(LEVELS, device=params.device) / (LEVELS - 1)
        middles = (self.inside.exp() * levels).view(self.bins, self.width).sum(dim=1).to(params)
        masses = self._log_masses(params).exp()
        return torch.einsum("bkchw,k->bchw", masses, middles).clamp(0, 1)

    def sample(self, params: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Draw a bin for each pixel, then a level inside it."""
        masses = self._log_masses(params).exp().movedim(1, -1)
        flat = masses.reshape(-1, self.bins)
        bins = torch.multinomial(flat, 1, generator=generator).squeeze(1)
        shares = self.inside.exp().view(self.bins, self.width)
        inner = torch.multinomial(shares[bins], 1, generator=generator).squeeze(1)
        level = bins * self.width + inner
        return (level / (LEVELS - 1)).view(masses.shape[:-1])
