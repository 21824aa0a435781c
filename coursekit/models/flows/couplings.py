"""Coupling layers: one part of the input passes through and says how to move the other part."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from coursekit.errors import CourseError
from coursekit.models.flows.bijections import Bijection, check_size, sum_values
from coursekit.networks import Residual, Shape, mlp


def half_mask(size: int, odd: bool = False) -> Tensor:
    """Every other entry of a row: bool (size,), true at the even places, or at the odd ones.

    Example:
        >>> half_mask(4).int().tolist()
        [1, 0, 1, 0]
    """
    return torch.arange(size) % 2 == int(odd)


def first_half_mask(size: int, flip: bool = False) -> Tensor:
    """The first half of a row: bool (size,), true in the first half, or in the second.

    Example:
        >>> first_half_mask(4, flip=True).int().tolist()
        [0, 0, 1, 1]
    """
    return (torch.arange(size) < size // 2) ^ flip


def checkerboard_mask(shape: Shape, odd: bool = False) -> Tensor:
    """The white squares of a checkerboard laid over a picture, as a row: bool (C H W,).

    Args:
        shape: (C, H, W).
        odd: the black ones instead.

    Example:
        >>> checkerboard_mask((1, 2, 2)).int().tolist()
        [1, 0, 0, 1]
    """
    channels, height, width = shape
    rows, columns = torch.arange(height)[:, None], torch.arange(width)
    white = (rows + columns) % 2 == int(odd)
    return white.expand(channels, height, width).flatten()


class AffineCoupling(Bijection):
    """x_B = z_B * exp(alpha(z_A)) + m(z_A), while x_A = z_A passes through.

    Forward: z_B = (x_B - m(x_A)) * exp(-alpha(x_A)), log|det dz/dx| = -sum alpha. The Jacobian is
    triangular whatever the network is, and the network is never inverted. With `additive`, alpha
    is 0: NICE's coupling, which keeps volumes.

    Args:
        mask: bool (D,), true where dimension 1 of the input passes through; D is the number of
            features of a row or of channels of a feature map.
        network: (x_A, context) -> (B, 2 n, ...), alpha and m for the n masked-out entries; with
            `additive` (B, n, ...), m alone.
        additive: leave alpha out.
        bound: alpha is squashed to (-bound, bound) by bound * tanh(alpha / bound).

    Source: Dinh et al., Density estimation using Real NVP (2017), equations 7 and 8; additive:
    Dinh et al., NICE (2015), section 3.2.
    """

    kept: Tensor
    moved: Tensor
    order: Tensor

    def __init__(
        self, mask: Tensor, network: nn.Module, additive: bool = False, bound: float = 2.0
    ) -> None:
        super().__init__()
        if mask.ndim != 1 or mask.dtype != torch.bool or mask.all() or not mask.any():
            raise CourseError(
                "AffineCoupling: the mask must be a row of bools with some true and some false, "
                f"not {mask.dtype} of {tuple(mask.shape)}."
            )
        self.network = network
        self.additive = additive
        self.bound = bound
        kept, moved = mask.nonzero().squeeze(1), (~mask).nonzero().squeeze(1)
        self.register_buffer("kept", kept, persistent=False)
        self.register_buffer("moved", moved, persistent=False)
        self.register_buffer("order", torch.cat([kept, moved]).argsort(), persistent=False)

    def _split(self, x: Tensor) -> tuple[Tensor, Tensor]:
        check_size(x, len(self.order), "AffineCoupling")
        return x.index_select(1, self.kept), x.index_select(1, self.moved)

    def _join(self, kept: Tensor, moved: Tensor) -> Tensor:
        return torch.cat([kept, moved], dim=1).index_select(1, self.order)

    def _scale_and_shift(self, kept: Tensor, context: Tensor | None) -> tuple[Tensor, Tensor]:
        answer = self.network(kept, context)
        if self.additive:
            return torch.zeros_like(answer), answer
        alpha, shift = answer.chunk(2, dim=1)
        return self.bound * torch.tanh(alpha / self.bound), shift

    def forward(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """(B, D, ...) -> the same shape, and -sum alpha, (B,)."""
        kept, moved = self._split(x)
        alpha, shift = self._scale_and_shift(kept, context)
        return self._join(kept, (moved - shift) * torch.exp(-alpha)), -sum_values(alpha)

    def inverse(self, z: Tensor, context: Tensor | None = None) -> Tensor:
        """(B, D, ...) -> the same shape."""
        kept, moved = self._split(z)
        alpha, shift = self._scale_and_shift(kept, context)
        return self._join(kept, moved * torch.exp(alpha) + shift)


def _context_rows(context: Tensor | None, rows: int, size: int) -> Tensor | None:
    given = 0 if context is None else context.shape[1]
    if given != size:
        raise CourseError(
            f"This flow takes a context of {size} numbers, but {given} were given; "
            "a conditional flow wants labels, another one none."
        )
    if context is not None and len(context) != rows:
        raise CourseError(f"{rows} rows came with {len(context)} contexts; give one for each.")
    return context if size else None


class RowNetwork(nn.Module):
    """What an affine coupling of rows asks: a perceptron that also sees the context.

    Its last layer starts at 0, so that the coupling starts as the identity.

    Args:
        size_in: n_A, entries that pass through.
        size_out: numbers wanted.
        hidden: widths of the hidden layers.
        context_size: M.
        dropout: share of hidden units left out while training.
        activation: makes the module behind a hidden layer.
    """

    def __init__(
        self,
        size_in: int,
        size_out: int,
        hidden: Sequence[int],
        context_size: int = 0,
        dropout: float = 0.0,
        activation: Callable[[], nn.Module] = nn.SiLU,
    ) -> None:
        super().__init__()
        self.context_size = context_size

        def active() -> nn.Module:
            return nn.Sequential(activation(), nn.Dropout(dropout)) if dropout else activation()

        self.layers = mlp([size_in + context_size, *hidden, size_out], active)
        last = self.layers[-1]
        assert isinstance(last, nn.Linear)
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)

    def forward(self, kept: Tensor, context: Tensor | None = None) -> Tensor:
        """(B, n_A) and (B, M) -> (B, size_out)."""
        context = _context_rows(context, len(kept), self.context_size)
        return self.layers(kept if context is None else torch.cat([kept, context], dim=1))


class MapNetwork(nn.Module):
    """The same for feature maps: residual convolutions, the context as constant channels.

    Args:
        channels_in: channels that pass through.
        channels_out: channels wanted.
        width: channels inside.
        blocks: how many residual blocks.
        context_size: M.
    """

    def __init__(
        self,
        channels_in: int,
        channels_out: int,
        width: int,
        blocks: int = 2,
        context_size: int = 0,
    ) -> None:
        super().__init__()
        self.context_size = context_size
        inner = [
            Residual(
                nn.Sequential(
                    nn.SiLU(), nn.Conv2d(width, width, 3, padding=1),
                    nn.SiLU(), nn.Conv2d(width, width, 1),
                )
            )
            for _ in range(blocks)
        ]  # fmt: skip
        last = nn.Conv2d(width, channels_out, 3, padding=1)
        nn.init.zeros_(last.weight)
        assert last.bias is not None
        nn.init.zeros_(last.bias)
        first = nn.Conv2d(channels_in + context_size, width, 3, padding=1)
        layers = nn.Sequential(first, *inner, nn.SiLU(), last)
        # the layout in which a CPU convolves faster
        self.layers = layers.to(memory_format=torch.channels_last)

    def forward(self, kept: Tensor, context: Tensor | None = None) -> Tensor:
        """(B, channels_in, H, W) and (B, M) -> (B, channels_out, H, W)."""
        context = _context_rows(context, len(kept), self.context_size)
        if context is not None:
            maps = context[:, :, None, None].expand(-1, -1, *kept.shape[2:])
            kept = torch.cat([kept, maps], dim=1)
        return self.layers(kept)


def coupling_size(mask: Tensor, additive: bool) -> tuple[int, int]:
    """How many numbers a coupling's network takes, and how many it gives."""
    kept = int(mask.sum())
    return kept, (1 if additive else 2) * (len(mask) - kept)


def stack_masks(shape: Shape, couplings: int) -> list[Tensor]:
    """Masks for a stack of couplings over rows of pixels: by turns white, black, upper, lower.

    Args:
        shape: (C, H, W).
        couplings: how many.
    """
    size = math.prod(shape)
    kinds = [
        checkerboard_mask(shape), checkerboard_mask(shape, odd=True),
        first_half_mask(size), first_half_mask(size, flip=True),
    ]  # fmt: skip
    return [kinds[number % len(kinds)] for number in range(couplings)]
