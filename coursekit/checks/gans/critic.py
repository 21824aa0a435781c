"""The small critic that the check of the gradient penalty plays with."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from coursekit.checks.engine import Inputs

FIRST, SECOND, LINE = "the critic", "its second layer", "its straight part"
WEIGHTS = (FIRST, SECOND, LINE)


class Critic:
    """Pictures (B, ...) to answers (B,): a hidden layer and a straight part."""

    def __init__(self, inputs: Inputs) -> None:
        self.size = inputs["real"].shape[1:]
        self.first, self.second, self.line = (inputs[name] for name in WEIGHTS)

    def __call__(self, x: Tensor) -> Tensor:
        """Judge each picture alone."""
        if x.shape[1:] != self.size:
            raise ValueError(
                f"the critic takes pictures of shape (B, {', '.join(map(str, self.size))}), not "
                f"{tuple(x.shape)}"
            )
        flat = x.flatten(1)
        return torch.tanh(flat @ self.first) @ self.second + flat @ self.line

    def slope(self, x: Tensor) -> Tensor:
        """Its gradient at x, worked out by hand, (B, D)."""
        bent = 1 - torch.tanh(x.flatten(1) @ self.first).square()
        return (bent * self.second) @ self.first.T + self.line


def arguments(inputs: Inputs) -> tuple[Any, ...]:
    """Make the critic from its weights among the inputs."""
    return Critic(inputs), inputs["real"], inputs["fake"], inputs["mix"]
