"""Handwritten-looking digits, drawn from pen paths and known factors.

A digit is a path of `digit_skeletons`, its points moved a little, bent, slanted, turned, fitted
into the middle of the picture as MNIST's digits are, and inked with a round pen.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from coursekit.errors import CourseError
from coursekit.synthetic.skeletons import SKELETONS, Path, Run

Array = NDArray[Any]  # float32 throughout
Factors = dict[str, NDArray[Any]]
SIDE = 28
CHUNK = 1000  # pictures that share a seed: the first n are the same whatever n is
BLOCK = 250  # pictures drawn at once, few enough for the processor's cache
STEPS = 96  # points along a path, less than a pixel apart
SPREAD = 1.0  # pixels; how far the ink of one point spreads before the pen's edge is cut


def draw_in_chunks(
    draw: Callable[[int, int, int], tuple[NDArray[np.uint8], Factors]], n: int, seed: int
) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
    """Draw n pictures chunk by chunk, in as many threads as torch may use.

    Args:
        draw: (count, seed, chunk) to pictures uint8 (count, ...) and factors, "label" among them.
        n: number of pictures, at least 1.
        seed: fixes everything together with the chunk's number; not negative.

    Returns:
        Pictures uint8, labels int64 (n,), and the other factors, each (n,).

    Raises:
        CourseError: if n or seed is not a whole number in its range.
    """
    for name, value, least in (("n", n, 1), ("seed", seed, 0)):
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise CourseError(
                f"A drawing takes a whole number for {name}, at least {least}, but got {value!r}."
            )
    counts = [min(CHUNK, n - start) for start in range(0, n, CHUNK)]
    with ThreadPoolExecutor(max_workers=torch.get_num_threads()) as pool:
        parts = list(pool.map(lambda c: draw(counts[c], seed, c), range(len(counts))))
    pictures = torch.from_numpy(np.concatenate([part for part, _ in parts]))
    known = {
        name: torch.from_numpy(np.concatenate([factors[name] for _, factors in parts]))
        for name in parts[0][1]
    }
    return pictures, known.pop("label"), known


def digits(n: int, seed: int = 0) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
    """Draw n handwritten-looking digits; the same n and seed give the same digits.

    Args:
        n: how many, at least 1; the first of them do not depend on n.
        seed: another seed gives other digits; not negative.

    Returns:
        Pictures, uint8 (n, 1, 28, 28), white ink on black as in MNIST; labels, int64 (n,);
        factors, each (n,): "variant" (which way of writing the digit, int64), "slant" (tangent of
        the angle, to the right positive), "rotation" (radians, clockwise), "thickness" (of the
        stroke, pixels), "size" (longer side, pixels), "aspect" (width over the usual width),
        "wobble" (unsteadiness, 1 is usual), "x" and "y" (pixels right and down of the middle).

    Raises:
        CourseError: if n or seed is not a whole number in its range.

    Example:
        >>> pictures, labels, factors = digits(10)
        >>> tuple(pictures.shape), labels.dtype, tuple(factors["slant"].shape)
        ((10, 1, 28, 28), torch.int64, (10,))
    """
    return draw_in_chunks(_draw_chunk, n, seed)


def _curve(points: int, steps: int) -> Array:
    """Weights (steps, points) of a smooth curve along its control points, ends included.

    Half a Catmull-Rom spline, which runs through the points, half a cubic B-spline, which cuts
    their corners: points that wobble then still give rounded lines, as a hand does.
    """
    where = np.linspace(0, points - 1, steps)
    first = np.minimum(where.astype(int), points - 2)
    t = where - first
    through = (
        -0.5 * t + t**2 - 0.5 * t**3,
        1 - 2.5 * t**2 + 1.5 * t**3,
        0.5 * t + 2 * t**2 - 1.5 * t**3,
        -0.5 * t**2 + 0.5 * t**3,
    )
    along = (
        (1 - t) ** 3 / 6,
        (4 - 6 * t**2 + 3 * t**3) / 6,
        (1 + 3 * t + 3 * t**2 - 3 * t**3) / 6,
        t**3 / 6,
    )
    # One more point at either end, where the curve would go straight on: p[-1] = 2 p[0] - p[1].
    weights, rows = np.zeros((steps, points + 2)), np.arange(steps)
    for offset, (a, b) in enumerate(zip(through, along, strict=True)):
        weights[rows, first + offset] += (a + b) / 2
    for extra, end, inner in ((0, 1, 2), (points + 1, points, points - 1)):
        weights[:, end] += 2 * weights[:, extra]
        weights[:, inner] -= weights[:, extra]
    return weights[:, 1:-1].astype(np.float32)


def _length(run: Run) -> float:
    return float(np.linalg.norm(np.diff(np.array(run), axis=0), axis=1).sum())


@lru_cache(maxsize=1)
def _tables() -> tuple[NDArray[np.float64], NDArray[np.int64], Array, Array, Array]:
    """Lay the S skeletons out as arrays of one shape.

    Returns:
        Odds (10, V) of each variant of each digit; its skeleton (10, V); control points (S, K, 2);
        curve weights (S, STEPS, K); pen (S, STEPS - 1), 1 where it is down on the way to the next
        point.
    """
    paths = [path for ways in SKELETONS for _, path in ways]
    most = max(len(ways) for ways in SKELETONS)
    odds, skeleton = np.zeros((10, most)), np.zeros((10, most), dtype=np.int64)
    for digit, ways in enumerate(SKELETONS):
        odds[digit, : len(ways)] = [weight for weight, _ in ways]
        before = sum(len(other) for other in SKELETONS[:digit])
        skeleton[digit, : len(ways)] = before + np.arange(len(ways))
    width = max(sum(len(run) for stroke in path for run in stroke) for path in paths)
    control = np.zeros((len(paths), width, 2), dtype=np.float32)
    weights = np.zeros((len(paths), STEPS, width), dtype=np.float32)
    pen = np.zeros((len(paths), STEPS - 1), dtype=np.float32)
    for s, path in enumerate(paths):
        _lay_out(path, control[s], weights[s], pen[s])
    return odds / odds.sum(1, keepdims=True), skeleton, control, weights, pen


def _lay_out(path: Path, control: Array, weights: Array, pen: Array) -> None:
    """Fill the rows of one skeleton in place: steps are shared out by length."""
    lengths = np.cumsum([_length(run) for stroke in path for run in stroke])
    ends = iter(np.round(lengths / lengths[-1] * STEPS).astype(int))
    start = used = 0
    for stroke in path:
        begin = start
        for j, run in enumerate(stroke):
            used -= j > 0  # a corner is one control point of two runs, so that it stays closed
            end = int(next(ends))
            control[used : used + len(run)] = run
            weights[start:end, used : used + len(run)] = _curve(len(run), end - start)
            start, used = end, used + len(run)
        pen[begin : start - 1] = 1


def _draw_chunk(n: int, seed: int, chunk: int) -> tuple[NDArray[np.uint8], Factors]:
    """Draw the first n of the CHUNK digits that seed and chunk fix."""
    odds, skeleton, control, weights, pen = _tables()
    rng = np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, chunk, 10])))

    def normal(*shape: int) -> Array:
        # Cut at 1.9: a digit nobody could read teaches nothing.
        return rng.standard_normal((CHUNK, *shape), dtype=np.float32).clip(-1.9, 1.9)

    label = rng.integers(0, 10, CHUNK)
    variant = (rng.random(CHUNK)[:, None] > odds[label].cumsum(1)).sum(1)
    factors: Factors = {
        "slant": 0.15 + 0.27 * normal(),
        "rotation": 0.1 * normal(),
        "thickness": 2.75 * np.exp(0.21 * normal()),
        "size": 19.0 + 0.9 * normal(),
        "aspect": np.exp(0.14 * normal()),
        "wobble": np.exp(0.25 * normal()),
        "x": 0.65 * normal(),
        "y": 0.65 * normal(),
    }
    jitter, bend, pressure = normal(control.shape[1], 2), normal(6), normal(3)
    jitter[:, 1:] += 0.6 * jitter[:, :-1]  # neighbours move together
    pictures = np.empty((n, 1, SIDE, SIDE), dtype=np.uint8)
    for start in range(0, n, BLOCK):
        part = slice(start, min(start + BLOCK, n))
        s = skeleton[label[part], variant[part]]
        some = {name: values[part] for name, values in factors.items()}
        path = _write(control[s], weights[s], jitter[part], bend[part], some)
        path = _place(path, pen[s], some)
        pictures[part, 0] = _ink(path, pen[s], pressure[part], some["thickness"])
    known = {"label": label, "variant": variant, **factors}
    return pictures, {name: values[:n] for name, values in known.items()}


def _write(control: Array, weights: Array, jitter: Array, bend: Array, f: Factors) -> Array:
    """Return the pen's path (B, STEPS, 2), about 1 high, around the origin."""
    points = (
        control / 100
        - np.array((0.32, 0.5), dtype=np.float32)
        + 0.031 * f["wobble"][:, None, None] * jitter
    )
    path = weights @ points
    # A slow bend of the whole sheet, so that strokes near each other move together. It has no
    # part that would slant, turn or stretch the digit: those are factors of their own.
    x, y = path[..., 0], path[..., 1]
    b = (0.055 * f["wobble"] * bend.T)[:, :, None]
    u, v = np.pi * x, np.pi * y
    across = b[0] * np.cos(v) + b[1] * np.sin(2 * v) + b[2] / 2 * np.sin(u) * v
    down = b[3] * np.cos(u) + b[4] * np.sin(2 * u) / 2 + b[5] / 2 * np.sin(v) * u
    y = y + down
    x = (x + across) * f["aspect"][:, None] - f["slant"][:, None] * y
    cos, sin = np.cos(f["rotation"])[:, None], np.sin(f["rotation"])[:, None]
    return np.stack([cos * x - sin * y, sin * x + cos * y], axis=-1)


