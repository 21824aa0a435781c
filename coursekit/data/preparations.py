"""From stored bytes to what a model sees: grey values, binary draws, dequantised values, noise."""

from __future__ import annotations

import torch
from torch import Tensor

from coursekit.errors import CourseError

PREPARATIONS: dict[str, str] = {
    "grey": "grey values v / 255 in [0, 1]",
    "threshold": "1 where v / 255 > 0.5, else 0",
    "dynamic": "a fresh Bernoulli draw, 1 with probability v / 255",
    "dequantised": "(v + u) / 256 with fresh uniform u in [0, 1)",
}


def _check_bytes(v: Tensor, what: str) -> None:
    if not isinstance(v, Tensor) or v.dtype != torch.uint8:
        kind = v.dtype if isinstance(v, Tensor) else type(v).__name__
        raise CourseError(
            f"{what} takes stored pictures, a uint8 tensor with values 0 to 255, but got {kind}."
        )


def _check_unit(x: Tensor, what: str) -> None:
    if not isinstance(x, Tensor) or not x.is_floating_point():
        kind = x.dtype if isinstance(x, Tensor) else type(x).__name__
        raise CourseError(
            f"{what} takes a float tensor with values in [0, 1], but got {kind}: "
            'use prepare(pictures, "grey") first.'
        )
    if x.numel() == 0:
        return
    low, high = x.min().item(), x.max().item()
    if not (low >= 0 and high <= 1):  # written so that NaN fails as well
        raise CourseError(
            f"{what} takes values in [0, 1], but these go from {low:g} to {high:g}: "
            "divide bytes by 255, or clip what lies outside."
        )


def _check_generator(generator: torch.Generator | None, x: Tensor) -> None:
    if generator is not None and generator.device.type != x.device.type:
        raise CourseError(
            f"The generator lives on {generator.device} but the pictures on {x.device}: "
            f'make it with torch.Generator("{x.device.type}").'
        )


def _uniform(like: Tensor, generator: torch.Generator | None) -> Tensor:
    _check_generator(generator, like)
    return torch.rand(like.shape, generator=generator, device=like.device)


def prepare(pictures: Tensor, how: str, generator: torch.Generator | None = None) -> Tensor:
    """Turn a batch of stored bytes v into the float pictures that a model is trained on.

    grey: v/255; threshold: 1 if v/255 > 0.5; dynamic: b ~ Bernoulli(v/255), drawn anew at each
    call; dequantised: (v + u)/256 with u ~ U[0, 1), drawn anew at each call.

    Args:
        pictures: uint8, shape (B, C, H, W), values 0 to 255.
        how: a name from `PREPARATIONS`.
        generator: source of the random draws, on the pictures' device; torch's own if None.

    Returns:
        float32, shape (B, C, H, W), values in [0, 1].

    Raises:
        CourseError: if the name is unknown or the pictures have another type or shape.

    Example:
        >>> v = torch.tensor([0, 127, 128, 255], dtype=torch.uint8).view(1, 1, 2, 2)
        >>> prepare(v, "threshold").flatten().tolist()
        [0.0, 0.0, 1.0, 1.0]
    """
    if how not in PREPARATIONS:
        raise CourseError(
            f"There is no preparation {how!r}: choose one of {', '.join(PREPARATIONS)}."
        )
    _check_bytes(pictures, "prepare")
    if pictures.dim() != 4:
        raise CourseError(
            f"prepare takes pictures of shape (B, C, H, W), but got {tuple(pictures.shape)}."
        )
    if how == "dequantised":
        return dequantise(pictures, generator)
    grey = pictures.float() / 255
    if how == "dynamic":
        # _uniform lies in [0, 1): probability 0 never gives a 1, probability 1 always does.
        return (_uniform(grey, generator) < grey).float()
    return (grey > 0.5).float() if how == "threshold" else grey


