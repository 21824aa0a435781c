"""What the explorer of notebook 04 draws: masks, and the path of one optimisation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from coursekit.errors import CourseError
from coursekit.plots.pictures import check_pictures

Optimise = Callable[[Tensor, Tensor], Sequence[tuple[Tensor, Tensor]]]
Decode = Callable[[Tensor], Tensor]
Elbo = Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]

_HIDDEN = (0.60, 0.76, 0.90)  # no grey: nobody takes it for a part of the picture
_DRAWS = 2


def standard_masks(height: int, width: int, seed: int = 0) -> dict[str, Tensor]:
    """The ways of hiding a part of a picture: true where a pixel is seen.

    Args:
        height: H.
        width: W.
        seed: of the random pixels.

    Returns:
        Name to bool (H, W): all of it, either half, the lower left quarter, all but a box in the
        middle, and one pixel in ten, chosen at random.

    Example:
        >>> {name: int(seen.sum()) for name, seen in standard_masks(4, 4).items()}["left half"]
        8
    """
    row, column = torch.arange(height)[:, None], torch.arange(width)[None, :]
    box = ((row - (height - 1) / 2).abs() < height / 4) & (
        (column - (width - 1) / 2).abs() < width / 4
    )
    order = torch.rand(height * width, generator=torch.Generator().manual_seed(seed)).argsort()
    return {
        "none hidden": torch.ones(height, width, dtype=torch.bool),
        "left half": (column < width // 2).expand(height, width),
        "right half": (column >= width // 2).expand(height, width),
        "a quarter": (row >= height // 2) & (column < width // 2),
        "all but a box": ~box,
        "random pixels": (order < max(1, height * width // 10)).view(height, width),
    }


@dataclass(frozen=True)
class Path:
    """All that is drawn of one optimisation.

    Attributes:
        steps: the gradient steps after which psi was stored, T of them.
        seen: the picture with its hidden part in blue, (3 or C, H, W).
        share: of the values that are seen.
        means: decoded at the mean after each of them, (T, C, H, W).
        draws: with z drawn from q; the seen part is the picture's own, (T, 2, C, H, W).
        elbos: of the seen part after each of them, T nats.
    """

    steps: list[int]
    seen: Tensor
    share: float
    means: Tensor
    draws: Tensor
    elbos: list[float]


def follow(
    picture: Tensor,
    seen: Tensor,
    optimise: Optimise,
    decode: Decode,
    elbo: Elbo,
    *,
    every: int = 5,
    seed: int = 0,
    device: str = "cpu",
) -> Path:
    """Optimise the Gaussian of one picture, and decode all that will be drawn of it.

    Args:
        picture: (C, H, W) in [0, 1].
        seen: bool, (H, W), true where a pixel is seen.
        optimise: picture (1, C, H, W) and mask (1, 1, H, W) to the (mu, log_var), each (1, K),
            at the start and after every so many steps.
        decode: (B, K) latents to (B, C, H, W) pictures in [0, 1].
        elbo: x (T, C, H, W), mask (1, 1, H, W), mu and log_var (T, K) to the ELBO of the seen
            part, (T,) nats.
        every: gradient steps between two entries of what `optimise` gives.
        seed: of the noise of the draws.
        device: where the functions want their inputs.

    Returns:
        What `render_stepper` draws.

    Raises:
        CourseError: a mask, a path or values of another shape.
    """
    if seen.dtype != torch.bool or seen.shape != picture.shape[1:]:
        raise CourseError(
            f"a mask must be bool of shape {tuple(picture.shape[1:])}, true where a pixel is seen, "
            f"not {seen.dtype} of shape {tuple(seen.shape)}."
        )
    x, mask = picture[None].to(device), seen[None, None].to(device)
    path = list(optimise(x, mask))
    flat = [part for entry in path for part in entry]
    if not path or any(part.ndim != 2 or part.shape != (1, flat[0].shape[-1]) for part in flat):
        raise CourseError(
            "optimise(x, mask) must return a list of (mu, log_var), each of shape (1, K), "
            f"not {[tuple(part.shape) for part in flat[:2]]}."
        )
    mu, log_var = (torch.cat(parts).detach() for parts in zip(*path, strict=True))
    noise = torch.randn(_DRAWS, 1, mu.shape[1], generator=torch.Generator().manual_seed(seed))
    z = mu + torch.exp(0.5 * log_var) * noise.to(mu.device)
    with torch.no_grad():
        values = elbo(x.expand(len(mu), -1, -1, -1), mask, mu, log_var)
        decoded = check_pictures(decode(torch.cat([mu, z.flatten(0, 1)])), "decode(z)")
    if values.shape != (len(mu),):
        raise CourseError(
            f"elbo must give one value for each of {len(mu)} steps, not {tuple(values.shape)}."
        )
    means, drawn = decoded[: len(mu)], decoded[len(mu) :].unflatten(0, (_DRAWS, len(mu)))
    whole = bool(seen.all())
    hidden = torch.tensor(_HIDDEN)[:, None, None]
    return Path(
        steps=[every * entry for entry in range(len(mu))],
        seen=picture if whole else torch.where(seen, picture.expand(3, -1, -1), hidden),
        share=float(seen.float().mean()),
        means=means,
        draws=(drawn if whole else torch.where(seen, picture, drawn)).transpose(0, 1),
        elbos=[float(value) for value in values],
    )
