"""Explorer of notebook 01: what the posterior of one picture holds."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from coursekit.errors import CourseError
from coursekit.explorers.canvas import SOFT, TIMES, Canvas, number
from coursekit.explorers.layout import Explorer, put, slider, whole_slider
from coursekit.plots.pictures import check_pictures, pictures_beside

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Encode = Callable[[Tensor], tuple[Tensor, Tensor]]
Decode = Callable[[Tensor], Tensor]

_WIDTH, _HEIGHT, _LEFT, _DRAWS = 536, 286, 14, 8
_LARGE, _SMALL = 140, 56


def posteriors(pictures: Tensor, encode: Encode, device: str) -> tuple[Tensor, Tensor, Tensor]:
    """Pictures, posterior means and standard deviations, on the CPU, checked."""
    shown = check_pictures(pictures)
    with torch.no_grad():
        parts = [encode(part.to(device)) for part in shown.split(500)]
    mu, log_var = (torch.cat(column).float().cpu() for column in zip(*parts, strict=True))
    if mu.shape != log_var.shape or mu.ndim != 2 or len(mu) != len(shown):
        raise CourseError(
            "encode must return (mu, log_var), both of shape (B, K), "
            f"not {tuple(mu.shape)} and {tuple(log_var.shape)}."
        )
    return shown, mu, (0.5 * log_var).exp()


def most_active(mu: Tensor, count: int) -> list[int]:
    """The latents whose posterior means vary most over the pictures, the most active first.

    Example:
        >>> most_active(torch.tensor([[0.0, 3.0, 1.0], [0.1, -3.0, -1.0]]), 2)
        [1, 2]
    """
    spread = mu.var(dim=0, unbiased=False)
    return spread.argsort(descending=True)[:count].tolist()


def render_posterior(
    picture: Tensor,
    mu: Tensor,
    sigma: Tensor,
    decode: Decode,
    *,
    offset: Tensor | None = None,
    scale: float = 1.0,
    noise: Tensor | None = None,
    device: str = "cpu",
) -> bytes:
    """A picture, its reconstruction, the picture at an offset, and draws, as PNG bytes.

    The pictures decoded are at z = mu, at z = mu + offset * sigma, and, for each row of `noise`,
    at z = mu + offset * sigma + scale * sigma * noise.

    Args:
        picture: (C, H, W) in [0, 1].
        mu: (K,) posterior mean.
        sigma: (K,) posterior standard deviations.
        decode: (B, K) latents to (B, C, H, W) pictures in [0, 1].
        offset: (K,) in posterior standard deviations; zero when None.
        scale: how much the noise is enlarged; 1 draws from the posterior.
        noise: (S, K) standard normal draws, S up to 8; eight with seed 0 when None.
        device: where `decode` wants its latents.

    Returns:
        PNG bytes, 1072 x 572 dots.

    Raises:
        CourseError: offset or noise of another size than mu, or pictures out of range.
    """
    offset = torch.zeros_like(mu) if offset is None else offset
    if noise is None:
        noise = torch.randn(_DRAWS, len(mu), generator=torch.Generator().manual_seed(0))
    if offset.shape != mu.shape or noise.ndim != 2 or noise.shape[1] != len(mu):
        raise CourseError(
            f"offset must have shape ({len(mu)},) and noise (S, {len(mu)}), "
            f"not {tuple(offset.shape)} and {tuple(noise.shape)}."
        )
    moved = mu + offset * sigma
    latents = torch.cat([mu[None], moved[None], moved + scale * sigma * noise[:_DRAWS]])
    with torch.no_grad():
        decoded = check_pictures(decode(latents.to(device)), "decode(z)")
    canvas = Canvas(_WIDTH, _HEIGHT)
    step = (_WIDTH - 2 * _LEFT - _LARGE) / 2
    titles = ("test picture", "decoded at the mean", "decoded at your offsets")
    for index, (shown, title) in enumerate(
        zip((picture, decoded[0], decoded[1]), titles, strict=True)
    ):
        canvas.picture(shown, _LEFT + index * step, 26, _LARGE, title, size=12.5)
    canvas.text(_LEFT, 198, f"Draws around your offsets, noise {TIMES} {number(scale, 1)}", size=13)
    note = "the posterior itself" if scale == 1 else "no noise" if scale == 0 else ""
    canvas.text(_WIDTH - _LEFT, 198, note, size=12, colour=SOFT, anchor="rm")
    draws = decoded[2:]
    small_step = (_WIDTH - 2 * _LEFT - _SMALL) / max(1, len(draws) - 1)
    for index, shown in enumerate(draws):
        canvas.picture(shown, _LEFT + index * small_step, 216, _SMALL)
    return canvas.png()


def posterior(
    pictures: Tensor,
    encode: Encode,
    decode: Decode,
    *,
    sliders: int = 6,
    reach: float = 10.0,
    seed: int = 0,
    device: str = "cpu",
) -> Explorer:
    """Choose a picture, move its latents, enlarge the posterior's noise, and see what is decoded.

    Args:
        pictures: (N, C, H, W) in [0, 1], prepared as the encoder wants them.
        encode: (B, C, H, W) to (mu, log_var), both (B, K).
        decode: (B, K) to pictures (B, C, H, W) in [0, 1].
        sliders: how many latents get a slider, the most active over the pictures first.
        reach: the sliders reach from -reach to reach posterior standard deviations.
        seed: seed of the noise.
        device: where `encode` and `decode` want their inputs.

    Returns:
        A widget; leave it as the last line of a cell.

    Raises:
        CourseError: pictures or posteriors of a wrong shape.
    """
    shown, mu, sigma = posteriors(pictures, encode, device)
    chosen = most_active(mu, sliders)
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randn(_DRAWS, mu.shape[1], generator=generator)

    def offset_of(values: dict[str, float]) -> Tensor:
        offset = torch.zeros(mu.shape[1])
        for latent in chosen:
            offset[latent] = values[f"z{latent}"]
        return offset

    def draw(index: int, scale: float, **values: float) -> bytes:
        return render_posterior(
            shown[index],
            mu[index],
            sigma[index],
            decode,
            offset=offset_of(values),
            scale=scale,
            noise=noise,
            device=device,
        )

    def describe(index: int, scale: float, **values: float) -> str:
        length = float(offset_of(values).norm())
        return (
            f"Picture {index}; moved by {length:.1f} posterior standard deviations in all; "
            f"noise {TIMES} {number(scale, 1)} ({TIMES} 1 is the posterior itself)."
        )

    def new_noise() -> None:
        noise.copy_(torch.randn(noise.shape, generator=generator))

    def reset() -> None:
        put(explorer.controls["scale"], 1.0)
        for latent in chosen:
            put(explorer.controls[f"z{latent}"], 0.0)

    controls = {
        "index": whole_slider("picture", 0, 0, len(shown) - 1),
        "scale": slider(f"noise {TIMES}", 1.0, 0, 20, 0.5, readout=".1f"),
    }
    for latent in chosen:
        controls[f"z{latent}"] = slider(f"z[{latent}]", 0.0, -reach, reach, 0.5, readout=".1f")
    first = f"z{chosen[0]}"
    explorer = Explorer(
        "What does the posterior of a picture hold?",
        controls,
        draw,
        describe,
        width=_WIDTH,
        buttons={"new noise": new_noise, "reset": reset},
        headings={first: "offsets, in posterior standard deviations"},
    )
    return explorer


def posterior_static(
    pictures: Tensor,
    encode: Encode,
    decode: Decode,
    *,
    index: int = 0,
    latents: int = 3,
    reach: float = 10.0,
    scales: tuple[float, ...] = (1.0, 5.0, 20.0),
    columns: int = 9,
    seed: int = 0,
    device: str = "cpu",
) -> Figure:
    """The static twin of `posterior`: one picture, its latents moved, its noise enlarged.

    Rows: the picture and its reconstruction; each of the most active latents from -reach to reach
    posterior standard deviations; draws with the noise enlarged by each of `scales`.

    Args:
        pictures: (N, C, H, W) in [0, 1].
        encode: (B, C, H, W) to (mu, log_var), both (B, K).
        decode: (B, K) to pictures (B, C, H, W) in [0, 1].
        index: which picture.
        latents: how many latents are moved.
        reach: posterior standard deviations to either side.
        scales: enlargements of the noise.
        columns: pictures in a row.
        seed: seed of the noise.
        device: where `encode` and `decode` want their inputs.

    Returns:
        A figure.

    Raises:
        CourseError: no such picture, or pictures or posteriors of a wrong shape.
    """
    shown, mu, sigma = posteriors(pictures, encode, device)
    if not 0 <= index < len(shown):
        raise CourseError(f"index must lie between 0 and {len(shown) - 1}, not {index}.")
    mean, spread = mu[index], sigma[index]
    noise = torch.randn(columns, len(mean), generator=torch.Generator().manual_seed(seed))
    places = {}
    for latent in most_active(mu, latents):
        z = mean.repeat(columns, 1)
        z[:, latent] += torch.linspace(-reach, reach, columns) * spread[latent]
        places[f"z[{latent}]: {number(-reach, 0)} to {reach:g} std."] = z
    for scale in scales:
        places[f"draws, noise {TIMES} {scale:g}"] = mean + scale * spread * noise
    with torch.no_grad():
        decoded = {name: decode(z.to(device)).cpu() for name, z in places.items()}
        at_mean = decode(mean[None].to(device)).cpu()
    blank = torch.ones(columns - 2, *shown.shape[1:])
    first = torch.cat([shown[index : index + 1], at_mean, blank])
    return pictures_beside({"picture, decoded mean": first, **decoded}, columns=columns, scale=4)