def _segments(path: Array, pen: Array) -> tuple[Array, Array]:
    """Return the middles (B, STEPS - 1, 2) and lengths (B, STEPS - 1) of what is drawn."""
    middle = (path[:, 1:] + path[:, :-1]) / 2
    return middle, np.sqrt((np.diff(path, axis=1) ** 2).sum(-1)) * pen


def _place(path: Array, pen: Array, f: Factors) -> Array:
    """Fit the path into a box of `size` pixels, the middle of its ink in the picture's middle."""
    extent = (path.max(1) - path.min(1)).max(1)
    path = path * ((f["size"] - f["thickness"]) / extent)[:, None, None]
    middle, length = _segments(path, pen)
    mass = (middle * length[..., None]).sum(1) / length.sum(1)[:, None]
    offset = np.stack([f["x"], f["y"]], axis=1)
    move = offset + SIDE / 2 - mass
    # A stroke with a long tail moves back until all of it is in the picture.
    edge = f["thickness"][:, None] / 2 + 1
    move = np.minimum(np.maximum(move, edge - path.min(1)), SIDE - 1 - edge - path.max(1))
    f["x"][:], f["y"][:] = (move + mass - SIDE / 2).T  # the factors say where it really is
    return path + move[:, None]


def _ink(path: Array, pen: Array, pressure: Array, thickness: Array) -> NDArray[np.uint8]:
    """Ink the path (B, STEPS, 2) with a round pen: grey values (B, SIDE, SIDE).

    Each bit of the path adds a Gaussian spot. Beside a long line the sum is exp(-d^2/(2 SPREAD^2))
    at distance d, so d is read back from it; crossings fill a little, as ink does. A Gaussian
    spot is a product of one in x and one in y, so the sum over the path is a matrix product.
    """
    middle, length = _segments(path, pen)
    pixel = np.arange(SIDE, dtype=np.float32)
    spot = np.exp(-((middle[..., None] - pixel) ** 2) / (2 * SPREAD**2))
    across = spot[:, :, 0]
    down = (spot[:, :, 1] * (length / (SPREAD * np.sqrt(2 * np.pi)))[..., None]).astype(np.float32)
    field = np.maximum(down.transpose(0, 2, 1) @ across, 1e-12)
    distance = SPREAD * np.sqrt(np.maximum(-2 * np.log(field), 0))
    # The pen's pressure changes slowly along the path; each pixel takes it from the path nearby.
    t = np.linspace(0, np.pi, length.shape[1], dtype=np.float32) * np.arange(1, 4)[:, None]
    press = (1 + 0.1 * pressure @ np.cos(t)).astype(np.float32)
    radius = (down * press[..., None]).transpose(0, 2, 1) @ across / field
    radius *= thickness[:, None, None] / 2
    return np.round(255 * np.clip((radius - distance) / 1.3 + 0.5, 0, 1)).astype(np.uint8)
