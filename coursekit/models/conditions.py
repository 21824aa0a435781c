"""What a conditional model is told about a picture: its label, or a part of it."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from coursekit.errors import CourseError
from coursekit.networks import Shape, check_pictures


class Condition(nn.Module):
    """Nothing at all: the condition of size 0, with which a CVAE is a VAE.

    Attributes:
        size: M, how many numbers the condition has.
    """

    size = 0

    def forward(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        """The condition of each picture, (B, M), from pictures (B, C, H, W) and labels (B,)."""
        return x.new_zeros(len(x), 0)

    def check(self, c: Tensor, count: int | None = None) -> None:
        """Raise unless c holds this condition for so many pictures, (count, M); any, if None.

        Raises:
            CourseError: naming the shape that came and the one wanted.
        """
        if c.ndim != 2 or c.shape[1] != self.size or count not in (None, len(c)):
            wanted = "B" if count is None else count
            raise CourseError(
                f"The condition has shape {tuple(c.shape)}; expected ({wanted}, {self.size})"
                ", as model.condition(x, y) makes it."
            )

    def by_turns(self, n: int, device: torch.device | None = None) -> Tensor:
        """Conditions for n samples that nobody chose, (n, M): labels by turns 0, 1, 2, ...

        Raises:
            CourseError: if n is below 1, or where there is no condition without a picture.
        """
        if n < 1:
            raise CourseError(f"n is {n}; it must be at least 1.")
        return torch.zeros(n, self.size, device=device)

    def hidden(self) -> Tensor | None:
        """Which values have to be explained, bool (1, C, H, W); all if None."""
        return None


class Labels(Condition):
    """The label, one-hot.

    Args:
        classes: how many there are.

    Example:
        >>> Labels(3)(torch.zeros(1, 1, 2, 2), torch.tensor([2])).tolist()
        [[0.0, 0.0, 1.0]]
    """

    def __init__(self, classes: int = 10) -> None:
        super().__init__()
        if classes < 1:
            raise CourseError(f"Labels: classes is {classes}; there must be at least 1.")
        self.size = classes

    def one_hot(self, y: Tensor) -> Tensor:
        """Labels (B,) as rows of zeros with a single 1, (B, classes).

        Raises:
            CourseError: if a label is not a whole number from 0 to classes - 1.
        """
        if y.ndim != 1 or y.is_floating_point() or y.dtype == torch.bool:
            raise CourseError(
                f"Labels: expected whole numbers of shape (B,), not {y.dtype} of {tuple(y.shape)}."
            )
        if y.device.type == "cpu":  # elsewhere a look would make the device wait at each step
            bad = y[(y < 0) | (y >= self.size)]
            if len(bad):
                raise CourseError(f"The label {bad[0]} is not between 0 and {self.size - 1}.")
        return F.one_hot(y.long(), self.size).float()

    def by_turns(self, n: int, device: torch.device | None = None) -> Tensor:
        """One-hot labels 0, 1, 2, ..., by turns, (n, classes)."""
        super().by_turns(n, device)  # looks at n
        return self.one_hot(torch.arange(n, device=device) % self.size)

    def forward(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        """(B, classes); the pictures are not looked at."""
        if y is None:
            raise CourseError("This model is conditional on labels; give them as y.")
        if y.ndim == 1 and len(y) != len(x):
            raise CourseError(f"{len(x)} pictures came with {len(y)} labels; give one for each.")
        return self.one_hot(y)


class Quadrants(Condition):
    """A picture of which one, two or three quadrants are seen; the rest has to be explained.

    The order is lower left, upper left, lower right. The condition holds the seen values alone.

    Args:
        observed: 1, 2 or 3 quadrants.
        shape: (C, H, W), height and width even.

    Source: the task of Sohn et al., Learning Structured Output Representation using Deep
    Conditional Generative Models (2015), section 5.1.

    Example:
        >>> Quadrants(1, (1, 2, 2)).seen.int().tolist()
        [[[[0, 0], [1, 0]]]]
    """

    seen: Tensor
    places: Tensor

    def __init__(self, observed: int, shape: Shape = (1, 28, 28)) -> None:
        super().__init__()
        channels, height, width = shape
        if observed not in (1, 2, 3):
            raise CourseError(f"Quadrants: observed is {observed}; give 1, 2 or 3.")
        if height % 2 or width % 2:
            raise CourseError(f"Quadrants: {height} x {width} pictures have no equal quadrants.")
        self.observed = observed
        self.shape = shape
        top, left = slice(0, height // 2), slice(0, width // 2)
        bottom, right = slice(height // 2, height), slice(width // 2, width)
        seen = torch.zeros(1, channels, height, width, dtype=torch.bool)
        for rows, columns in ((bottom, left), (top, left), (bottom, right))[:observed]:
            seen[:, :, rows, columns] = True
        places = seen.flatten().nonzero().squeeze(1)
        self.size = len(places)
        self.register_buffer("seen", seen, persistent=False)
        self.register_buffer("places", places, persistent=False)

    def forward(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        """(B, M): the seen values, row by row."""
        check_pictures(x, self.shape, "the condition")
        return x.flatten(1).index_select(1, self.places)

    def by_turns(self, n: int, device: torch.device | None = None) -> Tensor:
        """A picture that is seen in part has to be given."""
        raise CourseError(
            "This model completes pictures: call sample_given with the part that is seen."
        )

    def hidden(self) -> Tensor:
        """Bool (1, C, H, W), true where a value is not seen."""
        return ~self.seen