def binarise(x: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """Draw a binary picture whose pixels are 1 with the probability that x states.

    b ~ Bernoulli(x), independently for each pixel, drawn anew at each call
    (Salakhutdinov and Murray 2008, "On the quantitative analysis of deep belief networks").

    Args:
        x: float, any shape, values in [0, 1].
        generator: source of the draws, on the device of x; torch's own if None.

    Returns:
        0s and 1s, the shape and type of x.

    Raises:
        CourseError: if x is not float or leaves [0, 1].

    Example:
        >>> binarise(torch.tensor([0.0, 1.0])).tolist()
        [0.0, 1.0]
    """
    _check_unit(x, "binarise")
    return (_uniform(x, generator) < x).to(x.dtype)


def threshold(x: Tensor) -> Tensor:
    """Make a picture binary by a fixed rule: 1 where x > 0.5, else 0.

    Args:
        x: float, any shape, values in [0, 1].

    Returns:
        0s and 1s, the shape and type of x.

    Raises:
        CourseError: if x is not float or leaves [0, 1].

    Example:
        >>> threshold(torch.tensor([0.2, 0.5, 0.7])).tolist()
        [0.0, 0.0, 1.0]
    """
    _check_unit(x, "threshold")
    return (x > 0.5).to(x.dtype)


def dequantise(v: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """Spread each byte over its bin, so that a density can be fitted to it.

    x = (v + u) / 256 with u ~ U[0, 1), drawn anew at each call; floor(256 x) = v always holds
    (Theis, van den Oord and Bethge 2016, "A note on the evaluation of generative models").

    Args:
        v: uint8, any shape, values 0 to 255.
        generator: source of the draws, on the device of v; torch's own if None.

    Returns:
        float32, the shape of v, values in [0, 1).

    Raises:
        CourseError: if v is not uint8.

    Example:
        >>> v = torch.tensor([0, 7, 255], dtype=torch.uint8)
        >>> quantise(dequantise(v), 256).tolist()
        [0, 7, 255]
    """
    _check_bytes(v, "dequantise")
    # float32 holds 255 + u only in steps of 2^-16: a larger u would round up into the next bin.
    u = _uniform(v, generator).clamp_(max=1 - 2**-16)
    return (v + u) / 256


def quantise(x: Tensor, bins: int) -> Tensor:
    """Sort values into equal bins of [0, 1].

    index = floor(x * bins), with x = 1 in the last bin.

    Args:
        x: float, any shape, values in [0, 1].
        bins: number of bins, at least 2.

    Returns:
        int64, the shape of x, values 0 to bins - 1.

    Raises:
        CourseError: if x is not float or leaves [0, 1], or bins is not a whole number >= 2.

    Example:
        >>> quantise(torch.tensor([0.0, 0.24, 0.25, 1.0]), 4).tolist()
        [0, 0, 1, 3]
    """
    _check_unit(x, "quantise")
    if isinstance(bins, bool) or not isinstance(bins, int) or bins < 2:
        raise CourseError(f"quantise takes a whole number of bins, at least 2, but got {bins!r}.")
    return (x * bins).floor().long().clamp_(max=bins - 1)


def add_noise(x: Tensor, sigma: float, generator: torch.Generator | None = None) -> Tensor:
    """Add Gaussian noise and clip: min(1, max(0, x + sigma * e)) with e ~ N(0, 1).

    Args:
        x: float, any shape, values in [0, 1].
        sigma: standard deviation of the noise, in units of the grey range; not negative.
        generator: source of the draws, on the device of x; torch's own if None.

    Returns:
        The shape and type of x, values in [0, 1].

    Raises:
        CourseError: if x is not float or leaves [0, 1], or sigma is negative.

    Example:
        >>> add_noise(torch.tensor([0.0, 0.5, 1.0]), 0.0).tolist()
        [0.0, 0.5, 1.0]
    """
    _check_unit(x, "add_noise")
    if not 0 <= sigma < float("inf"):
        raise CourseError(f"add_noise takes a finite sigma of at least 0, but got {sigma!r}.")
    _check_generator(generator, x)
    noise = torch.randn(x.shape, generator=generator, device=x.device, dtype=x.dtype)
    return (x + sigma * noise).clamp_(0, 1)


def mask(x: Tensor, keep: Tensor) -> Tensor:
    """Hide a part of each picture: x where keep is true, 0 elsewhere.

    Args:
        x: float, shape (B, C, H, W), values in [0, 1].
        keep: bool, shape (H, W), (C, H, W), (B, 1, H, W) or (B, C, H, W); true = seen.

    Returns:
        The shape and type of x.

    Raises:
        CourseError: if x is no batch of pictures, or keep is not bool or does not fit x.

    Example:
        >>> left = torch.tensor([[True, False]])
        >>> mask(torch.ones(1, 1, 2, 2), left.expand(2, 2)).flatten().tolist()
        [1.0, 0.0, 1.0, 0.0]
    """
    _check_unit(x, "mask")
    if x.dim() != 4:
        raise CourseError(f"mask takes pictures of shape (B, C, H, W), but got {tuple(x.shape)}.")
    if not isinstance(keep, Tensor) or keep.dtype != torch.bool:
        kind = keep.dtype if isinstance(keep, Tensor) else type(keep).__name__
        raise CourseError(f"mask takes a bool tensor for keep (true = seen), but got {kind}.")
    b, c, h, w = x.shape
    if tuple(keep.shape) not in {(h, w), (1, h, w), (c, h, w), (1, 1, h, w), (1, c, h, w),
                                 (b, 1, h, w), (b, c, h, w)}:  # fmt: skip
        raise CourseError(
            f"keep of shape {tuple(keep.shape)} does not fit pictures of shape {tuple(x.shape)}: "
            "it should be (H, W), (C, H, W), (B, 1, H, W) or (B, C, H, W)."
        )
    return torch.where(keep, x, torch.zeros_like(x))
