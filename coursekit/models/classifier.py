"""The digit classifier by which notebooks 05, 07 and 09 judge generated pictures."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from coursekit.errors import CourseError
from coursekit.models.base import Model
from coursekit.networks import MNIST_SHAPE, Shape, check_pictures


def _block(width_in: int, width_out: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(width_in, width_out, 3, stride=stride, padding=1, bias=False),
        nn.BatchNorm2d(width_out),
        nn.ReLU(),
    )


class DigitClassifier(Model):
    """A small convolutional network from grey pictures to class probabilities.

    In training each picture is moved, turned, sheared and resized a little, afresh each time.

    Args:
        channels: widths at full, half and quarter resolution.
        features: width of the last layer but one, which Frechet distances are taken in.
        classes: how many there are.
        shape: (C, H, W), height and width divisible by 4.
        dropout: share of the features that training hides.
    """

    no_samples = "A classifier has no model of pictures; it draws none."

    def __init__(
        self,
        channels: Sequence[int] = (16, 32, 64),
        features: int = 128,
        classes: int = 10,
        shape: Shape = MNIST_SHAPE,
        dropout: float = 0.3,
    ) -> None:
        super().__init__()
        if len(channels) != 3 or shape[1] % 4 or shape[2] % 4:
            raise CourseError(
                f"DigitClassifier: channels is {list(channels)} and the shape {shape}; give three "
                "widths, and a height and width divisible by 4."
            )
        first, second, third = channels
        self.shape = shape
        self.classes = classes
        self.trunk = nn.Sequential(
            _block(shape[0], first), _block(first, second, 2), _block(second, second),
            _block(second, third, 2), _block(third, third), nn.Flatten(),
            nn.Linear(third * (shape[1] // 4) * (shape[2] // 4), features),
            nn.BatchNorm1d(features), nn.ReLU(),
        )  # fmt: skip
        self.last = nn.Sequential(nn.Dropout(dropout), nn.Linear(features, classes))

    def features(self, x: Tensor) -> Tensor:
        """What the last layer sees, (B, features), for pictures (B, C, H, W) in [0, 1]."""
        check_pictures(x, self.shape, "classifier")
        return self.trunk(x)

    def forward(self, x: Tensor) -> Tensor:
        """Logits of the classes, (B, classes)."""
        return self.last(self.features(x))

    def probabilities(self, x: Tensor) -> Tensor:
        """p(y|x), (B, classes)."""
        return torch.softmax(self(x), dim=1)

    @torch.no_grad()
    def classify(self, x: Tensor, chunk: int = 1000) -> tuple[Tensor, Tensor]:
        """The most probable class of each picture, and its probability.

        Args:
            x: pictures, (B, C, H, W) in [0, 1].
            chunk: pictures at a time.

        Returns:
            Labels, (B,), and confidences, (B,).

        Raises:
            CourseError: in training mode, in which dropout and noise would change the answer, or
                if chunk is below 1.
        """
        if self.training:
            raise CourseError("The classifier is in training mode; call model.eval() first.")
        if chunk < 1:
            raise CourseError(f"chunk is {chunk}; at least 1 picture at a time is needed.")
        parts = [self.probabilities(part).max(dim=1) for part in x.split(chunk)]
        return torch.cat([p.indices for p in parts]), torch.cat([p.values for p in parts])

    def loss(
        self, x: Tensor, y: Tensor | None = None, generator: torch.Generator | None = None
    ) -> Tensor:
        """Cross-entropy of the label, -log p(y|x), (B,) nats; distorted pictures in training."""
        if y is None:
            raise CourseError("A classifier learns from labels; give them as y.")
        seen = distort(x, generator) if self.training else x
        return F.cross_entropy(self(seen), y, reduction="none")


def distort(x: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """Move, turn, shear and resize each picture a little, by one affine map a picture.

    A place in the new picture, seen from the middle, is turned by up to 12 degrees, resized and
    sheared by up to 12 % and then moved by up to 2 pixels of 28 along each axis; the old picture
    is read there. Read the other way, what was in the middle moves by up to 3 pixels of 28.

    Args:
        x: pictures, (B, C, H, W).
        generator: source of the draws.

    Returns:
        Pictures of the same shape.
    """
    draws = torch.empty(6, len(x), device=x.device).uniform_(-1, 1, generator=generator)
    angle, across, down, wider, taller, shear = draws
    angle = angle * 0.21
    cos, sin = torch.cos(angle), torch.sin(angle)
    wide, tall, shear = 1 + 0.12 * wider, 1 + 0.12 * taller, 0.12 * shear
    move = 2 * 2 / 28
    rows = [
        torch.stack([wide * cos, shear - sin, move * across], dim=1),
        torch.stack([sin + shear, tall * cos, move * down], dim=1),
    ]
    grid = F.affine_grid(torch.stack(rows, dim=1), list(x.shape), align_corners=False)
    return F.grid_sample(x, grid, padding_mode="zeros", align_corners=False)


def digit_classifier(
    channels: Sequence[int] = (16, 32, 64), features: int = 128, shape: Shape = MNIST_SHAPE
) -> DigitClassifier:
    """Build the classifier; arguments as for `DigitClassifier`."""
    return DigitClassifier(channels, features, shape=shape)
