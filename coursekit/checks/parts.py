"""Parts that several checks share: inputs drawn from fixed seeds, and slips about the batch."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from coursekit.checks.engine import Function, Slip


def normal(seed: int, *shapes: Sequence[int], dtype: torch.dtype = torch.float32) -> list[Tensor]:
    """Draw a standard normal tensor for each shape."""
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(tuple(shape), generator=generator, dtype=dtype) for shape in shapes]


def grey(seed: int, *shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
    """Draw grey pictures, uniform in [0, 1]."""
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(shape, generator=generator, dtype=dtype)


def binary(seed: int, *shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
    """Draw pictures of zeros and ones."""
    return grey(seed, *shape, dtype=dtype).round()


def batch_slips(right: Function, hint: str = "") -> list[Slip]:
    """Make the slips about the batch: summed over it, averaged over it, one picture for all."""
    look = hint or "Over which axis do you sum, and which axis is the pictures' own?"
    return [
        Slip(
            lambda *a: right(*a).sum().expand(len(right(*a))),
            "You summed over the batch too: each picture has a number of its own.",
            look,
        ),
        Slip(
            lambda *a: right(*a).mean().expand(len(right(*a))),
            "You averaged over the batch: each picture has a number of its own.",
            look,
        ),
        Slip(
            lambda *a: right(*a) / len(right(*a)),
            "You divide by the number of pictures: nothing is averaged over the batch.",
            look,
        ),
        Slip(
            lambda *a: right(*a)[:1].expand(len(right(*a))),
            "Every picture gets the first one's value: each needs its own calculation.",
            look,
        ),
        Slip(
            lambda *a: right(*a).flip(0),
            "The values are right and in the wrong order: the batch is turned round.",
            look,
        ),
    ]
