"""Coloured scenes."""

from torch import Tensor


def scenes(n: int, seed: int = 0) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
    raise NotImplementedError
