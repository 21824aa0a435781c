"""Building blocks of a course in deep generative models.

>>> import coursekit
>>> coursekit.__version__.count(".")
2
"""

from __future__ import annotations

__version__ = "0.1.0"
__all__ = ["__version__", "seed_everything"]


def seed_everything(seed: int) -> None:
    """Seed Python, NumPy and torch (every device) with one call.

    Args:
        seed: a non-negative integer below 2**32.

    Example:
        >>> import torch
        >>> seed_everything(3); first = torch.rand(2)
        >>> seed_everything(3); bool((torch.rand(2) == first).all())
        True
    """
    import random

    import numpy as np
    import torch

    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002 - libraries still draw from it
    torch.manual_seed(seed)
