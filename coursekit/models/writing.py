"""Pictures on demand from a model that knows labels: rows of digits, and whole numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from coursekit.errors import CourseError
from coursekit.models.conditions import Condition, Labels

Digits = Sequence[int] | np.ndarray | Tensor


class Writer(Protocol):
    """What writing asks of a model: a condition on labels, and samples given a condition."""

    condition: Condition

    @property
    def device(self) -> torch.device:
        """Where the model's parameters are."""
        ...

    def sample_given(
        self,
        c: Tensor,
        mean: bool = False,
        temperature: float = 1.0,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """Draw a picture for each condition."""
        ...


def _labels(model: Writer, labels: Digits) -> Tensor:
    condition = model.condition
    if not isinstance(condition, Labels):
        raise CourseError("This model is not conditional on labels; take one that is.")
    classes = f"whole numbers from 0 to {condition.size - 1}"
    single = isinstance(labels, str | bytes) or not hasattr(labels, "__len__")
    if single or getattr(labels, "ndim", 1) == 0:  # a tensor of no dimension has a len, but none
        raise CourseError(f"labels is {labels!r}; give a list of {classes}, such as [2, 4, 3].")
    items = labels.tolist() if isinstance(labels, Tensor | np.ndarray) else list(labels)
    if not items:
        raise CourseError(f"labels is empty; give a list of {classes}, such as [2, 4, 3].")
    for place, item in enumerate(items):
        whole = isinstance(item, int | np.integer) and not isinstance(item, bool)
        if not whole or not 0 <= item < condition.size:
            raise CourseError(
                f"The label {item!r} (number {place + 1} of {len(items)}) is not among the "
                f"{classes}."
            )
    return torch.tensor([int(item) for item in items])


def generate_images(
    model: Writer,
    labels: Digits,
    *,
    mean: bool = True,
    temperature: float = 1.0,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Draw one picture for each label.

    Args:
        model: a CVAE (or another model with `condition` and `sample_given`) that knows labels.
        labels: a list, array or tensor of labels, such as [2, 4, 3].
        mean: the mean of p(x|z, c) in place of a draw from it.
        temperature: factor on the latent's standard deviation; below 1, tidier and more alike.
        generator: source of all draws.

    Returns:
        Pictures, (len(labels), C, H, W) in [0, 1].

    Raises:
        CourseError: for a label that is no class of the model, or no label at all.
    """
    y = _labels(model, labels)
    assert isinstance(model.condition, Labels)
    c = model.condition.one_hot(y).to(model.device)
    return model.sample_given(c, mean, temperature, generator)


def number_image(
    model: Writer,
    number: int | str,
    *,
    mean: bool = True,
    temperature: float = 1.0,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Write a whole number, its digits side by side in one picture.

    Args:
        model: as for `generate_images`, with the ten digits as classes.
        number: an int that is not negative, or a string of digits (which may begin with 0).
        mean: as for `generate_images`.
        temperature: as for `generate_images`.
        generator: source of all draws.

    Returns:
        A picture, (C, H, W * digits) in [0, 1].

    Raises:
        CourseError: for anything that is not a row of the digits 0 to 9.
    """
    text = str(number) if isinstance(number, int | np.integer) else number
    plain = isinstance(text, str) and text.isascii() and text.isdigit()
    if isinstance(number, bool) or not plain:
        raise CourseError(
            f"number is {number!r}; give a whole number that is not negative, or a string of the "
            "digits 0 to 9, such as '2810393592'."
        )
    pictures = generate_images(
        model, [int(digit) for digit in text], mean=mean, temperature=temperature,
        generator=generator,
    )  # fmt: skip
    return torch.cat(list(pictures), dim=2)
