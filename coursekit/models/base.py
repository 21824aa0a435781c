"""The contract that every model of the course keeps, so that one `fit` trains them all."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from coursekit.errors import CourseError
from coursekit.networks import device_of


class Model(nn.Module):
    """A model of pictures: it has a loss for each picture and can draw new ones.

    Attributes:
        card: the manifest's entry for a pretrained model; empty for one of your own.
        unit: what `loss` is measured in.
        no_samples: why `sample` refuses, for a model that has nothing to draw from.
    """

    unit: ClassVar[str] = "nats per picture"
    no_samples: ClassVar[str] = ""

    def __init__(self) -> None:
        super().__init__()
        self.card: dict[str, Any] = {}

    @property
    def device(self) -> torch.device:
        """Where the model's parameters are, and where its inputs have to be."""
        return device_of(self)

    def loss(
        self, x: Tensor, y: Tensor | None = None, generator: torch.Generator | None = None
    ) -> Tensor:
        """Loss of each picture, (B,): nats per picture where a likelihood exists.

        Args:
            x: pictures, (B, C, H, W).
            y: labels, (B,); a model that knows no labels leaves them alone.
            generator: source of all draws.
        """
        raise NotImplementedError

    def sample(
        self,
        n: int,
        mean: bool = False,
        temperature: float = 1.0,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """Draw n pictures, (n, C, H, W) in [0, 1].

        Args:
            n: how many.
            mean: the mean of p(x|z) in place of a draw from it, where there is one.
            temperature: factor on the latent's spread.
            generator: source of all draws.

        Raises:
            CourseError: where the model has nothing to draw from.
        """
        if self.no_samples:
            raise CourseError(self.no_samples)
        raise NotImplementedError
