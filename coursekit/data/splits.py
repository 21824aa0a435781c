"""What a data set is: pictures with labels, in a training, a validation and a test split."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from coursekit.errors import CourseError

TITLES = {
    "mnist": "MNIST",
    "fashion_mnist": "Fashion-MNIST",
    "cifar10": "CIFAR-10",
    "digits": "synthetic digits",
    "scenes": "synthetic scenes",
}
SHUFFLE_SEED = 0


def fixed_shuffle(n: int) -> Tensor:
    """Return the course's one shuffle of n things, the same on every machine and for ever.

    Args:
        n: how many things there are.

    Returns:
        The numbers 0 to n - 1 in shuffled order, int64, shape (n,).

    Example:
        >>> fixed_shuffle(5).tolist()
        [2, 0, 1, 3, 4]
    """
    # NumPy has frozen the stream of RandomState for good; the newer generators may change.
    generator = np.random.RandomState(SHUFFLE_SEED)
    return torch.from_numpy(generator.permutation(n).astype(np.int64))


def check_count(n: object, what: str) -> None:
    """Raise a CourseError unless n is a whole number of pictures, at least 1."""
    if isinstance(n, bool) or not isinstance(n, int) or n < 1:
        raise CourseError(f"{what} takes a whole number of pictures, at least 1, but got {n!r}.")


@dataclass(frozen=True)
class Split:
    """Pictures that belong together, with their labels.

    Attributes:
        pictures: uint8, shape (N, C, H, W), values 0 to 255.
        labels: int64, shape (N,), an index into the data set's `class_names`.
        factors: what the pictures were drawn from, each of length N; None where nobody knows.
    """

    pictures: Tensor
    labels: Tensor
    factors: dict[str, Tensor] | None = None

    def __post_init__(self) -> None:
        """Refuse parts that do not fit together."""
        if self.pictures.dtype != torch.uint8 or self.pictures.dim() != 4:
            raise CourseError(
                "A Split takes uint8 pictures of shape (N, C, H, W), but got "
                f"{self.pictures.dtype} of shape {tuple(self.pictures.shape)}."
            )
        if self.labels.dtype != torch.int64 or self.labels.dim() != 1:
            raise CourseError(
                "A Split takes int64 labels of shape (N,), but got "
                f"{self.labels.dtype} of shape {tuple(self.labels.shape)}."
            )
        for name, part in {"labels": self.labels, **(self.factors or {})}.items():
            if part.dim() == 0 or len(part) != len(self.pictures):
                raise CourseError(
                    f"A Split of {len(self.pictures)} pictures needs {name} of that length, "
                    f"but got shape {tuple(part.shape)}."
                )

    def __len__(self) -> int:
        """Return the number of pictures."""
        return len(self.pictures)

    def _map(self, change: Callable[[Tensor], Tensor]) -> Split:
        factors = self.factors
        if factors is not None:
            factors = {name: change(factor) for name, factor in factors.items()}
        return Split(change(self.pictures), change(self.labels), factors)

    def take(self, n: int) -> Split:
        """Return the first n pictures (all of them if there are fewer).

        Args:
            n: how many, at least 1.

        Returns:
            A split that shares its memory with this one.

        Raises:
            CourseError: if n is not a whole number of at least 1.
        """
        check_count(n, "take(n)")
        return self._map(lambda part: part[:n])

    def to(self, device: torch.device | str) -> Split:
        """Return the same split on another device."""
        return self._map(lambda part: part.to(device))


@dataclass(frozen=True)
class DataSet:
    """Three splits of one kind of pictures, with what there is to know about them.

    Attributes:
        name: what `load` calls it, for example "mnist" or "digits".
        train: the split to fit on.
        validation: the split to choose on.
        test: the split to report on; it chooses nothing.
        class_names: the name of each label.
        note: where the pictures come from and how they were split, in a sentence.
    """

    name: str
    train: Split
    validation: Split
    test: Split
    class_names: tuple[str, ...]
    note: str = ""

    @property
    def shape(self) -> tuple[int, int, int]:
        """The shape (C, H, W) of one picture."""
        channels, height, width = self.train.pictures.shape[1:]
        return (channels, height, width)

    @property
    def dims(self) -> int:
        """The number of values in one picture, C * H * W."""
        channels, height, width = self.shape
        return channels * height * width

    @property
    def title(self) -> str:
        """The name as it is written in a sentence: "MNIST", "synthetic digits"."""
        if self.name.startswith("folder:"):
            return f"pictures in {Path(self.name.partition(':')[2]).resolve().name}"
        return TITLES.get(self.name, self.name)

    def _map(self, train: Callable[[Split], Split], rest: Callable[[Split], Split]) -> DataSet:
        return replace(
            self, train=train(self.train), validation=rest(self.validation), test=rest(self.test)
        )

    def first(self, n: int, rest: int) -> DataSet:
        """Return the first n training pictures and the first `rest` of validation and test."""
        return self._map(lambda split: split.take(n), lambda split: split.take(rest))

    def subset(self, n: int) -> DataSet:
        """Return a smaller data set: n training pictures, n // 5 (at least 1) of each other split.

        Args:
            n: the number of training pictures, at least 1; all of them if there are fewer.

        Returns:
            The first pictures of each split, in the same order.

        Raises:
            CourseError: if n is not a whole number of at least 1.
        """
        check_count(n, "subset(n)")
        return self.first(n, max(n // 5, 1))

    def to(self, device: torch.device | str) -> DataSet:
        """Return the same data set on another device."""
        return self._map(lambda split: split.to(device), lambda split: split.to(device))
