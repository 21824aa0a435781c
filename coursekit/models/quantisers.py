"""From vectors to codes: the nearest row of a codebook, learned by a loss or by moving averages.

All keep one contract: `quantise(z) -> Quantised` and `look_up(indices)`, with z (B, D, H, W) and
indices (B, H, W), one code for each place of the map.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from coursekit.errors import CourseError
from coursekit.models.codes import (
    Quantised,
    as_maps,
    as_rows,
    check_codes,
    check_maps,
    ema_step,
    nearest_codes,
    perplexity,
    rotated,
    smoothed_counts,
    straight_through,
)

__all__ = [
    "EMAQuantizer",
    "FiniteScalarQuantizer",
    "Quantised",
    "Quantiser",
    "VectorQuantizer",
    "ema_step",
    "nearest_codes",
    "perplexity",
    "rotated",
    "straight_through",
]


class VectorQuantizer(nn.Module):
    """A codebook that its own loss moves.

    loss = mean (sg[z] - e)^2 + commitment_cost * mean (z - sg[e])^2, e the code nearest to z:
    the first term moves the codes, the second the encoder; sg stops the gradient.

    Args:
        codes: K.
        size: D.
        commitment_cost: beta.
        restart: a code that nothing has chosen for so many training batches is moved onto an
            encoder output of the batch at hand, and so are all at the very start. 0: never; the
            codes start evenly in [-1/K, 1/K].
        rotate: the rotation trick's gradient in place of the identity's.

    Source: van den Oord et al., Neural Discrete Representation Learning (2017), equation 3.

    Example:
        >>> quantiser = VectorQuantizer(codes=8, size=3)
        >>> quantiser.quantise(torch.randn(2, 3, 4, 4)).indices.shape
        torch.Size([2, 4, 4])
    """

    codebook: Tensor
    unused: Tensor

    def __init__(
        self,
        codes: int = 512,
        size: int = 64,
        commitment_cost: float = 0.25,
        restart: int = 0,
        rotate: bool = False,
    ) -> None:
        super().__init__()
        name = type(self).__name__
        if codes < 2 or size < 1:
            raise CourseError(f"{name}: {codes} codes of {size}; give at least 2 codes of 1.")
        if not commitment_cost >= 0 or restart < 0:
            raise CourseError(
                f"{name}: commitment_cost is {commitment_cost} and restart {restart}; neither may "
                "be negative."
            )
        self.codes = codes
        self.size = size
        self.commitment_cost = commitment_cost
        self.restart = restart
        self.rotate = rotate
        self._make_codebook((2 * torch.rand(codes, size) - 1) / codes)
        # as if no batch had ever chosen one: where there are restarts, they begin with all
        self.register_buffer("unused", torch.full((codes,), restart, dtype=torch.int64))

    def _make_codebook(self, start: Tensor) -> None:
        self.codebook = nn.Parameter(start)

    @torch.no_grad()
    def _move_dead_codes(self, rows: Tensor) -> Tensor:
        """Put every dead code onto a vector of the batch; returns which ones, bool (K,)."""
        dead = self.unused >= self.restart
        chosen = torch.randint(len(rows), (self.codes,), device=rows.device)
        self.codebook.copy_(torch.where(dead[:, None], rows[chosen], self.codebook))
        self.unused.masked_fill_(dead, 0)
        return dead

    @torch.no_grad()
    def _note_used(self, indices: Tensor) -> None:
        used = torch.bincount(indices, minlength=self.codes) > 0
        self.unused.copy_(torch.where(used, 0, self.unused + 1))

    def _learn(self, rows: Tensor, indices: Tensor) -> None:
        """What a training batch changes besides gradients: nothing here."""

    def _loss(self, rows: Tensor, nearest: Tensor) -> Tensor:
        codebook = (rows.detach() - nearest).square()
        commitment = (rows - nearest.detach()).square()
        return codebook + self.commitment_cost * commitment

    def quantise(self, z: Tensor) -> Quantised:
        """Replace each vector by its nearest code.

        Args:
            z: encoder outputs, (B, D, H, W). In training mode they also move dead codes.

        Returns:
            z_q, indices, loss and perplexity; see `Quantised`.
        """
        check_maps(z, self.size)
        rows = as_rows(z)
        if self.training and self.restart:
            self._move_dead_codes(rows.detach())
        with torch.no_grad():
            indices = nearest_codes(rows, self.codebook)
        nearest = nn.functional.embedding(indices, self.codebook)
        loss = self._loss(rows, nearest).reshape(len(z), -1).mean(dim=1)
        through = rotated if self.rotate else straight_through
        z_q = as_maps(through(rows, nearest), z)
        if self.training:
            self._note_used(indices)
            self._learn(rows.detach(), indices)
        maps = indices.view(len(z), *z.shape[2:])
        return Quantised(z_q, maps, loss, perplexity(indices, self.codes))

    def look_up(self, indices: Tensor) -> Tensor:
        """Codes (B, H, W) to their vectors, (B, D, H, W)."""
        check_codes(indices, self.codes)
        return nn.functional.embedding(indices, self.codebook).movedim(3, 1)


class EMAQuantizer(VectorQuantizer):
    """A codebook of moving averages: each code is the mean of the vectors that chose it lately.

    The codebook takes no gradient; the loss is the commitment term alone.

    Args:
        codes: K.
        size: D.
        commitment_cost: beta.
        restart: as for `VectorQuantizer`.
        rotate: as for `VectorQuantizer`.
        decay: weight of the past in a step; see `ema_step`.
        epsilon: smoothing of the counts.
    """

    counts: Tensor

    def __init__(
        self,
        codes: int = 512,
        size: int = 64,
        commitment_cost: float = 0.25,
        restart: int = 0,
        rotate: bool = False,
        decay: float = 0.99,
        epsilon: float = 1e-5,
    ) -> None:
        super().__init__(codes, size, commitment_cost, restart, rotate)
        if not 0 <= decay < 1 or not epsilon > 0:
            raise CourseError(
                f"EMAQuantizer: decay is {decay} and epsilon {epsilon}; decay must be in [0, 1) "
                "and epsilon above 0."
            )
        self.decay = decay
        self.epsilon = epsilon
        self.register_buffer("counts", torch.ones(codes))

    def _make_codebook(self, start: Tensor) -> None:
        self.register_buffer("codebook", start)

    @torch.no_grad()
    def _move_dead_codes(self, rows: Tensor) -> Tensor:
        dead = super()._move_dead_codes(rows)
        self.counts.copy_(torch.where(dead, 1.0, self.counts))
        return dead

    @torch.no_grad()
    def _learn(self, rows: Tensor, indices: Tensor) -> None:
        # the sums are not kept: codebook times counts gives them back, and is safe in 16 bits
        sums = self.codebook * smoothed_counts(self.counts, self.epsilon)[:, None]
        counts, _, codebook = ema_step(
            self.counts, sums, rows, indices, self.decay, self.epsilon
        )  # fmt: skip
        self.counts.copy_(counts)
        self.codebook.copy_(codebook)

    def _loss(self, rows: Tensor, nearest: Tensor) -> Tensor:
        return self.commitment_cost * (rows - nearest).square()


class FiniteScalarQuantizer(nn.Module):
    """No codebook to learn: each of a few numbers is squashed and rounded to one of its levels.

    Code d of z is one of L_d whole steps that cover [-1, 1]; there are L_1 L_2 ... L_D codes. The
    gradient of the rounding is the identity's; there is no loss, and no code can die.

    Args:
        levels: L, how many values each of the D numbers may take, 2 or more.

    Source: Mentzer et al., Finite Scalar Quantization (2024), section 3.

    Example:
        >>> FiniteScalarQuantizer((3, 2)).codebook.tolist()
        [[-1.0, -1.0], [-1.0, 1.0], [0.0, -1.0], [0.0, 1.0], [1.0, -1.0], [1.0, 1.0]]
    """

    steps: Tensor
    places: Tensor

    def __init__(self, levels: Sequence[int] = (8, 8, 8)) -> None:
        super().__init__()
        if not levels or min(levels) < 2:
            raise CourseError(
                f"FiniteScalarQuantizer: levels is {list(levels)}; give two levels or more for "
                "each number."
            )
        self.levels = tuple(levels)
        self.codes = math.prod(levels)
        self.size = len(levels)
        self.register_buffer("steps", torch.tensor(levels) - 1, persistent=False)
        places = [math.prod(self.levels[d + 1 :]) for d in range(self.size)]
        self.register_buffer("places", torch.tensor(places), persistent=False)

    @property
    def codebook(self) -> Tensor:
        """All codes, (K, D) in [-1, 1]."""
        digits = torch.arange(self.codes, device=self.steps.device)[:, None] // self.places
        return 2 * (digits % (self.steps + 1)) / self.steps - 1

    def quantise(self, z: Tensor) -> Quantised:
        """Squash by tanh, round to the nearest level; as `VectorQuantizer.quantise`, loss 0."""
        check_maps(z, self.size)
        bounded = torch.tanh(as_rows(z))
        digits = ((bounded.detach() + 1) / 2 * self.steps).round().long()
        z_q = as_maps(straight_through(bounded, 2 * digits / self.steps - 1), z)
        indices = (digits * self.places).sum(dim=1)
        maps = indices.view(len(z), *z.shape[2:])
        return Quantised(z_q, maps, z.new_zeros(len(z)), perplexity(indices, self.codes))

    def look_up(self, indices: Tensor) -> Tensor:
        """Codes (B, H, W) to their vectors, (B, D, H, W)."""
        check_codes(indices, self.codes)
        return self.codebook[indices].movedim(3, 1)


Quantiser = VectorQuantizer | FiniteScalarQuantizer
