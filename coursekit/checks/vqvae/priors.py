"""Small priors over code maps, made from a function; they refuse what is no map of codes."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

Logits = Callable[[Tensor], Tensor]


def prior(logits: Logits, shape: tuple[int, int, int], codes: int) -> Logits:
    """A prior that looks at what it is given.

    Args:
        logits: makes logits, (B, codes, H, W), from codes, (B, H, W).
        shape: of the codes.
        codes: how many there are.

    Returns:
        A function of the codes that says what is wrong with them, by a TypeError or ValueError.
    """

    def logits_of(indices: Tensor) -> Tensor:
        if not isinstance(indices, Tensor) or indices.dtype != torch.int64:
            kind = getattr(indices, "dtype", type(indices).__name__)
            raise TypeError(f"logits_of takes codes of type torch.int64, not {kind}")
        if tuple(indices.shape) != tuple(shape):
            raise ValueError(
                f"logits_of takes codes of shape {tuple(shape)}, not {tuple(indices.shape)}"
            )
        if indices.min() < 0 or indices.max() >= codes:
            raise ValueError(f"logits_of takes codes from 0 to {codes - 1}, and here are others")
        return logits(indices)

    logits_of.__qualname__ = logits_of.__name__  # as an error's message calls it
    return logits_of
